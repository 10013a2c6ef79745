"""Measured pins that met a reference with an end, against the clock: who was quicker?

Interface: ALLOCATIONS, VARIANTS, Trial, Bin, Closeness, trials, bins, last_looks, share_failed,
microseconds_per_unit, closeness

The pin fails if the reference outlives the last look that an attempt at a split takes at the count.
When that look comes is drawn with the clock of `mmsim.clock`, many times; a release time then has a
share of pins that fail.  One number is fitted to the measurements, once: how many microseconds a
unit of the clock is, on the pins whose failing allocation was injected.  The others, where
compaction runs in vain, are drawn with the same number."""

from __future__ import annotations

import bisect
import functools
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from mmsim.compare.pins import VERSION_OF
from mmsim.datafiles import load_csv
from mmsim.scenarios import timed_hold
from mmsim.scenarios.timed_hold import HOLD_MAX, attempts
from mmsim.stats import wilson

ALLOCATIONS = {
    "inject": ("s3_timed_release.csv", "injected"),
    "frag_pinned": ("s10_s2_real_fragmentation_pins.csv", "compaction"),
}
"""alloc_mode of the rows -> the file that has them, and the knob `allocation` of the model."""
LOOP, RETFIX = "oct22", "1"
VARIANTS = tuple(variant for loop, variant, fix in VERSION_OF if (loop, fix) == (LOOP, RETFIX))
DRAWS = 200
BIN_US = 100
LATEST_US = 1_500
"""Later releases are few, and every version has given up by then."""
HUNDREDTHS = range(20, 151)


class Trial(NamedTuple):
    """One measured pin: when the reference went, in microseconds from the start, and the result."""

    released: float
    failed: bool


class Bin(NamedTuple):
    """Pins whose reference went in the same stretch of time; `low` to `high`: Wilson's interval."""

    start: int
    pins: int
    failed: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of pins that failed."""
        return self.failed / self.pins


class Closeness(NamedTuple):
    """How far apart model and measurement are.

    `apart`: mean difference of the shares, over the pins.  `measured`, `model`: the release time,
    in microseconds, that separates pins that fail from pins that don't: best for the measured ones,
    the median for the model's."""

    pins: int
    apart: float
    measured: float
    model: float


@functools.cache
def trials(mode: str, variant: str) -> tuple[Trial, ...]:
    """The measured pins of one huge page of this variant; raises DataFileError without data."""
    file, _ = ALLOCATIONS[mode]
    wanted = {"code": LOOP, "retfix": RETFIX, "variant": variant, "alloc_mode": mode}
    wanted |= {"ref_kind": "timed", "n_units_2mib": "1"}
    rows = [row for row in load_csv(f"kernel-runs/{file}") if wanted.items() <= row.items()]
    found = [Trial(float(row["actual_release_us"]), row["pin_errno"] != "0") for row in rows]
    return tuple(sorted(found))


def bins(found: Sequence[Trial], width: int = BIN_US, latest: float = LATEST_US) -> list[Bin]:
    """Trials put together by release time, in stretches of `width` microseconds."""
    groups: dict[int, list[bool]] = {}
    for trial in found:
        if trial.released < latest:
            groups.setdefault(int(trial.released // width) * width, []).append(trial.failed)
    return [Bin(at, len(g), sum(g), *wilson(sum(g), len(g))) for at, g in sorted(groups.items())]


@functools.cache
def last_looks(variant: str, mode: str) -> tuple[float, ...]:
    """When the last attempt looks at the count, in units of the clock; DRAWS of it, sorted."""
    _, allocation = ALLOCATIONS[mode]
    runs = (
        timed_hold(
            VERSION_OF[LOOP, variant, RETFIX],
            hold=HOLD_MAX,
            allocation=allocation,
            order=1,
            seed=seed,
        )
        for seed in range(1, DRAWS + 1)
    )
    return tuple(sorted(attempts(run)[-1] for run in runs))


def share_failed(variant: str, mode: str, released: float, unit: float) -> float:
    """Of the model's pins, with a reference that goes at this time; `unit` in microseconds."""
    looks = last_looks(variant, mode)
    return bisect.bisect_left(looks, released / unit) / len(looks)


def _of_model(found: Sequence[Trial], variant: str, mode: str, unit: float) -> float:
    shares = [share_failed(variant, mode, trial.released, unit) for trial in found]
    return statistics.fmean(shares)


def _apart(variant: str, mode: str, unit: float, power: int) -> float:
    """Sum over the pins: how far apart the shares of their bin are, to this power."""
    groups: dict[int, list[Trial]] = {}
    for trial in trials(mode, variant):
        if trial.released < LATEST_US:
            groups.setdefault(int(trial.released // BIN_US), []).append(trial)
    total = 0.0
    for group in groups.values():
        measured = statistics.fmean(trial.failed for trial in group)
        difference = abs(measured - _of_model(group, variant, mode, unit))
        total += len(group) * difference**power
    return total


@functools.cache
def microseconds_per_unit() -> float:
    """The one number that is fitted: least squares over the injected failures, to a hundredth."""
    return min(
        (hundredths / 100 for hundredths in HUNDREDTHS),
        key=lambda unit: sum(_apart(variant, "inject", unit, 2) for variant in VARIANTS),
    )


def closeness(variant: str, mode: str) -> Closeness:
    """Measured against model, after the fit."""
    unit = microseconds_per_unit()
    pins = [trial for trial in trials(mode, variant) if trial.released < LATEST_US]
    apart = _apart(variant, mode, unit, 1) / len(pins)
    model = statistics.median(last_looks(variant, mode)) * unit
    return Closeness(len(pins), apart, _best_split(trials(mode, variant)), model)


def _best_split(found: Sequence[Trial]) -> float:
    """The release time that puts the fewest trials on the wrong side, midway between two trials."""
    wrong = fewest = sum(not trial.failed for trial in found)  # at 0: all should have failed
    best = 0.0
    for trial, after in zip(found, [*found[1:], None], strict=True):
        wrong += 1 if trial.failed else -1
        if wrong < fewest and after is not None:
            fewest, best = wrong, (trial.released + after.released) / 2
    return best
