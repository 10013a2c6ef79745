"""Runs that the tests of pictures look at, each made once."""

from __future__ import annotations

from functools import cache

from mmsim.engine.trace import Trace
from mmsim.scenarios import vfio_map


@cache
def _run(version: str, knobs: tuple[tuple[str, object], ...]) -> Trace:
    return vfio_map(version, **dict(knobs)).run()


def run(version: str, **knobs: object) -> Trace:
    return _run(version, tuple(sorted(knobs.items())))
