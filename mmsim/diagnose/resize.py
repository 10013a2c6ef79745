"""The same run with larger pages: what was found on small ones, at the size of a real huge page.

Interface: resized

A search over huge pages of two pages is quick, and a run that it found is carried over: whoever
interrupted the main actor does so at the same place of its path, and the environment answers the
same.  A place is the step that comes next, its site, the visit (page and pass), and how
often the actor has been there.  Left out: pieces that small pages don't have; they run
through undisturbed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from mmsim.engine.actor import Local
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation

Place = tuple[Hashable, int]


def _where(local: Local, visit: Hashable) -> Hashable:
    """The step that comes next, its site, and the visit that it belongs to."""
    if local.op is None:
        return "finished"
    op = local.op
    by_name = bool(op.args) and isinstance(op.args[0], str)  # its place in the file
    return (op.kind.name, op.site, op.args[:2] if by_name else (), visit)


class _Places:
    """Where the main actor is, counted."""

    def __init__(self, scenario: Situation) -> None:
        self.scenario = scenario
        self.seen: Counter[Hashable] = Counter()
        self.local: Local | None = None
        self.visit: Hashable = ()
        self.now: Place = ("", 0)

    def at(self, state: State) -> Place:
        local = self.scenario.local(state, self.scenario.main)
        if local is not self.local:
            self.local = local
            op = local.op
            if op is not None and op.site == "visit":
                self.visit = (op.args[0], op.told["round_"], op.told["pass_"])
            elif op is not None and op.site == "migrate.out":
                self.visit = ()
            where = _where(local, self.visit)
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
