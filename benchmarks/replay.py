"""The baseline of the search: the textbook way, without any of the engine's tricks.

Every state is known by the moves that lead to it; to make one more move, the whole prefix is
replayed from the beginning.  Same scenario, same steps, same number of states.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Any

from mmsim.engine.op import Op
from mmsim.engine.scenario import Scenario


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
    for who, outcome in moves:
        op = pending[who]
        assert op is not None
        name = scenario.actors[who].name
        given = (outcome,) if op.kind.outcomes else ()
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
            outcomes = op.kind.outcomes(world, name, *op.args) if op.kind.outcomes else ("",)
            todo.extend((*moves, (who, outcome)) for outcome in outcomes)
    return len(seen)
