"""The search: states a second, against replaying a prefix for every edge, memory of a state; SPIN.

Two situations: the report's, with a huge page of four pages and ten passes; and VFIO's map against
drop_caches, with one of two pages.  The baseline stops after STATES_MAX states, the search beside
it, too; what the search needs for all of them stands apart.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
import tracemalloc
from collections import deque
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import Result
from mmsim.engine import explore as search
from mmsim.engine.op import Op
from mmsim.engine.scenario import Scenario
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
        found = search(scenario, states_max=STATES_MAX)
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
        found = search(scenario)
        searched = time.perf_counter()
        found.outcomes(scenario.outcome)
        searching.append(searched - start)
        asking.append(time.perf_counter() - searched)
        assert found.complete, found.states
    return found.states, statistics.median(searching), statistics.median(asking)


def _memory(name: str, version: str) -> tuple[float, float]:
    """Bytes of a state: of the result with its scenario, and at the worst moment of the search."""
    search(build(name, version, merge=True))  # whatever is cached once for all
    tracemalloc.start()
    scenario = build(name, version, merge=True)
    found = search(scenario)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / found.states, peak / found.states


def explore() -> list[Result]:
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


# -- the baseline: the textbook way, without any of the engine's tricks
#
# Every state is known by the moves that lead to it; to make one more move, the whole prefix is
# replayed from the beginning.  Same scenario, same steps, same number of states.


def freeze(value: Any) -> Hashable:
    """A value that can be compared later, when what it was made of has changed."""
    if isinstance(value, list | tuple):
        return (type(value), *map(freeze, value))
    if isinstance(value, dict):
        return tuple((key, freeze(item)) for key, item in value.items())
    if hasattr(value, "__dict__") and value.__class__.__hash__ is None:
        return (type(value), freeze(vars(value)))
    return value


def _key(generator: Any) -> Hashable:
    frames = []
    while generator is not None and generator.gi_frame is not None:
        frame = generator.gi_frame
        variables = tuple((name, freeze(value)) for name, value in frame.f_locals.items())
        frames.append((frame.f_code, frame.f_lasti, variables))
        generator = generator.gi_yieldfrom
    return tuple(frames)


def _replay(scenario: Scenario, moves: tuple[tuple[int, str], ...]) -> Any:
    world = scenario.initial().world
    generators = [actor.start() for actor in scenario.actors]
    pending: list[Op | None] = [next(generator) for generator in generators]
    results: list[Any] = [None] * len(generators)
    for who, choice in moves:
        op = pending[who]
        assert op is not None
        name = scenario.actors[who].name
        given = (choice,) if op.kind.choices else ()
        answer = op.kind.run(world, name, *given, *op.args)
        try:
            pending[who] = generators[who].send(answer)
        except StopIteration as stop:
            pending[who], results[who] = None, stop.value
    return world, generators, pending, results


def count_states(scenario: Scenario, states_max: int) -> int:
    """Number of different states, found by replaying a prefix for every edge; at most so many."""
    seen: set[Hashable] = set()
    todo: deque[tuple[tuple[int, str], ...]] = deque([()])
    while todo and len(seen) < states_max:
        moves = todo.popleft()
        world, generators, pending, results = _replay(scenario, moves)
        key = (world.key(), tuple(map(_key, generators)), freeze(results))
        if key in seen:
            continue
        seen.add(key)
        for who, op in enumerate(pending):
            if op is None:
                continue
            name = scenario.actors[who].name
            if op.kind.guard and op.kind.guard(world, name, *op.args):
                continue
            choices = op.kind.choices(world, name, *op.args) if op.kind.choices else ("",)
            todo.extend((*moves, (who, choice)) for choice in choices)
    return len(seen)


# -- SPIN, from the model's text to the answer
#
# It generates a C program, gcc compiles it, and that one counts the states: a small race is all
# compiling, a large one shows what compiled states cost against interpreted ones.

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "spin")]

# passes, holders
RACES = ((3, 1), (3, 3), (10, 4))


def spin() -> list[Result]:
    """Median of three; empty, with a note, without SPIN."""
    if not (shutil.which("spin") and shutil.which("gcc")):
        print("spin: SPIN or gcc is not on this machine, nothing measured")
        return []
    return [result for race in RACES for result in _race(*race)]


def _race(passes: int, holders: int) -> list[Result]:
    import promela
    from race import split_race
    from small import NR

    ours, theirs, running = [], [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = search(split_race(passes=passes, holders=holders, anon=0))
        ours.append(time.perf_counter() - start)
        theirs_ = promela.count("split_race.pml", PASSES=passes, HOLDERS=holders, ANON=0, NR=NR)
        theirs.append(sum(theirs_.seconds))
        running.append(theirs_.seconds[-1])
        assert found.complete, found.states
        assert found.states == theirs_.states, (found.states, theirs_.states)
    what = f"split race, {found.states} states"
    value = sorted(ours)[REPEATS // 2] * 1000
    return [
        Result(
            what, value, "ms", sorted(theirs)[REPEATS // 2] * 1000, "of SPIN with its compiling"
        ),
        Result(what, value, "ms", sorted(running)[REPEATS // 2] * 1000, "of SPIN's run alone"),
    ]
