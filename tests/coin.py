"""Runs by the toss of a coin: the other opinion on the odds of a search, and random runs."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from math import lcm

from mmsim.engine.odds import EVEN, Weights, by_actor
from mmsim.engine.scenario import Move, Scenario, Scheduler, State


def coin(seed: int, weights: Weights = EVEN) -> Scheduler:
    """Toss a coin among the actors that can move, then one among the choices.

    `weights` load it, as in `engine.odds`: the odds of a search are those of this scheduler."""
    rng = random.Random(seed)

    def toss(names: list[str]) -> int:
        loads = [weights.get(name, 1) for name in names]
        unit = lcm(*[load.denominator for load in loads])  # whole numbers, which round nothing
        upto = list(accumulate(int(load * unit) for load in loads))
        return bisect_right(upto, rng.randrange(upto[-1]))

    def choose(scenario: Scenario, state: State) -> Move:
        groups = by_actor(scenario.moves(state))
        if not groups:
            raise StopIteration
        group = groups[toss([group[0].actor for group in groups])]
        return group[toss([str(move) for move in group])]

    return choose


def sample(
    scenario: Scenario, name: Callable[[State], str], runs: int, seed: int
) -> dict[str, int]:
    """How many of `runs` runs end how, by `name`; run number i tosses the coin of seed + i.

    A merged scenario is quickest: it remembers where its actors can stand."""
    found: Counter[str] = Counter()
    for number in range(runs):
        state, choose = scenario.initial(), coin(seed + number)
        while scenario.moves(state):
            state, _ = scenario.step(state, choose(scenario, state), keep=False)
        found[name(state)] += 1
    return found
