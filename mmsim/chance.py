"""How likely a free block is when pages are freed at random: counted, and tried.

Interface: chance, ways, tries, ChanceError

`pages` pages, of which `free` are free, every choice of them equally likely; a block of `order` is
free if it is aligned and all of its pages are free.
"""

from __future__ import annotations

import functools
import math
import random
from fractions import Fraction

PAGES_MAX = 1 << 18


class ChanceError(ValueError):
    """A question without an answer; the message says what can be asked."""


def _check(pages: int, free: int, order: int) -> int:
    """The size of a block; raises ChanceError."""
    block = 1 << order if order >= 0 else 0
    if not 0 < pages <= PAGES_MAX:
        raise ChanceError(f"{pages} pages: take 1 to {PAGES_MAX}")
    if not block or pages % block:
        raise ChanceError(f"{pages} pages are not a whole number of blocks of order {order}")
    if not 0 <= free <= pages:
        raise ChanceError(f"{free} of {pages} pages can't be free")
    return block


@functools.lru_cache(maxsize=64)
def ways(pages: int, free: int, order: int) -> tuple[int, int]:
    """In how many choices there is a free block, and how many choices there are.

    Counted by inclusion and exclusion: add the choices in which one given block is free, subtract
    those in which two are, because they were added twice, and so on."""
    block = _check(pages, free, order)
    total = left = math.comb(pages, free)
    blocks, found = pages // block, 0
    for number in range(1, min(blocks, free // block) + 1):
        # With `number` given blocks free: choose the remaining free pages among the remaining ones.
        left = left * math.perm(free, block) // math.perm(pages, block)
        pages, free = pages - block, free - block
        found -= (-1) ** number * math.comb(blocks, number) * left
    return found, total


def chance(pages: int, free: int, order: int) -> Fraction:
    """The chance of at least one free block, exactly."""
    return Fraction(*ways(pages, free, order))


def tries(pages: int, free: int, order: int, times: int, seed: int) -> int:
    """In how many of `times` random choices there is a free block."""
    block = _check(pages, free, order)
    rng = random.Random(seed)
    hits = 0
    for _ in range(times):
        chosen = sorted(range(pages), key=lambda _: rng.random())[:free]
        there = [0] * (pages // block)
        for page in chosen:
            there[page // block] += 1
        hits += block in there
    return hits
