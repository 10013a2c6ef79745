"""Runs that the tests of pictures look at, each made once."""

from __future__ import annotations

from functools import cache

from mmsim.engine.trace import Trace
from mmsim.scenarios import vfio_map


@cache
def run(version: str, **knobs: object) -> Trace:
    return vfio_map(version, **knobs).run()
