"""The suspects of lesson 00 as tables.

Interface: suspects, suspects_tried
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmsim.lessons import REPORTED, counters_of
from mmsim.tasks.lesson_00 import SUSPECTS, suspect

if TYPE_CHECKING:
    import pandas as pd


def suspects() -> pd.DataFrame:
    """Who could it have been?"""
    import pandas as pd

    index = pd.Index(SUSPECTS, name="suspect")
    return pd.DataFrame({"what it means": [s.what for s in SUSPECTS.values()]}, index=index)


def suspects_tried(judged: Mapping[str, bool | None]) -> pd.DataFrame | str:
    """What the model counts for each suspect; a sentence while one has not been judged yet."""
    import pandas as pd

    if any(judged.get(name) is None for name in SUSPECTS):
        return "Shown once you have judged all four; then run this cell again."
    rows = []
    for name in SUSPECTS:
        found = counters_of(suspect(name).run())
        fits = "✔ fits the report" if set(found.values()) == {1} else "✘ ruled out"
        rows.append({**found, "against the report": fits, "you said ruled out": judged[name]})
    assert list(rows[0])[: len(REPORTED)] == list(REPORTED)
    return pd.DataFrame(rows, index=pd.Index(SUSPECTS, name="suspect"))
