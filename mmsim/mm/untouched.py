"""Memory that nobody touched, described instead of listed.

Interface: Run, Pattern, Block, Held, HELD, whole, pattern, pages, ORDERS

A `Run` says "from this pfn on, so many stretches, and they look like this".  However long it is, it
costs the same."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

from mmsim.constants import MAX_ORDER

ORDERS = range(MAX_ORDER)


class Held(NamedTuple):
    """An allocated block.  `movable`: its pages look movable (they are on an LRU)."""

    order: int
    movable: bool


HELD = {movable: tuple(Held(order, movable) for order in ORDERS) for movable in (False, True)}


class Block(NamedTuple):
    """A piece of a Pattern: where in it, how large, and who has it (None: it is free)."""

    offset: int
    order: int
    held: Held | None = None


class Pattern(NamedTuple):
    """What one stretch of `1 << order` pages looks like: its blocks, in order of address."""

    order: int
    blocks: tuple[Block, ...]
    free: tuple[int, ...]
    """Free blocks of each order."""


def _pattern(order: int, blocks: Iterable[Block]) -> Pattern:
    blocks = tuple(blocks)
    free = [0] * MAX_ORDER
    for block in blocks:
        free[block.order] += block.held is None
    return Pattern(order, blocks, tuple(free))


def whole(order: int, held: Held | None = None) -> Pattern:
    """A stretch in one piece, free or held."""
    return _pattern(order, [Block(0, order, held)])


def pattern(order: int, held: Iterable[tuple[int, int]], *, movable: bool = False) -> Pattern:
    """A stretch in which these blocks (offset, order) are held and the rest is free, merged."""
    blocks: list[Block] = []
    free = (1 << (1 << order)) - 1  # bit n: page n is free
    for offset, size in held:
        blocks.append(Block(offset, size, HELD[movable][size]))
        free &= ~(((1 << (1 << size)) - 1) << offset)
    for size in range(order + 1):
        step = 1 << size  # bit n of `free`: a block of this size at n, a multiple of step, is free
        pairs = 0
        if size < order:
            pairs = free & free >> step & _multiples(2 * step, 1 << order)
        alone = free & ~(pairs | pairs << step)
        while alone:
            offset = (alone & -alone).bit_length() - 1
            blocks.append(Block(offset, size))
            alone &= alone - 1
        free = pairs
    return _pattern(order, sorted(blocks, key=lambda block: block.offset))


@functools.lru_cache(maxsize=64)
def _multiples(step: int, bits: int) -> int:
    return sum(1 << at for at in range(0, bits, step))


class Run(NamedTuple):
    """Untouched memory: so many `stretches` from `pfn` on.

    The stretch at `pfn` looks like `patterns[(pfn >> order) % len(patterns)]`.  `downwards`: the
    highest address is handed out first, as in an area whose blocks were freed in rising order.
    """

    pfn: int
    stretches: int
    migratetype: str
    patterns: tuple[Pattern, ...]
    downwards: bool = False

    @property
    def order(self) -> int:
        """Size of one stretch."""
        return self.patterns[0].order

    @property
    def end(self) -> int:
        """First pfn behind it."""
        return self.pfn + (self.stretches << self.order)

    def first_with(self, order: int) -> int | None:
        """First pfn of the first stretch that has a free block of this order, if one has."""
        kinds = len(self.patterns)
        step = -1 if self.downwards else 1
        at = self.end - (1 << self.order) if self.downwards else self.pfn
        for _ in range(min(self.stretches, kinds)):
            if self.patterns[(at >> self.order) % kinds].free[order]:
                return at
            at += step << self.order
        return None

    def free(self) -> tuple[int, ...]:
        """Free blocks of each order in the whole run, without looking at each stretch."""
        kinds = len(self.patterns)
        rounds, rest = divmod(self.stretches, kinds)
        first = (self.pfn >> self.order) % kinds
        times = [rounds + ((number - first) % kinds < rest) for number in range(kinds)]
        return tuple(
            sum(n * looks.free[order] for n, looks in zip(times, self.patterns, strict=True))
            for order in ORDERS
        )


def pages(free: Iterable[int]) -> int:
    """Pages in so many blocks of each order."""
    return sum(blocks << order for order, blocks in enumerate(free))
