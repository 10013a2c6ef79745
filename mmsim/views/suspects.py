"""What lesson 00 tells, as tables: the run that fails, and the suspects.

Interface: failed_pin, suspects, suspects_tried
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmsim.engine.trace import Trace
from mmsim.lessons import REPORTED, counters_of
from mmsim.practice.suspects import SUSPECTS, suspect

if TYPE_CHECKING:
    import pandas as pd


# Steps of a pin that fails because of one foreign reference, in words that need no lesson.  A step
# that only counts goes by its first counter.
TOLD = {
    "folio_get": "the stranger takes a reference on the huge page",
    "follow_page_mask": "the pin takes hold of its 512 small pages",
    "is_longterm_pinnable_page": "it sees that they lie in CMA, where they may not stay",
    "gup_put_folio": "it lets go of all 512, so that they can be moved",
    "alloc_migration_target": "it looks for a free huge page elsewhere, and finds none",
    "can_split_folio": "so it begins to split the page, and finds one reference too many",
    "thp_split_page_failed": "the split is counted as refused",
    "pgmigrate_fail": "and the page as not moved",
    "putback_lru_page": "the page stays where it was, and the pin returns -ENOMEM",
}


def failed_pin(trace: Trace) -> pd.DataFrame:
    """The steps of `vfio_map()` that matter, in plain words, with the counters that each moves."""
    import pandas as pd

    rows = {}
    for step, event in enumerate(trace.events, start=1):
        before, after = (trace.state(at).world.vmstat for at in (step - 1, step))
        moved = {name: n - before[name] for name, n in after.items() if n != before[name]}
        words = next((TOLD[name] for name in (event.op.kind.name, *moved) if name in TOLD), "")
        if words:
            rows[step] = (words, ", ".join(f"{name} +{n}" for name, n in moved.items()))
    index = pd.Index(rows, name=f"step, of {len(trace)}")
    return pd.DataFrame(list(rows.values()), index=index, columns=["what happens", "counted"])


def suspects() -> pd.DataFrame:
    """Who could it have been?"""
    import pandas as pd

    index = pd.Index(SUSPECTS, name="suspect")
    return pd.DataFrame({"what it means": [s.what for s in SUSPECTS.values()]}, index=index)


def suspects_tried(
    judged: Mapping[str, bool | None], bet: Sequence[object] = ()
) -> pd.DataFrame | str:
    """What the model counts for each suspect; a sentence while one has not been judged yet.

    `bet`: the suspects' names, the likeliest first."""
    import pandas as pd

    if any(judged.get(name) is None for name in SUSPECTS):
        return "Shown once you have judged all four; then run this cell again."
    rows = []
    for name in SUSPECTS:
        found = counters_of(suspect(name).run())
        fits = "✔ fits the report" if set(found.values()) == {1} else "✘ ruled out"
        place = {"your bet": list(bet).index(name) + 1 if name in bet else "none"} if bet else {}
        said = {"against the report": fits, "you said ruled out": judged[name]}
        rows.append({**found, **said, **place})
    assert list(rows[0])[: len(REPORTED)] == list(REPORTED)
    return pd.DataFrame(rows, index=pd.Index(SUSPECTS, name="suspect"))
