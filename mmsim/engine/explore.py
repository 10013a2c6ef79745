"""Every order in which the actors can move, breadth first, each state once.

Interface: explore, Exploration, Verdict

Left out for now: odds, preemption bound, symmetry.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Hashable
from typing import NamedTuple

from mmsim.engine.scenario import Move, Scenario, State

STATES_MAX = 80_000

Property = Callable[[State], bool]


class Verdict(enum.Enum):
    """What a search can honestly say."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_FINISHED = "search not finished"


class Edge(NamedTuple):
    """How a state was first reached."""

    source: int
    move: Move


class Exploration:
    """What `explore` found.  `complete` is False if `states_max` stopped it."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.found: list[State] = []
        self.first: list[Edge | None] = []
        self.successors: list[list[int]] = []
        self.ends: list[int] = []
        self.deadlocks: list[int] = []
        self.complete = False

    @property
    def states(self) -> int:
        """Number of different states."""
        return len(self.found)

    @property
    def edges(self) -> int:
        """Number of (state, move) pairs."""
        return sum(map(len, self.successors))

    def schedules(self) -> int | None:
        """Number of maximal schedules; None if some schedule can go on for ever."""
        ways: dict[int, int] = {}
        degree = [0] * self.states
        for targets in self.successors:
            for target in targets:
                degree[target] += 1
        ready = deque([0])
        ways[0] = 1
        total = visited = 0
        while ready:
            here = ready.popleft()
            visited += 1
            if not self.successors[here]:
                total += ways[here]
            for target in self.successors[here]:
                ways[target] = ways.get(target, 0) + ways[here]
                degree[target] -= 1
                if degree[target] == 0:
                    ready.append(target)
        return total if visited == self.states else None

    def schedule_to(self, index: int) -> list[Move]:
        """A shortest schedule to the state with this number."""
        moves: list[Move] = []
        edge = self.first[index]
        while edge is not None:
            moves.append(edge.move)
            edge = self.first[edge.source]
        return moves[::-1]

    def shortest(self, goal: Property) -> list[Move] | None:
        """A shortest schedule to a state where `goal` is true; None if none was found."""
        for index, state in enumerate(self.found):
            if goal(state):
                return self.schedule_to(index)
        return None

    def always(self, safe: Property) -> Verdict:
        """Is `safe` true in every state?"""
        if self.shortest(lambda state: not safe(state)) is not None:
            return Verdict.BROKEN
        return Verdict.HOLDS if self.complete else Verdict.NOT_FINISHED

    def sometimes(self, goal: Property) -> Verdict:
        """Is `goal` true in at least one state?  Safety without it proves little."""
        if self.shortest(goal) is not None:
            return Verdict.HOLDS
        return Verdict.BROKEN if self.complete else Verdict.NOT_FINISHED


def explore(scenario: Scenario, *, states_max: int = STATES_MAX) -> Exploration:
    """Search breadth first from the initial state; stops with `complete=False` at `states_max`."""
    result = Exploration(scenario)
    numbers: dict[Hashable, int] = {}

    def number(state: State, edge: Edge | None) -> int:
        key = (state.world.key(), state.locals)
        found = numbers.get(key)
        if found is None:
            found = numbers[key] = len(result.found)
            result.found.append(state)
            result.first.append(edge)
            result.successors.append([])
        return found

    number(scenario.initial(), None)
    here = 0
    while here < len(result.found):
        state = result.found[here]
        moves = scenario.moves(state)
        if not moves:
            (result.ends if scenario.finished(state) else result.deadlocks).append(here)
        for move in moves:
            after, _ = scenario.step(state, move)
            result.successors[here].append(number(after, Edge(here, move)))
            if result.states > states_max:
                return result
        here += 1
    result.complete = True
    return result
