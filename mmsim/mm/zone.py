"""A zone: which memory is free, in which blocks, and what kind each pageblock is.

Mirrors struct zone and struct free_area (include/linux/mmzone.h), 6.1-rc1.

Memory that nobody touched is a few `Run`s.  A stretch leaves its run when it is asked for, so a
zone costs what was done with it, not what it holds.  Nothing here decides anything: the rules are
in page_alloc.py.  `boot`, and what follows it, make a zone as a machine has it after booting or
after long use; `occupancy` says where in a zone memory is free."""

from __future__ import annotations

import functools
import math
import random
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable
from itertools import accumulate
from typing import NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATETYPES,
    PAGEBLOCK_ORDER,
)
from mmsim.engine.op import ModelError

FreeLists = list[OrderedDict[int, None]]


def _empty() -> FreeLists:
    return [OrderedDict() for _ in ORDERS]


class ZoneError(ValueError):
    """A request that no zone can make sense of; the message says what to do about it."""


class Zone:
    """Free lists, pageblock types and counters of one zone.

    free_area: migratetype -> one dict of first pfns per order; the LAST key is the head of the list
    (the kernel takes from the head and frees to the head; a dict does both at its end).  A type has
    lists once somebody asks for them.
    untouched: migratetype -> Runs; they stand behind the listed blocks of the same type.  passed:
    (migratetype, order) -> no stretch below this pfn has such a block.
    layout: (first pfn, end, migratetype) as set up; types: pageblock number -> migratetype, where
    that has changed.  held: first pfn -> Held.  nr_free, nr_free_cma: pages; an ISOLATE block
    counts in neither.

    `nr_pages` and `start` in pages, multiples of a pageblock; `watermarks` (min, low, high) in
    pages.  Left out: NUMA, the zone list, highatomic reserves, watermark boost, lowmem reserves.
    """

    def __init__(
        self,
        nr_pages: int,
        *,
        start: int = 0,
        pageblock_order: int = PAGEBLOCK_ORDER,
        watermarks: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        block = 1 << pageblock_order
        if nr_pages <= 0 or nr_pages % block or start % block:
            raise ZoneError(
                f"a zone of {nr_pages} pages from {start}: "
                f"both must be multiples of a pageblock, {block} pages, and it has at least one"
            )
        self.start, self.end = start, start + nr_pages
        self.pageblock_order = pageblock_order
        self.watermarks = watermarks
        self.free_area: defaultdict[str, FreeLists] = defaultdict(_empty)
        self.untouched: dict[str, tuple[Run, ...]] = {}
        self.passed: dict[tuple[str, int], int] = {}
        self.layout: tuple[tuple[int, int, str], ...] = ()
        self.types: dict[int, str] = {}
        self.held: dict[int, Held] = {}
        self.nr_free = self.nr_free_cma = 0
        self.deferred = self.deferred_shift = 0

    def branch(self) -> Zone:
        """A copy that can be changed on its own."""
        new = Zone.__new__(Zone)
        new.__dict__ = self.__dict__.copy()
        new.free_area = self.free_area.copy()
        for migratetype, lists in self.free_area.items():
            new.free_area[migratetype] = [blocks.copy() for blocks in lists]
        new.untouched = self.untouched.copy()
        new.passed = self.passed.copy()
        new.types = self.types.copy()
        new.held = self.held.copy()
        return new

    def key(self) -> Hashable:
        """Equal for zones that will answer every request alike."""
        lists = tuple(
            (mt, *map(tuple, self.free_area[mt]))
            for mt in MIGRATETYPES
            if any(self.free_area.get(mt, ()))
        )
        runs = tuple((mt, self.untouched[mt]) for mt in sorted(self.untouched))
        tables = frozenset(self.types.items()), frozenset(self.held.items())
        return lists, runs, tables, self.deferred_shift, self.deferred

    # -- reading

    @property
    def nr_pages(self) -> int:
        """Pages in the zone."""
        return self.end - self.start

    def pageblock_type(self, pfn: int) -> str:
        """Migratetype of the pageblock around this pfn; raises ZoneError outside the zone."""
        found = self.types.get(pfn >> self.pageblock_order)
        if found is not None:
            return found
        for first, end, migratetype in self.layout:
            if first <= pfn < end:
                return migratetype
        raise ZoneError(f"pfn {pfn:#x} is not in this zone ({self.start:#x}-{self.end:#x})")

    def run_at(self, pfn: int) -> Run | None:
        """The untouched run around this pfn."""
        for runs in self.untouched.values():
            for run in runs:
                if run.pfn <= pfn < run.end:
                    return run
        return None

    def free_blocks(self, migratetype: str) -> tuple[int, ...]:
        """Free blocks of each order on the lists of one type, untouched memory included."""
        total = [len(blocks) for blocks in self.free_area.get(migratetype, [()] * MAX_ORDER)]
        for run in self.untouched.get(migratetype, ()):
            total = [a + b for a, b in zip(total, run.free(), strict=True)]
        return tuple(total)

    def lists(self) -> dict[str, tuple[int, ...]]:
        """Free blocks of each order for every type, as in /proc/pagetypeinfo."""
        return {mt: self.free_blocks(mt) for mt in MIGRATETYPES}

    def blocks_by_type(self) -> dict[str, tuple[int, ...]]:
        """The lists of those types that have any free block."""
        return {mt: blocks for mt, blocks in self.lists().items() if any(blocks)}

    def list_of(self, pfn: int, order: int) -> str | None:
        """On which type's list this block stands, if it is free, listed, and of this order."""
        for migratetype, lists in self.free_area.items():
            if pfn in lists[order]:
                return migratetype
        return None

    def free_order(self, pfn: int) -> int | None:
        """Order of the listed free block that begins here, if one does."""
        return next((order for order in ORDERS if self.list_of(pfn, order)), None)

    # -- writing: for page_alloc.py and its neighbours only

    def account(self, migratetype: str, nr: int) -> None:
        """`nr` pages more (or less) are free on the lists of this type."""
        if migratetype != MIGRATE_ISOLATE:
            self.nr_free += nr
            if migratetype == MIGRATE_CMA:
                self.nr_free_cma += nr

    def add_to_tail(self, migratetype: str, order: int, blocks: Iterable[int]) -> None:
        """Put blocks behind all others of their list (and before untouched memory), in order."""
        listed = self.free_area[migratetype][order]
        for pfn in blocks:
            listed[pfn] = None
            listed.move_to_end(pfn, last=False)

    def extend(self, run: Run) -> None:
        """Add an untouched run; used while a zone is set up."""
        if run.pfn < self.start or run.end > self.end:
            raise ZoneError(f"{run.pfn:#x}-{run.end:#x} is not inside the zone")
        self.untouched[run.migratetype] = (*self.untouched.get(run.migratetype, ()), run)
        self.layout = (*self.layout, (run.pfn, run.end, run.migratetype))
        self.account(run.migratetype, pages(run.free()))

    def touch(self, pfn: int) -> None:
        """Take the stretch around this pfn out of its run and list its blocks one by one."""
        run = self.run_at(pfn)
        if run is not None:
            self._list(run, pfn >> run.order << run.order)

    def touch_next(self, migratetype: str, order: int) -> bool:
        """List the first untouched stretch that has a block of this order; False: none has."""
        if self.free_area[migratetype][order]:
            return True
        passed = self.passed.get((migratetype, order), self.start)
        for run in self.untouched.get(migratetype, ()):
            first = run.first_with(order) if run.end > passed else None
            if first is not None:
                self._list(run, first)
                if not run.downwards:
                    self.passed[migratetype, order] = first
                return True
        return False

    def _list(self, run: Run, first: int) -> None:
        pfn, count, migratetype, patterns, downwards = run
        order = run.order
        below = first - pfn >> order
        parts = [
            Run(at, n, migratetype, patterns, downwards)
            for at, n in ((pfn, below), (first + (1 << order), count - below - 1))
            if n
        ]
        runs = self.untouched.pop(migratetype)
        at = runs.index(run)
        runs = (*runs[:at], *(reversed(parts) if downwards else parts), *runs[at + 1 :])
        if runs:
            self.untouched[migratetype] = runs
        free: dict[int, list[int]] = {}
        for offset, size, held in patterns[(first >> order) % len(patterns)].blocks:
            if held is None:
                free.setdefault(size, []).append(first + offset)
            else:
                self.held[first + offset] = held
        for size, pfns in free.items():
            self.add_to_tail(migratetype, size, pfns)

    def blocks(self, start: int, end: int) -> list[tuple[int, int, Held | None]]:
        """(first pfn, order, Held or None) of every block that begins in a range; touches it all.

        Raises ModelError if no block begins at `start`."""
        for pfn in range(start, end, 1 << self.pageblock_order):
            self.touch(pfn)
        found: list[tuple[int, int, Held | None]] = []
        while start < end:
            held = self.held.get(start)
            order = held.order if held else self.free_order(start)
            if order is None:
                raise ModelError(f"no block begins at pfn {start:#x}")
            found.append((start, order, held))
            start += 1 << order
        return found

    # -- checking

    def check(self) -> None:
        """Raise ModelError unless runs, free blocks and held blocks partition the zone, every block
        is aligned, and both counters are right."""
        parts = [(pfn, 1 << held.order, "held") for pfn, held in self.held.items()]
        for runs in self.untouched.values():
            parts += [(run.pfn, run.stretches << run.order, "untouched") for run in runs]
        for migratetype, lists in self.free_area.items():
            for order, blocks in enumerate(lists):
                parts += [(pfn, 1 << order, f"free {migratetype}") for pfn in blocks]
        at = self.start
        for pfn, nr, what in sorted(parts):
            if pfn != at:
                wrong = "belongs to nobody" if pfn > at else "belongs to two"
                raise ModelError(f"pfn {min(pfn, at):#x} {wrong} (next: {what} at {pfn:#x})")
            if what != "untouched" and pfn % nr:
                raise ModelError(f"a {what} block of {nr} pages at {pfn:#x} is not aligned")
            at = pfn + nr
        if at != self.end:
            raise ModelError(f"the last block ends at {at:#x}, the zone at {self.end:#x}")
        by_type = {mt: pages(blocks) for mt, blocks in self.blocks_by_type().items()}
        counted = sum(nr for mt, nr in by_type.items() if mt != MIGRATE_ISOLATE)
        if (self.nr_free, self.nr_free_cma) != (counted, by_type.get(MIGRATE_CMA, 0)):
            raise ModelError(
                f"counters say {self.nr_free} free, {self.nr_free_cma} of them CMA; "
                f"the lists say {counted} and {by_type.get(MIGRATE_CMA, 0)}"
            )


# -- Memory that nobody touched, described instead of listed.


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


# -- A zone as a machine has it after booting, or after long use.


LARGEST = MAX_ORDER - 1
# Stretches of two pageblocks each that look different before the pattern repeats.
STRETCHES_MAX = 31


def boot(
    nr_pages: int,
    cma_pages: int = 0,
    *,
    start: int = 0,
    used: float = 0.0,
    scattered: float = 0.0,
    seed: int = 0,
    movable: bool = False,
    pageblock_order: int = PAGEBLOCK_ORDER,
    watermarks: tuple[int, int, int] = (0, 0, 0),
) -> Zone:
    """A zone of `nr_pages` from pfn `start` on, with an area of `cma_pages` at its upper end.

    `used`: which share of the ordinary memory somebody holds already.  `scattered`: which share of
    its free memory lies in pageblocks that are partly used; 0: what is free is free in whole
    pageblocks, as far as that comes out even.  `movable`: do the pages in use look movable?  Raises
    ZoneError for sizes that make no zone."""
    block = 1 << pageblock_order
    if not 0 <= cma_pages <= nr_pages or cma_pages % block:
        raise ZoneError(
            f"a CMA area of {cma_pages} pages in a zone of {nr_pages}: "
            f"it must be a multiple of {block} pages, and fit"
        )
    for name, share in (("used", used), ("scattered", scattered)):
        if not 0 <= share <= 1:
            raise ZoneError(f"{name} is {share}: it is a share, from 0 to 1")
    zone = Zone(nr_pages, start=start, pageblock_order=pageblock_order, watermarks=watermarks)

    border, largest = zone.end - cma_pages, 1 << LARGEST
    for migratetype, first, end in (
        (MIGRATE_MOVABLE, start, border),
        (MIGRATE_CMA, border, zone.end),
    ):
        # Stretches of the largest order; a pageblock may stick out at either end.
        middle = min(-(-first // largest) * largest, end)
        upper = max(end // largest * largest, middle)
        parts = [(first, middle, block), (middle, upper, largest), (upper, end, block)]
        cma = migratetype == MIGRATE_CMA
        for at, to, size in reversed(parts) if cma else parts:
            stretches, order = (to - at) // size, size.bit_length() - 1
            looks: tuple[Pattern, ...] = (whole(order),)
            if used and not cma:
                kinds = min(stretches, STRETCHES_MAX)
                looks = age(kinds, order, pageblock_order, used, scattered, seed, movable)
            if stretches:
                zone.extend(Run(at, stretches, migratetype, looks, downwards=cma))
    return zone


def zone_watermarks(nr_pages: int) -> tuple[int, int, int]:
    """Watermarks (min, low, high) in pages that a zone of `nr_pages` gets when it is alone.

    Kernel: mm/page_alloc.c, calculate_min_free_kbytes() and __setup_per_zone_wmarks(), with
    watermark_scale_factor 10.  Left out: what khugepaged asks for on top; pages that are not free
    yet when this is worked out."""
    kib = math.isqrt(nr_pages * 4 * 16)
    least = min(max(kib, 128), 262_144) // 4
    step = max(least // 4, nr_pages * 10 // 10_000)
    return least, least + step, least + 2 * step


@functools.lru_cache(maxsize=32)
def age(
    kinds: int,
    order: int,
    pageblock_order: int,
    used: float,
    scattered: float,
    seed: int,
    movable: bool,
) -> tuple[Pattern, ...]:
    """`kinds` stretches of one order that look as after long use; see `boot`.

    A partly used pageblock has half of its pages free if that works out, at random places."""
    rng = random.Random(seed)
    size = 1 << pageblock_order
    per_stretch = 1 << order - pageblock_order
    blocks = kinds * per_stretch
    free_pages = round((1 - used) * blocks * size)
    loose = round(scattered * free_pages)
    free_blocks = min((free_pages - loose) // size, blocks)
    loose = free_pages - free_blocks * size
    partly = min(blocks - free_blocks, -(-loose // (size // 2)))
    nr_held = [0] * free_blocks + [size] * (blocks - free_blocks - partly)
    # Pages held in each partly used pageblock; they add up to what is held there altogether.
    nr_held += [size - loose * (n + 1) // partly + loose * n // partly for n in range(partly)]
    shuffled = sorted(range(blocks), key=lambda _: rng.random())
    result: list[Pattern] = []
    for stretch in range(kinds):
        held: list[tuple[int, int]] = []
        for number in range(per_stretch):
            nr = nr_held[shuffled[stretch * per_stretch + number]]
            offset = number * size
            if nr == size:
                held.append((offset, pageblock_order))
            elif nr:
                places = sorted(range(size), key=lambda _: rng.random())[:nr]
                held += [(offset + place, 0) for place in sorted(places)]
        result.append(pattern(order, held, movable=movable))
    return tuple(result)


# -- Where in a zone memory is free: pageblock by pageblock, or in larger cells.


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
