"""Shares counted from the measured rows: against the summaries that came with them."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.measured import RETRY, SCENARIOS, VARIANTS, Share, disturbed, releases, rescued

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


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_timed_release_is_lost_in_the_grouping(variant):
    found = releases(variant, (0, 500, 1000))
    assert len(found) == 3
    assert [where for where, _ in found] == sorted(where for where, _ in found)
    assert sum(share.trials for _, share in found) == 672
    assert releases(variant, (0,))[0][1] == Share(sum(share.hits for _, share in found), 672)
    failed = {"base": 448, "v1": 391, "v2": 387}[variant]
    assert 672 - sum(share.hits for _, share in found) == failed


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
