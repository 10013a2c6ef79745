"""Timed releases: what was measured is read as its makers read it, and the clock comes close."""

import statistics

import pytest

from mmsim.compare import timed
from mmsim.datafiles import load_csv
from mmsim.engine.trace import record
from mmsim.scenarios import timed_hold

PAIRS = [(mode, variant) for mode in timed.ALLOCATIONS for variant in timed.VARIANTS]


def test_variants_are_those_that_were_measured_with_the_return_value_fix():
    assert timed.VARIANTS == ("base", "v1", "v2")
    sizes = {pair: len(timed.trials(*pair)) for pair in PAIRS}
    assert sizes == {(mode, v): 336 if mode == "inject" else 168 for mode, v in PAIRS}


@pytest.mark.parametrize("variant", timed.VARIANTS)
def test_bins_and_intervals_are_those_of_the_measured_file(variant):
    wanted = {"code": timed.LOOP, "variant": variant}
    rows = load_csv("kernel-runs/s3_timed_release_by_actual_release.csv")
    rows = [row for row in rows if wanted.items() <= row.items()]
    found = timed.bins(timed.trials("inject", variant), width=50, latest=1e9)
    assert len(found) == len(rows) > 50
    for row, made in zip(rows, found, strict=True):
        assert made.start == int(row["actual_release_bin_start_us(width=50)"])
        assert (made.pins, made.failed) == (int(row["n_trials"]), int(row["n_pin_failed"]))
        assert made.low == pytest.approx(float(row["wilson95_low"]), abs=1e-4)
        assert made.high == pytest.approx(float(row["wilson95_high"]), abs=1e-4)


@pytest.mark.parametrize(("mode", "variant"), PAIRS)
def test_thresholds_are_those_of_the_measured_file(mode, variant):
    wanted = {"code": timed.LOOP, "variant": variant, "alloc_mode": mode}
    (row,) = (
        row
        for row in load_csv("kernel-runs/s3_release_threshold.csv")
        if wanted.items() <= row.items()
    )
    column = "threshold_release_us(best split of fail/success)"
    found = timed.closeness(variant, mode).measured
    assert found == pytest.approx(float(row[column]), abs=0.1)


# Golden: difference of the shares in thousandths, the model's threshold in microseconds.
GOLDEN = {
    ("inject", "base"): (30, 466),
    ("inject", "v1"): (44, 624),
    ("inject", "v2"): (82, 624),
    ("frag_pinned", "base"): (77, 490),
    ("frag_pinned", "v1"): (117, 870),
    ("frag_pinned", "v2"): (83, 870),
}


def test_one_number_is_fitted():
    assert timed.microseconds_per_unit() == 0.59
    found = {
        (mode, v): (round(1000 * c.apart), round(c.model))
        for mode, v in PAIRS
        for c in [timed.closeness(v, mode)]
    }
    assert found == GOLDEN


@pytest.mark.parametrize(("mode", "variant"), PAIRS)
def test_a_curve_rises_from_nobody_to_everybody(mode, variant):
    unit = timed.microseconds_per_unit()
    curve = [timed.share_failed(variant, mode, t, unit) for t in range(0, 1_501, 50)]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0, 1)


def test_the_patch_moves_the_curve_and_compaction_moves_it_further():
    def middle(variant, mode):
        return timed.closeness(variant, mode).model

    assert middle("base", "inject") < middle("v1", "inject") == middle("v2", "inject")
    gain = {mode: middle("v2", mode) - middle("base", mode) for mode in timed.ALLOCATIONS}
    assert gain["frag_pinned"] > 2 * gain["inject"]


@pytest.mark.parametrize("released", [600, 1_000, 1_400])
def test_a_share_is_that_of_whole_runs(released):
    runs = [timed_hold("v3", hold=released, order=1, seed=seed) for seed in range(1, 41)]
    failed = sum(not run.succeeded(run.run().last) for run in runs)
    looks = sum(
        timed.attempts(timed_hold("v3", hold=timed.HOLD_MAX, order=1, seed=seed))[-1] < released
        for seed in range(1, 41)
    )
    assert failed == looks


def test_a_whole_pin_lasts_about_as_long_as_a_measured_one():
    """Not fitted: 512 pieces moved, faulted in and pinned again, beside the median of the pins."""
    run = timed_hold("v3", hold=0)
    clock = run.usual()
    record(run, clock)
    model = clock.times[-1] * timed.microseconds_per_unit()
    wanted = {"code": timed.LOOP, "variant": "v2", "pin_errno": "0"}
    rows = load_csv("kernel-runs/s3_timed_release.csv")
    measured = [float(row["pin_us"]) for row in rows if wanted.items() <= row.items()]
    assert (round(model), round(statistics.median(measured))) == (6217, 6253)
