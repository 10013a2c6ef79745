"""The allocator once more, from the rules alone: every block listed, no care for speed.

Free lists are Python lists with their head at 0; pages know their owner.  Shares no code with
mmsim.mm; used as the other opinion in random runs."""

from __future__ import annotations

TRIES = {
    "UNMOVABLE": ("RECLAIMABLE", "MOVABLE"),
    "MOVABLE": ("RECLAIMABLE", "UNMOVABLE"),
    "RECLAIMABLE": ("UNMOVABLE", "MOVABLE"),
}
LARGEST = 10


class PlainZone:
    """`types`: one migratetype for each pageblock; everything is free, in the largest blocks,
    or nothing is."""

    def __init__(self, types, block, full=False):
        self.types, self.block = list(types), block
        self.nr = len(types) << block
        self.lists = {mt: [[] for _ in range(LARGEST + 1)] for mt in (*TRIES, "CMA")}
        self.held = {}
        self.waited = self.shift = 0  # of compaction that is put off
        if full:  # whoever fills `held` says with what
            return
        for mt in self.lists:
            mine = [n << block for n, kind in enumerate(self.types) if kind == mt]
            for pfn in mine if mt == "CMA" else reversed(mine):  # the last one freed is the head
                self.merge(pfn, block)
        for mt, lists in self.lists.items():  # booting ends with every list in order of address
            for blocks in lists:
                blocks.sort(reverse=mt == "CMA")

    def type_at(self, pfn):
        return self.types[pfn >> self.block]

    def pages(self, *kinds):
        return sum(len(b) << o for mt in kinds for o, b in enumerate(self.lists[mt]))

    def smallest(self, order, mt):
        for size in range(order, LARGEST + 1):
            if self.lists[mt][size]:
                pfn = self.lists[mt][size].pop(0)
                for half in range(size - 1, order - 1, -1):
                    self.lists[mt][half].insert(0, pfn + 2**half)
                return pfn
        return None

    def alloc(self, order, mt, cma_ok, movable, nofragment=False, least=0):
        usable = self.pages(*self.lists if cma_ok else TRIES) - 2**order + 1
        if usable <= least:
            return None
        pfn = self.find(order, mt, cma_ok, nofragment)
        if pfn is not None:
            self.held[pfn] = (order, movable)
        return pfn

    def find(self, order, mt, cma_ok, nofragment):
        if cma_ok and self.pages("CMA") > self.pages(*self.lists) // 2:
            pfn = self.smallest(order, "CMA")
            if pfn is not None:
                return pfn
        while True:
            for kind in (mt, "CMA") if cma_ok else (mt,):
                pfn = self.smallest(order, kind)
                if pfn is not None:
                    return pfn
            if not self.steal_something(order, mt, nofragment):
                return None

    def first_other(self, order, mt):
        return next((kind for kind in TRIES[mt] if self.lists[kind][order]), None)

    def claims(self, order, mt):
        return order >= self.block // 2 or mt != "MOVABLE"

    def steal_something(self, order, mt, nofragment):
        least = self.block if nofragment and order < self.block else order
        for size in range(LARGEST, least - 1, -1):
            kind = self.first_other(size, mt)
            if kind is None:
                continue
            if not self.claims(size, mt) and size > order:
                size = next(n for n in range(order, LARGEST + 1) if self.first_other(n, mt))
                kind = self.first_other(size, mt)
            self.steal(self.lists[kind][size][0], size, kind, mt)
            return True
        return False

    def move(self, pfn, order, kind, mt):
        self.lists[kind][order].remove(pfn)
        self.lists[mt][order].append(pfn)

    def steal(self, pfn, order, kind, mt):
        old = self.type_at(pfn)
        if order >= self.block:
            for n in range(2 ** (order - self.block)):
                self.types[(pfn >> self.block) + n] = mt
            self.move(pfn, order, kind, mt)
            return
        if not self.claims(order, mt):
            self.move(pfn, order, kind, mt)
            return
        start = pfn >> self.block << self.block
        inside = range(start, start + 2**self.block)
        free = sorted(
            (at, size, on)
            for on, lists in self.lists.items()
            for size, blocks in enumerate(lists)
            for at in blocks
            if at in inside
        )
        moved = sum(2**size for _, size, _ in free)
        movable = sum(2**size for at, (size, mv) in self.held.items() if at in inside and mv)
        alike = movable if mt == "MOVABLE" else 0
        if mt != "MOVABLE" and old == "MOVABLE":
            alike = 2**self.block - moved - movable
        for at, size, on in free:
            self.move(at, size, on, mt)
        if moved + alike >= 2**self.block // 2:
            self.types[start >> self.block] = mt

    def free(self, pfn):
        order, _ = self.held.pop(pfn)
        self.merge(pfn, order)

    def merge(self, pfn, order):
        mt = self.type_at(pfn)
        while order < LARGEST:
            buddy = pfn ^ 2**order
            on = next((kind for kind in self.lists if buddy in self.lists[kind][order]), None)
            if on is None:
                break
            other = self.type_at(buddy)
            if order >= self.block and mt != other and "CMA" in (mt, other):
                break
            self.lists[on][order].remove(buddy)
            pfn, order = min(pfn, buddy), order + 1
        self.lists[mt][order].insert(0, pfn)

    # -- compaction: single movable pages from the bottom move into free pages at the top

    def could(self, order, cma_ok):
        kinds = (*TRIES, "CMA") if cma_ok else TRIES
        return any(self.lists[kind][size] for kind in kinds for size in range(order, LARGEST + 1))

    def worth_it(self, order, low):
        free, blocks = self.pages(*self.lists), sum(sum(map(len, x)) for x in self.lists.values())
        if free <= low + 2 * 2**order:
            return False
        if order <= 3 or self.could(order, True):
            return True
        return blocks > 0 and 1000 - (1000 + free * 1000 // 2**order) // blocks > 500

    def compact(self, order, mt, cma_ok, low, keep):
        told = []
        for whole in (False, True):
            self.waited = min(self.waited + 1, 2**self.shift)
            if self.waited < 2**self.shift:
                told += ["compact_stall", "compact_fail"]
            elif self.worth_it(order, low):
                self.pack(order, mt, cma_ok, whole, keep)
                if self.could(order, cma_ok):
                    self.waited = self.shift = 0
                    return [*told, "compact_stall", "compact_success"]
                told += ["compact_stall", "compact_fail"]
                if whole:
                    self.waited, self.shift = 0, min(self.shift + 1, 6)
        return told

    def pack(self, order, mt, cma_ok, whole, keep):
        top = len(self.types) - 1
        for number, kind in enumerate(self.types):
            if number >= top or self.could(order, cma_ok):
                return
            inside = range(number << self.block, number + 1 << self.block)
            mine = {pfn: self.held[pfn] for pfn in inside if pfn in self.held}
            fits = kind in ("MOVABLE", "CMA") if mt == "MOVABLE" else kind == mt
            if not (whole or fits) or any(held != (0, True) for held in mine.values()):
                continue
            for pfn in () if keep.intersection(mine) else mine:
                while top > number and self.target(top) is None:
                    top -= 1
                if top == number:
                    return
                self.cut(*self.target(top))
                self.free(pfn)

    def target(self, number):
        """The free block with the last free page of a pageblock that has a used page, too."""
        first = number << self.block
        free = [
            (at, size, kind)
            for kind, lists in self.lists.items()
            for size, blocks in enumerate(lists)
            for at in blocks
            if at < first + 2**self.block and first < at + 2**size
        ]
        if self.types[number] not in ("MOVABLE", "CMA") or not free:
            return None
        return None if max(free)[1] >= self.block else max(free)

    def cut(self, at, size, kind):
        """Take the last page of a free block."""
        self.lists[kind][size].remove(at)
        for half in range(size - 1, -1, -1):
            self.lists[kind][half].insert(0, at)
            at += 2**half
        self.held[at] = (0, True)
