"""Steps a second of one long run."""

from __future__ import annotations

import time

from benchmarks.measure import Result
from mmsim.engine.trace import run_to_end
from mmsim.scenarios import vfio_map


def _bare_loop(steps: int) -> float:
    def generator():  # type: ignore[no-untyped-def]
        for _ in range(steps):
            yield None

    start = time.perf_counter()
    for _ in generator():
        pass
    return steps / (time.perf_counter() - start)


def _steps() -> Result:
    steps = len(vfio_map("v3", holder=0).run())
    rates = []
    for _ in range(5):
        situation = vfio_map("v3", holder=0)
        scheduler = situation.usual()
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
    """One split of 512 pieces."""
    return [_steps()]
