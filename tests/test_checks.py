"""Checks: what a learner is told, whatever they hand in."""

from __future__ import annotations

import pytest
from answers import RIGHT, WRONG

from mmsim import checks
from mmsim.checks import TASKS, check, hint, judge
from mmsim.scenarios import vfio_map
from mmsim.widgets import show_table

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
        ("04.recall", {"count": "bc", "ends": "c", "failed": "b"}, "count can be 'a', 'b', 'c'"),
        ("08.which", 5, "the answer can be 'a', 'b'"),
        ("04.left", {("base", "mapped"): True}, "missing: ('base', 'not split'), ('base', 'piece"),
        ("04.order", "lock look", "the answer should be a list of step names in order, not"),
        ("09.fitting", {"seed": 1, "fitting": 5}, "fitting should be a list, not 5"),
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
        ("04.recall", {"count": "B", "ends": " c", "failed": "B "}),
        ("04.order", tuple(RIGHT["04.order"])),
        ("09.fitting", {"seed": 1, "fitting": ("truncated", "nomem")}),
        ("09.fitting", {"seed": 1, "fitting": {"truncated", "nomem"}}),
    ],
)
def test_a_right_answer_passes_in_every_form_in_which_it_can_be_meant(name, answer):
    assert judge(name, answer).state == "passed"


def test_what_is_still_open_is_named():
    told = judge("04.recall", {**RIGHT["04.recall"], "ends": None, "failed": None})
    assert told.state == "not attempted"
    assert told.why == "still open: ends, failed"


def test_a_table_waits_for_the_task_that_it_answers(capsys):
    checks.ANSWERED.discard("04.rescues")
    show_table("a secret", after="04.rescues")
    check("04.rescues", {"never": None})
    check("04.no_such_task", {"base": 1})
    show_table("a secret", after="04.rescues")
    assert "a secret" not in capsys.readouterr().out
    check("04.rescues", {**RIGHT["04.rescues"], "never": "11"})
    show_table("a secret", after="04.rescues")
    assert "a secret" not in capsys.readouterr().out
    check("04.rescues", {**RIGHT["04.rescues"], "never": 7})
    show_table("a secret", after="04.rescues")
    assert capsys.readouterr().out.endswith("a secret\n")


def test_unknown_tasks_get_the_nearest_match(capsys):
    check("04.piar", 1)
    assert "did you mean '04.pair'" in capsys.readouterr().out
    hint("04.piar")
    assert "did you mean '04.pair'" in capsys.readouterr().out


def test_hints_come_in_steps_and_end(capsys):
    for number in (1, 2, 3):
        hint("04.pair", number)
    hint("04.pair", 4)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Hint 1 of 3")
    assert said[3] == "04.pair has hints 1 to 3."


def test_each_call_without_a_number_gives_the_next_hint(capsys):
    checks.HINTED.clear()
    for _ in range(4):
        hint("04.pair")
    hint("04.recall")
    hint("04.pair", 1)
    hint("04.pair")
    said = [line[: len("Hint 1 of 3")] for line in capsys.readouterr().out.splitlines()]
    assert said == [f"Hint {n} of 3" for n in (1, 2, 3, 3, 1, 1, 2)]


def test_a_task_without_hints_and_a_number_that_is_none_are_told(capsys, monkeypatch):
    monkeypatch.setitem(TASKS, "99.bare", TASKS["04.pair"]._replace(hints=()))
    hint("99.bare")
    hint("99.bare", 1)
    hint("04.pair", 0)
    said = capsys.readouterr().out.splitlines()
    assert said == ["There are no hints for 99.bare."] * 2 + ["04.pair has hints 1 to 3."]


def test_letters_tell_the_reason_with_facts_of_the_model(monkeypatch):
    monkeypatch.setattr(checks, "TASKS", dict(TASKS))
    key = {"one": ("b", "it is {code}"), "two": ("d", "so")}
    checks.letters("99.letters", key, "a hint", choices="abcd", facts=lambda: {"code": "-ENOMEM"})
    assert judge("99.letters", {"one": "a", "two": "d"}).why == "one is not 'a': it is -ENOMEM"
    assert judge("99.letters", {"one": "b", "two": "c"}).why == "two is not 'c': so"
    assert judge("99.letters", {"one": "b", "two": "d"}).why == "all are still there"
    assert "one can be 'a', 'b', 'c', 'd'" in judge("99.letters", {"one": "e", "two": "d"}).why


def test_judges_run_the_model(monkeypatch):
    """A judge that knew its answers by heart would not notice a changed model."""
    from mmsim.tasks import lesson_04

    monkeypatch.setattr(lesson_04, "vfio_map", lambda *a, **k: vfio_map("v3fix"))
    assert checks.judge("04.rescues", RIGHT["04.rescues"]).state == "failed"


@pytest.mark.parametrize("name", ["08.rule"])
def test_a_function_that_returns_nothing_is_not_attempted(name):
    assert judge(name, lambda _: None).state == "not attempted"
