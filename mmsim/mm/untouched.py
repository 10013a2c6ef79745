"""Memory that nobody touched, described instead of listed.

Mirrors nothing: a kernel lists every free block.  A `Run` says of many equal stretches of memory
what one of them looks like, so a zone costs what was done with it, not what it holds."""

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


def pattern(order: int, held: Iterable[tuple[int, int]] = (), *, movable: bool = False) -> Pattern:
    """A stretch in which these blocks (offset, order) are held and the rest is free, merged."""
    blocks = [Block(offset, size, HELD[movable][size]) for offset, size in held]
    pages = set(range(1 << order))
    for offset, size, _ in blocks:
        pages.difference_update(range(offset, offset + (1 << size)))
    free = [0] * MAX_ORDER
    for size in range(order + 1):
        step = 1 << size  # `pages`: where a free block of this size begins
        upper = {page for page in pages if page & step and page - step in pages}
        lower = {page - step for page in upper}
        alone = pages - upper - lower
        blocks += [Block(page, size) for page in alone]
        free[size] = len(alone)
        pages = lower
    return Pattern(order, tuple(sorted(blocks, key=lambda block: block.offset)), tuple(free))


@functools.cache
def whole(order: int) -> Pattern:
    """A free stretch in one piece."""
    return pattern(order)


class Run(NamedTuple):
    """Untouched memory: so many `stretches` from `pfn` on.

    The stretch at `pfn` looks like `patterns[(pfn >> order) % len(patterns)]`.  `downwards`: the
    highest address is handed out first, as in an area whose blocks were freed in rising order."""

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
            sum(n * each.free[order] for n, each in zip(times, self.patterns, strict=True))
            for order in ORDERS
        )


def pages(free: Iterable[int]) -> int:
    """Pages in so many blocks of each order."""
    return sum(blocks << order for order, blocks in enumerate(free))
