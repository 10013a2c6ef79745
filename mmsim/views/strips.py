"""Strips of 16 pages to practise on: which blocks does the buddy allocator see in them?

Interface: strips, cases, free_blocks, blocks_in_words
"""

from __future__ import annotations

import random
from collections.abc import Collection

from mmsim.mm.zone import Pattern, pattern

ORDER = 4
PAGES = 1 << ORDER
HELD = {"a": 3, "b": 4, "c": 6}
"""Strip -> how many of its pages are in use."""


def check_seed(seed: object) -> None:
    """Raise ValueError unless this can be a seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"a seed is a whole number from 0 on, not {seed!r}")


def cases(seed: int) -> dict[str, tuple[int, ...]]:
    """Strip -> the pages that are in use; raises ValueError unless `seed` is one."""
    check_seed(seed)
    rng = random.Random(seed)
    return {
        name: tuple(sorted(sorted(range(PAGES), key=lambda _: rng.random())[:held]))
        for name, held in HELD.items()
    }


def _looks(held: Collection[int]) -> Pattern:
    return pattern(ORDER, [(page, 0) for page in held])


def free_blocks(held: Collection[int]) -> tuple[int, ...]:
    """Free blocks of orders 0 to 4 in a strip in which these pages are in use."""
    return _looks(held).free[: ORDER + 1]


def blocks_in_words(held: Collection[int]) -> str:
    """Its free blocks by their pages: "2-3, 4-7, 9"."""
    free = [block for block in _looks(held).blocks if block.held is None]
    return ", ".join(
        f"{block.offset}-{block.offset + (1 << block.order) - 1}"
        if block.order
        else str(block.offset)
        for block in free
    )


def strips(seed: int = 1) -> str:
    """The strips of a seed as text: "#" for a page that is in use, "." for a free one."""
    rows = [f"page {' '.join(f'{page:2}' for page in range(PAGES))}"]
    for name, held in cases(seed).items():
        marks = ("#" if page in held else "." for page in range(PAGES))
        rows.append(f"{name:4} {' '.join(f'{mark:>2}' for mark in marks)}")
    return "\n".join(rows)
