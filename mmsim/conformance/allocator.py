"""Group allocator: requests to a zone, or one look at a watermark.

Interface: run_allocator
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmsim.conformance.setup import SetupError
from mmsim.constants import PAGEBLOCK_ORDER
from mmsim.mm.page_alloc import (
    Request,
    alloc_pages,
    block_for,
    free_pages,
    request,
    split_page,
    watermark_usable,
)
from mmsim.mm.versions import Version
from mmsim.mm.zone import HELD, ORDERS, Zone, ZoneError

Found = dict[str, Any]


def run_allocator(vector: dict[str, Any], version: Version, expected: dict[str, Any]) -> Found:
    """The operation of one vector; the allocator is the same in every version."""
    operation = vector["operation"]
    if operation["op"] == "watermark_check":
        return _watermark(operation)
    try:
        zone = build_zone(vector["setup"], operation["steps"])
        results = [_step(zone, step) for step in operation["steps"]]
    except ZoneError as error:
        raise SetupError(str(error)) from None
    zone.check()
    listed = [
        {"type": migratetype, "order": order, "pfns": sorted(blocks)}
        for migratetype, lists in sorted(zone.free_area.items())
        for order, blocks in enumerate(lists)
        if blocks
    ]
    size = 1 << zone.pageblock_order
    return {
        "results": results,
        "free_after": listed,
        "pageblocks_after": [zone.pageblock_type(pfn) for pfn in range(0, zone.end, size)],
        "nr_free_after": zone.nr_free,
        "nr_free_cma_after": zone.nr_free_cma,
    }


def _watermark(operation: dict[str, Any]) -> Found:
    want = Request(operation["order"], "", operation["alloc_cma"])
    usable = watermark_usable(want, operation["nr_free"], operation["nr_free_cma"])
    free = {
        migratetype: [blocks.get(str(order), 0) for order in ORDERS]
        for migratetype, blocks in operation["free_blocks"].items()
    }
    enough = usable > operation["mark"] + operation.get("lowmem_reserve", 0)
    return {"usable": usable, "ok": enough and (want.order == 0 or block_for(want, free))}


def build_zone(setup: dict[str, Any], steps: Sequence[dict[str, Any]] = ()) -> Zone:
    """A zone from pfn 0 with exactly these free blocks; the rest is held, page by page.

    A vector says how many pages look movable, not which: none that a step frees, if possible."""
    size = 1 << PAGEBLOCK_ORDER
    zone = Zone(len(setup.get("pageblocks", ())) * size)
    zone.types.update(enumerate(setup.get("pageblocks", ())))
    free: set[int] = set()
    for entry in setup.get("free", ()):
        pfn, order = entry["pfn"], entry["order"]
        pages = range(pfn, pfn + (1 << order))
        if pfn % (1 << order) or pages.stop > zone.end or not free.isdisjoint(pages):
            raise SetupError(f"no place for a free block of order {order} at pfn {pfn}")
        free.update(pages)
        migratetype = entry.get("type", zone.types[pfn // size])
        zone.add_to_tail(migratetype, order, [pfn])
        zone.account(migratetype, 1 << order)
    movable = {int(block): n for block, n in setup.get("movable_pages", {}).items()}
    gone = {pfn for step in steps if step["do"] == "free" for pfn in _pages(step)}
    for pfn in sorted(set(range(zone.end)) - free, key=lambda pfn: (pfn in gone, pfn)):
        left = movable.get(pfn // size, 0)
        movable[pfn // size] = left - 1
        zone.held[pfn] = HELD[left > 0][0]
    return zone


def _pages(block: dict[str, Any]) -> range:
    return range(block["pfn"], block["pfn"] + (1 << block["order"]))


def _step(zone: Zone, step: dict[str, Any]) -> int | str | None:
    if step["do"] == "free":
        _one_block(zone, step["pfn"], step["order"])
        free_pages(zone, step["pfn"], step["order"])
        return None
    want = request(step["order"], step["migratetype"], pin_scope=step.get("pin_scope", False))
    want = want._replace(
        alloc_cma=step.get("alloc_cma", want.alloc_cma), nofragment=step.get("nofragment", False)
    )
    # What has just been allocated is on no LRU list yet, so it does not look movable.
    pfn = alloc_pages(zone, want, movable=False)
    return "fail" if pfn is None else pfn


def _one_block(zone: Zone, pfn: int, order: int) -> None:
    """A vector says what is free, not in which blocks the rest was allocated: cut and join."""
    for size in range(order + 1, len(ORDERS)):
        around = pfn >> size << size
        if around in zone.held and zone.held[around].order == size:
            split_page(zone, around)
    pages = range(pfn, pfn + (1 << order))
    held = [zone.held[page] for page in pages if page in zone.held]
    if order and len(held) == len(pages) and not any(one.order for one in held):
        for page in pages:
            del zone.held[page]
        zone.held[pfn] = HELD[held[0].movable][order]
