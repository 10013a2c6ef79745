"""Measured writes to drop_caches against the model.

Interface: NEEDED, compare_drop_row

A row says how a memfd of 1,024 pages was filled and whether it was still
mapped or referred to when 1 was written to drop_caches.  From that follow PG_dirty, and with the
model's run what stays in the page cache."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from mmsim.compare.pins import BACKINGS
from mmsim.compare.rows import Row, RowComparison, one_of, whole
from mmsim.conformance.drop_caches import run_drop_caches
from mmsim.mm.versions import BASE
from mmsim.units import HPAGE_PMD_ORDER

PAGES = 1024
# A CPU keeps up to so many pages to itself before it adds them to /proc/vmstat (STAT_THRESHOLD).
COUNTED_LATE = 125
LATE = (
    "nr_shmem is counted per CPU and added up late; the page cache itself was counted page by page"
)


class DropCase(NamedTuple):
    """What a run depends on."""

    huge: bool
    dirty: bool
    mapped: bool
    strange: bool


NEEDED = (
    "backing",
    "populate",
    "written",
    "mapped",
    "extra_ref",
    "pages_in_cache_before",
    "pages_in_cache_after_drop1",
)


@functools.lru_cache(maxsize=32)
def predict_drop(case: DropCase) -> tuple[int, int]:
    """(pages dropped, writes counted) by the model."""
    order = HPAGE_PMD_ORDER if case.huge else 0
    entry: dict[str, Any] = {"name": "F", "order": order, "count": PAGES >> order}
    entry |= {"dirty": case.dirty, "pmd_maps" if case.huge else "pte_maps": int(case.mapped)}
    vector = {
        "setup": {"folios": [entry]},
        "script": {"strangers": [{"folio": "F#0"}]} if case.strange else {},
        "operation": {"op": "drop_caches", "value": 1},
    }
    counters = run_drop_caches(vector, BASE, {})["counters"]
    return counters["nr_free_pages"], counters["drop_pagecache"]


def compare_drop_row(number: int, row: Row) -> RowComparison:
    """Compare one row; ValueError if it can't be read."""
    mapped, written, strange = (
        one_of(row, column, ("0", "1")) == "1" for column in ("mapped", "written", "extra_ref")
    )
    huge = one_of(row, "backing", BACKINGS) == "thp"
    allocated = one_of(row, "populate", ("mmap_populate", "fallocate")) == "fallocate"
    if whole(row, "pages_in_cache_before") != PAGES:
        why = f"the file did not have {PAGES} pages in the page cache"
        return RowComparison(number, "", "skipped", {}, {}, {}, why)
    # A write through a mapping is noted in the page table until the mapping goes.
    dirty = allocated or (written and not mapped)
    dropped, counted = predict_drop(DropCase(huge, dirty, mapped, strange))
    predicted = {
        "kpageflags_dirty_before": int(dirty),
        "pages_in_cache_after_drop1": PAGES - dropped,
        "d_drop_pagecache": counted,
    }
    if "nr_shmem_after" in row and "nr_shmem_before" in row:
        predicted["nr_shmem_after"] = whole(row, "nr_shmem_before") - dropped
    predicted = {name: value for name, value in predicted.items() if name in row}
    measured = {name: whole(row, name) for name in predicted}
    result = RowComparison(number, BASE.name, "agree", {}, predicted, measured, "")
    if not result.differing:
        return result
    if result.differing == ["nr_shmem_after"] and not huge:
        off = abs(measured["nr_shmem_after"] - predicted["nr_shmem_after"])
        if off <= COUNTED_LATE:
            return result._replace(verdict="explained", why=LATE)
    return result._replace(verdict="disagree")
