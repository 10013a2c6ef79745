"""Small tables, made by running the model.

Every function answers a pandas DataFrame with a named index; pandas is imported when one is called.
Where cells are compared, a difference has a sign of its own, never a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from mmsim import errno
from mmsim.evidence.ftrace import AlignedRow, RealTrace
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.observed import migrate_returns

if TYPE_CHECKING:
    import pandas as pd


Frame: TypeAlias = "pd.DataFrame"
AGREES, DIFFERS = "✓", "≠"
RETURNS, PIN = "migrate_pages returns", "pin returns"
RESULTS = {"pin": PIN, "owner": "owner gets"}


def frame(rows: Sequence[Sequence[object]], index: Any, columns: Any) -> pd.DataFrame:
    """A table of these rows."""
    import pandas as pd

    return pd.DataFrame(list(rows), index=index, columns=columns, dtype=object)


def labels(words: Iterable[object], title: str) -> pd.Index[Any]:
    """The words of one side of a table, and what they are about."""
    import pandas as pd

    return pd.Index(list(words), name=title, dtype=object)


def in_a_row(codes: Sequence[str]) -> str:
    """ "0, 0", but "-EAGAIN ×5" for more than two of one kind in a row."""
    runs = [(code, len(list(group))) for code, group in groupby(codes)]
    return ", ".join(f"{code} ×{n}" if n > 2 else ", ".join([code] * n) for code, n in runs)


def counters_by_version(situation: Situation, versions: Sequence[str]) -> pd.DataFrame:
    """What moved in the same situation with each version, and what was returned."""
    runs = [situation.with_(name).run() for name in versions]
    moved: dict[str, list[object]] = {}
    for counter, before in situation.initial().world.vmstat.items():
        grown = [run.last.world.vmstat[counter] - before for run in runs]
        if any(grown):
            moved[counter] = list(grown)
    codes = [map(errno.name, migrate_returns(run)) for run in runs]
    moved[RETURNS] = [in_a_row([*each]) or "not called" for each in codes]
    if situation.main in RESULTS:
        moved[RESULTS[situation.main]] = [situation.result(run.last) for run in runs]
    return frame(list(moved.values()), labels(moved, "counter"), labels(versions, "version"))


# -- measured


def measured_table(real: RealTrace) -> pd.DataFrame:
    """The counters of migration that moved during a measured pin, and what the pin returned.

    The rest of /proc/vmstat counts whatever else the machine did.
    """
    known = vfio_map().initial().world.vmstat
    moved: dict[str, list[object]] = {
        name: [grown] for name, grown in real.delta.items() if grown and name in known
    }
    said = f"{real.pin_result} ({errno.name(real.pin_result)})" if real.pin_result else "0"
    moved[PIN] = [said]
    return frame(list(moved.values()), labels(moved, "counter"), ["measured"])


def alignment(rows: Sequence[AlignedRow]) -> pd.DataFrame:
    """A real trace beside the model's (`ftrace.align`), with a sign for each row."""
    cells = [(r.what, r.measured, r.model, AGREES if r.agrees else DIFFERS) for r in rows]
    numbers = labels(range(1, len(rows) + 1), "line")
    return frame(cells, numbers, ["what", "measured", "model", "agrees"])
