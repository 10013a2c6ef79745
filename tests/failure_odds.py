"""The odds of each way in which a pin fails beside one drop_caches, from all orders of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.explore import Exploration
from mmsim.engine.odds import EVEN, Weights, components, spread_odds
from mmsim.engine.scenario import Move, State
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
    return {when: odds_from(found, situation.outcome, begun[when], weights) for when in starts}


def odds_from(
    found: Exploration,
    name: Callable[[State], str],
    starts: Sequence[Sequence[Move]],
    weights: Weights = EVEN,
) -> dict[str, Fraction]:
    """The odds of every outcome for a run that begins after one of these schedules.

    Each is as likely as any other, and what it takes to get there is not counted."""
    begin: dict[int, Fraction] = {}
    for start in starts:
        number = 0
        for move in start:
            number = dict(found.edges_of(number))[move]
        begin[number] = begin.get(number, Fraction(0)) + Fraction(1, len(starts))
    reach = spread_odds(found, components(found), weights, begin).reach
    odds: dict[str, Fraction] = {}
    over = {*found.ends, *found.deadlocks}
    for number, state in found.walk(over):
        if number in over:
            odds[name(state)] = odds.get(name(state), Fraction(0)) + reach[number]
    return odds


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
