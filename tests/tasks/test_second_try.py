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
