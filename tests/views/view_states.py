"""The states that the picture tests look at."""

from __future__ import annotations

from functools import cache

from mmsim.engine.trace import Moment, Trace
from mmsim.scenarios import vfio_map

# name -> version, knobs, position (-1: the end)
STATES: dict[str, tuple[str, dict[str, object], int]] = {
    "before_the_first_step": ("base", {}, 0),
    "base_refused_at_the_check": ("base", {}, 16),
    "base_refused_at_the_freeze": ("base", {"taken": "0.split.freeze"}, 19),
    "v2_check_passed_in_the_second_pass": ("v2", {"released": "1"}, 28),
    "split_and_half_moved": ("base", {"holder": 0}, 3000),
    "v2_finished": ("v2", {"released": "1"}, -1),
}


@cache
def _run(version: str, knobs: tuple[tuple[str, object], ...]) -> Trace:
    return vfio_map(version, **dict(knobs)).run()


def run(version: str, **knobs: object) -> Trace:
    return _run(version, tuple(sorted(knobs.items())))


def state(name: str) -> Moment:
    version, knobs, position = STATES[name]
    return run(version, **knobs).at(position)
