"""Runs by the toss of a coin: the other opinion on the odds of a search, and random runs."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from math import lcm

from mmsim.engine.odds import EVEN, Weights, by_actor
from mmsim.engine.scenario import Move, Scenario, Scheduler, State


def coin(seed: int, weights: Weights = EVEN) -> Scheduler:
    """Toss a coin among the actors that can move, then one among the outcomes.

    `weights` load it, as in `engine.odds`: the odds of a search are those of this scheduler."""
    rng = random.Random(seed)
    known: dict[tuple[Move, ...], tuple[list[int], list[tuple[list[int], list[Move]]]]] = {}

    def toss(upto: list[int]) -> int:
        return bisect_right(upto, rng.randrange(upto[-1]))

    def choose(scenario: Scenario, state: State) -> Move:
        moves = tuple(scenario.moves(state))
        if not moves:
            raise StopIteration
        if moves not in known:
            groups = by_actor(moves)
            outcomes = [
                (_loaded([weights.get(str(m), 1) if m.outcome else 1 for m in group]), group)
                for group in groups
            ]
            known[moves] = _loaded([weights.get(g[0].actor, 1) for g in groups]), outcomes
        actors, outcomes = known[moves]
        upto, group = outcomes[toss(actors)]
        return group[toss(upto)]

    return choose


def _loaded(weights: Sequence[int | Fraction]) -> list[int]:
    """The sides of a coin, as the sums of their weights: whole numbers, which round nothing."""
    unit = lcm(*[Fraction(weight).denominator for weight in weights])
    return list(accumulate(int(weight * unit) for weight in weights))


def sample(
    scenario: Scenario,
    name: Callable[[State], str],
    runs: int,
    seed: int,
    weights: Weights = EVEN,
) -> dict[str, int]:
    """How many of `runs` runs end how, by `name`; run number i tosses the coin of seed + i.

    A merged scenario is quickest: it remembers where its actors can stand."""
    found: dict[str, int] = {}
    for number in range(runs):
        state, choose = scenario.initial(), coin(seed + number, weights)
        while scenario.moves(state):
            move = choose(scenario, state)
            state, _ = scenario.step(state, move, keep=False)
        found[name(state)] = found.get(name(state), 0) + 1
    return found
