"""Many runs by a coin, and how often each way to end came up.

Interface: sample

This asks no search: every run goes step by step through the scenario, as a kernel would."""

from __future__ import annotations

from collections.abc import Callable

from mmsim.engine.odds import EVEN, Weights
from mmsim.engine.scenario import Scenario, State
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


def _one(scenario: Scenario, name: Callable[[State], str], seed: int, weights: Weights) -> str:
    state, choose = scenario.initial(), coin(seed, weights)
    for _ in range(STEPS_MAX):
        try:
            move = choose(scenario, state)
        except StopIteration:
            return name(state)
        state, _, _ = scenario.advance(state, move)
    return UNFINISHED
