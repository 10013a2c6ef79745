"""How a scenario can end: counts and odds side by side.

Interface: outcome_table
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mmsim.engine.explore import Outcome
from mmsim.views.words import chance, count

HEADS = ("outcome", "schedules", "share", "odds", "steps")
NOTE = "share: of all schedules; odds: a fair coin says who moves; steps: of a shortest schedule"


def outcome_table(outcomes: Sequence[Outcome], schedules: int | None) -> str:
    """A line for each outcome, and what the columns are.  `schedules`: all there are, if known.

    The share is not the odds: a schedule is the less likely, the more often somebody else could
    have moved in it."""
    rows = [HEADS]
    for each in outcomes:
        share = ""
        if schedules and each.schedules is not None:
            share = chance(Fraction(each.schedules, schedules))
        steps = "" if each.shortest is None else count(len(each.shortest))
        rows.append((each.name, count(each.schedules), share, chance(each.odds), steps))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *numbers in rows:
        right = [f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([f"{name:<{widths[0]}}", *right]))
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", NOTE])
