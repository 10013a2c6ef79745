"""Odds of the model beside shares that were measured: the same ways to fail, other numbers.

Interface: odds_by_version, measured_failures

The odds are those of a coin and of the smallest page; the measured shares are those of an emulated
machine with drop_caches in a loop.  What can be compared is what a patch changes in each."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mmsim import measured
from mmsim.scenarios import SMALL, pin_versus
from mmsim.scenarios.fates import ALL_MOVED, MAPPED, MISSED, NO_MEMORY, NOT_SPLIT
from mmsim.views.numbers import chance

if TYPE_CHECKING:
    import pandas as pd

WAYS = (NOT_SPLIT, MISSED, NO_MEMORY, ALL_MOVED, MAPPED.word)


def odds_by_version(versions: Sequence[str]) -> pd.DataFrame:
    """How likely each way to end is when one write to drop_caches meets a pin, by a fair coin."""
    import pandas as pd

    columns = {}
    for version in versions:
        situation = pin_versus(version, **SMALL)
        ends = {end.name: end.odds for end in situation.explore().outcomes(situation.outcome)}
        columns[version] = [chance(ends.get(way, Fraction(0))) for way in WAYS]
    return pd.DataFrame(columns, index=pd.Index(WAYS, name="outcome", dtype=object), dtype=object)


def measured_failures() -> pd.DataFrame:
    """What pins failed at while drop_caches ran, by variant (data/kernel-runs/s4_*, pooled)."""
    import pandas as pd

    rows = []
    for variant in measured.VARIANTS:
        pins = measured.disturbed(variant)
        failed = pins.failed
        rows.append((failed.trials, failed.hits, pins.huge_page_left, pins.only_pieces_left))
    columns = ["pins", "failed", "a huge page was left", "only pieces were left"]
    index = pd.Index(measured.VARIANTS, name="measured", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
