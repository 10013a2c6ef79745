"""The indices against worked values, a slow definition by single blocks, and measured lists."""

from __future__ import annotations

import random
from fractions import Fraction
from math import trunc

import pytest

from mmsim.mm.fragmentation import (
    PIN_SCOPE_TYPES,
    extfrag_for_order,
    extfrag_index,
    printed,
    read_printed,
    summed,
    unusable_index,
)

# -- a slow definition: every block by itself, exact fractions, division as C does it


def c_division(a, b):
    return trunc(Fraction(a, b))


def slow(free, order):
    """(unusable, extfrag, percent) from a bag of blocks, in pages."""
    bag = [2**i for i, count in enumerate(free) for _ in range(count)]
    enough = [pages for pages in bag if pages >= 2**order]
    useless = Fraction(sum(bag) - sum(enough), sum(bag)) if bag else None
    unusable = 1000 if useless is None else trunc(useless * 1000)
    percent = 0 if useless is None else trunc(useless * 100)
    if not bag:
        extfrag = 0
    elif enough:
        extfrag = -1000
    else:
        requests = c_division(1000 * sum(bag), 2**order)
        extfrag = 1000 - c_division(1000 + requests, len(bag))
    return unusable, extfrag, percent


def test_against_the_slow_definition():
    rng = random.Random(20221021)
    seen = set()
    for _ in range(1000):
        orders, most = rng.randint(1, 14), rng.choice([1, 3, 40])
        free = [rng.randint(0, most) if rng.random() < 0.6 else 0 for _ in range(orders)]
        keep = rng.randint(0, orders)  # often nothing large is free
        free = tuple(free[:keep] + [0] * (orders - keep))
        order = rng.randrange(len(free))
        indices = (unusable_index, extfrag_index, extfrag_for_order)
        found = tuple(index(free, order) for index in indices)
        assert found == slow(free, order), (free, order)
        seen.add("none" if not any(free) else "met" if found[1] == -1000 else found[1] < 0)
    assert seen == {"none", "met", True, False}  # every branch, and negative indices, were met


# -- how debugfs shows an index


@pytest.mark.parametrize(
    ("index", "text"),
    [
        *[(0, "0.000"), (7, "0.007"), (499, "0.499"), (1000, "1.000"), (-1000, "-1.000")],
        *[(-500, "0.-500"), (-5, "0.-05"), (-50, "0.-50"), (-999, "0.-999"), (-1500, "-1.-500")],
    ],
)
def test_printed_as_c_does(index, text):
    assert printed(index) == text
    assert read_printed(f" {text} ") == index
    assert all(read_printed(printed(each)) == each for each in range(index - 9, index + 9))


@pytest.mark.parametrize(
    "text", ["", "1", "0.5", "-0.500", "-1.500", "0.-5", "1.-500", "x", "00.499"]
)
def test_what_debugfs_never_shows(text):
    with pytest.raises(ValueError, match=r"as the kernel prints it"):
        read_printed(text)


# -- per migratetype, and the extension


def test_summed():
    free = {"Movable": (1, 2, 3), "CMA": (10, 20, 30)}
    assert summed(free) == (11, 22, 33)
    assert summed(free, PIN_SCOPE_TYPES) == (1, 2, 3)
    assert summed(free, ("UNMOVABLE",)) == (0, 0, 0)
    assert summed({}) == ()
    with pytest.raises(ValueError, match="different numbers of orders"):
        summed({"MOVABLE": (1,), "CMA": (1, 2)})
