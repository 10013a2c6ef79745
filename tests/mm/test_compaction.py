"""Direct compaction: what it may move, and where to, and what is counted."""

import pytest

from mmsim.evidence.ftrace import real_trace
from mmsim.mm.page_alloc import alloc_pages, request, try_to_compact_pages
from mmsim.mm.zone import boot
from mmsim.scenarios import pin_versus

PIN = request(9, pin_scope=True)


def zone(**kind):
    """Ordinary memory in which no huge page is free, below a CMA area of the largest blocks."""
    return boot(1 << 14, 1 << 13, used=0.5, scattered=1.0, **kind)


def test_pages_that_can_move_make_room_for_a_huge_page():
    """The scan for free pages begins at the top, in the upper half of a block of two pageblocks."""
    made = zone(movable=True)
    assert alloc_pages(made, PIN) is None
    assert "compact_success" in try_to_compact_pages(made, PIN, ())
    made.check()
    assert alloc_pages(made, PIN) is not None


def test_pages_that_can_not_move_leave_it_as_it_is():
    made = zone()
    assert "compact_success" not in try_to_compact_pages(made, PIN, ())
    made.check()
    assert alloc_pages(made, PIN) is None


@pytest.mark.parametrize("version", ["6.1.0", "v1", "v3"])
def test_each_request_stalls_twice_as_measured(version):
    """A reference held for ever, no huge page outside CMA: 2 stalls for each attempt, not fewer
    once compaction is deferred.  The trace of a real kernel has 2 for base, 20 for v1 and v2."""
    variant = {"6.1.0": "base", "v1": "v1", "v3": "v2"}[version]
    measured = real_trace(f"S3_real_held_{variant}_retfix1.txt").delta
    knobs = {"targets": "zone", "zone": "pinned", "against": "permanent_pin"}
    vmstat = pin_versus(version, **knobs).run().last.world.vmstat
    for counter in ("thp_split_page_failed", "compact_stall", "compact_fail"):
        assert vmstat[counter] == measured[counter], counter
    assert measured["compact_stall"] == 2 * measured["thp_split_page_failed"]
