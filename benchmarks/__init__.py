"""How quick mmsim is, as ratios to a named baseline that is measured in the same run.

usage: python -m benchmarks [NAME ...]      names: see NAMES in __main__.py

Nothing here is a test: machines differ, and the same machine differs from minute to minute.
"""

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
