"""Runs by a coin: how likely a schedule is, and how often each way to end comes up in many.

Interface: sample, along

This asks no search: every run goes step by step through the scenario, as a kernel would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from mmsim.engine.odds import EVEN, Weights, chances
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import coin

STEPS_MAX = 100_000
UNFINISHED = "not finished"


def sample(
    scenario: Scenario,
    name: Callable[[State], str],
    runs: int,
    seed: int,
    weights: Weights = EVEN,
) -> dict[str, int]:
    """How many of `runs` runs end how, by `name`; run number i tosses the coin of seed + i.

    A run that is still going after STEPS_MAX steps counts as "not finished".  A merged scenario is
    quickest: it remembers where its actors can stand."""
    found: dict[str, int] = {}
    for number in range(runs):
        said = _one(scenario, name, seed + number, weights)
        found[said] = found.get(said, 0) + 1
    return found


def along(scenario: Scenario, moves: Sequence[Move], weights: Weights = EVEN) -> list[Fraction]:
    """The probability of each move of a schedule, given those before it: 1 where nobody else could
    move.  Their product is the probability of the schedule.

    Raises ValueError for a move that can't be made."""
    found, state = [], scenario.initial()
    for number, move in enumerate(moves, start=1):
        free = scenario.moves(state)
        if move not in free:
            there = ", ".join(map(str, free)) or "none"
            raise ValueError(f"move {number}, {move}, can't be made; those that can: {there}")
        found.append(chances(free, weights)[free.index(move)])
        state, _, _ = scenario.advance(state, move)
    return found


def _one(scenario: Scenario, name: Callable[[State], str], seed: int, weights: Weights) -> str:
    state, choose = scenario.initial(), coin(seed, weights)
    for _ in range(STEPS_MAX):
        try:
            move = choose(scenario, state)
        except StopIteration:
            return name(state)
        state, _, _ = scenario.advance(state, move)
    return UNFINISHED
