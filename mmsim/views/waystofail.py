"""The ways in which a pin fails beside one drop_caches: odds in the model, shares on a real kernel.

Interface: failure_odds, failure_table, TOGETHER, ANY_STEP

The two are different things.  A share was counted on an emulated machine, where steps take
different times.  Odds belong to the rule that a fair coin says who takes the next step, and to huge
pages of a few pieces.  What can be compared is which way to fail a version changes, and which not.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.odds import EVEN, Weights
from mmsim.engine.scenario import Move
from mmsim.evidence.kernel_runs import VERSION_OF
from mmsim.evidence.measured import Share, disturbed
from mmsim.knobs import Value
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SMALL, Situation, make
from mmsim.scenarios.fates import ALL_MOVED, MISSED, NO_MEMORY, NOT_SPLIT
from mmsim.views.words import chance

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = "both begin at the same time"
ANY_STEP = "drop_caches begins at any step of the pin"
WAYS = (NOT_SPLIT, MISSED, NO_MEMORY, ALL_MOVED)

# Version -> the measured loop and variant that behave like it; all had the companion patch 1/2.
_MEASURED = {
    version: (loop, variant) for (loop, variant, fix), version in VERSION_OF.items() if fix == "1"
}
_ONCE = "S4_once_n1"
_LEFT = {NOT_SPLIT: "huge_page_left", MISSED: "only_pieces_left"}


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
    situation = make("pin_versus", version, {**SMALL, "order": order, "passes": passes})
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


def failure_table(versions: Sequence[str] = tuple(VERSIONS), *, order: int = 1) -> pd.DataFrame:
    """Odds of every way to fail, version by version, and what was measured.

    Measured are one huge page beside one drop_caches, then all seven set-ups together; a huge page
    left whole in CMA stands for the first way, single pieces for the second.  "—": this version was
    not measured."""
    import pandas as pd

    odds = {version: failure_odds(version, order=order) for version in versions}
    rows: dict[tuple[str, str], list[str]] = {}
    for when in (TOGETHER, ANY_STEP):
        for way in WAYS:
            rows[f"model: {when}", way] = [
                chance(odds[version][when].get(way, Fraction(0))) for version in versions
            ]
    for what, scenario in (("one drop_caches, one huge page", _ONCE), ("all set-ups", "")):
        for way, field in _LEFT.items():
            rows[f"measured: {what}", way] = [
                _measured(version, scenario, field) for version in versions
            ]
    index = pd.MultiIndex.from_tuples(list(rows), names=["", "way to fail"])
    columns = pd.Index(list(versions), name="version")
    return pd.DataFrame(list(rows.values()), index, columns, dtype=object)


def _measured(version: str, scenario: str, field: str) -> str:
    if version not in _MEASURED:
        return "—"
    loop, variant = _MEASURED[version]
    pins = disturbed(variant, scenario, loop=loop)
    share = Share(getattr(pins, field), pins.failed.trials)
    return f"{share} ({100 * share.part:.1f} %)"
