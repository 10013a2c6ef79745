"""The page allocator: a terabyte at rest, huge pages, single pages, and what each of them costs.

Baselines of the same run: a naive allocator that looks at page after page, and how many events a
second simpy gets through (only the tests' environment has it).
"""

from __future__ import annotations

import random
import statistics
import time
import tracemalloc
from collections.abc import Callable

import simpy

from benchmarks.measure import Result
from benchmarks.naive import NaiveZone
from mmsim.mm.page_alloc import alloc_pages, free_pages, request
from mmsim.mm.world import Environment, World
from mmsim.mm.zone import Zone, boot
from mmsim.scenarios import boot_guest

GIB = 1 << 18  # pages
TIB = GIB << 10
THPS, PAIRS, HELD = 131_072, 20_000, 500
REPEATS = 5
SIZES = (1, 4, 16, 64, 256, 1024)


def _timed(work: Callable[[], object]) -> float:
    """Nothing here waits for anybody: the time of this process alone, on a busy machine too."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _median(work: Callable[[], float]) -> float:
    return statistics.median(work() for _ in range(REPEATS))


def _bytes(make: Callable[[], object]) -> int:
    tracemalloc.start()
    kept = make()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return used


# -- what is measured


def _take(zone: Zone, order: int, n: int) -> None:
    want = request(order)
    for _ in range(n):
        alloc_pages(zone, want)


def _churn(
    alloc: Callable[[], int | None], free: Callable[[int], None], pairs: int, held: int
) -> None:
    """Single pages: `held` of them are there at any time; each pair frees one and takes one."""
    rng = random.Random(1)
    mine = [alloc() for _ in range(held)]
    for _ in range(pairs):
        at = int(rng.random() * held)
        pfn = mine[at]
        assert pfn is not None
        free(pfn)
        mine[at] = alloc()


def _ours(nr_pages: int, pairs: int = PAIRS) -> float:
    zone, want = boot(nr_pages, nr_pages // 4), request(0)
    return _timed(
        lambda: _churn(
            lambda: alloc_pages(zone, want), lambda pfn: free_pages(zone, pfn, 0), pairs, HELD
        )
    )


def _naive(nr_pages: int, pairs: int) -> float:
    zone = NaiveZone(nr_pages)
    return _timed(lambda: _churn(lambda: zone.alloc(0), lambda pfn: zone.free(pfn, 0), pairs, HELD))


def _simpy_events(n: int) -> float:
    """Seconds for n time-outs of one process."""
    env = simpy.Environment()

    def process():  # type: ignore[no-untyped-def]
        for _ in range(n):
            yield env.timeout(1)

    env.process(process())
    return _timed(env.run)


# -- the table


def results() -> list[Result]:
    """Boot, huge pages, single pages, memory, growth, a guest."""
    return [*_terabyte(), *_pairs(), *_memory(), *_growth(), *_guests()]


def _terabyte() -> list[Result]:
    small = _median(lambda: _timed(lambda: boot(GIB, GIB // 4))) * 1000
    large = _median(lambda: _timed(lambda: boot(TIB, TIB // 4))) * 1000
    used = _bytes(lambda: boot(TIB, TIB // 4))
    filling = _median(lambda: _timed(lambda: dict.fromkeys(range(THPS))))
    thps = _median(lambda: _timed(lambda: _take(boot(TIB), 9, THPS)))
    return [
        Result("boot of 1 TiB", large, "ms", small, "of 1 GiB", "under 1 ms"),
        Result(
            "memory of 1 TiB after boot",
            used,
            "bytes",
            _bytes(lambda: boot(GIB, GIB // 4)),
            "of 1 GiB",
            "under 10 KB",
        ),
        Result(
            f"{THPS:,} huge pages of 1 TiB",
            thps,
            "s",
            filling,
            "of a dict of as many keys",
            "under 0.5 s",
        ),
    ]


def _pairs() -> list[Result]:
    ours = PAIRS / _median(lambda: _ours(GIB // 16))
    naive = PAIRS / _median(lambda: _naive(GIB // 16, PAIRS))
    found = [
        Result(
            "single pages, 64 MiB: free and allocate",
            ours,
            "pairs/s",
            naive,
            f"of the naive allocator with {HELD} pages held",
        )
    ]
    events = 4 * PAIRS / _simpy_events(4 * PAIRS)
    return [*found, Result("the same", ours, "pairs/s", events, "of simpy's events")]


def _memory() -> list[Result]:
    n = 20_000

    def held() -> Zone:
        zone = boot(GIB)
        _take(zone, 0, n)
        return zone

    def guest() -> World:
        end = boot_guest(host=1024, cma=0, used=0, guest=64, shmem_enabled="never", pin="none")
        world: World = end.run().last.world
        return world

    empty = _bytes(lambda: World(Environment(), boot(GIB)))
    page = 64 * 256
    return [
        Result("memory of a held page in the zone", (_bytes(held) - empty) / n, "bytes"),
        Result("memory of a held folio in the world", (_bytes(guest) - empty) / page, "bytes"),
    ]


def _growth() -> list[Result]:
    first = _median(lambda: _ours(GIB, 5000))
    return [
        Result(
            f"5,000 pairs in {gib:,} GiB",
            _median(lambda gib=gib: _ours(gib * GIB, 5000)) * 1000,
            "ms",
            first * 1000,
            "of 1 GiB",
        )
        for gib in SIZES
    ]


def _guests() -> list[Result]:
    """What a slider of a lesson waits for, before anything is drawn."""
    found = []
    for what, knobs in (
        ("guest of 2 GiB, huge pages", {"guest": 2048, "used": 0}),
        ("guest of 512 MiB in an old host", {"guest": 512}),
        ("guest of 16 MiB, single pages", {"guest": 16, "shmem_enabled": "never"}),
    ):
        took = _median(
            lambda knobs=knobs: _timed(boot_guest(host=4096, pin="none", **knobs).landed)
        )
        found.append(Result(f"4 GiB: {what}", took * 1000, "ms", budget="within 150 ms"))
    return found
