"""What a request does when its own lists are empty: it takes over a block of another type.

Mirrors mm/page_alloc.c, 6.1-rc6; each function names the one it mirrors.

Interface: rmqueue_fallback, look_at_pageblock, move_freepages

Never from CMA, ISOLATE or HIGHATOMIC.  A block of at least a pageblock takes the pageblock's type
with it, for good: this is how a long-term pin makes MOVABLE memory UNMOVABLE.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmsim.constants import (
    MAX_ORDER,
    MIGRATE_HIGHATOMIC,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
)
from mmsim.engine.op import ModelError
from mmsim.mm.zone import Zone

# Where a request looks when its own lists are empty: fallbacks[] in mm/page_alloc.c.
FALLBACKS = {
    MIGRATE_UNMOVABLE: (MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE),
    MIGRATE_MOVABLE: (MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE),
    MIGRATE_RECLAIMABLE: (MIGRATE_UNMOVABLE, MIGRATE_MOVABLE),
}


def can_steal_fallback(zone: Zone, order: int, migratetype: str) -> bool:
    """May a request of this type claim a whole pageblock for a block of this order?"""
    if order >= zone.pageblock_order // 2:
        return True
    return migratetype in (MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE)


def _fallback_type(zone: Zone, order: int, migratetype: str) -> str | None:
    """First other type with a free block of exactly this order (find_suitable_fallback())."""
    for other in FALLBACKS[migratetype]:
        if zone.free_area[other][order]:
            return other
        if other in zone.untouched and zone.touch_next(other, order):
            return other
    return None


def rmqueue_fallback(zone: Zone, order: int, migratetype: str, nofragment: bool) -> bool:
    """Move something of another type onto the lists of this one.  Kernel: __rmqueue_fallback().

    The largest block first, so that the next requests find what they need in the same pageblock.
    Only a movable request that could not claim the pageblock anyway looks for the smallest.
    """
    least = order
    if nofragment and order < zone.pageblock_order:
        least = zone.pageblock_order
    for size in range(MAX_ORDER - 1, least - 1, -1):
        other = _fallback_type(zone, size, migratetype)
        if other is None:
            continue
        steal = can_steal_fallback(zone, size, migratetype)
        if not steal and migratetype == MIGRATE_MOVABLE and size > order:
            size = next(n for n in range(order, size + 1) if _fallback_type(zone, n, migratetype))
            other = _fallback_type(zone, size, migratetype)
            steal = can_steal_fallback(zone, size, migratetype)
        if other is None:
            raise ModelError(f"a free block of order {size} is gone while it is being looked at")
        pfn = next(reversed(zone.free_area[other][size]))
        steal_suitable_fallback(zone, pfn, size, migratetype, steal)
        return True
    return False


def steal_suitable_fallback(
    zone: Zone, pfn: int, order: int, migratetype: str, whole_block: bool
) -> None:
    """Take over a free block, and the pageblock around it if enough of that is free or alike.

    Kernel: steal_suitable_fallback().  `whole_block`: what can_steal_fallback() said.  Left out:
    raising the zone's watermark."""
    block_order = zone.pageblock_order
    old = zone.pageblock_type(pfn)
    if old == MIGRATE_HIGHATOMIC:
        move_freepages(zone, [(pfn, order)], migratetype)
        return
    if order >= block_order:
        for number in range(1 << order - block_order):
            zone.types[(pfn >> block_order) + number] = migratetype
        move_freepages(zone, [(pfn, order)], migratetype)
        return
    if not whole_block:
        move_freepages(zone, [(pfn, order)], migratetype)
        return
    free, movable = look_at_pageblock(zone, pfn)
    size = 1 << block_order
    moved = sum(1 << n for _, n in free)
    if migratetype == MIGRATE_MOVABLE:
        alike = movable
    elif old == MIGRATE_MOVABLE:
        alike = size - moved - movable
    else:
        alike = 0
    move_freepages(zone, free, migratetype)
    if moved + alike >= size // 2:
        zone.types[pfn >> block_order] = migratetype


def look_at_pageblock(zone: Zone, pfn: int) -> tuple[list[tuple[int, int]], int]:
    """Free blocks (pfn, order) of the pageblock around this pfn, and how many allocated pages in
    it look movable.  Kernel: move_freepages_block() counts the same."""
    start = pfn >> zone.pageblock_order << zone.pageblock_order
    blocks = zone.blocks(start, start + (1 << zone.pageblock_order))
    free = [(at, order) for at, order, held in blocks if held is None]
    return free, sum(held.movable << held.order for _, _, held in blocks if held)


def move_freepages(zone: Zone, blocks: Sequence[tuple[int, int]], migratetype: str) -> None:
    """Move free blocks to the tail of another type's lists.  Kernel: move_freepages()."""
    tails: dict[int, list[int]] = {}
    for pfn, order in blocks:
        old = zone.list_of(pfn, order)
        if old is None:
            raise ModelError(f"block {pfn:#x} of order {order} is not free")
        del zone.free_area[old][order][pfn]
        zone.account(old, -(1 << order))
        zone.account(migratetype, 1 << order)
        tails.setdefault(order, []).append(pfn)
    for order, pfns in tails.items():
        zone.add_to_tail(migratetype, order, pfns)
