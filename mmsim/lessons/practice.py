"""Endless practice: a card for every number, and always the same one for the same number.

Interface: seeded, Pick"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from mmsim.lessons.card import Card

Pick = Callable[[Sequence[Any]], Any]


def picks(seed: int) -> Pick:
    """A function that draws one value of several.  Only random() is the same in every Python."""
    draw = random.Random(seed)
    return lambda values: values[int(draw.random() * len(values))]


def seeded(make: Callable[[str, Pick], Card]) -> Callable[[int], Card]:
    """The function `practise` of a lesson: `make` is given the card's name and what to draw with.

    Raises ValueError for what is no seed."""
    made = cache(lambda seed: make(f"practise({seed})", picks(seed)))

    def practise(seed: int) -> Card:
        if type(seed) is not int or seed < 0:
            raise ValueError(f"a seed is a whole number from 0 on, not {seed!r}")
        return made(seed)

    return practise
