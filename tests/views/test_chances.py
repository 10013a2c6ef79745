"""Share, odds and runs: three numbers, each right, side by side."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import pytest
from small import all_runs, cells, nop
from svg_rules import readable, words

from mmsim.engine.explore import explore
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import UNFINISHED, along, sample
from mmsim.scenarios import split_race, vfio_map
from mmsim.views import chances as view
from mmsim.views.chances import (
    chances,
    chances_sentence,
    chances_svg,
)
from mmsim.views.words import count, fraction

RACE = split_race(released="1", order=1)
RUNS = 2_000


@pytest.fixture(scope="module")
def outcomes():
    return RACE.explore().outcomes(RACE.fate)


@pytest.fixture(scope="module")
def runs():
    return sample(RACE.merged(), RACE.fate, RUNS, seed=0)


def test_a_run_that_does_not_end_is_counted_as_such(monkeypatch):
    def forever():
        while True:
            yield nop()

    monkeypatch.setattr("mmsim.engine.schedule.STEPS_MAX", 50)
    assert sample(cells(forever), lambda state: "done", 3, 0) == {UNFINISHED: 3}


def test_failures_are_added_up_and_successes_come_first(outcomes, runs):
    rows = chances(outcomes, runs)
    assert [row.name for row in rows[:2]] == ["split", view.ALL_FAILURES]
    assert rows[1].share == Fraction(33, 73) == rows[2].share + rows[3].share
    assert rows[1].odds == Fraction(59, 2048) == rows[2].odds + rows[3].odds
    assert rows[1].hits == rows[2].hits + rows[3].hits
    assert sum(row.odds for row in rows if row.name != view.ALL_FAILURES) == 1


def test_pictures_are_readable_with_and_without_runs(outcomes, runs):
    pin = vfio_map("v2", order=1, targets="either", passes=2, released="1")
    for rows in (
        chances(outcomes),
        chances(outcomes, runs),
        chances(outcomes, odds=False),
        chances(pin.explore().outcomes(pin.fate)),
    ):
        svg = chances_svg(rows)
        readable(svg)
        for row in rows[: view.OUTCOMES_MAX]:
            assert any(f"of {count(row.of)} = " in text for text in words(svg))
        assert chances_sentence(rows) in svg
    assert "odds" not in words(chances_svg(chances(outcomes, odds=False)))


def test_without_a_number_of_schedules_there_is_no_share():
    def forever():
        while True:
            yield nop()

    found = explore(cells(forever, merge=True))
    with pytest.raises(ValueError, match="for ever"):
        chances(found.outcomes(lambda state: "done"))


def test_a_fraction_is_written_out_while_it_can_be_read():
    assert fraction(Fraction(59, 2048)) == "59/2048"
    assert fraction(Fraction(1, 3**100)) == "a fraction of 49 digits"


def test_the_odds_of_all_schedules_add_up_to_those_of_their_ends():
    found = {}
    for moves, state in all_runs(RACE):
        name = RACE.fate(state)
        found[name] = found.get(name, 0) + prod(along(RACE, moves))
    assert found == {o.name: o.odds for o in RACE.explore().outcomes(RACE.fate)}


def test_a_schedule_that_can_not_be_has_no_odds():
    with pytest.raises(ValueError, match="move 1, holder:ok, can't be made; those that can: spl"):
        along(RACE, [Move("holder", "ok")])


def test_runs_by_a_coin_agree_with_the_odds(outcomes, runs):
    """Each outcome lies in its 99 % interval: with this seed, and that is all that is claimed."""
    assert sum(runs.values()) == RUNS
    for row in chances(outcomes, runs):
        low, high = row.interval
        assert low <= row.odds <= high


def test_weights_load_the_coin_of_the_runs_as_of_the_odds():
    weights = {"split": 9}
    loaded = RACE.explore().outcomes(RACE.fate, weights)
    for row in chances(loaded, sample(RACE.merged(), RACE.fate, RUNS, 1, weights)):
        low, high = row.interval
        assert low <= row.odds <= high
    fair = {o.name: o.odds for o in RACE.explore().outcomes(RACE.fate)}
    assert all(o.odds != fair[o.name] for o in loaded)
