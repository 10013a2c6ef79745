"""The buddy allocator: which block a request gets, and where a freed block goes.

Mirrors mm/page_alloc.c, 6.1-rc6; each function names the one it mirrors.

Interface: Request, request, alloc_pages, free_pages, split_page, take, split_free,
rmqueue, drain_pcp, watermark_usable, block_for

`rmqueue` asks in this order: CMA first if more than half of the free memory is CMA; the request's
own type; CMA again; then a block of another type is taken over.  Left out: per-CPU lists, but for
that of huge pages if the zone has one; highatomic reserves, the watermark boost, NUMA, reclaim, the
OOM killer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_UNMOVABLE,
    PCP_TYPES,
)
from mmsim.errors import nearest
from mmsim.mm.fallback import rmqueue_fallback
from mmsim.mm.untouched import HELD, Held
from mmsim.mm.zone import Zone, ZoneError

# Huge pages that a per-CPU list is filled with at a time: max(63 >> 9, 2).
THP_BATCH = 2


class Request(NamedTuple):
    """What is asked for.  `alloc_cma`: may it come from CMA?"""

    order: int
    migratetype: str
    alloc_cma: bool
    nofragment: bool = False


def request(order: int, migratetype: str = MIGRATE_MOVABLE, *, pin_scope: bool = False) -> Request:
    """A request as the allocator sees it; in a long-term pin's scope MOVABLE becomes UNMOVABLE.

    Kernel: current_gfp_context(), gfp_migratetype(), gfp_to_alloc_flags_cma().  Raises ZoneError
    for an order or a type that nobody can ask for.
    """
    if not 0 <= order < MAX_ORDER:
        raise ZoneError(f"order {order}: a block has order 0 to {MAX_ORDER - 1}")
    if migratetype not in PCP_TYPES:
        raise ZoneError(f"nobody asks for {migratetype!r} memory{nearest(migratetype, PCP_TYPES)}")
    if pin_scope and migratetype == MIGRATE_MOVABLE:
        migratetype = MIGRATE_UNMOVABLE
    return Request(order, migratetype, migratetype == MIGRATE_MOVABLE)


def watermark_usable(want: Request, nr_free: int, nr_free_cma: int) -> int:
    """Pages that count against a watermark: CMA only for those who may use it.

    Kernel: __zone_watermark_ok() and __zone_watermark_unusable_free().
    """
    usable = nr_free - ((1 << want.order) - 1)
    return usable if want.alloc_cma else usable - nr_free_cma


def block_for(want: Request, free: Mapping[str, Sequence[int]]) -> bool:
    """Is there a free block that this request could be given, now or after a fallback?

    `free`: type -> free blocks of each order.  Kernel: the end of __zone_watermark_ok().
    """
    types = (*PCP_TYPES, MIGRATE_CMA) if want.alloc_cma else PCP_TYPES
    return any(any(free.get(mt, ())[want.order :]) for mt in types)


def alloc_pages(zone: Zone, want: Request, *, movable: bool = True) -> int | None:
    """First pfn of a block of `1 << want.order` pages, now held, or None.

    `movable`: will its pages look movable, as pages of processes do?  Kernel:
    get_page_from_freelist(), rmqueue().  The kernel asks with the LOW watermark first and then with
    the MIN one, which is what counts.
    """
    if watermark_usable(want, zone.nr_free, zone.nr_free_cma) <= zone.watermarks[0]:
        return None
    # What is on the list may lie in CMA: not for movable requests that may not have that.
    listed = zone.thp_pcp is not None and want.order == HPAGE_PMD_ORDER
    if listed and (want.alloc_cma or want.migratetype != MIGRATE_MOVABLE):
        pfn = _rmqueue_pcplist(zone, want)
    else:
        pfn = rmqueue(zone, want)
    if pfn is not None:
        zone.held[pfn] = HELD[movable][want.order]
    return pfn


def _rmqueue_pcplist(zone: Zone, want: Request) -> int | None:
    """The head of the per-CPU list of huge pages, which is filled first if it is empty.

    All types share the list, so what a movable request has brought from CMA may go to a pin-scope
    request next.  Kernel: __rmqueue_pcplist(), rmqueue_bulk(), order_to_pindex() until 6.10."""
    if not zone.thp_pcp:
        found = [pfn for _ in range(THP_BATCH) if (pfn := rmqueue(zone, want)) is not None]
        zone.held.update(dict.fromkeys(found, HELD[False][want.order]))
        zone.thp_pcp = tuple(found)
    if not zone.thp_pcp:
        return None
    pfn, *rest = zone.thp_pcp
    zone.thp_pcp = tuple(rest)
    return pfn


def drain_pcp(zone: Zone, keep: int = 0) -> None:
    """Give back all but `keep` huge pages of the per-CPU list.  Kernel: free_pcppages_bulk()."""
    listed = zone.thp_pcp or ()
    for pfn in reversed(listed[keep:]):
        del zone.held[pfn]
        free_one_page(zone, pfn, HPAGE_PMD_ORDER)
    if listed:
        zone.thp_pcp = listed[:keep]


def rmqueue(zone: Zone, want: Request) -> int | None:
    """Take a block off the free lists.  Kernel: __rmqueue()."""
    order, migratetype, alloc_cma, nofragment = want
    # "More than half" is strict, and half of an odd number is rounded down.
    if alloc_cma and zone.nr_free_cma > zone.nr_free // 2:
        pfn = rmqueue_smallest(zone, order, MIGRATE_CMA)
        if pfn is not None:
            return pfn
    while True:
        pfn = rmqueue_smallest(zone, order, migratetype)
        if pfn is None and alloc_cma:
            pfn = rmqueue_smallest(zone, order, MIGRATE_CMA)
        if pfn is not None:
            return pfn
        if not rmqueue_fallback(zone, order, migratetype, nofragment):
            return None


def rmqueue_smallest(zone: Zone, order: int, migratetype: str) -> int | None:
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

    A huge page stays on the per-CPU list, if there is one, until it has more than a batch.  Kernel:
    __free_one_page(), free_unref_page().  Raises ZoneError for a block that is not held like this.
    """
    held = zone.held.get(pfn)
    if held is None and zone.run_at(pfn):
        zone.touch(pfn)
        held = zone.held.get(pfn)
    if held is None or held.order != order or (zone.thp_pcp and pfn in zone.thp_pcp):
        raise ZoneError(_not_held(zone, pfn, order, held))
    isolated = zone.pageblock_type(pfn) == MIGRATE_ISOLATE
    if zone.thp_pcp is not None and order == HPAGE_PMD_ORDER and not isolated:
        zone.held[pfn] = HELD[False][order]
        zone.thp_pcp = (pfn, *zone.thp_pcp)
        drain_pcp(zone, THP_BATCH)
        return
    del zone.held[pfn]
    free_one_page(zone, pfn, order)


def _not_held(zone: Zone, pfn: int, order: int, held: Held | None) -> str:
    what = f"free of pfn {pfn:#x}, order {order}:"
    if not zone.start <= pfn < zone.end:
        return f"{what} the zone has pfns {zone.start:#x} to {zone.end - 1:#x}"
    if held is not None and held.order != order:
        return f"{what} it was allocated with order {held.order}; free it with that order"
    if held is not None or zone.free_order(pfn) is not None:
        return f"{what} it is free already (a double free)"
    return f"{what} no allocation begins there; free what alloc returned"


def free_one_page(zone: Zone, pfn: int, order: int) -> None:
    """Put pages on a free list, merged as far as possible.  Kernel: __free_one_page()."""
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
    """A held block becomes held single pages.  Kernel: split_page(), and what a split huge page
    does."""
    held = zone.held.get(pfn)
    if held is None:
        raise ZoneError(f"pfn {pfn:#x} can't be split: nothing is allocated there")
    zone.held.update(dict.fromkeys(range(pfn, pfn + (1 << held.order)), HELD[held.movable][0]))


def take(zone: Zone, pfn: int, order: int, *, movable: bool = True) -> None:
    """Allocate exactly this block: what a zone is set up with, and what a CMA owner gets.

    Raises ZoneError if it is not entirely free in one block.  Kernel: isolate_freepages_range().
    """
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


def split_free(zone: Zone, pfn: int) -> None:
    """Cut a free block that reaches beyond the pageblock at `pfn`, so that its part stands alone.

    Kernel: mm/page_alloc.c, split_free_page().
    """
    zone.touch(pfn)
    for order in range(MAX_ORDER - 1, zone.pageblock_order, -1):
        head = pfn >> order << order
        on = zone.list_of(head, order)
        if on is not None:
            del zone.free_area[on][order][head]
            for half in (head + (1 << order - 1), head):
                zone.free_area[on][order - 1][half] = None
