"""Measured rows against the model, number by number.

Interface: compare_file, FileComparison, RowComparison, COMPARED, NOT_COMPARED

A row of data/kernel-runs says what was set up and what a real kernel did.  What follows from the
set-up is predicted by the model; what depends on timing is read off the row, and said.
"""

from __future__ import annotations

from pathlib import Path

from mmsim import datafiles
from mmsim.compare import cma_fallback, indices
from mmsim.compare.contig import compare_contig_row, is_contig_row
from mmsim.compare.drop_caches import compare_drop_row, is_drop_row
from mmsim.compare.pins import compare_pin_row, is_pin_row
from mmsim.compare.rows import FileComparison as FileComparison
from mmsim.compare.rows import Row, RowComparison

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
    "s4_dropcaches_trials.csv": "depends on when drop_caches meets the pin; not deterministic",
    "s10_pagetypeinfo.csv": "what the indices of s10_extfrag.csv are recomputed from",
}


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


def compare_file(name: str) -> FileComparison:
    """Compare a file of data/kernel-runs, or any of that form; ValueError for others."""
    if name in NOT_COMPARED:
        raise ValueError(f"{name} can't be compared: {NOT_COMPARED[name]}")
    path = Path(name)
    if not path.exists():
        path = datafiles.path(f"kernel-runs/{name}")
    rows = datafiles.read_csv(path)
    columns = rows[0].keys() if rows else set[str]()
    try:
        if columns >= set(indices.COLUMNS):
            return FileComparison(path.name, _compare_indices(rows, path))
        if columns >= set(cma_fallback.COLUMNS):
            return cma_fallback.compare_steps(path.name, rows)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if is_drop_row(columns):
        compare = compare_drop_row
    elif is_contig_row(columns):
        compare = compare_contig_row
    elif is_pin_row(columns):
        compare = compare_pin_row
    else:
        raise ValueError(f"{name} is not a table of pins: no column code, variant or pin_errno")
    compared: list[RowComparison] = []
    for number, row in enumerate(rows, start=2):  # line 1 is the header
        try:
            compared.append(compare(number, row))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{name}, line {number}: can't be read: {error}") from None
    return FileComparison(path.name, compared)
