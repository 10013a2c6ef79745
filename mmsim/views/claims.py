"""What a search says of claims: a verdict for each, and a schedule that decides it.

Interface: claims_table
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmsim.engine.explore import STATES_MAX, Property
from mmsim.engine.schedule import render
from mmsim.scenarios import Situation
from mmsim.scenarios.split_race import CLAIMS

if TYPE_CHECKING:
    import pandas as pd


def claims_table(
    situation: Situation,
    claims: Mapping[str, Property] = CLAIMS,
    *,
    states_max: int = STATES_MAX,
) -> pd.DataFrame:
    """A row for each claim, those about the smallest race if no others are given.

    The schedule is a shortest one: a counterexample of what should always be true, an example of
    what should sometimes be."""
    import pandas as pd

    found = situation.explore(states_max=states_max, properties=list(claims.values()))
    rows = [
        (each.verdict.value, render(each.schedule) if each.schedule is not None else "")
        for each in found.findings
    ]
    index = pd.Index(list(claims), name="claim", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["verdict", "decided by"], dtype=object)
