"""Situations: knobs reach the run, and each outcome has its name."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import CMA_PFN, cma_alloc, drop_caches_only, vfio_map
from mmsim.views.run import summary


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
    ],
)
def test_each_way_to_end_has_its_name(knobs, outcome):
    situation = vfio_map("base", **knobs)
    assert outcome == situation.outcome(situation.run().last)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_huge_page_that_is_free_late(version):
    """Refused in the first pass; from the second request on a free huge page is there."""
    run = vfio_map(version, targets="late", released=1, order=2).run()
    again = version not in ("base", "6.1.0")
    assert run.last.world.vmstat["pgmigrate_success"] == 4 * again
    assert run.last.world.vmstat["thp_split_page_failed"] == 1
    assert (run.results["pin"] > 0) == (version in ("v1", "v3", "v3fix", "6.12"))


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


# -- the owner of an area takes memory back: who sees which error code


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_split_ends_the_request_in_every_version_but_one(version):
    """v1 goes on after -EAGAIN: five calls for the range, and one with an empty list for the next,
    which is free."""
    trace = cma_alloc(version).run()
    trace.last.world.check()
    moved = trace.last.world.vmstat
    calls = [e.op.kind.name for e in trace.events].count("trace_mm_migrate_pages")
    seen = (calls, moved["thp_split_page_failed"], moved["pgmigrate_fail"])
    if version == "v1":
        assert seen == (6, 5, 2560)
        assert trace.results["owner"] == CMA_PFN + 512
        assert moved["cma_alloc_success"] == 1
        assert "The owner has its memory." in summary(trace)
    else:
        assert seen == (1, 1, 512)
        assert trace.results["owner"] == -12
        assert moved["cma_alloc_fail"] == 1
        assert "The owner gets no memory." in summary(trace)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_free_range_of_several_pageblocks_is_taken(blocks):
    """Two free neighbours are one block of the largest order: it has to be cut before it is taken.

    Taking it whole left a pageblock that no block began at, and undoing the isolation failed."""
    trace = cma_alloc("base", blocks=blocks, wanted=blocks, thps=0, holder=0).run()
    assert trace.results["owner"] == CMA_PFN
    zone = trace.last.world.zone
    zone.check()
    assert zone.nr_free_cma == 0
