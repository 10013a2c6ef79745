"""What is counted when every pass is refused.

Interface: count_by_passes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mmsim import errno
from mmsim.constants import REPORTED
from mmsim.evidence.tracer import migrate_returns
from mmsim.lessons import counters_of
from mmsim.scenarios import vfio_map

if TYPE_CHECKING:
    import pandas as pd


def count_by_passes(versions: Sequence[str], passes: Iterable[int]) -> pd.DataFrame:
    """One huge page, held for ever: the reported counters after so many refused passes."""
    import pandas as pd

    numbers = list(passes)
    rows = []
    for number in numbers:
        runs = [vfio_map(version, passes=number).run() for version in versions]
        ends = [counters_of(run) for run in runs]
        codes = [errno.name(migrate_returns(run)[-1]) for run in runs]
        assert {errno.name(run.results["pin"]) for run in runs} == {"-ENOMEM"}
        rows.append([*(end[name] for name in REPORTED for end in ends), *codes])
    columns = pd.MultiIndex.from_product([(*REPORTED, "migrate_pages returns"), versions])
    index = pd.Index(numbers, name="refused passes")
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
