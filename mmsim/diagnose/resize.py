"""The same run with larger pages: what was found on small ones, at the size of a real huge page.

Interface: resized

A search over huge pages of two pages is quick, and a run that it found is carried over: whoever
interrupted the main actor does so at the same place of its path, and the environment answers the
same.  A place is the functions on the stack, the step that comes next, the page that is visited,
and how often the actor has been there.  Left out: pieces that small pages don't have; they run
through undisturbed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from mmsim.engine.actor import Local, chain
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation

Place = tuple[Hashable, int]
_SHOWN = ("page", "round_", "pass_")


def _where(local: Local) -> Hashable:
    if local.op is None:
        return "finished"
    frames = [
        (frame.f_code.co_name, *(_plain(frame.f_locals.get(name)) for name in _SHOWN))
        for frame in chain(local.generator())
    ]
    named = tuple(arg for arg in local.op.args[:2]) if _by_name(local) else ()
    return (local.op.kind.name, named, *frames)


def _plain(value: object) -> object:
    return getattr(value, "pfn", value)


def _by_name(local: Local) -> bool:
    """Does the step name its page by the place in the file?"""
    return local.op is not None and any(isinstance(arg, str) for arg in local.op.args[:1])


class _Places:
    """Where the main actor is, counted."""

    def __init__(self, scenario: Situation) -> None:
        self.scenario = scenario
        self.seen: Counter[Hashable] = Counter()
        self.local: Local | None = None
        self.now: Place = ("", 0)

    def at(self, state: State) -> Place:
        local = self.scenario.local(state, self.scenario.main)
        if local is not self.local:
            self.local = local
            where = _where(local)
            self.seen[where] += 1
            self.now = (where, self.seen[where])
        return self.now


def _told(
    small: Situation, moves: tuple[Move, ...]
) -> tuple[list[tuple[Place, Move]], dict[Place, str]]:
    """Who interrupts where, and what the environment answers where it has a choice."""
    visits: list[tuple[Place, Move]] = []
    answers: dict[Place, str] = {}
    places, state = _Places(small), small.initial()
    for move in moves:
        place = places.at(state)
        if move.actor != small.main:
            visits.append((place, move))
        elif move.outcome:
            answers[place] = move.outcome
        state, _ = small.step(state, move)
    return visits, answers


def resized(small: Situation, moves: tuple[Move, ...], large: Situation) -> Trace:
    """The run of `large` that goes as `moves` go in `small`, to its end."""
    visits, answers = _told(small, moves)
    places = _Places(large)

    def choose(scenario: Scenario, state: State) -> Move:
        place = places.at(state)
        finished = scenario.local(state, large.main).finished
        if visits and (visits[0][0] == place or finished):
            return visits.pop(0)[1]
        if finished:
            raise StopIteration
        return scenario.plain(state, Move(large.main, answers.get(place, _first(scenario, state))))

    def _first(scenario: Scenario, state: State) -> str:
        return scenario.outcomes(state, large.main)[0]

    return record(large, choose)
