"""What the tasks of lesson 02 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest

from mmsim.checks import judge
from mmsim.practice.loans import lending


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lending(cma=0), "there 0 of the eight lie in CMA"),
        (lending(cma=8, free=0), "not all of the eight were granted"),
        (lending(cma=80), "there 8 of the eight"),
    ],
)
def test_exactly_one_block_means_one_of_eight_that_were_granted(answer, told):
    verdict = judge("02.one", answer)
    assert told in verdict.why
    assert verdict.detail.startswith("8 allocations of 2 MiB")


def test_a_guess_about_the_first_page_from_cma_meets_what_would_be_free():
    assert "with 256 MiB populated, 721 MiB would be free" in judge("02.first", 256).why
    assert "long since" in judge("02.first", 700).why
    assert judge("02.first", 468).state == judge("02.first", 464.9).state == "passed"


@pytest.mark.parametrize("letter", "acd")
def test_a_wrong_road_meets_the_run(letter):
    assert "32 huge pages (in 32 pageblocks) in CMA" in judge("02.second", letter).detail
