"""Where in a zone memory is free: pageblock by pageblock, or in larger cells.

Interface: occupancy, Cell, Part

Untouched memory is counted by its patterns and never listed, so the cost grows with the number of
cells and with what was done to the zone, not with its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise
from typing import NamedTuple

from mmsim.constants import HPAGE_PMD_ORDER
from mmsim.mm.untouched import Pattern
from mmsim.mm.zone import Zone


class Part(NamedTuple):
    """The pageblocks of one type in a cell."""

    pageblocks: int = 0
    free: int = 0
    """Pages."""
    fitting: int = 0
    """Pageblocks that have, or lie in, a free block of at least the asked order."""


Cell = dict[str, Part]
"""Migratetype of the pageblock -> what is there."""


def occupancy(zone: Zone, per_cell: int = 1, order: int = HPAGE_PMD_ORDER) -> list[Cell]:
    """The zone as cells of `per_cell` neighbouring pageblocks; the last one may have fewer."""
    first, shift = zone.start >> zone.pageblock_order, zone.pageblock_order
    sums: list[dict[str, list[int]]] = [{} for _ in range(-(-(zone.nr_pages >> shift) // per_cell))]

    def add(
        number: int, migratetype: str, pageblocks: int, free: int = 0, fitting: int = 0
    ) -> None:
        found = sums[(number - first) // per_cell].setdefault(migratetype, [0, 0, 0])
        found[0] += pageblocks
        found[1] += free
        found[2] += fitting

    for start, end, migratetype in zone.layout:
        for at, to in _by_cell(start >> shift, end >> shift, first, per_cell):
            add(at, migratetype, to - at)
    for number, migratetype in zone.types.items():
        add(number, _laid_out(zone, number << shift), -1)
        add(number, migratetype, 1)
    looked: dict[int, Callable[[int], tuple[int, int]]] = {}  # runs share their patterns
    for runs in zone.untouched.values():
        for run in runs:
            below = looked.get(id(run.patterns)) or _below(run.patterns, shift, order)
            looked[id(run.patterns)] = below
            for at, to in _by_cell(run.pfn >> shift, run.end >> shift, first, per_cell):
                (free, fits), (freed, fitted) = below(at), below(to)
                add(at, run.migratetype, 0, freed - free, fitted - fits)
    for number, (free, fits) in _by_pageblock(_listed(zone), shift, order).items():
        add(number, zone.pageblock_type(number << shift), 0, free, int(fits))
    return [{mt: Part(*found) for mt, found in cell.items() if found[0]} for cell in sums]


def _by_cell(at: int, end: int, first: int, per_cell: int) -> list[tuple[int, int]]:
    """A range of pageblocks, cut where a cell ends; the first cell begins at `first`."""
    cuts = [at, *range(at + per_cell - (at - first) % per_cell, end, per_cell), end]
    return list(pairwise(cuts)) if at < end else []


def _laid_out(zone: Zone, pfn: int) -> str:
    """Type of a pageblock as the zone was set up."""
    return next(migratetype for first, end, migratetype in zone.layout if first <= pfn < end)


def _listed(zone: Zone) -> list[tuple[int, int]]:
    """(pfn, order) of every free block that stands on a list by itself."""
    return [
        (pfn, size)
        for lists in zone.free_area.values()
        for size, blocks in enumerate(lists)
        for pfn in blocks
    ]


def _by_pageblock(
    blocks: Iterable[tuple[int, int]], shift: int, order: int
) -> dict[int, tuple[int, bool]]:
    """Pageblock number -> (free pages, does it fit?) of free blocks (pfn, order)."""
    found: dict[int, tuple[int, bool]] = {}
    for pfn, size in blocks:
        for number in range(pfn >> shift, (pfn + (1 << size) - 1 >> shift) + 1):
            free, fits = found.get(number, (0, False))
            found[number] = free + (1 << min(size, shift)), fits or size >= order
    return found


def _below(
    patterns: tuple[Pattern, ...], shift: int, order: int
) -> Callable[[int], tuple[int, int]]:
    """A function: pageblock number -> (free pages, fitting pageblocks) below it, if all memory from
    0 on looked like this.  The difference of two of its answers is what lies between."""
    frees, fits = [0], [0]
    for looks in patterns:
        free = [(block.offset, block.order) for block in looks.blocks if block.held is None]
        there = _by_pageblock(free, shift, order)
        for number in range(1 << looks.order - shift):
            pages, fitting = there.get(number, (0, False))
            frees.append(pages)
            fits.append(int(fitting))
    frees, fits = list(accumulate(frees)), list(accumulate(fits))

    def below(number: int) -> tuple[int, int]:
        rounds, rest = divmod(number, len(frees) - 1)
        return rounds * frees[-1] + frees[rest], rounds * fits[-1] + fits[rest]

    return below
