"""Predictions and checks: what a learner is told, whatever they hand in."""

from __future__ import annotations

import pytest

from mmsim import checks
from mmsim.checks import TASKS, check, hint, judge
from mmsim.lessons import Prediction, PredictionError
from mmsim.scenarios import vfio_map

ODD = [1, "x", [], {}, object(), {"a": object()}, ["x", 1], float("nan"), b"x", {1: 2}, check]
RIGHT = {
    "00.ranking": ["writeback", "nomem", "truncated", "reference"],
    "00.ruled_out": {"reference": False, "truncated": False, "nomem": False, "writeback": True},
    "00.pretest": dict.fromkeys(("users", "pinned", "free", "ten", "errno", "counter"), True),
    "04.pair": vfio_map("base"),
    "04.equation": {"expected": 514, "actual": 515},
    "04.second": {"first look": 1, "freeze": 0},
    "04.order": ["lock", "look", "unmap", "freeze", "cut", "unlock"],
    "04.eleven": {"base": 1, "v1": 11, "v2": 11, "v3fix": 1},
    "04.rescues": {"C4": 1, "C5": 2, "C6": 4, "C7": 10, "C8": 11},
    "04.table": {
        ("v1", "refused", "contig_range"): "-EAGAIN",
        ("v2", "refused", "contig_range"): "-ENOMEM",
        ("v1", "truncated", "contig_range"): "-EBUSY",
    },
    "04.posttest": dict.fromkeys(("users", "pinned", "free", "ten", "errno", "counter"), False),
}
WRONG = {
    "00.ranking": ["reference", "reference", "nomem", "writeback"],
    "00.ruled_out": {"reference": True, "truncated": False, "nomem": False, "writeback": True},
    "04.pair": vfio_map("v2"),
    "04.equation": {"expected": 513, "actual": 515},
    "04.second": {"first look": 0, "freeze": 0},
    "04.order": ["lock", "freeze", "look", "unmap", "cut", "unlock"],
    "04.eleven": {"base": 1, "v1": 10},
    "04.rescues": {"C4": 0, "C5": 1, "C6": 3, "C7": 9, "C8": 10},
    "04.table": {("v1", "refused", "contig_range"): "-ENOMEM"},
    "04.posttest": dict.fromkeys(("users", "pinned", "free", "ten", "errno", "counter"), True),
}


def prediction():
    return Prediction("How many?", {"apples": (0, 1, 2), "pears": ("none", "some")})


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
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_check_never_raises(name, odd, capsys):
    check(name, odd)
    assert capsys.readouterr().out.startswith(("✘ not yet", "○ not attempted"))


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("empty", [None, ..., [None, None], {"a": None}, [], {}])
def test_nothing_handed_in_is_not_attempted(name, empty):
    assert judge(name, empty).state == "not attempted"


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


def test_judges_run_the_model(monkeypatch):
    """A judge that knew its answers by heart would not notice a changed model."""
    from mmsim import tasks_04

    monkeypatch.setattr(tasks_04, "vfio_map", lambda *a, **k: vfio_map("v3fix"))
    assert checks.judge("04.eleven", RIGHT["04.eleven"]).state == "failed"


def test_a_prediction_is_stored_once_it_is_complete(capsys):
    guess = prediction()
    heard = []
    guess.when_stored(lambda: heard.append(guess.stored))
    guess.store(apples=None, pears="some")
    guess.store(apples=7, pears="some")
    guess.store(apples=1, peers="some")
    assert guess.stored is None
    assert not heard
    guess.store(apples=1, pears="some")
    assert heard == [{"apples": 1, "pears": "some"}]
    said = capsys.readouterr().out
    assert "choose one of 0, 1, 2" in said
    assert "nothing was asked about 'peers'" in said
    assert "Prediction stored: apples 1, pears some." in said
    guess.store(apples=None, pears=None)
    assert guess.stored == {"apples": 1, "pears": "some"}


def test_prediction_and_outcome_stand_side_by_side(capsys):
    guess = prediction()
    guess.show_against({"apples": 2})
    assert "No prediction stored yet" in capsys.readouterr().out
    guess.set({"apples": 1, "pears": "none"})
    guess.show_against({"apples": 2, "pears": "none"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["apples", "1", "2", "✘"]
    assert lines[2].split() == ["pears", "none", "none", "✔"]


def test_set_refuses_incomplete_answers():
    with pytest.raises(PredictionError, match="pears: choose one of none, some"):
        prediction().set({"apples": 1})
