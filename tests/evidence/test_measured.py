"""Shares counted from the measured rows, and their intervals: against the measured summaries."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.evidence.measured import (
    RETRY,
    SCENARIOS,
    VARIANTS,
    Share,
    disturbed,
    rescued,
    wilson,
)

KINDS = (*VARIANTS, RETRY)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("kind", KINDS)
def test_pins_beside_drop_caches_are_those_of_the_summary(kind, scenario):
    variant, knob = ("v2", "1") if kind == RETRY else (kind, "0")
    wanted = {"scenario": scenario, "variant": variant, "subpage_retry_knob": knob}
    rows = [
        row
        for row in load_csv("kernel-runs/s4_dropcaches_summary.csv")
        if wanted.items() <= row.items()
    ]
    assert len(rows) == 2  # two loops
    found = disturbed(kind, scenario)

    def total(column):
        return sum(int(row[column]) for row in rows)

    assert found.failed == Share(total("n_pin_failed"), total("n_trials"))
    assert found.huge_page_left == total("n_failed_with_a_thp_left")
    assert found.only_pieces_left == total("n_failed_with_all_thp_split")
    assert found.split_refused == total("n_trials_with_any_split_failure")
    for column, count in (
        ("mean_base_page_eagain_at_lock_or_unmap", found.busy_lock),
        ("mean_base_page_eagain_at_refcount", found.busy_reference),
    ):
        means = sum(float(row[column]) * int(row["n_trials"]) for row in rows)
        assert count == pytest.approx(means, abs=0.1)


def test_every_scenario_is_pooled_and_nothing_else():
    for kind in KINDS:
        parts = [disturbed(kind, scenario) for scenario in SCENARIOS]
        whole = disturbed(kind)
        assert whole.failed == Share(*map(sum, zip(*(part.failed for part in parts), strict=True)))
        assert len(whole.pages_left) == whole.only_pieces_left
        assert whole.failed.trials == 1020
    modes = {
        (row["scenario"], row["alloc_mode"], row["backing"])
        for row in load_csv("kernel-runs/s4_dropcaches_trials.csv")
    }
    assert {name for name, mode, backing in modes if (mode, backing) == ("inject", "thp")} == {
        *SCENARIOS
    }


def test_the_figures_of_the_readme():
    assert [disturbed(kind).failed.hits for kind in KINDS] == [501, 500, 503, 4]
    assert [disturbed(kind).huge_page_left for kind in VARIANTS] == [6, 1, 0]
    assert sum(disturbed(kind).busy_lock for kind in KINDS) == 6075
    assert sum(disturbed(kind).busy_reference for kind in KINDS) == 7920


def test_base_rescues_nobody():
    for how in ("injected", "fragmented"):
        assert rescued("base", how).hits == 0
        assert rescued("v2", how).hits > 50
    assert rescued("v2", "injected") == Share(67, 454)
    assert rescued("v2", "fragmented") == Share(65, 137)
    assert rescued("v2", "injected", 1000) == Share(64, 179)
    assert rescued("v2", "fragmented", 1000) == Share(63, 96)


def test_what_was_not_measured():
    with pytest.raises(ValueError, match="'v3' was not measured; there are: base, v1, v2"):
        disturbed("v3")


# -- the interval of a share

WITH_INTERVALS = [
    "s2_summary.csv",
    "s3_timed_release_by_actual_release.csv",
    "s3_timed_release_summary.csv",
    "s4_dropcaches_summary.csv",
    "s4_once_n1_by_drop_start.csv",
    "s4_once_n8_by_drop_start.csv",
    "s5_order0_summary.csv",
    "s10_pins_summary.csv",
]


@pytest.mark.parametrize("table", WITH_INTERVALS)
def test_the_intervals_of_the_measured_tables(table):
    rows = load_csv(f"kernel-runs/{table}")
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


def test_more_trials_narrow_it_and_more_confidence_widens_it():
    widths = [high - low for low, high in (wilson(n // 2, n) for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)
    narrow, wide = wilson(40, 100), wilson(40, 100, 0.99)
    assert wide[0] < narrow[0]
    assert narrow[1] < wide[1]


@pytest.mark.parametrize("counts", [(1, 0), (0, 0), (3, 2), (-1, 2)])
def test_impossible_counts(counts):
    with pytest.raises(ValueError, match="is no share"):
        wilson(*counts)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_impossible_confidence(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(1, 2, confidence)
