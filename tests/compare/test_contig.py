"""Measured requests to a CMA area, row by row."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.evidence.kernel_runs import compare_contig_row, compare_file

NAME = "s11_cma_alloc_return_value.csv"


@pytest.fixture(scope="module")
def compared():
    return compare_file(NAME)


def test_every_row_that_a_version_stands_for_agrees_or_is_explained(compared):
    counts = {v: len(compared.having(v)) for v in ("agree", "explained", "disagree", "skipped")}
    assert counts == {"agree": 43, "explained": 1, "disagree": 0, "skipped": 22}
    assert compared.numbers == 522


def test_something_is_read_off_only_where_a_later_range_was_free(compared):
    read = [row for row in compared.rows if row.read_off]
    assert {row.version for row in read} == {"v1"}
    assert all(row.read_off["write_errno"] == 0 for row in read)
    assert len(read) == 3


def test_where_every_range_fails_their_number_is_predicted(compared):
    rows = load_csv(f"kernel-runs/{NAME}")
    at = next(
        number
        for number, row in enumerate(rows, start=2)
        if (row["variant"], row["cma_alloc_pages"], row["alloc_mode"]) == ("v1", "63488", "inject")
        and row["held_ref"] == "1"
    )
    row = compared.rows[at - 2]
    assert row.predicted["d_thp_split_page_failed"] == 5 * (65536 - 63488 + 1) == 10245
    assert row.read_off == {}


def test_a_changed_number_disagrees():
    rows = load_csv(f"kernel-runs/{NAME}")
    row = {**rows[0], "d_pgmigrate_fail": "513"}
    assert compare_contig_row(2, row).verdict == "disagree"
    assert compare_contig_row(2, {**rows[0], "first_migrate_ret": "-11"}).differing == [
        "first_migrate_ret"
    ]
