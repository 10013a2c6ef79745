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
    """`types`: one migratetype for each pageblock; everything is free, in the largest blocks."""

    def __init__(self, types, block):
        self.types, self.block = list(types), block
        self.nr = len(types) << block
        self.lists = {mt: [[] for _ in range(LARGEST + 1)] for mt in (*TRIES, "CMA")}
        self.held = {}
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

    def alloc(self, order, mt, cma_ok, movable, nofragment=False):
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
