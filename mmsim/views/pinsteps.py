"""The steps of a long-term pin on a huge page in CMA that lesson 02 asks about.

Interface: STEPS, places_of, pin_steps

The steps are those of a pin that isolates as meant.  With the inverted test there is one
round more, so the page is pinned three times, not twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmsim.engine.trace import Trace
from mmsim.views.changes import changes
from mmsim.views.table import cell

if TYPE_CHECKING:
    import pandas as pd

# What the lesson calls it -> the step of the model; the second pin is the same step once more.
STEPS = {
    "pin": "follow_page_mask",
    "look": "is_longterm_pinnable_page",
    "let go": "gup_put_folio",
    "move": "folio_migrate_mapping",
    "pin again": "follow_page_mask",
    "map": "iommu_map",
}


def places_of(trace: Trace) -> dict[str, int]:
    """Each of STEPS -> the number of its step in a run of `boot_guest`, from 1 on."""
    names = [event.op.kind.name for event in trace.events]
    found: dict[str, int] = {}
    for name, step in STEPS.items():
        found[name] = names.index(step, found["pin"] if name == "pin again" else 0) + 1
    return found


def pin_steps(trace: Trace) -> pd.DataFrame:
    """Only these steps of the run: the function, its answer, and the first thing it changed."""
    import pandas as pd

    rows = []
    for name, position in places_of(trace).items():
        changed = next(iter(changes(trace, position)), "")
        rows.append((name, position, cell(trace, position), str(changed)))
    columns = ["what happens", "step", "in the model", "what changed"]
    return pd.DataFrame(rows, columns=columns, dtype=object).set_index(columns[0])
