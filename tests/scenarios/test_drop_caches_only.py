"""One write to drop_caches: batches, peaks, what is dropped and what is left behind."""

import pytest

from mmsim.mm.vmstat import allocated_pages
from mmsim.scenarios import drop_caches_only


def run(**knobs):
    situation = drop_caches_only(**knobs)
    trace = situation.run()
    trace.last.world.check()
    return situation, trace


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
