"""What a changed line kills, as a table.

Interface: mutants_table
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mmsim.engine.schedule import render
from mmsim.practice.mutants import deaths

if TYPE_CHECKING:
    import pandas as pd

UNHARMED = "nothing that is looked at"


def mutants_table(names: Iterable[str]) -> pd.DataFrame:
    """For each mutation the property that dies by the shortest run: which, how, where, and the run.

    A property that some run had shown dies if none shows it any more; the run is then one of the
    sound model."""
    import pandas as pd

    rows = []
    for name in names:
        found = deaths(name)
        if not found:
            rows.append((UNHARMED, "", "", ""))
            continue
        first = found[0]
        how = "never happens any more" if first.lost else "happens" if first.why else "broken"
        what = f"a step meets what can't be: {first.why}" if first.why else first.property
        rows.append((what, how, first.lab.what, render(first.schedule)))
    index = pd.Index(list(names), name="mutation", dtype=object)
    return pd.DataFrame(rows, index=index, columns=["dies", "how", "where", "run"], dtype=object)
