"""Pages with the holders that were asked for, and the smallest race about one.

Golden counts: a changed count means that the model's meaning changed."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from itertools import product

import pytest

from mmsim.engine.schedule import ScheduleError
from mmsim.mm.folio import ISOLATION, NEW_PAGE
from mmsim.scenarios import split_race, vfio_map
from mmsim.scenarios.one_page import HOLDERS, folio_of, page_with
from mmsim.views.ledger import EXPLAINED, SPLIT_CHECK, ledger_of

# -- pages

POSSIBLE = [
    {"order": o, "cached": c, "mappings": m, "isolated": i, "holders": h, "pin": p}
    for o, c, m, i, h, p in product(
        "09", ("yes", "no"), (0, 1, 3), ("yes", "no"), (0, 2), ("yes", "no")
    )
    if m or (c == "yes" and p == "no")
]


def test_every_page_is_consistent_and_has_the_holders_that_were_asked_for():
    """Of a huge page that is isolated the ledger's expectation is can_split_folio()'s own."""
    for knobs in POSSIBLE:
        trace = page_with(**knobs).run()
        trace.last.world.check()
        folio = folio_of(trace)
        names = {name for name, _ in folio.held}
        assert len(trace.last.world.folios) == 1
        assert (folio.mapcount, folio.pincount) == (knobs["mappings"], knobs["pin"] == "yes")
        assert folio.nr_pages == 1 << int(knobs["order"])
        assert folio.cached == (knobs["cached"] == "yes")
        assert (ISOLATION in names) == (knobs["isolated"] == "yes")
        assert names & {*HOLDERS} == {*HOLDERS[: knobs["holders"]]}
        assert NEW_PAGE not in names
        if knobs["order"] == "9" and knobs["isolated"] == "yes":
            world = trace.last.world
            mine, kernels = (
                ledger_of(world, "A", check=name).check for name in (EXPLAINED, SPLIT_CHECK)
            )
            assert mine.expected == kernels.expected
            assert mine.equal == kernels.equal == (not knobs["holders"] and knobs["pin"] == "no")


def test_a_cell_that_can_not_be_shows_the_sentence_alone(tmp_path):
    """Where in the package the error arose helps nobody."""
    code = "from mmsim.scenarios.one_page import page_with; page_with(mappings=0, pin='yes')"
    shell = [sys.executable, "-m", "IPython", "--no-banner", "-c", code]
    ran = subprocess.run(
        shell, capture_output=True, text=True, env=os.environ | {"IPYTHONDIR": str(tmp_path)}
    )
    said = "with mappings=0 nobody can pin the page: a pin goes by a mapping"
    assert (ran.stdout + ran.stderr).strip() == said


# -- the race

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
