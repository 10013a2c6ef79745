"""The search: states a second, against replaying a prefix for every edge, and memory of a state.

Two situations: the report's, with a huge page of four pages and ten passes; and VFIO's map against
drop_caches, with one of two pages.  The baseline stops after STATES_MAX states, the search beside
it, too; what the search needs for all of them stands apart.  `python -m benchmarks explore spin`
has SPIN, from the text of a model to its answer, in the same run.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Mapping

from benchmarks.measure import Result
from benchmarks.replay import count_states
from mmsim.engine.explore import explore
from mmsim.scenarios import Situation, make

VERSIONS = ("base", "v2", "v3")
SITUATIONS: dict[str, Mapping[str, object]] = {
    "vfio_map": {"order": 2, "released": "1"},
    "pin_versus": {"order": 1},
}
STATES_MAX = 3_000
REPEATS = 3
BUDGET = "40,000 states/s on a quiet machine with 2 cores; 5 x the baseline"


def build(name: str, version: str, *, merge: bool) -> Situation:
    """A situation, as it is searched."""
    return make(name, version, SITUATIONS[name], merge=merge)


def _rates(name: str, version: str) -> tuple[int, float, float]:
    """Number of states; states a second of the search and of the baseline: medians."""
    quick, slow = [], []
    for _ in range(REPEATS):
        scenario = build(name, version, merge=True)
        start = time.perf_counter()
        found = explore(scenario, states_max=STATES_MAX)
        quick.append(found.states / (time.perf_counter() - start))
        scenario = build(name, version, merge=False)
        start = time.perf_counter()
        states = count_states(scenario, STATES_MAX)
        slow.append(states / (time.perf_counter() - start))
        assert states == found.states or not found.complete, (states, found.states)
    return found.states, statistics.median(quick), statistics.median(slow)


def _whole(name: str, version: str) -> tuple[int, float, float]:
    """Number of all states; seconds of the search, and of asking it for outcomes: medians."""
    searching, asking = [], []
    for _ in range(REPEATS):
        scenario = build(name, version, merge=True)
        start = time.perf_counter()
        found = explore(scenario)
        searched = time.perf_counter()
        found.outcomes(scenario.outcome)
        searching.append(searched - start)
        asking.append(time.perf_counter() - searched)
        assert found.complete, found.states
    return found.states, statistics.median(searching), statistics.median(asking)


def _memory(name: str, version: str) -> tuple[float, float]:
    """Bytes of a state: of the result with its scenario, and at the worst moment of the search."""
    explore(build(name, version, merge=True))  # whatever is cached once for all
    tracemalloc.start()
    scenario = build(name, version, merge=True)
    found = explore(scenario)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / found.states, peak / found.states


def results() -> list[Result]:
    """Rates first, then what all states take, then memory."""
    rates, whole, memory = [], [], []
    for name in SITUATIONS:
        for version in VERSIONS:
            states, quick, slow = _rates(name, version)
            what = f"states/s, {name} {version}, {states:,} states"
            against = "of replaying a prefix for every edge"
            rates.append(Result(what, quick, "1/s", slow, against, BUDGET))
            states, searching, asking = _whole(name, version)
            what = f"all of {name} {version}, {states:,} states"
            against = "of counts, odds, shortest schedules"
            whole.append(Result(what, searching * 1000, "ms", asking * 1000, against))
            kept, peak = _memory(name, version)
            what = f"bytes/state at the peak, {name} {version}"
            memory.append(Result(what, peak, "bytes", kept, "of the result", "1,024 bytes"))
    return rates + whole + memory
