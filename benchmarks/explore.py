"""The search: states a second, against replaying a prefix for every edge, and memory of a state.

Two situations: the report's, with a huge page of four pages and ten passes; and a race of two pins
for one huge page of two pages, which has more states than anybody waits for and is stopped.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

from benchmarks.measure import Result
from benchmarks.replay import count_states
from mmsim.engine.actor import Actor
from mmsim.engine.explore import explore
from mmsim.engine.scenario import Scenario
from mmsim.flags import MIGRATE_CMA
from mmsim.mm.folio import Folio
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.versions import get
from mmsim.mm.world import Environment, World
from mmsim.scenarios import CMA_PFN, make
from mmsim.units import HPAGE_PMD_ORDER

VERSIONS = ("base", "v2", "v3")
STATES_MAX = 3_000
REPEATS = 3
BUDGET = "40,000 states/s on a quiet machine with 2 cores"


def vfio_map(version: str, *, merge: bool) -> Scenario:
    """A pin and a stranger."""
    return make("vfio_map", version, {"order": 2, "released": "1"}, merge=merge)


def two_pins(version: str, *, merge: bool) -> Scenario:
    """Two pins of the same pages."""
    world = World(Environment(targets_huge="none"))
    world.pageblocks[CMA_PFN >> HPAGE_PMD_ORDER] = MIGRATE_CMA
    world.add(CMA_PFN, Folio("A", "A", 0, 1, refcount=3, pmd_maps=1))
    vma, row = (Extent("A", 2),), get(version)._replace(passes=2)
    names = ("pin", "other")
    actors = tuple(Actor(name, lambda: pin_user_pages_remote(vma, row)) for name in names)
    return Scenario("two_pins", world, actors, merge=merge)


def _rates(build: Callable[..., Scenario], version: str) -> tuple[int, float, float]:
    """Number of states; states a second of the search and of the baseline: medians."""
    quick, slow = [], []
    for _ in range(REPEATS):
        scenario = build(version, merge=True)
        start = time.perf_counter()
        found = explore(scenario, states_max=STATES_MAX)
        quick.append(found.states / (time.perf_counter() - start))
        scenario = build(version, merge=False)
        start = time.perf_counter()
        states = count_states(scenario, STATES_MAX)
        slow.append(states / (time.perf_counter() - start))
        assert states == found.states or not found.complete, (states, found.states)
    return found.states, statistics.median(quick), statistics.median(slow)


def _memory(build: Callable[..., Scenario], version: str) -> tuple[float, float]:
    """Bytes of a state: of the result with its scenario, and at the worst moment of the search."""
    explore(build(version, merge=True), states_max=STATES_MAX)  # whatever is cached once for all
    tracemalloc.start()
    scenario = build(version, merge=True)
    found = explore(scenario, states_max=STATES_MAX)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / found.states, peak / found.states


def results() -> list[Result]:
    """Rates first, then memory."""
    rates, memory = [], []
    for build in (vfio_map, two_pins):
        for version in VERSIONS:
            states, quick, slow = _rates(build, version)
            what = f"states/s, {build.__name__} {version}, {states} states"
            against = "of replaying a prefix for every edge"
            rates.append(Result(what, quick, "1/s", slow, against, BUDGET))
            kept, peak = _memory(build, version)
            what = f"bytes/state at the peak, {build.__name__} {version}"
            memory.append(Result(what, peak, "bytes", kept, "of the result", "1,024 bytes"))
    return rates + memory
