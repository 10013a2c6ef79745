"""The owner of an area takes memory back: who sees which error code."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import CMA_PFN, cma_alloc
from mmsim.views.run import summary
from mmsim.views.tables import counters_by_version


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


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_free_range_of_several_pageblocks_is_taken(version, blocks):
    """Two free neighbours are one block of the largest order: it has to be cut before it is taken.

    Taking it whole left a pageblock that no block began at, and undoing the isolation failed."""
    trace = cma_alloc(version, blocks=blocks, wanted=blocks, thps=0, holder=0).run()
    assert trace.results["owner"] == CMA_PFN
    zone = trace.last.world.zone
    zone.check()
    assert zone.nr_free_cma == 0


def test_the_table_counts_calls():
    table = counters_by_version(cma_alloc(), ("base", "v1", "v2"))
    assert table.loc["migrate_pages returns"].tolist() == ["-ENOMEM", "-EAGAIN ×5, 0", "-ENOMEM"]
    assert table.loc["owner gets"].tolist() == ["-ENOMEM", "pfn 0x3fa00", "-ENOMEM"]
