"""Measured writes to drop_caches against the model.

Interface: is_drop_row, compare_drop_row

A row says how a memfd of 1,024 pages was filled and whether it was still
mapped or referred to when 1 was written to drop_caches.  From that follow PG_dirty, and with the
model's run what stays in the page cache."""

from __future__ import annotations

import functools
from collections.abc import Set
from typing import Any, NamedTuple

from mmsim.compare.rows import Row, RowComparison
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


def is_drop_row(columns: Set[str]) -> bool:
    """Are these the columns of a table of writes to drop_caches?"""
    return {"pages_in_cache_after_drop1", "populate", "written", "extra_ref"} <= columns


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
    """Compare one row; ValueError or KeyError if it can't be read."""
    if int(row["pages_in_cache_before"]) != PAGES:
        why = f"the file did not have {PAGES} pages in the page cache"
        return RowComparison(number, "", "skipped", {}, {}, {}, why)
    mapped, written = int(row["mapped"]), int(row["written"])
    # A write through a mapping is noted in the page table until the mapping goes.
    dirty = row["populate"] == "fallocate" or bool(written and not mapped)
    huge = row["backing"] == "thp"
    case = DropCase(huge, dirty, bool(mapped), bool(int(row["extra_ref"])))
    dropped, counted = predict_drop(case)
    predicted = {
        "kpageflags_dirty_before": int(dirty),
        "pages_in_cache_after_drop1": PAGES - dropped,
        "d_drop_pagecache": counted,
        "nr_shmem_after": int(row["nr_shmem_before"]) - dropped,
    }
    measured = {name: int(row[name]) for name in predicted}
    result = RowComparison(number, BASE.name, "agree", {}, predicted, measured, "")
    if not result.differing:
        return result
    late = abs(measured["nr_shmem_after"] - predicted["nr_shmem_after"]) <= COUNTED_LATE
    if result.differing == ["nr_shmem_after"] and late and not huge:
        return result._replace(verdict="explained", why=LATE)
    return result._replace(verdict="disagree")
