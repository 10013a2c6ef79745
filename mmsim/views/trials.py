"""Versions and policies on trial, as a table.

Interface: policy_table, NOT_FINISHED
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mmsim.mm.versions import Attempt, Version
from mmsim.policy import own_policy
from mmsim.trials import PIN_WEIGHT, TRIALS, tried
from mmsim.views.tables import frame, labels

if TYPE_CHECKING:
    import pandas as pd

Policy = str | Version | Callable[[Attempt], str]
NOT_FINISHED = "search not finished"


def policy_table(
    policies: Mapping[str, Policy],
    trials: Iterable[str] = tuple(TRIALS),
    *,
    weight: int = PIN_WEIGHT,
) -> pd.DataFrame:
    """How likely a pin gets through against each kind of holder, in per cent; exact, then rounded.

    `policies`: column -> a version, a policy, or a function of one's own.  Raises PolicyError, in
    one sentence, for a function that can't be used."""
    rows: dict[str, list[str]] = {name: [] for name in trials}
    for policy in policies.values():
        row = policy if isinstance(policy, (str, Version)) else own_policy(policy)
        for name, cells in rows.items():
            chance = tried(row, TRIALS[name], weight=weight)
            cells.append(NOT_FINISHED if chance is None else f"{float(100 * chance):.1f} %")
    return frame(list(rows.values()), labels(rows, "in the way"), labels(policies, "gets through"))
