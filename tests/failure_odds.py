"""The odds of each way in which a pin fails beside one drop_caches, from all orders of steps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.odds import EVEN, Weights
from mmsim.engine.scenario import Move
from mmsim.scenarios import SMALL as SMALL_RACE
from mmsim.scenarios import Situation, make
from mmsim.scenarios.situation import Value

TOGETHER = "both begin at the same time"
ANY_STEP = "drop_caches begins at any step of the pin"


def failure_odds(
    version: str,
    *,
    order: int = 1,
    passes: Value = MIGRATE_PASSES,
    weights: Weights = EVEN,
    starts: Sequence[str] = (TOGETHER, ANY_STEP),
    states_max: int = 500_000,
) -> dict[str, dict[str, Fraction]]:
    """Each of `starts` -> outcome -> its odds; one huge page of `1 << order` pages.

    ANY_STEP: the pin takes 0, 1, 2 ... steps alone before the coin is tossed for the first time,
    each number up to its last step as likely as any other.  All orders of steps are searched: 6,900
    states for 6.1.0 and order 1, five times as many for order 2.  Raises ValueError if `order` or
    `passes` is none that the scenario has."""
    situation = make("pin_versus", version, {**SMALL_RACE, "order": order, "passes": passes})
    found = situation.explore(states_max=states_max)
    if not found.complete:
        raise ValueError(f"order {order} has more states than a search is given: {found.stopped}")
    begun: dict[str, list[list[Move]]] = {TOGETHER: [[]], ANY_STEP: _alone(situation)}
    return {when: found.odds_from(situation.outcome, begun[when], weights) for when in starts}


def _alone(situation: Situation) -> list[list[Move]]:
    """What the main actor may have done before anybody else comes: every beginning of its run."""
    state, moves = situation.initial(), list[Move]()
    beginnings = [moves]
    while not situation.local(state, situation.main).finished:
        move = situation.moves(state)[0]
        state, _ = situation.step(state, move)
        moves = [*moves, move]
        beginnings.append(moves)
    return beginnings
