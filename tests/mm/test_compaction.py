"""Direct compaction: what it may move, and where to."""

from mmsim.mm.bootmem import boot
from mmsim.mm.compaction import try_to_compact_pages
from mmsim.mm.page_alloc import alloc_pages, request

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
