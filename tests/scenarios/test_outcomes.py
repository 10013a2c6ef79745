"""Situations: knobs reach the run, and each outcome has its name."""

from __future__ import annotations

import pytest

from mmsim.scenarios import CMA_PFN, cma_alloc, drop_caches_only, vfio_map


@pytest.mark.parametrize(
    ("knobs", "outcome"),
    [
        ({"holder": 0}, "failed although everything moved"),
        ({"targets": "available"}, "failed: a huge page could not be moved"),
        ({"targets": "available", "holder": 0}, "pinned"),
        ({"trouble": "truncated", "holder": 0}, "failed: a huge page could not be split"),
        ({"trouble": "writeback", "holder": 0}, "failed: a huge page could not be split"),
        ({"reason": "syscall"}, "failed: a huge page could not be split"),
        ({"reason": "numa_misplaced"}, "failed: no memory to move it to"),
        (
            {"reason": "numa_misplaced", "targets": "available"},
            "failed: a huge page could not be moved",
        ),
        ({"reason": "syscall", "holder": 0, "targets": "available"}, "migrated"),
        # Refused once, and then its move failed nine times: the last pass names the failure.
        ({"version": "v3", "targets": "late"}, "failed: a huge page could not be moved"),
        ({"version": "base", "targets": "late"}, "failed: a huge page could not be split"),
        (
            {"version": "v3", "targets": "late", "passes": 1},
            "failed: a huge page could not be split",
        ),
    ],
)
def test_each_way_to_end_has_its_name(knobs, outcome):
    situation = vfio_map(**knobs)
    assert outcome == situation.outcome(situation.run().last)


def test_a_holder_that_is_never_released_keeps_its_reference_in_every_order():
    found = vfio_map(order=1, passes=1).explore()
    ends = [state.world for _, state in found.walk() if not found.scenario.moves(state)]
    names = [{who for f in world.folios.values() for who, _ in f.held} for world in ends]
    assert names
    assert all("holder" in held for held in names)


@pytest.mark.parametrize(
    ("knobs", "kept"),
    [({}, 0), ({"dirty": "yes"}, 3), ({"mapped": "yes"}, 3), ({"held": 2}, 1), ({"locked": 2}, 1)],
)
def test_what_keeps_a_folio_from_drop_caches(knobs, kept):
    situation = drop_caches_only(**{"dirty": "no", "mapped": "no", "order": 1, **knobs})
    trace = situation.run()
    trace.last.world.check()
    assert len(trace.last.world.folios) == kept
    assert situation.outcome(trace.last) == "done"
    assert situation.result(trace.last) == f"{6 - 2 * kept} pages dropped"


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_free_range_of_several_pageblocks_is_taken(blocks):
    """Two free neighbours are one block of the largest order: it has to be cut before it is taken.

    Taking it whole left a pageblock that no block began at, and undoing the isolation failed."""
    trace = cma_alloc("base", blocks=blocks, wanted=blocks, thps=0, holder=0).run()
    assert trace.results["owner"] == CMA_PFN
    zone = trace.last.world.zone
    zone.check()
    assert zone.nr_free_cma == 0
