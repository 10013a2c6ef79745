"""One write to drop_caches: batches, peaks, what is dropped and what is left behind."""

from itertools import pairwise

import pytest

from mmsim.mm.vmstat import allocated_pages
from mmsim.scenarios import drop_caches_only


def run(**knobs):
    situation = drop_caches_only(**knobs)
    trace = situation.run()
    trace.last.world.check()
    return situation, trace


def extra(trace, position):
    """References above those at the beginning, folio by folio."""
    first, now = (trace.state(p).world.folios for p in (0, position))
    return [now[pfn].refcount - first[pfn].refcount for pfn in first if pfn in now]


def batches(trace):
    """Folios that were locked together: the largest number before each round of unlocks."""
    locked = [
        sum(bool(f.locked_by) for f in trace.state(i).world.folios.values())
        for i in range(len(trace) + 1)
    ]
    return [a for a, b in pairwise(locked) if b < a and a in (15, 5, 3)][:2]


def test_twenty_dirty_mapped_huge_pages_go_by_in_two_batches():
    _, trace = run(folios=20)
    assert batches(trace) == [15, 5]
    assert max(max(extra(trace, i)) for i in range(len(trace) + 1)) == 2
    assert extra(trace, len(trace)) == [0] * 20
    assert trace.last.world.vmstat["drop_pagecache"] == 1


def test_clean_huge_pages_that_nobody_maps_are_dropped():
    situation, trace = run(folios=20, dirty="no", mapped="no")
    assert allocated_pages(trace.last.world) == 0
    assert situation.outcome(trace.last) == "done"
    assert situation.result(trace.last) == "10,240 pages dropped"


@pytest.mark.parametrize("knobs", [{"dirty": "yes"}, {"mapped": "yes"}, {"held": 2}, {"locked": 2}])
def test_what_keeps_a_folio(knobs):
    _, trace = run(**{"folios": 3, "dirty": "no", "mapped": "no", "order": 1, **knobs})
    kept = len(trace.last.world.folios)
    assert kept == (3 if {"dirty", "mapped"} & set(knobs) else 1)


def test_single_pages_are_left_with_a_reference_in_the_batch():
    _, trace = run(folios=20, order=0)
    assert sorted(extra(trace, len(trace))) == [0] * 15 + [1] * 5


def test_a_number_that_no_folio_has():
    with pytest.raises(ValueError, match="held is 4, but there are only 3 folios"):
        drop_caches_only(folios=3, held=4)
