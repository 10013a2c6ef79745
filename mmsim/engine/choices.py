"""A schedule as the few places where it leaves the usual way, and these places as one number.

Interface: Choices, choices_of, moves_of, rank, unrank

The usual way: whoever moved last goes on while it can; then the first actor that can; first
outcomes.  Every move that could be made instead has a number, 0, 1, 2 ... from the beginning of the
run on.  A schedule is the set of the numbers that it took, which is small for one that a person
made.  Steps without an alternative cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import MOVES_MAX, ScheduleError, replaying


class Choices(NamedTuple):
    """`taken`: the numbers, rising.  `stop`: 0 if the run goes on until nobody can move, otherwise
    1 more than the number of its steps after the last choice."""

    taken: tuple[int, ...]
    stop: int = 0


def choices_of(scenario: Scenario, moves: Sequence[Move]) -> Choices:
    """The choices of a schedule; raises ScheduleError at a move that is impossible."""
    choose, state = replaying(moves), scenario.initial()
    last, passed, tail = "", 0, 0
    taken: list[int] = []
    for _ in moves:
        move = scenario.plain(state, choose(scenario, state))
        instead = _instead(scenario, state, last)
        if move in instead[1:]:
            taken.append(passed + instead.index(move) - 1)
            tail = -1
        passed += len(instead) - 1
        tail += 1
        last = move.actor
        state, _ = scenario.step(state, move, keep=False)
    return Choices(tuple(taken), tail + 1 if scenario.moves(state) else 0)


def moves_of(scenario: Scenario, choices: Choices, *, moves_max: int = MOVES_MAX) -> list[Move]:
    """The schedule with these choices; raises ScheduleError if no run offers them."""
    state, last, passed, tail = scenario.initial(), "", 0, 0
    ahead = list(reversed(choices.taken))
    moves: list[Move] = []
    while (instead := _instead(scenario, state, last)) and len(moves) < moves_max:
        if not ahead and tail == choices.stop - 1:
            return moves
        which = 0
        if ahead and ahead[-1] < passed + len(instead) - 1:
            which = ahead.pop() - passed + 1
            tail = -1
        passed += len(instead) - 1
        tail += 1
        moves.append(instead[which])
        last = moves[-1].actor
        state, _ = scenario.step(state, moves[-1], keep=False)
    if ahead or instead or choices.stop:
        raise ScheduleError("no run offers these choices")
    return moves


def _instead(scenario: Scenario, state: State, last: str) -> list[Move]:
    """The usual move, and then what could be done instead."""
    moves = scenario.moves(state)
    usual = next((move for move in moves if move.actor == last), None)
    return moves if usual is None else [usual, *(move for move in moves if move != usual)]


def rank(taken: Sequence[int]) -> int:
    """The rank of a set of numbers among all sets of its size (the combinatorial number system)."""
    return sum(comb(number, size) for size, number in enumerate(sorted(taken), start=1))


def unrank(rank: int, size: int) -> tuple[int, ...]:
    """The set with this rank among all sets of this size, rising."""
    taken = []
    for k in range(size, 0, -1):
        number = _largest(rank, k)
        taken.append(number)
        rank -= comb(number, k)
    return tuple(reversed(taken))


def _largest(rank: int, k: int) -> int:
    """The largest n with comb(n, k) <= rank: found by doubling, then by halving."""
    above = k
    while comb(above, k) <= rank:
        above *= 2
    below = k - 1
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (middle, above) if comb(middle, k) <= rank else (below, middle)
    return below
