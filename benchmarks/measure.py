"""Measuring: medians, and a result with its baseline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Result(NamedTuple):
    """One figure.  `baseline` is the figure of what is named in `against`, of the same run."""

    what: str
    value: float
    unit: str
    baseline: float = 0.0
    against: str = ""
    budget: str = ""


def median_ms(work: Callable[[], object], repeats: int = 7) -> float:
    """Median duration in milliseconds."""
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        durations.append((time.perf_counter() - start) * 1000)
    return statistics.median(durations)
