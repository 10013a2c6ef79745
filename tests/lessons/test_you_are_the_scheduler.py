"""Lesson 06: what is counted in the text, and the levels."""

from __future__ import annotations

import re

import pytest
from small import all_runs

from mmsim.engine.explore import explore
from mmsim.engine.trace import Trace
from mmsim.lessons import you_are_the_scheduler as lesson
from mmsim.scenarios import split_race
from mmsim.scenarios.situation import fails
from mmsim.views import game
from mmsim.widgets.scheduler import kinds

RACE = lesson.RACE


def test_every_schedule_is_a_cell_of_the_picture():
    """Against an enumerator that knows nothing of the picture, and against the search."""
    ends = [
        RACE.full_outcome(state) for _, state in all_runs(split_race("base", released="1", order=1))
    ]
    cells = lesson.schedules()
    assert len(cells) == len(ends) == lesson.N_SCHEDULES == RACE.explore().schedules()
    assert sorted(cells.values()) == sorted(ends)
    assert RACE.explore().states == lesson.SMALL_RACE.explore().states == lesson.N_STATES


def test_a_level_won_in_the_widget_is_stored_in_its_card():
    box = lesson.game.play()
    box.text.value = "split*6 holder split*99"
    box.load.click()
    assert lesson.at_check.settled
    assert lesson.at_check.stored == "split*6 holder split*3"


def test_the_game_without_buttons():
    for schedule, level, told in (
        ("split*3", "at_chek", "Not played: no level 'at_chek'; did you mean"),
        ("split*3", 5, "Not played: no level 5"),
        (None, "piece", "Not played: a schedule is a text"),
        ("__import__('os')", "at_check", "Not played: can't read"),
        ("split*6 holder split*99", "at_check", "Won. "),
    ):
        assert told in repr(lesson.run(schedule, level))


def test_the_kind_is_known_as_soon_as_the_main_actor_has_returned():
    """Nothing that the others still do changes it, so a game need not be played to its end."""
    for situation in {level.situation for level in lesson.LEVELS.values()}:
        found = explore(situation)
        ended = [s for _, s in found.walk() if situation.local(s, situation.main).finished]
        assert {f for s in ended if fails(f := situation.full_outcome(s))} == {*kinds(situation)[0]}


@pytest.mark.parametrize("name", lesson.LEVELS)
def test_nothing_that_is_shown_before_an_answer_wins_a_level(name):
    """No form, title, picture or goal holds a schedule that wins, or would if it were played on."""
    level, card = lesson.LEVELS[name], getattr(lesson, name)
    assert not level.won(Trace(level.situation))
    boards = [repr(board._repr_mimebundle_()) for board in (lesson.game, lesson.pin_game)]
    told = " ".join([card.headline, card.text, card.form, level.title, level.goal, *boards])
    lines = re.findall(r"(?:(?:split|pin|holder)(?:\*\d+)? ?)+", f"{told} {card.form}")
    assert any("*" in line for line in lines)
    for line in lines:
        for more in ("", f" {level.situation.main}*999"):
            try:
                trace = game.played(line + more, level.situation)
            except ValueError:
                continue  # of another level
            assert not level.won(trace), line


def test_a_split_in_a_pin_has_the_same_steps():
    """The text: they are its steps 9 to 21."""
    steps = [event.op.kind.name for event in RACE.replay("split*13").events]
    pin = [event.op.kind.name for event in lesson.PIN.with_(holder=0).run().events]
    assert pin[8:21] == steps == [c.removesuffix("()") for c in lesson.steps.make().iloc[:, 0]]
