"""The smallest race about one page.

Golden counts: a changed count means that the model's meaning changed."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mmsim.engine.schedule import ScheduleError
from mmsim.scenarios import split_race, vfio_map

LEAVES = {"released": "1"}
RACE = split_race(**LEAVES)


def outcomes(situation):
    """Schedules and odds of each outcome."""
    return {
        o.name: (o.schedules, o.odds) for o in situation.explore().outcomes(situation.full_outcome)
    }


def test_golden_counts():
    """Those of base and one pass stand in the lessons about schedules and odds."""
    race = split_race("v2", passes=2, **LEAVES)
    assert race.explore().states == 99
    assert outcomes(race) == {
        "split": (133, Fraction(2097037, 2097152)),
        "failed: a huge page could not be split, still mapped": (21, Fraction(7, 131072)),
        "failed: a huge page could not be split, left unmapped": (9, Fraction(3, 2097152)),
    }


# -- two steps as one: what would be impossible if nobody could come between them

CHECK_TO_FREEZE = ("can_split_folio", "folio_ref_freeze")


def test_nobody_between_check_and_freeze_means_no_refusal_at_the_freeze():
    assert outcomes(RACE.together(*CHECK_TO_FREEZE)) == {
        "failed: a huge page could not be split, still mapped": (21, Fraction(7, 256)),
        "split": (34, Fraction(249, 256)),
    }


def test_a_holder_who_comes_and_goes_in_one_step_meets_nobody():
    assert outcomes(RACE.together("folio_get", "folio_put")) == {"split": (13, 1)}


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


def test_steps_that_do_not_follow_each_other_are_named():
    for first, last, says in (
        ("can_split", "folio_ref_freeze", "did you mean 'can_split_folio'"),
        ("folio_lock", "can_split_folio", "nobody takes the step 'folio_lock' and later"),
        ("folio_ref_freeze", "can_split_folio", "that say where they stand"),
    ):
        with pytest.raises(ValueError, match=says):
            RACE.together(first, last)


def test_only_the_site_that_was_meant():
    """A piece is frozen by the same step, but for its move."""
    pin = vfio_map("v3", order=1, released="1", passes=2)
    joined = outcomes(pin.together(*CHECK_TO_FREEZE))
    assert "failed: a piece missed its one pass, 1 piece left behind" in joined
    assert not any("left unmapped" in name for name in joined)
