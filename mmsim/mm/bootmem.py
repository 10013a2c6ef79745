"""A zone as a machine has it after booting, or after long use.

Floor 1.  Interface: boot, age, HOST_MIB_MAX

Mirrors what memblock_free_all() and cma_init_reserved_areas() leave behind: ordinary memory is
handed out from the bottom, an area from its top, because its blocks were freed in rising order and
the last one freed stands at the head of the list.  Left out: holes, DMA zones, memory the kernel
keeps for itself.
"""

from __future__ import annotations

import functools
import random

from mmsim.flags import MIGRATE_CMA, MIGRATE_MOVABLE
from mmsim.mm.untouched import Pattern, Run, pattern, whole
from mmsim.mm.zone import Zone, ZoneError
from mmsim.units import MAX_ORDER, PAGEBLOCK_ORDER

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
    pageblocks.  `movable`: do the pages in partly used pageblocks look movable?  Raises ZoneError
    for sizes that make no zone.
    """
    block = 1 << pageblock_order
    if cma_pages < 0 or cma_pages % block:
        raise ZoneError(f"a CMA area of {cma_pages} pages: it must be a multiple of {block} pages")
    if cma_pages > nr_pages:
        raise ZoneError(f"a CMA area of {cma_pages} pages in a zone of {nr_pages}: it is too large")
    for name, share in (("used", used), ("scattered", scattered)):
        if not 0 <= share <= 1:
            raise ZoneError(f"{name} is {share}: it is a share, from 0 to 1")
    zone = Zone(nr_pages, start=start, pageblock_order=pageblock_order, watermarks=watermarks)
    ordinary = nr_pages - cma_pages
    # An aged stretch has the size of the largest block; what is left over stays as it was.
    stretches = ordinary >> LARGEST if used and not start % (1 << LARGEST) else 0
    if stretches:
        kinds = min(stretches, STRETCHES_MAX)
        patterns = age(kinds, pageblock_order, used, scattered, seed, movable)
        zone.extend(Run(start, stretches, MIGRATE_MOVABLE, patterns))
    border = start + ordinary
    _virgin(zone, start + (stretches << LARGEST), border, MIGRATE_MOVABLE, downwards=False)
    _virgin(zone, border, zone.end, MIGRATE_CMA, downwards=True)
    return zone


def _virgin(zone: Zone, first: int, end: int, migratetype: str, *, downwards: bool) -> None:
    """Free memory in the largest blocks that fit; a pageblock may stick out at either end."""
    largest, block = 1 << LARGEST, 1 << zone.pageblock_order
    middle = min(-(-first // largest) * largest, end)
    upper = max(end // largest * largest, middle)
    runs = [
        Run(at, (to - at) // size, migratetype, (whole(size.bit_length() - 1),), downwards)
        for at, to, size in (
            (first, middle, block),
            (middle, upper, largest),
            (upper, end, block),
        )
        if to > at
    ]
    for run in reversed(runs) if downwards else runs:
        zone.extend(run)


@functools.lru_cache(maxsize=32)
def age(
    kinds: int, pageblock_order: int, used: float, scattered: float, seed: int, movable: bool
) -> tuple[Pattern, ...]:
    """`kinds` stretches of the largest order that look as after long use; see `boot`.

    A partly used pageblock has half of its pages free if that works out, at random places."""
    rng = random.Random(seed)
    size = 1 << pageblock_order
    per_stretch = 1 << LARGEST - pageblock_order
    blocks = kinds * per_stretch
    free_pages = round((1 - used) * blocks * size)
    loose = round(scattered * free_pages)
    free_blocks = min((free_pages - loose) // size, blocks)
    loose = free_pages - free_blocks * size
    partly = min(blocks - free_blocks, max(-(-loose // (size // 2)), -(-loose // (size - 1))))
    fates = [0] * free_blocks + [size] * (blocks - free_blocks - partly)
    # Pages held in each partly used pageblock; they add up to what is held there altogether.
    fates += [size - loose * (n + 1) // partly + loose * n // partly for n in range(partly)]
    order = sorted(range(blocks), key=lambda _: rng.random())
    result: list[Pattern] = []
    for stretch in range(kinds):
        held: list[tuple[int, int]] = []
        for number in range(per_stretch):
            taken = fates[order[stretch * per_stretch + number]]
            offset = number * size
            if taken == size:
                held.append((offset, pageblock_order))
            elif taken:
                places = sorted(range(size), key=lambda _: rng.random())[:taken]
                held += [(offset + place, 0) for place in sorted(places)]
        result.append(pattern(LARGEST, held, movable=movable))
    return tuple(result)
