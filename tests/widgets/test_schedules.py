"""Static twins of lesson 05: what they print, and what they wait for."""

from __future__ import annotations

import pytest

from mmsim import checks
from mmsim.lessons import Prediction
from mmsim.practice import levels
from mmsim.scenarios import split_race, vfio_map
from mmsim.widgets import play, show_chances, show_mutation, show_tree

RACE = split_race(released="1")


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, picture by picture and table by table."""
    found = []
    monkeypatch.setattr("mmsim.widgets.schedules.display", found.append)
    monkeypatch.setattr("mmsim.widgets.display.display", found.append)
    return found


def test_play_says_what_came_of_it_and_what_can_come(shown, capsys):
    play("check", "split*6 stranger split*3")
    said = capsys.readouterr().out
    assert "Won. The check counted one reference" in said
    assert "Schedule: split*6 stranger split*3\n" in said
    picture, table = shown
    assert picture._repr_svg_().startswith("<svg")
    assert len(repr(picture)) > 30
    assert list(table.frame.index) == ["split", "stranger"]
    assert table.frame.loc["split", "next"] == "has returned -EBUSY"
    assert table.frame.loc["stranger", "write"] == "stranger"


def test_play_takes_a_situation_or_a_drawn_level(shown, capsys):
    play(vfio_map("v3"), "stranger pin")
    said = capsys.readouterr().out
    assert "Goal: There is none" in said
    assert "Schedule: stranger pin\n" in said
    play(levels.dare(3))
    assert "Schedule: (empty)" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["split:ok*2", "splitt", "split:fail", 5])
def test_play_answers_a_wrong_schedule_in_a_sentence(shown, capsys, wrong):
    play("check", wrong)
    said = capsys.readouterr().out
    assert said.startswith("Not played: ")
    assert shown == []


def test_pictures_wait_for_their_question(shown, capsys):
    question = Prediction("?", {"a": (1, 2)})
    for show in (show_tree, show_chances):
        show(RACE, after=question)
    play("check", after=question)
    assert capsys.readouterr().out.count("Shown once your prediction is stored") == 3
    assert shown == []
    question.set({"a": 1})
    for show in (show_tree, show_chances):
        show(RACE, after=question)
    assert "73 schedules in all." in capsys.readouterr().out
    assert len(shown) == 4


def test_two_steps_as_one_are_looked_up_once_there_is_an_answer(shown, capsys):
    checks.ANSWERED.discard("05.together")
    show_chances(RACE, together=(None, None), after="05.together")
    assert "Shown once you have answered 05.together" in capsys.readouterr().out
    checks.ANSWERED.add("05.together")
    show_chances(RACE, together=("folio_get", "folio_put"), after="05.together")
    assert "No schedule fails." in capsys.readouterr().out
    for wrong in (("folio_got", "folio_put"), ("folio_get",), (None, None), 5):
        show_chances(RACE, together=wrong, after="05.together")
        assert capsys.readouterr().out.startswith("Not shown: ")
    checks.ANSWERED.discard("05.together")


def test_a_mutation_is_shown_as_a_diff(capsys):
    show_mutation("no first look")
    said = capsys.readouterr().out
    assert "+    return pins\n" in said
    with pytest.raises(ValueError, match="did you mean 'no first look'"):
        show_mutation("no frist look")
