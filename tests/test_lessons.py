"""Predictions: stored once, shown beside what happened."""

from __future__ import annotations

import pytest

from mmsim.lessons import Prediction, PredictionError


def prediction():
    return Prediction("How many?", {"apples": (0, 1, 2), "pears": ("none", "some")})


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


def test_the_first_prediction_is_not_forgotten(capsys):
    guess = prediction()
    guess.set({"apples": 1, "pears": "none"})
    guess.show_against({"apples": 2})
    assert "At first" not in capsys.readouterr().out
    guess.set({"apples": 2, "pears": "none"})
    guess.show_against({"apples": 2})
    assert "At first you had said: apples 1, pears none." in capsys.readouterr().out


def test_set_refuses_incomplete_answers():
    with pytest.raises(PredictionError, match="pears: choose one of none, some"):
        prediction().set({"apples": 1})
