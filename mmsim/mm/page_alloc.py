"""The buddy allocator: which block a request gets, and where a freed block goes.

Mirrors mm/page_alloc.c, 6.1-rc6.

`__rmqueue` asks in this order: CMA first if more than half of the free memory is CMA; the request's
own type; CMA again; then a block of another type is taken over.  Left out: per-CPU lists,
highatomic reserves, the watermark boost, NUMA, reclaim, the OOM killer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmsim.constants import (
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_HIGHATOMIC,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    PCP_TYPES,
)
from mmsim.engine.op import ModelError
from mmsim.errors import nearest
from mmsim.mm.untouched import HELD
from mmsim.mm.zone import Zone, ZoneError


class Request(NamedTuple):
    """What is asked for.  `alloc_cma`: may it come from CMA?"""

    order: int
    migratetype: str
    alloc_cma: bool
    nofragment: bool = False


def request(order: int, migratetype: str = MIGRATE_MOVABLE, *, pin_scope: bool = False) -> Request:
    """A request as the allocator sees it; in a long-term pin's scope MOVABLE becomes UNMOVABLE.

    Raises ZoneError for an order or a type that nobody can ask for.  Kernel: current_gfp_context(),
    gfp_migratetype(), gfp_to_alloc_flags_cma()."""
    if not 0 <= order < MAX_ORDER:
        raise ZoneError(f"order {order}: a block has order 0 to {MAX_ORDER - 1}")
    if migratetype not in PCP_TYPES:
        raise ZoneError(f"nobody asks for {migratetype!r} memory{nearest(migratetype, PCP_TYPES)}")
    if pin_scope and migratetype == MIGRATE_MOVABLE:
        migratetype = MIGRATE_UNMOVABLE
    return Request(order, migratetype, migratetype == MIGRATE_MOVABLE)


def watermark_usable(want: Request, nr_free: int, nr_free_cma: int) -> int:
    """Pages that count against a watermark: CMA only for those who may use it.

    Kernel: __zone_watermark_ok(), __zone_watermark_unusable_free()."""
    usable = nr_free - ((1 << want.order) - 1)
    return usable if want.alloc_cma else usable - nr_free_cma


def block_for(want: Request, free: Mapping[str, Sequence[int]]) -> bool:
    """Is there a free block that this request could be given, now or after a fallback?

    `free`: type -> free blocks of each order.  Kernel: the end of __zone_watermark_ok()."""
    types = (*PCP_TYPES, MIGRATE_CMA) if want.alloc_cma else PCP_TYPES
    return any(any(free.get(mt, ())[want.order :]) for mt in types)


def get_page_from_freelist(zone: Zone, want: Request, *, movable: bool = True) -> int | None:
    """First pfn of a block of `1 << want.order` pages, now held, or None.

    `movable`: will its pages look movable, as pages of processes do?  The kernel asks with the LOW
    watermark first and then with the MIN one: that is what counts."""
    if watermark_usable(want, zone.nr_free, zone.nr_free_cma) <= zone.watermarks[0]:
        return None
    pfn = __rmqueue(zone, want)
    if pfn is not None:
        zone.held[pfn] = HELD[movable][want.order]
    return pfn


def __rmqueue(zone: Zone, want: Request) -> int | None:
    """Take a block off the free lists."""
    order, migratetype, alloc_cma, nofragment = want
    # "More than half" is strict, and half of an odd number is rounded down.
    if alloc_cma and zone.nr_free_cma > zone.nr_free // 2:
        pfn = __rmqueue_smallest(zone, order, MIGRATE_CMA)
        if pfn is not None:
            return pfn
    while True:
        pfn = __rmqueue_smallest(zone, order, migratetype)
        if pfn is None and alloc_cma:
            pfn = __rmqueue_smallest(zone, order, MIGRATE_CMA)
        if pfn is not None:
            return pfn
        if not __rmqueue_fallback(zone, order, migratetype, nofragment):
            return None


def __rmqueue_smallest(zone: Zone, order: int, migratetype: str) -> int | None:
    """The head of the smallest sufficient list of one type; what is too much goes back to it.

    Kernel: __rmqueue_smallest() and expand().  The caller gets the lowest address."""
    lists = zone.free_area[migratetype]
    lazy = migratetype in zone.untouched
    for size in range(order, MAX_ORDER):
        blocks = lists[size]
        if not blocks:
            if not lazy or not zone.touch_next(migratetype, size):
                continue
            blocks = lists[size]
        pfn, _ = blocks.popitem()
        while size > order:
            size -= 1
            lists[size][pfn + (1 << size)] = None
        zone.account(migratetype, -(1 << order))
        return pfn
    return None


def free_pages(zone: Zone, pfn: int, order: int) -> None:
    """Give a block back; it merges with its buddy as long as that is free and of a fitting type.

    Raises ZoneError for a block that is not held like this.  Kernel: free_unref_page()."""
    if pfn not in zone.held:
        zone.touch(pfn)
    held = zone.held.get(pfn)
    if held is None or held.order != order:
        why = f"it has order {held.order}" if held else "nothing is allocated there"
        raise ZoneError(f"pfn {pfn:#x}, order {order}, can't be freed: {why}")
    del zone.held[pfn]
    __free_one_page(zone, pfn, order)


def __free_one_page(zone: Zone, pfn: int, order: int) -> None:
    """Put pages on a free list, merged as far as possible."""
    migratetype = zone.pageblock_type(pfn)
    zone.account(migratetype, 1 << order)
    own = zone.free_area[migratetype]
    while order < MAX_ORDER - 1:
        buddy = pfn ^ (1 << order)
        on = migratetype if buddy in own[order] else zone.list_of(buddy, order)
        if on is None:
            break
        if order >= zone.pageblock_order:
            other = zone.pageblock_type(buddy)
            if migratetype != other and not (migratetype in PCP_TYPES and other in PCP_TYPES):
                break
        del zone.free_area[on][order][buddy]
        pfn &= ~(1 << order)
        order += 1
    own[order][pfn] = None


def split_page(zone: Zone, pfn: int) -> None:
    """A held block becomes held single pages."""
    held = zone.held.get(pfn)
    if held is None:
        raise ZoneError(f"pfn {pfn:#x} can't be split: nothing is allocated there")
    zone.held.update(dict.fromkeys(range(pfn, pfn + (1 << held.order)), HELD[held.movable][0]))


def take_block(zone: Zone, pfn: int, order: int, *, movable: bool = True) -> None:
    """Allocate exactly this block: what a zone is set up with, and what a CMA owner gets.

    Raises ZoneError if it is not free in one block.  Kernel: __isolate_free_page(), of whole
    blocks only."""
    zone.touch(pfn)
    for size in range(order, MAX_ORDER):
        head = pfn >> size << size
        on = zone.list_of(head, size)
        if on is None:
            continue
        lists = zone.free_area[on]
        del lists[size][head]
        while size > order:
            size -= 1
            upper = head + (1 << size)
            if pfn >= upper:
                lists[size][head], head = None, upper
            else:
                lists[size][upper] = None
        zone.account(on, -(1 << order))
        zone.held[pfn] = HELD[movable][order]
        return
    raise ZoneError(f"pfn {pfn:#x}, order {order}: not free in one block")


def split_free_page(zone: Zone, pfn: int) -> None:
    """Cut a free block that reaches beyond the pageblock at `pfn`."""
    zone.touch(pfn)
    for order in range(MAX_ORDER - 1, zone.pageblock_order, -1):
        head = pfn >> order << order
        on = zone.list_of(head, order)
        if on is not None:
            del zone.free_area[on][order][head]
            for half in (head + (1 << order - 1), head):
                zone.free_area[on][order - 1][half] = None


# -- What a request does when its own lists are empty: it takes over a block of another type.


# Which types, in this order: fallbacks[] in mm/page_alloc.c.
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


def find_suitable_fallback(zone: Zone, order: int, migratetype: str) -> str | None:
    """The first other type that has a free block of exactly this order."""
    for other in FALLBACKS[migratetype]:
        if zone.free_area[other][order]:
            return other
        if other in zone.untouched and zone.touch_next(other, order):
            return other
    return None


def __rmqueue_fallback(zone: Zone, order: int, migratetype: str, nofragment: bool) -> bool:
    """Move something of another type onto the lists of this one.

    The largest block first, so that the next requests find what they need in the same pageblock.
    Only a movable request that could not claim the pageblock anyway looks for the smallest."""
    least = max(order, zone.pageblock_order) if nofragment else order
    for size in range(MAX_ORDER - 1, least - 1, -1):
        other = find_suitable_fallback(zone, size, migratetype)
        if other is None:
            continue
        if not can_steal_fallback(zone, size, migratetype):
            for smaller in range(order, size):
                found = find_suitable_fallback(zone, smaller, migratetype)
                if found is not None:
                    size, other = smaller, found
                    break
        pfn = next(reversed(zone.free_area[other][size]))
        steal_suitable_fallback(zone, pfn, size, migratetype)
        return True
    return False


def steal_suitable_fallback(zone: Zone, pfn: int, order: int, migratetype: str) -> None:
    """Take over a free block, and the pageblock around it if enough of that is free or alike.

    Of a HIGHATOMIC pageblock only the block goes.  Left out: raising the zone's watermark."""
    block_order = zone.pageblock_order
    reserved = zone.pageblock_type(pfn) == MIGRATE_HIGHATOMIC
    if order >= block_order and not reserved:
        for number in range(1 << order - block_order):
            zone.types[(pfn >> block_order) + number] = migratetype
    if reserved or order >= block_order or not can_steal_fallback(zone, order, migratetype):
        move_freepages(zone, [(pfn, order)], migratetype)
        return
    free, movable = look_at_pageblock(zone, pfn)
    size = 1 << block_order
    moved = sum(1 << n for _, n in free)
    alike = 0
    if migratetype == MIGRATE_MOVABLE:
        alike = movable
    elif zone.pageblock_type(pfn) == MIGRATE_MOVABLE:
        alike = size - moved - movable
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
    """Move free blocks to the tail of another type's lists."""
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
