"""Cells of a zone against the zone itself, counted page by page."""

from __future__ import annotations

import random

import pytest

from mmsim.mm import page_alloc
from mmsim.mm.zone import Part, Zone, boot, occupancy


def used(zone: Zone, seed: int, ops: int) -> Zone:
    """A zone after some random requests, so that runs, lists and held blocks are mixed."""
    rng, held = random.Random(seed), []
    for _ in range(ops):
        if rng.random() < 0.6:
            want = page_alloc.request(
                rng.choice((0, 0, 3, 9)), rng.choice(("MOVABLE", "UNMOVABLE", "RECLAIMABLE"))
            )
            pfn = page_alloc.alloc_pages(zone, want)
            if pfn is not None:
                held.append((pfn, want.order))
        elif held:
            page_alloc.free_pages(zone, *held.pop(rng.randrange(len(held))))
    return zone


def counted(zone: Zone, order: int) -> list[dict[str, Part]]:
    """The same, from every block of a copy in which nothing is untouched any more."""
    zone, block = zone.branch(), 1 << zone.pageblock_order
    free = dict.fromkeys(range(zone.start // block, zone.end // block), 0)
    fits = dict.fromkeys(free, 0)
    for pfn, size, held in zone.blocks(zone.start, zone.end):
        for page in range(pfn, pfn + (1 << size)) if held is None else ():
            free[page // block] += 1
            fits[page // block] |= size >= order
    return [{zone.pageblock_type(n * block): Part(1, free[n], fits[n])} for n in free]


def merged(cells: list[dict[str, Part]], per_cell: int) -> list[dict[str, Part]]:
    found: list[dict[str, Part]] = [{} for _ in range(-(-len(cells) // per_cell))]
    for n, cell in enumerate(cells):
        into = found[n // per_cell]
        for name, part in cell.items():
            sums = zip(into.get(name, Part()), part, strict=True)
            into[name] = Part(*(a + b for a, b in sums))
    return found


ZONES = {
    "small": lambda: boot(4096, used=0.6, scattered=1, seed=1),
    "odd start and CMA": lambda: boot(4096, 1024, start=512),
    "worn, from 1 GiB": lambda: boot(16384, start=1 << 18, used=0.3, scattered=0.5, seed=4),
    "pageblocks of order 10": lambda: boot(16384, 4096, used=0.5, pageblock_order=10, seed=5),
    "pageblocks of order 3": lambda: boot(2048, 512, used=0.5, scattered=0.9, pageblock_order=3),
    "touched": lambda: used(boot(16384, 4096, used=0.4, scattered=0.5, seed=6), 6, 600),
    "touched, virgin": lambda: used(boot(8192, 2048), 7, 900),
}


@pytest.mark.parametrize("order", [0, 9, 10])
@pytest.mark.parametrize("name", ZONES)
def test_cells_are_what_is_counted_page_by_page(name, order):
    zone = ZONES[name]()
    right = counted(zone, order)
    for per_cell in (1, 4, 32):
        assert occupancy(zone, per_cell, order) == merged(right, per_cell)


def test_a_terabyte_is_looked_at_without_touching_it():
    zone = boot(1 << 28, 1 << 26, used=0.6, scattered=0.9, seed=1)
    cells = occupancy(zone, 1 << 8)
    assert len(cells) == 2048
    assert sum(part.free for cell in cells for part in cell.values()) == zone.nr_free
    assert zone.held == {}
    assert len(zone.untouched["MOVABLE"]) == 1
