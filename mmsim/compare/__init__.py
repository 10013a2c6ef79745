"""Measured rows against the model, number by number.

Interface: compare_file, FileComparison, RowComparison, COMPARED, NOT_COMPARED

A row of data/kernel-runs says what was set up and what a real kernel did.  What follows from the
set-up is predicted by the model; what depends on timing is read off the row, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from pathlib import Path
from typing import NamedTuple

from mmsim import datafiles
from mmsim.compare import cma_fallback, contig, drop_caches, indices, pins
from mmsim.compare.rows import FileComparison as FileComparison
from mmsim.compare.rows import Reading, Row, RowComparison, check_columns

Compare = Callable[[Path, list[Row]], FileComparison]

COMPARED = (
    "s1_order9_available.csv",
    "s2_order9_alloc_fails.csv",
    "s3_held_reference.csv",
    "s3_guptest_crosscheck.csv",
    "s3_timed_release.csv",
    "s5_order0_pages.csv",
    "s7_pin_clean_dirty.csv",
    "s7_dropcaches_clean_dirty.csv",
    "s9_cma_fallback.csv",
    "s10_s2_real_fragmentation_pins.csv",
    "s11_cma_alloc_return_value.csv",
    "s10_extfrag.csv",
)
NOT_COMPARED = {
    "s4_dropcaches_trials.csv": pins.DROP_CACHES,
    "k612/k612_s4_pieces_counterfactual.csv": "no version of the model is Linux 6.12",
    "s10_pagetypeinfo.csv": "what the indices of s10_extfrag.csv are recomputed from",
}
_NOT_USED = {
    "where a row comes from": ("boot", "scenario", "trial", "case", "placement_tries"),
    "times": ("hold_us", "actual_release_us", "pin_us", "us", "traced"),
    "which batches a pin drains; the model puts no page of these ranges into one": ("gup_rule",),
    "any page of a huge page is alike": ("ref_subpage",),
    "how drop_caches was called": ("dc_value", "dc_gap_us"),
    "free memory elsewhere": ("free_pages_before", "free_cma_before"),
    "what the counts of free pages say already": ("cma_area_pages", "mapped_mib"),
    "asked about only where pages of others were moved": ("d_compact_stall",),
    "measured, but not predicted": (
        "d_compact_fail",
        "d_drop_pagecache",
        "base_page_eagain_at_lock_or_unmap",
        "ioctl_ret",
        "head_flags_hex",
        "alloc_contig_attempts",
        "thp_in_step",
    ),
}


def why_not_used(column: str) -> str:
    """Why nothing was predicted from a column, and it was not predicted either."""
    for why, columns in _NOT_USED.items():
        if column in columns:
            return why
    known = {*pins.OUTCOMES, "retfix", *(name for table in TABLES for name in table.columns)}
    return "no row here needs it" if column in known else "unknown to mmsim"


def _compare_indices(rows: list[Row], path: Path) -> list[RowComparison]:
    """Rows of fragmentation indices, in thousandths; no version changes how they are computed."""
    compared = []
    for value in indices.recomputed(rows, path.parent):
        agrees = value.predicted == value.measured
        predicted, measured = {value.metric: value.predicted}, {value.metric: value.measured}
        verdict = "agree" if agrees else "explained" if value.why else "disagree"
        compared.append(
            RowComparison(value.line, "every version", verdict, {}, predicted, measured, value.why)
        )
    return compared


def _indices_of(path: Path, rows: list[Row]) -> FileComparison:
    return FileComparison(path.name, _compare_indices(rows, path))


def _steps_of(path: Path, rows: list[Row]) -> FileComparison:
    return cma_fallback.compare_steps(path.name, rows)


def _by_row(compare: Callable[[int, Row], RowComparison]) -> Compare:
    def compared(path: Path, rows: list[Row]) -> FileComparison:
        found: list[RowComparison] = []
        for number, row in enumerate(rows, start=2):  # line 1 is the header
            try:
                found.append(compare(number, row))
            except ValueError as error:
                raise ValueError(f"line {number}: can't be read: {error}") from None
        return FileComparison(path.name, found)

    return compared


class Table(NamedTuple):
    """A kind of table: what its rows are, the columns that it can't do without, and how it is
    compared."""

    what: str
    columns: tuple[str, ...]
    compare: Compare


PINS = Table("pins", pins.NEEDED, _by_row(pins.compare_pin_row))
TABLES = (
    PINS,
    Table("fragmentation indices", indices.COLUMNS, _indices_of),
    Table("steps that populate a guest", cma_fallback.NEEDED, _steps_of),
    Table("writes to drop_caches", drop_caches.NEEDED, _by_row(drop_caches.compare_drop_row)),
    Table("requests to a CMA area", contig.NEEDED, _by_row(contig.compare_contig_row)),
    Table("pins by another program", pins.PROBE_NEEDED, _by_row(pins.compare_probe_row)),
)


def _table(columns: Set[str]) -> Table:
    """The kind of table that has the largest share of its columns here."""
    return max(TABLES, key=lambda table: len(columns & set(table.columns)) / len(table.columns))


def compare_file(name: str) -> FileComparison:
    """Compare a file of data/kernel-runs, or any of that form; ValueError for others."""
    if name in NOT_COMPARED:
        raise ValueError(f"{name} can't be compared: {NOT_COMPARED[name]}")
    path = Path(name)
    if not path.exists():
        path = datafiles.path(f"kernel-runs/{name}")
    used: set[str] = set()
    rows: list[Row] = [Reading(row, used) for row in datafiles.read_csv(path)]
    columns: set[str] = set().union(*rows[:1])
    table = _table(columns)
    check_columns(name, rows, pins.needed(rows) if table is PINS else table.columns, table.what)
    if table is PINS and not columns & set(pins.OUTCOMES):
        raise ValueError(
            f"{name} has no column that can be predicted; there are: {', '.join(pins.OUTCOMES)}"
        )
    used.clear()
    try:
        found = table.compare(path, rows)
    except ValueError as error:
        raise ValueError(f"{name}, {error}") from None
    not_used = ((column, why_not_used(column)) for column in rows[0] if column not in used)
    return found._replace(not_used=tuple(not_used))
