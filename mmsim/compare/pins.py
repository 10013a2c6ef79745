"""Measured long-term pins against the model.

Interface: is_pin_row, compare_pin_row, predict, Case, VERSION_OF, measured_version

A row says what was set up and what a real kernel did.  The set-up becomes a conformance vector, the
model runs it, and every number that the row measured is predicted.  Two things depend on timing and
are read off the row instead: how many splits were refused before a timed reference went away, and,
with single pages, whether it was still there."""

from __future__ import annotations

import functools
from collections.abc import Set
from typing import Any, NamedTuple

from mmsim.compare.rows import Row, RowComparison
from mmsim.conformance.operations import run_gup
from mmsim.mm.versions import VERSIONS, Version, get
from mmsim.units import HPAGE_PMD_NR, MIGRATE_PASSES, PAGE_SIZE

# (loop in the measured kernel, variant, return-value fix) -> the version with the same behaviour
# here.
VERSION_OF = {
    ("oct22", "base", "0"): "base",
    ("oct22", "base", "1"): "6.1.0",
    # v1's gup.c change and the later return-value rule differ in no number of these rows.
    ("oct22", "v1", "1"): "v1",
    # v1's retry with neither of them: what gup sees is what it sees of the retry alone.
    ("oct22", "v1", "0"): "2/2-only",
    ("oct22", "v2", "1"): "v3",
    ("oct22", "v2", "0"): "2/2-only",
    # That loop works in batches of at most 512 pages.  For these lists its numbers are the same.
    ("6.1.192", "v2", "1"): "v3fix",
}


def measured_version(code: str, variant: str, retfix: str) -> Version | None:
    """The row of seams that behaves like a measured kernel; None if there is none.

    All measured variants decide by the same return-value rule whether a pin goes on, v1 too: what
    v1 itself did about that, in gup.c, was not in the measured kernel."""
    name = VERSION_OF.get((code, variant, retfix))
    if name is None:
        return None
    rule = get(VERSION_OF["oct22", "base", retfix])
    return get(name)._replace(final_rc=rule.final_rc, gup_fails=rule.gup_fails)


OTHER_LOOP = "the later loop without the patch or its return-value rule: no version of the model"
NOT_IN_CMA = "the range was not entirely in CMA at the start"
COMPACTION = "whether compaction finds a huge page is not modelled"

COUNTERS = (
    "pgmigrate_success",
    "pgmigrate_fail",
    "thp_migration_success",
    "thp_migration_fail",
    "thp_migration_split",
    "thp_split_page",
    "thp_split_page_failed",
)
REFUSALS = "d_thp_split_page_failed"


def is_pin_row(columns: Set[str]) -> bool:
    """Are these the columns of a table of pins?"""
    return {"code", "variant"} <= columns and bool({"pin_errno", "bytes_pinned"} & columns)


class Case(NamedTuple):
    """What a run depends on: enough to predict every number of a row."""

    version: str
    huge: bool
    units: int
    targets: bool
    refs: int
    held_until: int
    """The pass before which the reference goes away; -1: never, 0: there is none."""


@functools.lru_cache(maxsize=1024)
def predict(case: Case) -> tuple[tuple[str, int], ...]:
    """Run the model for this case; answers the columns of a row with their numbers."""
    pages = case.units * HPAGE_PMD_NR
    entry = {
        "name": "U",
        "order": 9 if case.huge else 0,
        "count": case.units if case.huge else pages,
    }
    first = "U#0" if case.huge else "U#100"
    script: dict[str, Any] = {} if case.targets else {"order9_targets": "none"}
    if case.held_until:
        stranger: dict[str, Any] = {"folio": first, "refs": case.refs}
        if case.held_until > 0:
            stranger["to"] = {"pass": case.held_until, "site": "alloc"}
        script["strangers"] = [stranger]
    vector = {
        "setup": {"folios": [entry]},
        "script": script,
        "operation": {"op": "pin_longterm", "range": ["U"], "write": True},
    }
    names = [f"U#{i}" for i in range(case.units)] if case.huge else []
    found = run_gup(vector, VERSIONS[case.version], {"folios": {name: {} for name in names}})
    result = found["calls"][0]["result"]
    numbers = {
        "pin_errno": 0 if isinstance(result, int) else -12,
        "thp_after": sum(not folio["split"] for folio in found["folios"].values()),
        "cma_pages_after": found["pages_in_cma_after"],
        **{f"d_{name}": found["counters"][name] for name in COUNTERS},
        "split_fail_at_check": found["refused"]["split at the check"],
        "split_fail_at_freeze": found["refused"]["split at the freeze"],
        "base_page_eagain_at_refcount": found["refused"]["move of a page"],
        "bytes_pinned": result * PAGE_SIZE if isinstance(result, int) else 0,
    }
    return tuple(numbers.items())


def _case(row: Row, version: str) -> tuple[Case, dict[str, int]]:
    """The case of a row, and what had to be read off it."""
    huge = row["backing"] == "thp"
    held, read_off = 0, {}
    if row["ref_kind"] == "held":
        held = -1
    elif row["ref_kind"] == "timed" and huge:
        read_off[REFUSALS] = held = int(row[REFUSALS])
        if held == MIGRATE_PASSES:
            held = -1
    elif row["ref_kind"] == "timed":
        read_off["pin_errno"] = int(row["pin_errno"])
        held = -1 if read_off["pin_errno"] else 0
    case = Case(
        version,
        huge,
        int(row["n_units_2mib"]),
        row["alloc_mode"] in ("order9_ok", "order0"),
        max(int(row["n_refs"]), 1),
        held,
    )
    return case, read_off


def _skip(row: Row, version: str | None) -> str:
    if version is None:
        return OTHER_LOOP
    if row.get("alloc_mode") == "frag_movable":
        return COMPACTION
    if int(row["cma_pages_before"]) != int(row["n_units_2mib"]) * HPAGE_PMD_NR:
        return NOT_IN_CMA
    return ""


def compare_pin_row(number: int, row: Row) -> RowComparison:
    """Compare one row; ValueError or KeyError if it can't be read."""
    version = VERSION_OF.get((row["code"], row["variant"], row.get("retfix", "1")))
    if "bytes_pinned" in row:  # the cross-check with another pinning program has columns of its own
        row = {
            **row,
            "backing": "thp",
            "n_units_2mib": str(int(row["bytes_asked"]) // (HPAGE_PMD_NR * PAGE_SIZE)),
            "cma_pages_before": str(int(row["bytes_asked"]) // PAGE_SIZE),
            "ref_kind": "held" if row["ref"] == "held_ref" else "none",
            "alloc_mode": "inject",
            "n_refs": "1",
        }
    why = _skip(row, version)
    if why or version is None:
        return RowComparison(number, version or "", "skipped", {}, {}, {}, why)
    case, read_off = _case(row, version)
    predicted = {n: v for n, v in predict(case) if n in row and n not in read_off}
    if row["ref_kind"] == "timed" and row["backing"] != "thp":
        # How many passes a page was refused in before it was released is timing as well.
        predicted.pop("base_page_eagain_at_refcount")
    measured = {name: int(row[name]) for name in predicted}
    result = RowComparison(number, version, "agree", read_off, predicted, measured, "")
    if not result.differing:
        return result
    surplus = result.differing == ["d_pgmigrate_success"] and (
        measured["d_pgmigrate_success"] > predicted["d_pgmigrate_success"]
    )
    if surplus and int(row["d_compact_stall"]) > 0:
        why = "compaction ran meanwhile and moved pages of others, which vmstat counts too"
        return result._replace(verdict="explained", why=why)
    return result._replace(verdict="disagree")
