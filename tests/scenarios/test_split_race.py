"""The smallest race.  Golden counts: a changed count means that the model's meaning changed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from small import all_runs

from mmsim.engine.schedule import ScheduleError
from mmsim.scenarios import split_race, vfio_map

LEAVES = {"released": "1"}
RACE = split_race(**LEAVES)
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
    version, holders, passes = key
    race = split_race(version, holders=holders, passes=passes, **LEAVES)
    found = race.explore()
    states, outcomes = GOLDEN[key]
    assert found.complete
    assert found.states == states
    assert {o.name: (o.schedules, o.odds) for o in found.outcomes(race.fate)} == outcomes


def test_the_usual_run_meets_the_holder():
    race = split_race()
    assert race.fate(race.run().last) == "failed: a huge page could not be split, still mapped"
    assert race.result(race.run().last) == "-EBUSY"
    late = split_race("v3", taken="0.split.freeze")
    assert late.fate(late.run().last) == "failed: a huge page could not be split, left unmapped"
    gone = split_race("v3", released="1", passes=2)
    assert gone.outcome(gone.run().last) == "split"
    assert gone.outcome(gone.initial()) == gone.result(gone.initial()) == "not finished"


# -- two steps as one: what would be impossible if nobody could come between them

CHECK_TO_FREEZE = ("can_split_folio", "folio_ref_freeze")


def fates(situation):
    return {o.name: (o.schedules, o.odds) for o in situation.explore().outcomes(situation.fate)}


def test_nobody_between_check_and_freeze_means_no_refusal_at_the_freeze():
    assert fates(RACE.together(*CHECK_TO_FREEZE)) == {
        "failed: a huge page could not be split, still mapped": (21, Fraction(7, 256)),
        "split": (34, Fraction(249, 256)),
    }


def test_a_holder_who_comes_and_goes_in_one_step_meets_nobody():
    assert fates(RACE.together("folio_get", "folio_put")) == {"split": (13, 1)}


PAIRS = ((), CHECK_TO_FREEZE, ("folio_get", "folio_put"), ("folio_mapping", "can_split_folio"))


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_search_and_trying_every_schedule_agree(pair):
    situation = RACE.together(*pair) if pair else RACE
    named = [situation.fate(state) for _, state in all_runs(situation)]
    assert {name: named.count(name) for name in named} == {
        name: n for name, (n, _) in fates(situation).items()
    }


def test_the_others_are_told_why_they_wait():
    situation = RACE.together(*CHECK_TO_FREEZE)
    state = situation.replay("split*7").last
    assert [str(move) for move in situation.moves(state)] == ["split"]
    assert situation.blocked(state, "holder") == (
        "split is in the middle of what counts as one step"
    )
    assert situation.blocked(state, "split") is None
    with pytest.raises(ScheduleError, match="in the middle"):
        situation.replay("split*8 holder")


def test_the_original_is_not_touched_and_copies_keep_it():
    joined = RACE.together(*CHECK_TO_FREEZE)
    assert RACE.as_one == frozenset()
    assert joined.with_("v3").as_one == joined.merged().as_one == joined.as_one
    both = joined.together("folio_get", "folio_put")
    assert both.as_one > joined.as_one
    assert set(fates(both)) == {"split"}


def test_only_the_site_that_was_meant():
    """A piece is frozen by the same step, but for its move."""
    pin = vfio_map("v3", order=1, released="1", passes=2)
    joined = fates(pin.together(*CHECK_TO_FREEZE))
    assert "failed: a piece missed its one pass, 1 piece left behind" in joined
    assert not any("left unmapped" in name for name in joined)


def test_steps_that_do_not_follow_each_other_are_named():
    with pytest.raises(ValueError, match="did you mean 'can_split_folio'"):
        RACE.together("can_split", "folio_ref_freeze")
    with pytest.raises(ValueError, match="nobody takes the step 'folio_lock' and later"):
        RACE.together("folio_lock", "can_split_folio")
    with pytest.raises(ValueError, match="that say where they stand"):
        RACE.together("folio_ref_freeze", "can_split_folio")
