"""Small tables, of runs of the model and of what was measured.

A table is a pandas DataFrame with a named index; pandas is imported when one is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mmsim import errno
from mmsim.evidence.ftrace import RealTrace
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.observed import migrate_returns
from mmsim.views.words import in_a_row

if TYPE_CHECKING:
    import pandas as pd


Frame: TypeAlias = "pd.DataFrame"
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
