"""Direct compaction: moving pages together, so that a large block becomes free.

Mirrors, simplified, mm/compaction.c, 6.1-rc6.

All of it happens inside one step, on the zone alone: it moves single pages that belong to no folio
of the model.  What the owner of a CMA area needs of the same file stands in cma.py."""

from __future__ import annotations

from collections.abc import Container

from mmsim.constants import MIGRATE_CMA, MIGRATE_MOVABLE
from mmsim.mm.fragmentation import extfrag_index, sum_types
from mmsim.mm.page_alloc import Request, block_for, free_pages, look_at_pageblock, take_block
from mmsim.mm.zone import Zone

EXTFRAG_THRESHOLD = 500
COMPACT_MAX_DEFER_SHIFT = 6
PAGE_ALLOC_COSTLY_ORDER = 3


def try_to_compact_pages(zone: Zone, want: Request, keep: Container[int]) -> tuple[str, ...]:
    """Compact asynchronously, then sync-light, until a block for this request is free.

    `keep`: pfns of pages that must not be moved.  Answers the events to count: compact_stall with
    compact_success or compact_fail for each run, also for one that is put off (deferred), but not
    for one that is skipped.  Kernel: mm/page_alloc.c, __alloc_pages_direct_compact()."""
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
            zone.compact_considered = zone.compact_defer_shift = 0
            break
        if sync:  # an asynchronous run that fails defers nothing
            zone.compact_considered = 0
            zone.compact_defer_shift = min(zone.compact_defer_shift + 1, COMPACT_MAX_DEFER_SHIFT)
    return tuple(events)


def compaction_suitable(zone: Zone, want: Request) -> bool:
    """Is there room to move pages to, and is it fragmentation that makes the request fail?

    CMA counts as room, whoever asks."""
    if zone.nr_free <= zone.watermarks[1] + (2 << want.order):
        return False
    index = extfrag_index(sum_types(zone.lists()), want.order)
    return not 0 <= index <= EXTFRAG_THRESHOLD or want.order <= PAGE_ALLOC_COSTLY_ORDER


def compaction_deferred(zone: Zone) -> bool:
    """After failures the next requests go without."""
    zone.compact_considered = min(zone.compact_considered + 1, 1 << zone.compact_defer_shift)
    return zone.compact_considered < 1 << zone.compact_defer_shift


def compact_zone(zone: Zone, want: Request, sync: bool, keep: Container[int]) -> None:
    """Empty pageblocks from the bottom into free pages at the top, until the request fits."""
    size = 1 << zone.pageblock_order
    bottom, top = zone.start, zone.end - size
    free: list[int] | None = None  # pages of the pageblock at `top`, once they are asked for
    done = block_for(want, zone.blocks_by_type())
    while bottom < top and not done:
        source = zone.pageblock_type(bottom)
        cma = source == MIGRATE_CMA and want.migratetype == MIGRATE_MOVABLE
        if sync or cma or source == want.migratetype:
            zone.touch(bottom)
            movable = isolate_migratepages_block(zone, bottom, keep)
            for pfn in movable:
                while not free:
                    top -= size if free is not None else 0
                    if top <= bottom:
                        return
                    free = isolate_freepages_block(zone, top)
                take_block(zone, free.pop(), 0)
                free_pages(zone, pfn, 0)
            done = bool(movable) and block_for(want, zone.blocks_by_type())
        bottom += size


def isolate_migratepages_block(zone: Zone, pfn: int, keep: Container[int]) -> list[int]:
    """The single movable pages of a pageblock, if emptying it would leave a free block."""
    end = pfn + (1 << zone.pageblock_order)
    found = [at for at in range(pfn, end) if at in zone.held]
    stuck = any(zone.held[at].order or not zone.held[at].movable or at in keep for at in found)
    return [] if stuck else found


def isolate_freepages_block(zone: Zone, block: int) -> list[int]:
    """The free pages of a pageblock that pages may be moved to, the highest last.

    A pageblock that is free as a whole is no target: that would use up what is being looked for."""
    if zone.pageblock_type(block) not in (MIGRATE_MOVABLE, MIGRATE_CMA):
        return []
    zone.touch(block)
    if block not in zone.held and zone.free_order(block) is None:
        return []  # the middle of a larger block
    free, _ = look_at_pageblock(zone, block)
    if free and free[0][1] >= zone.pageblock_order:
        return []
    return [page for pfn, order in free for page in range(pfn, pfn + (1 << order))]
