"""SPIN's opinion on the search and on the smallest race; README.md says what is comparable."""

from __future__ import annotations

import promela
import pytest
from race import ALWAYS, seen, split_race
from small import NR, ever

from mmsim.engine.explore import explore

pytestmark = pytest.mark.spin


RACES = [(10, 1), (2, 3)]


@pytest.mark.parametrize("anon", [0, 1], ids=["shmem", "anon"])
@pytest.mark.parametrize(("passes", "holders"), RACES)
def test_the_split_race_has_the_same_states_and_ends(passes, holders, anon):
    spin = promela.count("split_race.pml", PASSES=passes, HOLDERS=holders, ANON=anon, NR=NR)
    ours = explore(split_race(passes=passes, holders=holders, anon=anon))
    assert ours.complete
    assert ours.deadlocks == []
    ends = [seen(end) for number, end in ours.walk() if number in ours.ends]
    assert sorted(map(sorted_items, ends)) == sorted(map(sorted_items, spin.ends))
    assert (ours.states, ours.edges) == (spin.states, spin.edges)


def sorted_items(end):
    return sorted((name, int(value)) for name, value in end.items())


@pytest.mark.parametrize("anon", [0, 1], ids=["shmem", "anon"])
@pytest.mark.parametrize(("passes", "holders"), [(1, 1), (2, 2)])
def test_the_verdicts_are_the_same(passes, holders, anon):
    spin = promela.holds("split_race.pml", PASSES=passes, HOLDERS=holders, ANON=anon, NR=NR)
    ours = explore(split_race(passes=passes, holders=holders, anon=anon))
    held = {
        name: not ever(ours, lambda state, safe=safe: not safe(seen(state)))
        for name, safe in ALWAYS.items()
    }
    assert held == spin
    # Retrying is what rescues a refused split, so one pass can't, and two can.
    assert held["never_rescued"] is (passes == 1)
    assert {*held.values()} == {True, False}
