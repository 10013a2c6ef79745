"""The window that the patch waits out, found by the search and replayed from the command line."""

import json

import pytest

from mmsim.cli import main
from mmsim.engine.schedule import render
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SMALL, pin_versus
from mmsim.scenarios.situation import MISSED, NOT_SPLIT

KNOBS = [f"--set={name}={value}" for name, value in SMALL.items()]


def refusal(found):
    """The shortest schedule to: a split is refused while drop_caches is past its unlock."""

    def refused_now(state):
        op = state.locals[0].op
        if op is None or op.args != (("thp_split_page_failed", 1),):
            return False
        walk = found.scenario.local(state, "drop_caches")
        if any(code.co_name == "find_lock_entries" for code, _ in walk.where):
            return False  # a folio that it refers to now is one that it is about to lock
        folios = state.world.folios.values()
        return any(f.locked_by != "drop_caches" and "drop_caches" in dict(f.held) for f in folios)

    moves = found.shortest(refused_now)
    assert moves is not None
    return moves


def ending(version, name):
    """The shortest schedule to such a refusal, and on from there to an end of this name."""
    start = refusal(pin_versus(version, **SMALL).explore())
    situation = pin_versus(version, **SMALL)
    # Who goes first from here on: the pin gives up at once, or drop_caches leaves in time.
    for order in (("pin", "drop_caches"), ("drop_caches", "pin")):
        schedule = start[:]
        trace = situation.replay(render(schedule))
        while not situation.finished(trace.last):
            actor = next(a for a in order if situation.blocked(trace.last, a) is None)
            trace.append(situation.moves(trace.last)[0]._replace(actor=actor))
        if situation.outcome(trace.last) == name:
            return render(trace.moves)
    raise AssertionError(f"{version}: no {name} after {render(start)}")


def replayed(capsys, version, schedule):
    """What the command line says about this schedule: (outcome, counters)."""
    words = ["replay", "pin_versus", "--version", version, *KNOBS, "--json", schedule]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schedule"] == schedule
    return said["outcome"], said["counters"]


def test_the_state_is_reached_and_is_what_the_specification_says():
    """Unlocked, one extra reference: 514 + 1 for a real huge page, 4 + 1 for one of two pages."""
    situation = pin_versus("base", **SMALL)
    state = situation.replay(render(refusal(situation.explore()))).last
    (folio,) = state.world.folios.values()
    assert folio.locked_by == "pin"  # its own lock: the split's
    assert dict(folio.held) == {"drop_caches": 1, "isolation": 1}
    assert folio.refcount == folio.nr_pages + folio.mapcount + 1 + 1


def test_the_same_beginning_fails_base_and_is_survived_by_v3(capsys):
    fails, survives = ending("base", NOT_SPLIT), ending("v3", "mapped")
    beginning = "pin*14 drop_caches*8 pin*"
    assert fails == beginning + "14 drop_caches*9"
    assert survives == beginning + "7 drop_caches*8 pin*60"
    outcome, counters = replayed(capsys, "base", fails)
    assert outcome == NOT_SPLIT
    assert (counters["thp_migration_fail"], counters["thp_split_page_failed"]) == (1, 1)
    outcome, counters = replayed(capsys, "v3", survives)
    assert outcome == "mapped"
    assert (counters["thp_split_page"], counters["thp_split_page_failed"]) == (1, 1)
    assert counters["drop_pagecache"] == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_the_round_that_the_patch_does_not_touch(capsys, version):
    """A piece missed its one pass: the shortest schedule, replayed, in every version."""
    found = pin_versus(version, **SMALL).explore()
    (missed,) = (o for o in found.outcomes(found.scenario.outcome) if o.name == MISSED)
    outcome, counters = replayed(capsys, version, render(missed.shortest))
    assert outcome == MISSED
    assert counters["thp_split_page"] == 1
    assert "thp_split_page_failed" not in counters
    assert (counters["pgmigrate_success"], counters["pgmigrate_fail"]) == (1, 1)
