"""The odds of each way in which a pin fails beside one drop_caches, from all orders of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.odds import EVEN, components, spread_odds
from mmsim.scenarios import SMALL, make

TOGETHER = "both begin at the same time"
ANY_STEP = "drop_caches begins at any step of the pin"


def failure_odds(
    version: str, *, passes: int = MIGRATE_PASSES, starts: Sequence[str] = (TOGETHER, ANY_STEP)
) -> dict[str, dict[str, Fraction]]:
    """Each of `starts` -> outcome -> its odds; one huge page of two pages.

    ANY_STEP: the pin takes 0, 1, 2 ... steps alone before the coin is tossed for the first time,
    each number up to its last step as likely as any other."""
    situation = make("pin_versus", version, {**SMALL, "passes": passes})
    found = situation.explore()
    assert found.complete
    state, alone = situation.initial(), [0]  # the states that the pin comes to alone
    while not situation.local(state, situation.main).finished:
        move = situation.moves(state)[0]
        state, _ = situation.step(state, move)
        alone.append(dict(found.edges_of(alone[-1]))[move])
    over = {*found.ends, *found.deadlocks}
    names = {number: situation.outcome(state) for number, state in found.walk(over)}
    odds = {}
    for when in starts:
        begin = [0] if when == TOGETHER else alone
        reach = spread_odds(
            found, components(found), EVEN, {n: Fraction(1, len(begin)) for n in begin}
        )
        odds[when] = Counter[str]()
        for number in over:
            odds[when][names[number]] += reach.reach[number]
    return {when: dict(ends) for when, ends in odds.items()}
