"""Actors of the memory model that are alike: fewer states, same schedules, outcomes and odds."""

from __future__ import annotations

import pytest
from small import NR, folio, memory

from mmsim.engine.actor import Actor
from mmsim.engine.explore import SearchError, explore
from mmsim.engine.scenario import Scenario
from mmsim.mm.actors import direct_io, fault, locker, lookup, pinner, stranger, undrained_batch
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.versions import get

OTHERS = {
    "stranger": stranger,
    "pinner": pinner,
    "locker": locker,
    "direct_io": lambda name, region, index: direct_io(name, region, index, 1, 1),
    "lookup": lookup,
    "fault": fault,
    "undrained_batch": undrained_batch,
}


def scenario(other, names=("first", "second")):
    row = get("v2")._replace(passes=2)
    pin = Actor("pin", lambda: pin_user_pages_remote((Extent("A", NR),), row))
    actors = (pin, *(other(name, "A", 0) for name in names))
    return Scenario("alike", memory(folio(), targets_huge="none"), actors, merge=True)


def fate(state):
    return f"{state.locals[0].result} {sorted(state.world.vmstat.items())}"


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_alike_actors_fold(other):
    whole, folded = explore(scenario(other)), explore(scenario(other), alike=[("first", "second")])
    assert folded.complete
    assert whole.states * 0.45 < folded.states < whole.states
    assert folded.schedules() == whole.schedules()
    mine, theirs = (
        {(each.name, each.schedules, each.odds) for each in found.outcomes(fate, {"pin": 3})}
        for found in (folded, whole)
    )
    assert mine == theirs
    assert len(mine) > 1
    assert len(folded.deadlocks) <= len(whole.deadlocks)


def test_a_pin_and_a_stranger_are_not_alike():
    """At the start nothing but the code they run tells them apart, and that is looked at."""
    with pytest.raises(SearchError, match="are not alike"):
        explore(scenario(stranger), alike=[("pin", "first")])
