"""How many schedules there are, and how likely each way to go is.  Whole numbers and fractions.

Odds are probabilities here: 1/3 is one run in three.  The rule: at every step a coin with as many
sides as there are actors that can move says who does.  If the environment has a choice in that
actor's step, a second coin says which.  Weights make a side more likely: `{"pin": 3}` lets `pin`
move three times as often as another actor that could move too, `{"pin:fail": 3}` makes the choice
`fail` three times as likely as another one.

A schedule that has more places where somebody else could have moved is less likely than one with
fewer, so odds are not shares of the number of schedules.

Where states lie on a cycle, what flows around it is summed up exactly by taking its states out one
by one, as one solves a system of linear equations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple, Protocol

from mmsim.engine.scenario import Move, Scenario
from mmsim.errors import UserError, nearest

CYCLE_MAX = 400
NEVER_LEAVES = -1

Weights = Mapping[str, int | Fraction]
EVEN: Weights = MappingProxyType({})
AT_THE_START: Mapping[int, Fraction] = MappingProxyType({0: Fraction(1)})


class SearchError(UserError):
    """A question that a search can't answer; the message says why."""


class Graph(Protocol):
    """States numbered from 0, all of them reachable from state 0."""

    @property
    def states(self) -> int: ...
    def targets_of(self, number: int) -> Sequence[int]: ...
    def edges_of(self, number: int) -> list[tuple[Move, int]]: ...


class Flow(NamedTuple):
    """`reach[n]` is the probability to come to state `n`, for states that are on no cycle.

    `for_ever` is the probability to get into a cycle that can't be left."""

    reach: list[Fraction]
    for_ever: Fraction


def by_actor(moves: Sequence[Move]) -> list[list[Move]]:
    """The moves of each actor; they stand side by side, as in Scenario.moves."""
    return [list(group) for _, group in groupby(moves, key=lambda move: move.actor)]


def odds_of_moves(moves: Sequence[Move], weights: Weights) -> list[Fraction]:
    """The probability of each move."""
    groups = by_actor(moves)
    of_actor = _odds_of([group[0].actor for group in groups], weights)
    found: list[Fraction] = []
    for group, odds in zip(groups, of_actor, strict=True):
        # A step without a choice has one move, and any weight of a lone choice cancels out.
        alone = len(group) == 1
        of_choice = [Fraction(1)] if alone else _odds_of([*map(str, group)], weights)
        found += [odds * each for each in of_choice]
    return found


def _odds_of(names: Sequence[str], weights: Weights) -> list[Fraction]:
    """The probability of each name: its part of the weight of all."""
    found = [Fraction(weights.get(name, 1)) for name in names]
    if found and not sum(found):
        raise SearchError(
            f"somewhere nothing but {', '.join(names)} is possible, and its weight is 0; "
            "give it one above 0"
        )
    return [weight / sum(found) for weight in found]


def check_weights(weights: Weights, scenario: Scenario) -> None:
    """Raise SearchError for a weight of nobody, and for a negative one."""
    for name, weight in weights.items():
        actor = name.partition(":")[0]
        if actor not in scenario.index:
            raise SearchError(
                f"the weight of {name!r} is of no actor in this scenario"
                f"{nearest(actor, scenario.index)}"
            )
        if weight < 0:
            raise SearchError(f"the weight of {name!r} is {weight}; it has to be 0 or more")


def odds_along(
    scenario: Scenario, moves: Sequence[Move], weights: Weights = EVEN
) -> list[Fraction]:
    """The probability of each move of a schedule, given those before it: 1 where nobody else could
    move.  Their product is the probability of the schedule.

    Raises ValueError for a move that can't be made, SearchError for weights that can't be used."""
    check_weights(weights, scenario)
    found, state = [], scenario.initial()
    for number, move in enumerate(moves, start=1):
        free = scenario.moves(state)
        if move not in free:
            there = ", ".join(map(str, free)) or "none"
            raise ValueError(f"move {number}, {move}, can't be made; those that can: {there}")
        found.append(odds_of_moves(free, weights)[free.index(move)])
        state, _ = scenario.step(state, move)
    return found


def components(graph: Graph) -> list[list[int]]:
    """States that can reach one another, together; no move leads back to an earlier component.

    Tarjan's algorithm, without recursion: a graph may be tens of thousands of steps deep."""
    order = [0] * graph.states  # 1, 2, 3 ... when first seen
    low = [0] * graph.states
    open_, is_open = [0], bytearray(graph.states)
    seen = 1
    order[0] = low[0] = is_open[0] = 1
    path: list[tuple[int, Iterator[int]]] = [(0, iter(graph.targets_of(0)))]
    found: list[list[int]] = []
    while path:
        here, targets = path[-1]
        for target in targets:
            if not order[target]:
                seen += 1
                order[target] = low[target] = seen
                open_.append(target)
                is_open[target] = 1
                path.append((target, iter(graph.targets_of(target))))
                break
            if is_open[target]:
                low[here] = min(low[here], order[target])
        else:
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[here])
            if low[here] == order[here]:
                component: list[int] = []
                while here not in component[-1:]:
                    component.append(open_.pop())
                    is_open[component[-1]] = 0
                found.append(component)
    return found[::-1]


def is_cycle(graph: Graph, component: Sequence[int]) -> bool:
    """Can one come back to these states?"""
    return len(component) > 1 or component[0] in graph.targets_of(component[0])


def schedules_to(graph: Graph, order: Sequence[Sequence[int]]) -> list[int | None]:
    """For each state the number of schedules that lead to it; None if there is no limit."""
    found: list[int | None] = [0] * graph.states
    found[0] = 1
    for component in order:
        if is_cycle(graph, component):
            for member in component:
                found[member] = None
        for member in component:
            here = found[member]
            for target in graph.targets_of(member):
                there = found[target]
                found[target] = None if here is None or there is None else there + here
    return found


def spread_odds(
    graph: Graph,
    order: Sequence[Sequence[int]],
    weights: Weights,
    begin: Mapping[int, Fraction] = AT_THE_START,
) -> Flow:
    """Let a probability of 1, which lies in the states of `begin`, run along the moves to the ends.

    Raises SearchError for a cycle of more than `CYCLE_MAX` states."""
    reach = [Fraction(0)] * graph.states
    for number, part in begin.items():
        reach[number] = part
    for_ever = Fraction(0)
    split: dict[tuple[Move, ...], list[Fraction]] = {}

    def parts(number: int) -> list[tuple[int, Fraction]]:
        edges = graph.edges_of(number)
        moves = tuple([move for move, _ in edges])
        if moves not in split:
            split[moves] = odds_of_moves(moves, weights)
        odds = zip(edges, split[moves], strict=True)
        return [(target, part) for (_, target), part in odds if part]

    for component in order:
        if is_cycle(graph, component):
            for_ever += _through_cycle(component, parts, reach)
            continue
        here = component[0]
        for target, part in parts(here) if reach[here] else ():
            reach[target] += reach[here] * part
    return Flow(reach, for_ever)


def _through_cycle(
    component: Sequence[int],
    parts: Callable[[int], list[tuple[int, Fraction]]],
    reach: list[Fraction],
) -> Fraction:
    """Pass on what flows into a cycle; returns what never leaves it.

    A state is taken out by sending what would come to it on to where it leads, in proportion; what
    it would send to itself goes round again, which makes the other parts larger."""
    if len(component) > CYCLE_MAX:
        raise SearchError(
            f"the odds need a system of {len(component)} equations, because that many states lie "
            f"on one cycle; the limit is {CYCLE_MAX}"
        )
    rows = {member: _added(parts(member)) for member in component}
    sources: dict[int, set[int]] = {member: set() for member in component}
    for member, row in rows.items():
        for target in row.keys() & sources.keys():
            sources[target].add(member)
    for_ever = Fraction(0)
    for member in component:
        row = rows.pop(member)
        again = row.pop(member, Fraction(0))
        out = {target: part / (1 - again) for target, part in row.items()} or {
            NEVER_LEAVES: Fraction(1)
        }
        for source in sources[member] & rows.keys():
            share = rows[source].pop(member)
            for target, part in out.items():
                rows[source][target] = rows[source].get(target, 0) + share * part
                if target in sources:
                    sources[target].add(source)
        for target, part in out.items():
            if target == NEVER_LEAVES:
                for_ever += reach[member] * part
            else:
                reach[target] += reach[member] * part
    return for_ever


def _added(parts: Sequence[tuple[int, Fraction]]) -> dict[int, Fraction]:
    found: dict[int, Fraction] = {}
    for target, part in parts:
        found[target] = found.get(target, Fraction(0)) + part
    return found
