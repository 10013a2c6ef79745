"""Measured long-term pins against the model.

Interface: needed, compare_pin_row, PROBE_NEEDED, compare_probe_row, OUTCOMES, predict, Case,
VERSION_OF, measured_version, version_of_row

A row says what was set up and what a real kernel did.  The set-up becomes a conformance vector, the
model runs it, and every number that the row measured is predicted.  Two things depend on timing and
are read off the row instead: how many splits were refused before a timed reference went away, and,
where no split is tried, whether it was still there.

The column gup_rule is not used.  It says which pages a pin drained from the batches of all CPUs:
those that are on no LRU, or also those with a reference too many.  The model puts no page of these
ranges into a batch, so both rules give the same."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any, NamedTuple

from mmsim.compare.rows import Row, RowComparison, one_of, whole
from mmsim.conformance.operations import run_gup
from mmsim.mm.versions import VERSIONS, Version, get, pieces_try_again
from mmsim.units import HPAGE_PMD_NR, MIGRATE_PASSES, PAGE_SIZE

# (loop in the measured kernel, variant, return-value fix) -> the version with the same behaviour
# here.  The trees of base to v3 had an inverted test in collect_longterm_unpinnable_pages(): they
# skipped a page when its isolation succeeded.  The measured kernels had the test right, as all rows
# of the model have it (`isolate_inverted` is off).
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


LOOPS = {code for code, _, _ in VERSION_OF}
VARIANTS = {variant for _, variant, _ in VERSION_OF}

OTHER_LOOP = "the later loop without the patch or its return-value rule: no version of the model"
NOT_IN_CMA = "the range was not entirely in CMA at the start"
NOT_WHOLE = "the range did not consist of huge pages alone, or of single pages alone, at the start"
COMPACTION = "whether compaction finds a huge page is not modelled"
DROP_CACHES = "depends on when drop_caches meets the pin; not deterministic"

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
OUTCOMES = (
    "pin_errno",
    "thp_after",
    "cma_pages_after",
    *(f"d_{name}" for name in COUNTERS),
    "split_fail_at_check",
    "split_fail_at_freeze",
    "base_page_eagain_at_refcount",
)

BACKINGS = ("thp", "base")
NO_REF, HELD, TIMED = "none", "held", "timed"
DROPPED = ("dropcaches", "dropcaches_once")
TARGETS = ("order9_ok", "order0")
NO_TARGETS = ("inject", "frag_pinned")
MOVABLE = "frag_movable"
UNITS_MAX = 256
"""The largest measured CMA area has 512 MiB."""
REFS_MAX = 100_000

NEEDED = (
    "code",
    "variant",
    "backing",
    "n_units_2mib",
    "alloc_mode",
    "ref_kind",
    "ref_unit",
    "ref_subpage",
    "n_refs",
    "cma_pages_before",
)
PROBE_NEEDED = ("code", "variant", "ref", "bytes_pinned", "bytes_asked")


def needed(rows: list[Row]) -> tuple[str, ...]:
    """The columns without which these rows can't be predicted."""
    found = dict.fromkeys(NEEDED)
    for row in rows:
        if row.get("code") in LOOPS:
            found["retfix"] = None
        if row.get("ref_kind") == TIMED:
            splits = row.get("backing") == "thp" and row.get("alloc_mode") not in TARGETS
            found[REFUSALS if splits else "pin_errno"] = None
    return tuple(found)


class Case(NamedTuple):
    """What a run depends on: enough to predict every number of a row."""

    version: str
    huge: bool
    units: int
    targets: bool
    refs: int
    held_until: int
    """The pass before which the reference goes away; -1: never, 0: there is none."""
    unit: int = 0
    """Which stretch of 2 MiB the reference is in."""
    page: int = 0
    """Which single page of that stretch it is to; of a huge page every page is alike."""
    dirty: bool = True
    pieces_retry: bool = False
    """The counterfactual: pieces of a split huge page get every pass."""


@functools.lru_cache(maxsize=1024)
def predict(case: Case) -> tuple[tuple[str, int], ...]:
    """Run the model for this case; answers the columns of a row with their numbers."""
    pages = case.units * HPAGE_PMD_NR
    entry = {
        "name": "U",
        "order": 9 if case.huge else 0,
        "count": case.units if case.huge else pages,
        "dirty": case.dirty,
    }
    at = case.unit if case.huge else case.unit * HPAGE_PMD_NR + case.page
    script: dict[str, Any] = {} if case.targets else {"order9_targets": "none"}
    if case.held_until:
        stranger: dict[str, Any] = {"folio": f"U#{at}", "refs": case.refs}
        if case.held_until > 0:
            stranger["to"] = {"pass": case.held_until, "site": "alloc"}
        script["strangers"] = [stranger]
    vector = {
        "setup": {"folios": [entry]},
        "script": script,
        "operation": {"op": "pin_longterm", "range": ["U"], "write": True},
    }
    names = [f"U#{i}" for i in range(case.units)] if case.huge else []
    version = VERSIONS[case.version]
    if case.pieces_retry:
        version = version._replace(policy=pieces_try_again)
    found = run_gup(vector, version, {"folios": {name: {} for name in names}})
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


class _Setup(NamedTuple):
    """What a row says was set up, and what had to be read off it."""

    case: Case
    why_not: str
    """Why the row can't be compared, if it can't."""
    read_off: dict[str, int]


def version_of_row(row: Row) -> tuple[str, str]:
    """The version that behaves like the kernel of a row, or "" and why there is none."""
    code, variant = row["code"], row["variant"]
    if code not in LOOPS or variant not in VARIANTS:
        return "", f"no version of the model stands for kernel {code!r}, variant {variant!r}"
    retfix = one_of(row, "retfix", ("0", "1")) if "retfix" in row else "1"
    version = VERSION_OF.get((code, variant, retfix), "")
    return version, "" if version else OTHER_LOOP


def _setup(row: Row) -> _Setup:
    """Read the set-up of a row; ValueError if it can't be."""
    version, why_not = version_of_row(row)
    huge = one_of(row, "backing", BACKINGS) == "thp"
    units = whole(row, "n_units_2mib", 1, UNITS_MAX)
    alloc_mode = one_of(row, "alloc_mode", (*TARGETS, *NO_TARGETS, MOVABLE))
    kind = one_of(row, "ref_kind", (NO_REF, HELD, TIMED, *DROPPED))
    referred = kind in (HELD, TIMED)
    unit = whole(row, "ref_unit", *((0, units - 1) if referred else ()))
    # Of a huge page any page is alike: the column is checked, but does not count as used.
    page_of = dict(row) if huge else row
    page = whole(page_of, "ref_subpage", *((0, HPAGE_PMD_NR - 1) if referred else ()))
    refs = whole(row, "n_refs", *((1, REFS_MAX) if referred else ()))
    if huge and alloc_mode == "order0":
        raise ValueError("column alloc_mode is 'order0', but column backing is 'thp'")
    huge_before = whole(row, "thp_before") if "thp_before" in row else units * huge
    in_cma = whole(row, "cma_pages_before")
    dirty = one_of(row, "dirty", ("0", "1")) == "1" if "dirty" in row else True
    knob = "subpage_retry_knob"
    pieces_retry = knob in row and one_of(row, knob, ("0", "1")) == "1"
    if not why_not and kind in DROPPED:
        why_not = DROP_CACHES
    elif not why_not and alloc_mode == MOVABLE:
        why_not = COMPACTION
    elif not why_not and in_cma != units * HPAGE_PMD_NR:
        why_not = NOT_IN_CMA
    elif not why_not and huge_before != units * huge:
        why_not = NOT_WHOLE
    targets = not huge or alloc_mode in TARGETS
    held, read_off = -1 if kind == HELD else 0, {}
    if kind == TIMED and not targets:
        read_off[REFUSALS] = held = whole(row, REFUSALS, 0)
        held = held if held < MIGRATE_PASSES else -1
    elif kind == TIMED:
        read_off["pin_errno"] = whole(row, "pin_errno")
        held = -1 if read_off["pin_errno"] else 0
    case = Case(version, huge, units, targets, 1, held, 0, 0, dirty, pieces_retry)
    if held:
        case = case._replace(refs=refs, unit=unit, page=0 if huge else page)
    return _Setup(case, why_not, read_off)


def compare_pin_row(number: int, row: Row) -> RowComparison:
    """Compare one row; ValueError if it can't be read."""
    setup = _setup(row)
    if row["ref_kind"] == TIMED and setup.case.targets:
        # How many passes a page was refused in before it was released is timing as well.
        return _compare(number, row, setup, {"base_page_eagain_at_refcount"})
    return _compare(number, row, setup)


def compare_probe_row(number: int, row: Row) -> RowComparison:
    """Compare a row of the cross-check with another pinning program, which pins huge pages while
    none can be allocated; ValueError if it can't be read."""
    version, why_not = version_of_row(row)
    size = HPAGE_PMD_NR * PAGE_SIZE
    asked = whole(row, "bytes_asked", size, UNITS_MAX * size)
    held = one_of(row, "ref", ("no_ref", "held_ref")) == "held_ref"
    if asked % size:
        raise ValueError(f"column bytes_asked is {asked}, not a multiple of {size}")
    in_cma = whole(row, "cma_pages_before") if "cma_pages_before" in row else asked // PAGE_SIZE
    if not why_not and in_cma != asked // PAGE_SIZE:
        why_not = NOT_IN_CMA
    case = Case(version, True, asked // size, False, 1, -1 if held else 0)
    return _compare(number, row, _Setup(case, why_not, {}))


def _compare(number: int, row: Row, setup: _Setup, left_out: Collection[str] = ()) -> RowComparison:
    case, why_not, read_off = setup
    if why_not:
        return RowComparison(number, case.version, "skipped", {}, {}, {}, why_not)
    # What was read off is predicted as well, and told only if the model can't come to it.
    predicted = {
        name: value
        for name, value in predict(case)
        if name in row
        and name not in left_out
        and (name not in read_off or read_off[name] != value)
    }
    measured = {name: whole(row, name) for name in predicted}
    result = RowComparison(number, case.version, "agree", read_off, predicted, measured, "")
    if not result.differing:
        return result
    surplus = result.differing == ["d_pgmigrate_success"] and (
        measured["d_pgmigrate_success"] > predicted["d_pgmigrate_success"]
    )
    if surplus and "d_compact_stall" in row and whole(row, "d_compact_stall") > 0:
        why = "compaction ran meanwhile and moved pages of others, which vmstat counts too"
        return result._replace(verdict="explained", why=why)
    return result._replace(verdict="disagree")
