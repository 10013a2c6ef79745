"""A first wrong answer gets a reason; what happens is told at the second one."""

from __future__ import annotations

import pytest
from answers import RIGHT, WRONG

from mmsim import checks
from mmsim.checks import judge

CASES = [
    (
        "06.explain",
        {**RIGHT["06.explain"], "refused twice, then split": 2},
        "not 2; what counts at a refusal",
        "returns 3: 2 for refused splits, 1 for the huge page that was split",
    ),
    (
        "06.explain",
        {**RIGHT["06.explain"], "refused in every pass": 10},
        "not 10; what counts at a refusal",
        "returns 11: 10 for refused splits, 1 for giving up",
    ),
    (
        "06.explain",
        WRONG["06.explain"],
        "not 3; what counts at a refusal",
        "returns 0: a page that was busy and has moved in the end leaves no count",
    ),
    (
        "06.callers",
        {**RIGHT["06.callers"], "NUMA balancing": True},
        "NUMA balancing: what does v1 return to it",
        "NUMA balancing: base gives -ENOMEM, v1 gives -ENOMEM",
    ),
    (
        "06.code",
        WRONG["06.code"],
        "not so: what has changed when the split is tried again",
        "the split is refused 10 times",
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
