"""A zone: which memory is free, in which blocks, and what kind each pageblock is.

Mirrors struct zone and struct free_area (include/linux/mmzone.h), 6.1-rc1.

Memory that nobody touched is a few `Run`s (untouched.py).  A stretch leaves its run when it is
asked for.  Nothing here decides anything: the rules are in page_alloc.py.  boot.py makes a zone as
a machine has it, and occupancy.py says where in a zone memory is free."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable

from mmsim.constants import (
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATETYPES,
    PAGEBLOCK_ORDER,
)
from mmsim.engine.op import ModelError
from mmsim.mm.untouched import ORDERS, Held, Run, pages

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
    counts in neither.  compact_considered, compact_defer_shift: how many requests compaction was
    put off for, and how many, as a power of two, it is put off for.

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
        self.compact_considered = self.compact_defer_shift = 0

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
        return lists, runs, tables, self.compact_defer_shift, self.compact_considered

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
