"""Direct compaction: moving pages together, so that a large block becomes free.

A simple model of mm/compaction.c, 6.1-rc6; off by default.

Interface: try_to_compact_pages

What the model keeps: who is asked in which order (asynchronously, then sync-light), which
pageblocks each looks at, that only single movable pages are moved and only into MOVABLE or CMA
pageblocks, when compaction does not even start, and deferral after failures.

What it leaves out: the scanners' positions and batches of 32, skip hints, watermarks between the
steps, capture of a block while it is freed, pages of the world's folios (their references are not
looked at, so they stay), and the migration of each page as steps of its own: one call is one step.
"""

from __future__ import annotations

from collections.abc import Container

from mmsim.constants import MIGRATE_CMA, MIGRATE_MOVABLE
from mmsim.mm.fallback import look_at_pageblock
from mmsim.mm.fragmentation import extfrag_index, summed
from mmsim.mm.page_alloc import Request, block_for, free_pages, take
from mmsim.mm.zone import Zone

EXTFRAG_THRESHOLD = 500
COMPACT_MAX_DEFER_SHIFT = 6
COSTLY_ORDER = 3


def try_to_compact_pages(zone: Zone, want: Request, keep: Container[int]) -> tuple[str, ...]:
    """Compact asynchronously, then sync-light, until a block for this request is free.

    `keep`: pfns of pages that must not be moved.  Answers the events to count in vmstat:
    compact_stall with compact_success or compact_fail for each run, also for one that is put off
    (deferred), but not for one that is skipped.  Kernel: __alloc_pages_direct_compact(),
    try_to_compact_pages(), compact_zone().
    """
    events: list[str] = []
    for sync in (False, True):
        if compaction_deferred(zone):
            events += ["compact_stall", "compact_fail"]
            continue
        if not compaction_suitable(zone, want):
            continue
        compact_zone(zone, want, sync, keep)
        done = block_for(want, zone.blocks_by_type())
        events += ["compact_stall", "compact_success" if done else "compact_fail"]
        if done:
            zone.deferred = zone.deferred_shift = 0
            break
        if sync:  # an asynchronous run that fails defers nothing
            zone.deferred = 0
            zone.deferred_shift = min(zone.deferred_shift + 1, COMPACT_MAX_DEFER_SHIFT)
    return tuple(events)


def compaction_suitable(zone: Zone, want: Request) -> bool:
    """Is there room to move pages to, and is it fragmentation that makes the request fail?

    Kernel: compaction_suitable().  CMA counts as room, whoever asks."""
    room = zone.nr_free > zone.watermarks[1] + (2 << want.order)
    index = extfrag_index(summed(zone.blocks_by_type() or {"": [0] * 11}), want.order)
    fits = not 0 <= index <= EXTFRAG_THRESHOLD or want.order <= COSTLY_ORDER
    return room and fits


def compaction_deferred(zone: Zone) -> bool:
    """After failures the next requests go without.  Kernel: compaction_deferred()."""
    zone.deferred = min(zone.deferred + 1, 1 << zone.deferred_shift)
    return zone.deferred < 1 << zone.deferred_shift


def compact_zone(zone: Zone, want: Request, sync: bool, keep: Container[int]) -> None:
    """Empty pageblocks from the bottom into free pages at the top, until the request fits."""
    size = 1 << zone.pageblock_order
    bottom, top = zone.start, zone.end - size
    while bottom < top and not block_for(want, zone.blocks_by_type()):
        if sync or _async_source(zone, want, bottom):
            zone.touch(bottom)
            for pfn in _movable(zone, bottom, keep):
                while top > bottom:
                    to = _free_page(zone, top)
                    if to is not None:
                        break
                    top -= size
                else:
                    return
                take(zone, to, 0)
                free_pages(zone, pfn, 0)
        bottom += size


def _async_source(zone: Zone, want: Request, pfn: int) -> bool:
    migratetype = zone.pageblock_type(pfn)
    if want.migratetype == MIGRATE_MOVABLE:
        return migratetype in (MIGRATE_MOVABLE, MIGRATE_CMA)
    return migratetype == want.migratetype


def _movable(zone: Zone, pfn: int, keep: Container[int]) -> list[int]:
    """Single movable pages of a pageblock, if emptying it would leave a free block."""
    end = pfn + (1 << zone.pageblock_order)
    found = [at for at in range(pfn, end) if at in zone.held]
    stuck = any(zone.held[at].order or not zone.held[at].movable or at in keep for at in found)
    return [] if stuck else found


def _free_page(zone: Zone, block: int) -> int | None:
    """The highest free page of a pageblock that pages may be moved to.

    A pageblock that is free as a whole is no target: that would use up what is being looked for.
    """
    if zone.pageblock_type(block) not in (MIGRATE_MOVABLE, MIGRATE_CMA):
        return None
    zone.touch(block)
    if block not in zone.held and zone.free_order(block) is None:
        return None  # the middle of a larger block
    free, _ = look_at_pageblock(zone, block)
    if not free or free[0][1] >= zone.pageblock_order:
        return None
    pfn, order = free[-1]
    return pfn + (1 << order) - 1
