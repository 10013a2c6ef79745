"""Checks: what a learner is told, whatever they hand in."""

from __future__ import annotations

import pytest
from answers import (
    FADED,
    RIGHT,
    STAYS,
    WRONG,
)

from mmsim import checks
from mmsim.checks import TASKS, check, hint, judge
from mmsim.widgets import show_table


def case_a(a):
    return {**RIGHT["01.equation"], "a": a}


ODD = [1, "x", [], {}, object(), {"a": object()}, ["x", 1], float("nan"), b"x", {1: 2}, check]


def test_every_task_has_a_right_answer_here():
    assert judge("00.nothing", 1).state == "failed"
    assert set(TASKS) == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name):
    assert judge(name, RIGHT[name]).state == "passed"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_are_told_what_speaks_against_them(name):
    verdict = judge(name, WRONG[name])
    assert verdict.state == "failed"
    assert len(verdict.why) > 15


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_a_check_never_raises(name, odd, capsys):
    check(name, odd)
    assert capsys.readouterr().out.startswith(("✘ not yet", "○ not attempted"))


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("empty", [None, ..., [None, None], {"a": None}, [], {}, set(), {None}])
def test_nothing_handed_in_is_not_attempted(name, empty):
    assert judge(name, empty).state == "not attempted"


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        (
            "01.recall",
            {"call": "bc", "leave": "c", "out": "d"},
            "call can be 'a', 'b', 'c'",
        ),
        ("01.vote", "e", "the answer can be 'a', 'b', 'c', 'd', not 'e'"),
        ("01.faded", {**FADED, "mappings": "3"}, "mappings should be a whole number, not '3'"),
        ("01.faded", {**FADED, "mappings": True}, "mappings should be a whole number, not True"),
        ("01.kinds", {**STAYS, "mapping": "long"}, "mapping can be 'temporary', 'long-term', not"),
        ("01.vote", 5, "the answer can be 'a', 'b', 'c', 'd', not 5"),
        ("01.leak", {"seed": 9, "holder": "fault", "step": "14"}, "step should be a whole number"),
        ("01.leak", {"seed": 9, "holder": "fault", "step": "14"}, "not '14'"),
        ("01.leak", {"seed": 9, "holder": 3, "step": 14}, "holder should be a text in quotes"),
        ("01.equation", case_a("515"), "a should be a list of 2, not '515'"),
        ("01.equation", case_a((515, 517, 2)), "a should be a list of 2, not (515, 517, 2)"),
        ("01.equation", case_a(("515", 517)), "each of a should be a whole number, not '515'"),
        ("09.fitting", {"seed": 1, "fitting": 5}, "fitting should be a list, not 5"),
        ("02.one", 50, "the answer should be lending(cma=..., free=...)"),
        ("02.one", {"cma": 50}, "the answer should be lending(cma=..., free=...)"),
        ("03.healthy", 50, "the answer should be host(cma=..., used=...)"),
    ],
)
def test_a_wrong_form_is_not_called_a_wrong_answer(name, answer, told):
    verdict = judge(name, answer)
    assert verdict.state == "failed"
    assert told in verdict.why


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("01.recall", {"call": "B", "leave": " c", "out": "D "}),
        ("01.vote", "D"),
        ("01.kinds", {name: stays.title() for name, stays in STAYS.items()}),
        ("01.kinds", {name: stays.replace("-", " ") for name, stays in STAYS.items()}),
        ("01.equation", case_a([515, 517])),
        ("09.fitting", {"seed": 1, "fitting": ("truncated", "nomem")}),
        ("09.fitting", {"seed": 1, "fitting": {"truncated", "nomem"}}),
    ],
)
def test_a_right_answer_passes_in_every_form_in_which_it_can_be_meant(name, answer):
    assert judge(name, answer).state == "passed"


def test_what_is_still_open_is_named():
    told = judge("01.faded", {**FADED, "expected": None, "actual": None})
    assert told.state == "not attempted"
    assert told.why == "still open: expected, actual"


@pytest.fixture
def three(monkeypatch):
    """A task of its own, with three hints."""
    monkeypatch.setattr(checks, "TASKS", dict(TASKS))
    checks.HINTED.clear()
    checks.task("99.three", "a number", "one", "two", "three", parts=int)(
        lambda answer: checks.passed("so") if answer == 3 else checks.failed("not so")
    )
    return "99.three"


def test_a_table_waits_for_the_task_that_it_answers(three, capsys):
    for answer in (None, "3"):
        show_table("a secret", after=three)
        check(three, answer)
    check("99.no_such_task", 3)
    show_table("a secret", after=three)
    assert "a secret" not in capsys.readouterr().out
    check(three, 7)
    show_table("a secret", after=three)
    assert capsys.readouterr().out.endswith("a secret\n")


def test_unknown_tasks_get_the_nearest_match(three, capsys):
    check("99.there", 1)
    assert "did you mean '99.three'" in capsys.readouterr().out
    hint("99.there")
    assert "did you mean '99.three'" in capsys.readouterr().out


def test_hints_come_in_steps_and_end(three, capsys):
    for number in (1, 2, 3):
        hint(three, number)
    hint(three, 4)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Hint 1 of 3")
    assert said[3] == "99.three has hints 1 to 3."


def test_each_call_without_a_number_gives_the_next_hint(three, capsys):
    for _ in range(4):
        hint(three)
    hint(three, 1)
    hint(three)
    said = [line[: len("Hint 1 of 3")] for line in capsys.readouterr().out.splitlines()]
    assert said == [f"Hint {n} of 3" for n in (1, 2, 3, 3, 1, 2)]


def test_a_task_without_hints_and_a_number_that_is_none_are_told(three, capsys):
    checks.TASKS["99.bare"] = checks.TASKS[three]._replace(hints=())
    hint("99.bare")
    hint("99.bare", 1)
    hint(three, 0)
    said = capsys.readouterr().out.splitlines()
    assert said == ["There are no hints for 99.bare."] * 2 + ["99.three has hints 1 to 3."]


def test_letters_tell_the_reason_with_facts_of_the_model(monkeypatch):
    monkeypatch.setattr(checks, "TASKS", dict(TASKS))
    key = {"one": ("b", "it is {code}"), "two": ("d", "so")}
    checks.letters("99.letters", key, "a hint", choices="abcd", facts=lambda: {"code": "-ENOMEM"})
    assert judge("99.letters", {"one": "a", "two": "d"}).why == "one is not 'a': it is -ENOMEM"
    assert judge("99.letters", {"one": "b", "two": "c"}).why == "two is not 'c': so"
    assert judge("99.letters", {"one": "b", "two": "d"}).why == "all are still there"
    assert "one can be 'a', 'b', 'c', 'd'" in judge("99.letters", {"one": "e", "two": "d"}).why


@pytest.mark.parametrize(
    "name", ["01.expected_refs", "07.count", "07.moved", "07.policy", "08.rule"]
)
def test_a_function_that_returns_nothing_is_not_attempted(name):
    assert judge(name, lambda _: None).state == "not attempted"
