"""A first wrong answer gets a reason; what happens is told at the second one."""

from __future__ import annotations

import pytest
from answers import RIGHT, WRONG

from mmsim import checks
from mmsim.checks import judge

CASES = [
    (
        "05.odds",
        WRONG["05.odds"],
        "split*6 stranger split*3 stranger: not 1/2048",
        "both could move at 10 of its 11 steps",
    ),
    (
        "05.bridge",
        {**RIGHT["05.bridge"], "piece": "larger"},
        "piece: not larger; one walk comes to each page once",
        "piece: 21.16 % in 6.1.0, 21.16 % in v3; a piece still has its single attempt",
    ),
    (
        "07.hole",
        {**RIGHT["07.hole"], "v1": "-ENOMEM"},
        "v1: not '-ENOMEM'; what does its pin look at",
        "v1: 512 pages have moved, migrate_pages() returns +1, and the pin comes to pinned",
    ),
    ("07.hole", WRONG["07.hole"], "v2: not 'pinned'; the refusal", "the pin comes to -ENOMEM"),
    ("07.law", "27/64", "not 27/64; how many ticks", "each survived with 3/4"),
    (
        "07.batch",
        {**RIGHT["07.batch"], "v2": True},
        "v2: what has to happen before the batch lets go",
        "v2: 10 tries for the page in the batch, and -ENOMEM",
    ),
]


@pytest.mark.parametrize(("name", "wrong", "reason", "told"), CASES)
def test_a_reason_comes_before_the_outcome(name, wrong, reason, told):
    checks.ANSWERED.discard(name)
    first = str(judge(name, wrong))
    assert reason in first
    assert told not in first
    checks.ANSWERED.add(name)
    assert told in judge(name, wrong).why
    checks.ANSWERED.discard(name)
