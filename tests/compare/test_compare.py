"""The model against measured rows: what agrees, what is skipped, and that it can disagree."""

from __future__ import annotations

import csv

import pytest

from mmsim import datafiles
from mmsim.evidence.kernel_runs import (
    COMPARED,
    NOT_COMPARED,
    OTHER_LOOP,
    VERSION_OF,
    Case,
    compare_file,
    predict,
)


def verdicts(comparison):
    return {v: len(comparison.having(v)) for v in ("agree", "explained", "disagree", "skipped")}


@pytest.mark.parametrize(
    ("name", "agree", "explained", "skipped"),
    [
        ("s1_order9_available.csv", 4, 0, 2),
        ("s2_order9_alloc_fails.csv", 87, 0, 45),
        ("s3_held_reference.csv", 29, 0, 10),
        ("s3_guptest_crosscheck.csv", 8, 0, 4),
        ("s5_order0_pages.csv", 563, 0, 283),
        ("s7_pin_clean_dirty.csv", 8, 0, 4),
        ("s7_dropcaches_clean_dirty.csv", 12, 2, 0),
        ("s10_s2_real_fragmentation_pins.csv", 707, 2, 476),
        ("s3_timed_release.csv", 1344, 0, 672),
    ],
)
def test_every_row_that_has_a_version_agrees(name, agree, explained, skipped):
    found = compare_file(name)
    assert verdicts(found) == {
        "agree": agree,
        "explained": explained,
        "disagree": 0,
        "skipped": skipped,
    }
    assert name in COMPARED


def test_every_measured_table_of_pins_is_compared_or_says_why_not():
    here = {
        name.removeprefix("kernel-runs/") for name in datafiles.names() if "kernel-runs" in name
    }
    tables = {name for name in here if name.endswith(".csv")}
    summaries = {n for n in tables if "summary" in n or "_by_" in n or "threshold" in n}
    told = set(COMPARED) | set(NOT_COMPARED)
    assert tables - summaries - {"s10_snapshots.csv"} == told


def test_rows_of_the_later_loop_are_never_called_base():
    assert ("6.1.192", "base", "1") not in VERSION_OF
    skipped = compare_file("s1_order9_available.csv").having("skipped")
    assert {row.why for row in skipped} == {OTHER_LOOP}


def changed_copy(tmp_path, column, value, name="s3_held_reference.csv", where=None):
    source = datafiles.path(f"kernel-runs/{name}")
    with source.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    changed = next(row for row in rows if (where or (lambda r: r["code"] == "oct22"))(row))
    changed[column] = value
    target = tmp_path / "changed.csv"
    with target.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return target


@pytest.mark.parametrize(
    "column", ["d_thp_migration_fail", "pin_errno", "thp_after", "d_pgmigrate_fail"]
)
def test_one_changed_number_is_one_disagreement(tmp_path, column):
    found = compare_file(str(changed_copy(tmp_path, column, "7")))
    (row,) = found.having("disagree")
    assert row.differing == [column]
    assert row.measured[column] == 7


def test_a_surplus_without_compaction_is_not_explained_away(tmp_path):
    found = compare_file(str(changed_copy(tmp_path, "d_pgmigrate_success", "9")))
    assert len(found.having("disagree")) == 1
    assert not found.having("explained")


DROPS = "s7_dropcaches_clean_dirty.csv"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kpageflags_dirty_before", "1"),
        ("pages_in_cache_after_drop1", "1023"),
        ("d_drop_pagecache", "2"),
        ("nr_shmem_after", "1754"),
    ],
)
def test_one_changed_number_of_a_drop_is_one_disagreement(tmp_path, column, value):
    copy = changed_copy(tmp_path, column, value, DROPS, lambda row: True)
    (row,) = compare_file(str(copy)).having("disagree")
    assert (row.number, row.differing) == (2, [column])


@pytest.mark.parametrize(("late", "verdict"), [(125, "explained"), (126, "disagree")])
def test_shmem_may_be_counted_late_but_not_by_any_number(tmp_path, late, verdict):
    def single(row):
        return row["case"] == "readfault_unmapped" and row["backing"] == "base"

    copy = changed_copy(tmp_path, "nr_shmem_after", str(1755 - 1024 + late), DROPS, single)
    found = {row.number: row.verdict for row in compare_file(str(copy)).rows}
    assert found[11] == verdict


def test_what_is_dropped_follows_from_the_setting(tmp_path):
    """Another setting with the same measurements is wrong: nothing is read off the row."""
    for column, value in (("mapped", "0"), ("backing", "base"), ("written", "1")):
        copy = changed_copy(tmp_path, column, value, DROPS, lambda row: True)
        disagree = len(compare_file(str(copy)).having("disagree"))
        assert disagree == (column == "mapped"), column


def test_bad_files_get_one_sentence(tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    number = changed_copy(tmp_path, "n_units_2mib", "many")
    for name, says in [
        (str(wrong), "not a table of pins"),
        (str(number), "line 2"),
        ("s3_held_referenc.csv", "s3_held_reference.csv"),
        ("s4_dropcaches_trials.csv", "not deterministic"),
    ]:
        with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
            compare_file(name)
        assert says in str(error.value)


def test_refusals_are_counted_from_the_run():
    numbers = dict(predict(Case("v3", True, 1, False, 1, -1)))
    assert numbers["split_fail_at_check"] == numbers["d_thp_split_page_failed"] == 10
    assert numbers["split_fail_at_freeze"] == 0
    pages = dict(predict(Case("v3", False, 1, True, 1, -1)))
    assert pages["base_page_eagain_at_refcount"] == 10
