"""The chance of a free block: against every choice there is, closed forms, and trying."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import pytest

from mmsim.chance import ChanceError, chance, tries
from mmsim.evidence.measured import wilson


def enumerated(pages: int, free: int, order: int) -> Fraction:
    """All choices, one by one."""
    blocks = [set(range(at, at + (1 << order))) for at in range(0, pages, 1 << order)]
    hits = sum(
        any(block <= set(chosen) for block in blocks) for chosen in combinations(range(pages), free)
    )
    return Fraction(hits, comb(pages, free))


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("pages", [1, 2, 4, 8, 12, 16])
def test_it_is_what_every_choice_says(pages, order):
    if pages % (1 << order):
        with pytest.raises(ChanceError, match="not a whole number of blocks"):
            chance(pages, 0, order)
        return
    for free in range(pages + 1):
        assert chance(pages, free, order) == enumerated(pages, free, order)


def test_closed_forms():
    assert chance(8, 4, 2) == Fraction(2, comb(8, 4)) == Fraction(1, 35)
    # All but one page of each block may be free, and there is no free block; one page more is too
    # much for every choice.
    assert chance(64, 64 - 8, 3) < 1 == chance(64, 64 - 7, 3)
    assert 1 - chance(64, 56, 3) == Fraction(8**8, comb(64, 8))
    assert chance(1024, 511, 9) == 0 < chance(1024, 512, 9) == Fraction(2, comb(1024, 512))


def test_a_gibibyte_is_still_exact():
    share = chance(1 << 18, 104_858, 9)
    assert Fraction(1, 10**202) < share < Fraction(1, 10**201)
    assert share.denominator > 10**1000


@pytest.mark.parametrize(("pages", "free", "order"), [(16, 8, 2), (32, 16, 2), (64, 48, 3)])
def test_trying_agrees(pages, free, order):
    low, high = wilson(tries(pages, free, order, 2000, seed=1), 2000, 0.99)
    assert low < chance(pages, free, order) < high


def test_the_same_seed_tries_the_same():
    assert tries(16, 8, 2, 500, seed=3) == tries(16, 8, 2, 500, seed=3)
    assert len({tries(16, 8, 2, 500, seed=seed) for seed in range(5)}) > 1
    assert tries(16, 8, 2, 500, seed=3) == 81


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ((0, 0, 0), "0 pages: take 1 to"),
        ((1 << 19, 0, 0), "524288 pages"),
        ((8, 9, 1), "9 of 8 pages can't be free"),
        ((8, -1, 1), "-1 of 8 pages"),
        ((8, 4, -1), "order -1"),
    ],
)
def test_wrong_questions(question, said):
    with pytest.raises(ChanceError, match=said):
        chance(*question)
    with pytest.raises(ChanceError, match=said):
        tries(*question, 10, seed=1)
