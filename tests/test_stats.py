"""Intervals of counted shares: against the intervals that came with the measurements."""

from __future__ import annotations

import pytest

from mmsim import datafiles
from mmsim.stats import wilson

TABLES = [
    "s2_summary.csv",
    "s3_timed_release_by_actual_release.csv",
    "s3_timed_release_summary.csv",
    "s4_dropcaches_summary.csv",
    "s4_once_n1_by_drop_start.csv",
    "s4_once_n8_by_drop_start.csv",
    "s5_order0_summary.csv",
    "s10_pins_summary.csv",
]


@pytest.mark.parametrize("table", TABLES)
def test_the_intervals_of_the_measured_tables(table):
    rows = datafiles.load_csv(f"kernel-runs/{table}")
    assert len(rows) > 10
    for row in rows:
        found = wilson(int(row["n_pin_failed"]), int(row["n_trials"]))
        stored = float(row["wilson95_low"]), float(row["wilson95_high"])
        assert found == pytest.approx(stored, abs=6e-5), row


@pytest.mark.parametrize("hits", range(12))
def test_it_holds_the_share_and_mirrors(hits):
    low, high = wilson(hits, 11)
    assert 0 <= low <= hits / 11 <= high <= 1
    assert wilson(11 - hits, 11) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("counts", [(1, 0), (0, 0), (3, 2), (-1, 2)])
def test_impossible_counts(counts):
    with pytest.raises(ValueError, match="is no share"):
        wilson(*counts)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_impossible_confidence(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(1, 2, confidence)
