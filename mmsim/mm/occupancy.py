"""Where in a zone memory is free: pageblock by pageblock, or in larger cells.

Mirrors nothing: it is what pictures of a zone and of a text from outside ask.  It stands here as
it reads the lists of a zone and its untouched runs.  A kernel tells only sums, in /proc."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
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
    shift, first = zone.pageblock_order, zone.start >> zone.pageblock_order
    cells: list[Cell] = [{} for _ in range(-(-(zone.nr_pages >> shift) // per_cell))]

    def add(number: int, migratetype: str, *found: int) -> None:
        cell = cells[(number - first) // per_cell]
        sums = zip(cell.get(migratetype, Part()), found, strict=True)
        cell[migratetype] = Part(*(a + b for a, b in sums))

    listed = _by_pageblock(
        (
            (pfn, size)
            for lists in zone.free_area.values()
            for size, blocks in enumerate(lists)
            for pfn in blocks
        ),
        shift,
        order,
    )

    def add_listed(at: int, end: int) -> None:
        for number in range(at, end):
            add(number, zone.pageblock_type(number << shift), 1, *listed.get(number, (0, 0)))

    looked: dict[int, Callable[[int], tuple[int, int]]] = {}  # runs share their patterns
    at = first
    for run in sorted(run for runs in zone.untouched.values() for run in runs):
        add_listed(at, run.pfn >> shift)
        below = looked.get(id(run.patterns)) or _below(run.patterns, shift, order)
        looked[id(run.patterns)] = below
        at = run.pfn >> shift
        while at < run.end >> shift:
            to = min(at + per_cell - (at - first) % per_cell, run.end >> shift)
            (free, fits), (freed, fitted) = below(at), below(to)
            add(at, run.migratetype, to - at, freed - free, fitted - fits)
            at = to
    add_listed(at, zone.end >> shift)
    return cells


def _by_pageblock(
    blocks: Iterable[tuple[int, int]], shift: int, order: int
) -> dict[int, tuple[int, int]]:
    """Pageblock number -> (free pages, 1 if it fits) of free blocks (pfn, order)."""
    found: dict[int, tuple[int, int]] = {}
    for pfn, size in blocks:
        for number in range(pfn >> shift, (pfn + (1 << size) - 1 >> shift) + 1):
            free, fits = found.get(number, (0, 0))
            found[number] = free + (1 << min(size, shift)), fits | (size >= order)
    return found


def _below(
    patterns: tuple[Pattern, ...], shift: int, order: int
) -> Callable[[int], tuple[int, int]]:
    """A function: pageblock number -> (free pages, fitting pageblocks) below it, if all memory from
    0 on looked like this.  The difference of two of its answers is what lies between."""
    each = patterns[0].order
    free = (
        ((number << each) + block.offset, block.order)
        for number, look in enumerate(patterns)
        for block in look.blocks
        if block.held is None
    )
    found, period = _by_pageblock(free, shift, order), len(patterns) << each - shift
    there = [found.get(number, (0, 0)) for number in range(period)]
    frees, fits = ([0, *accumulate(part[i] for part in there)] for i in (0, 1))

    def below(number: int) -> tuple[int, int]:
        rounds, rest = divmod(number, period)
        return rounds * frees[-1] + frees[rest], rounds * fits[-1] + fits[rest]

    return below
