"""The smallest race.  Golden counts: a changed count means that the model's meaning changed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from small import all_runs

from mmsim.engine.explore import explore
from mmsim.scenarios import split_race

LEAVES = {"released": "1"}
# knobs -> states, and for each outcome: schedules, odds
GOLDEN = {
    ("base", 1, 1): (
        55,
        {
            "failed: a huge page could not be split, still mapped": (21, Fraction(7, 256)),
            "split": (40, Fraction(1989, 2048)),
            "failed: a huge page could not be split, left unmapped": (12, Fraction(3, 2048)),
        },
    ),
    ("v2", 1, 2): (
        99,
        {
            "split": (133, Fraction(2097037, 2097152)),
            "failed: a huge page could not be split, still mapped": (21, Fraction(7, 131072)),
            "failed: a huge page could not be split, left unmapped": (9, Fraction(3, 2097152)),
        },
    ),
}


@pytest.mark.parametrize("key", GOLDEN, ids=str)
def test_golden_counts(key):
    version, strangers, passes = key
    race = split_race(version, strangers=strangers, passes=passes, **LEAVES)
    found = race.explore()
    states, outcomes = GOLDEN[key]
    assert found.complete
    assert found.states == states
    assert {o.name: (o.schedules, o.odds) for o in found.outcomes(race.fate)} == outcomes


def test_every_schedule_tried_one_after_another_gives_the_same_counts():
    race = split_race(**LEAVES)
    runs = all_runs(race)
    named = [race.fate(state) for _, state in runs]
    assert {name: named.count(name) for name in named} == {
        name: schedules for name, (schedules, _) in GOLDEN["base", 1, 1][1].items()
    }


def test_where_it_was_refused_shows_in_the_mappings():
    race = split_race(**LEAVES)
    for schedule, refused in (("split*6 stranger", "check"), ("split*7 stranger", "freeze")):
        trace = race.replay(f"{schedule} split*3")
        while not race.local(trace.last, "split").finished:
            trace.append(race.moves(trace.last)[0])
        left = "still mapped" if refused == "check" else "left unmapped"
        assert race.fate(trace.last) == f"failed: a huge page could not be split, {left}"


def test_size_and_version_make_no_difference_to_a_single_try():
    counts = {
        (explore(race).states, explore(race).schedules())
        for race in (split_race(v, order=o, **LEAVES) for v in ("base", "v3") for o in (1, 9))
    }
    assert counts == {(55, 73)}


def test_the_usual_run_meets_the_stranger():
    race = split_race()
    assert race.fate(race.run().last) == "failed: a huge page could not be split, still mapped"
    assert race.result(race.run().last) == "-EBUSY"
    late = split_race("v3", taken="0.site2")
    assert late.fate(late.run().last) == "failed: a huge page could not be split, left unmapped"
    gone = split_race("v3", released="1", passes=2)
    assert gone.outcome(gone.run().last) == "split"
    assert gone.outcome(gone.initial()) == gone.result(gone.initial()) == "not finished"
