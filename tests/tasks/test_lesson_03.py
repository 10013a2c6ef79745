"""What the tasks of lesson 03 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import (
    GETS,
    STRIPS,
)

from mmsim.checks import judge
from mmsim.scenarios.hosts import fates, host
from mmsim.views.strips import cases as cases_03
from mmsim.views.strips import free_blocks


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        ("03.blocks", {"seed": 1, **STRIPS, "a": (1, 2, 1, 0, 0)}, "a, order 2: the model has 0"),
        ("03.blocks", {"seed": 1, **STRIPS, "c": (2, 2, 1)}, "give five numbers"),
        ("03.blocks", {"seed": -1, **STRIPS}, "a seed is a whole number from 0 on"),
        ("03.least", [5], "and pages 512 to 1023 are a huge page"),
        ("03.least", list(range(0, 4096, 256)), "it can be done with fewer"),
        ("03.least", [4096], "there is no page 4096"),
        ("03.least", [-1], "there is no page -1"),
        ("03.least", ["x"], "there is no page 'x'"),
        ("03.chance", "2/70", "2 of the 70 ways: 1/35"),
        ("03.chance", "0.03", "3/100 is not what counting all ways gives"),
        ("03.chance", "half", "a fraction as text"),
        ("03.requests", {**GETS, "huge page, for a process": "ours"}, "can be 'CMA'"),
        ("03.healthy", host(cma=60, used=50), "80.0 % free"),
        ("03.healthy", host(cma=0, used=0), "the pin should get nothing"),
        ("03.healthy", host(cma=0, used=1), "the index should say"),
        ("03.healthy", 7, "the answer should be host(cma="),
    ],
)
def test_lesson_03_answers_from_the_model(name, answer, told):
    assert told in judge(name, answer).why


@pytest.mark.parametrize("seed", range(30))
def test_every_seed_has_strips_that_can_be_counted(seed):
    """Counted here by hand: at each order, aligned blocks that are free and in no larger one."""
    for held in cases_03(seed).values():
        found, taken = [], set(held)
        for order in (4, 3, 2, 1, 0):
            size, count = 1 << order, 0
            for at in range(0, 16, size):
                block = set(range(at, at + size))
                if not block & taken:
                    taken |= block
                    count += 1
            found.insert(0, count)
        assert free_blocks(held) == tuple(found)


def test_the_least_that_spoils_all_is_any_page_of_each_pageblock():
    assert judge("03.least", [511, 512, 1500, 2000, 2049, 3000, 3500, 4095]).state == "passed"
    for left_out in range(8):
        pages = [at for at in range(0, 4096, 512) if at != left_out * 512]
        assert judge("03.least", pages).state == "failed"


def test_recall_of_lesson_03_is_what_the_model_does():
    assert fates(host(cma=51, used=0).zone)["huge page, for a process"] == "CMA"
    assert fates(host(cma=50, used=0).zone)["huge page, for a process"] == "ordinary memory"
    assert fates(host(cma=60, used=0).zone)["huge page, for a long-term pin"] == "ordinary memory"
