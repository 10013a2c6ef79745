"""The page allocator: a terabyte at rest, huge pages, single pages, and what each of them costs."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

from benchmarks import Result, median_ms
from mmsim.mm.boot import boot
from mmsim.mm.page_alloc import free_pages, get_page_from_freelist, request
from mmsim.mm.zone import Zone

GIB = 1 << 18  # pages
TIB = GIB << 10
THPS, PAIRS, HELD = 131_072, 20_000, 500


class NaiveZone:
    """The textbook's: `held[pfn]` is the order of the block there, None for a free page; a request
    searches from the bottom."""

    def __init__(self, nr_pages: int) -> None:
        self.held: list[int | None] = [None] * nr_pages

    def alloc(self) -> int:
        pfn = self.held.index(None)
        self.held[pfn] = 0
        return pfn

    def free(self, pfn: int) -> None:
        self.held[pfn] = None


def _bytes(make: Callable[[], object]) -> int:
    tracemalloc.start()
    kept = make()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return used


def _taken(zone: Zone, order: int, n: int) -> Zone:
    want = request(order)
    for _ in range(n):
        get_page_from_freelist(zone, want)
    return zone


def _churn(get: Callable[[], int | None], free: Callable[[int], None]) -> None:
    """Single pages: HELD of them are there at any time; each pair frees one and takes one."""
    rng = random.Random(1)
    mine = [get() for _ in range(HELD)]
    for _ in range(PAIRS):
        at = int(rng.random() * HELD)
        pfn = mine[at]
        assert pfn is not None
        free(pfn)
        mine[at] = get()


def alloc() -> list[Result]:
    """Boot, huge pages, memory, single pages."""
    zone, want, naive = boot(GIB // 16, GIB // 64), request(0), NaiveZone(GIB // 16)
    small, large = (median_ms(lambda n=n: boot(n, n // 4)) for n in (GIB, TIB))
    filling = median_ms(lambda: dict.fromkeys(range(THPS))) / 1000
    thps = median_ms(lambda: _taken(boot(TIB), 9, THPS)) / 1000
    bytes_ = [_bytes(lambda n=n: boot(n, n // 4)) for n in (TIB, GIB)]
    page = (_bytes(lambda: _taken(boot(GIB), 0, PAIRS)) - bytes_[1]) / PAIRS
    ours = median_ms(
        lambda: _churn(lambda: get_page_from_freelist(zone, want), lambda p: free_pages(zone, p, 0))
    )
    theirs = median_ms(lambda: _churn(naive.alloc, naive.free))
    against = "of the naive allocator"
    return [
        Result("boot of 1 TiB", large, "ms", small, "of 1 GiB", "under 1 ms"),
        Result("memory of 1 TiB after boot", *bytes_[:1], "bytes", bytes_[1], "of 1 GiB", "10 KB"),
        Result(f"{THPS:,} huge pages", thps, "s", filling, "of a dict of as many keys", "0.5 s"),
        Result("memory of a held page in the zone", page, "bytes"),
        Result(f"{PAIRS:,} pairs of free and allocate, 64 MiB", ours, "ms", theirs, against),
    ]
