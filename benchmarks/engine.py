"""Steps and states a second, and what a state costs in memory."""

from __future__ import annotations

import time
import tracemalloc

from benchmarks.measure import Result
from benchmarks.replay import count_states
from mmsim.engine.explore import explore
from mmsim.engine.trace import run_to_end
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import make, vfio_map
from mmsim.script import Scripted

KNOBS = {"order": 2, "released": "1", "passes": 4}


def _bare_loop(steps: int) -> float:
    def generator():  # type: ignore[no-untyped-def]
        for _ in range(steps):
            yield None

    start = time.perf_counter()
    for _ in generator():
        pass
    return steps / (time.perf_counter() - start)


def _steps() -> Result:
    steps = len(vfio_map("v3", stranger=0).run())
    rates = []
    for _ in range(5):
        situation = vfio_map("v3", stranger=0)
        scheduler = Scripted(situation.main, situation.script)
        start = time.perf_counter()
        run_to_end(situation, scheduler)
        rates.append(steps / (time.perf_counter() - start))
    rate = sorted(rates)[len(rates) // 2]
    return Result(
        f"steps a second, one split of 512 pieces ({steps} steps)",
        rate,
        "1/s",
        _bare_loop(1_000_000),
        "of a bare generator's yields",
    )


def results() -> list[Result]:
    """Search base, v2 and v3; the baseline replays a prefix for every edge."""
    found = [_steps()]
    for version in ("base", "v2", "v3"):
        assert version in VERSIONS
        rates, slow = [], []
        for _ in range(3):
            scenario = make("vfio_map", version, KNOBS, merge=True)
            start = time.perf_counter()
            result = explore(scenario)
            rates.append(result.states / (time.perf_counter() - start))
            start = time.perf_counter()
            states = count_states(make("vfio_map", version, KNOBS))
            slow.append(states / (time.perf_counter() - start))
            assert states == result.states, (states, result.states)
        found.append(
            Result(
                f"states a second, {version}, {result.states} states",
                sorted(rates)[1],
                "1/s",
                sorted(slow)[1],
                "of replaying a prefix for every edge",
                "40,000 states/s on a quiet machine, for the search of the scheduler lesson",
            )
        )
    tracemalloc.start()
    scenario = make("vfio_map", "v3", KNOBS, merge=True)
    before = tracemalloc.get_traced_memory()[0]
    result = explore(scenario)
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    found.append(
        Result("memory of a state, v3", size / result.states, "bytes", budget="1,024 bytes")
    )
    return found
