"""A zone as a machine has it after booting, or after long use.

Mirrors the watermarks of mm/page_alloc.c, 6.1-rc1.  The rest is what a host looks like, drawn from
a seed: which pageblocks are free, which are partly used, where the CMA area lies."""

from __future__ import annotations

import functools
import math
import random

from mmsim.constants import MAX_ORDER, MIGRATE_CMA, MIGRATE_MOVABLE, PAGEBLOCK_ORDER
from mmsim.mm.untouched import Pattern, Run, pattern, whole
from mmsim.mm.zone import Zone, ZoneError

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
                looks = patterns_after_use(
                    kinds, order, pageblock_order, used, scattered, seed, movable
                )
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
def patterns_after_use(
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
