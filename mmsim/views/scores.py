"""Policies beside one another, tried in the same cases.

Interface: policy_scores
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmsim.mm.versions import LATEST, POLICIES, Attempt, Version
from mmsim.policy import PolicyError, own_policy
from mmsim.practice.trials import CASES, others_notice, score
from mmsim.views.names import plural

if TYPE_CHECKING:
    import pandas as pd

YOURS = "yours"


def _column(version: Version) -> list[str]:
    cells = []
    for name, case in CASES.items():
        found = score(version, name)
        steps = f"{found.steps} steps" + (
            f", {plural(found.drains, 'drain')}" if found.drains else ""
        )
        cells.append(f"{float(100 * found.odds):.1f} %" if case.winnable else steps)
    return [*cells, ", ".join(others_notice(version)) or "nobody"]


def policy_scores(mine: Callable[[Attempt], str] | None = None) -> pd.DataFrame | str:
    """The last version, the policies beside it, and a function of one's own, case by case.

    Cases that can be won say how likely that is, over every order of steps; the last one says how
    long it takes to give up.  A function that goes wrong gives a sentence instead of a table."""
    import pandas as pd

    rows = [LATEST, *POLICIES.values()]
    try:
        columns = {row.name: _column(row) for row in rows}
        if mine is not None:
            columns[YOURS] = _column(own_policy(mine))
    except PolicyError as error:
        return f"{str(error)[0].upper()}{str(error)[1:]}."
    index = pd.Index([*CASES, "other reasons notice"], name="case", dtype=object)
    return pd.DataFrame(columns, index=index, dtype=object)
