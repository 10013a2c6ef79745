"""Measured pins that met a reference with an end, against the clock: who was quicker?

Interface: LATEST_US, Trial, Closeness, trials, bins, last_looks, share_failed,
microseconds_per_unit, closeness, best_split

The pin fails if the reference outlives the last look that an attempt at a split takes at the count.
When that look comes is drawn with the clock of the scenario, many times; a release time then has a
share of pins that fail.  One number is fitted to the measurements, once: how many microseconds a
unit of the clock is, on the pins whose failing allocation was "injected".  Those of "fragmented"
memory, where compaction runs in vain, are drawn with the same number."""

from __future__ import annotations

import bisect
import functools
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from mmsim.datafiles import load_csv
from mmsim.evidence.kernel_runs import VERSION_OF
from mmsim.evidence.measured import TIMED, VARIANTS, Share
from mmsim.scenarios import timed_hold
from mmsim.scenarios.clock import HOLD_MAX, attempts

LOOP, RETFIX = "oct22", "1"
DRAWS = 200
BIN_US = 100
LATEST_US = 1_500
"""Later releases are few, and every version has given up by then."""
HUNDREDTHS = range(20, 151)


class Trial(NamedTuple):
    """One measured pin: when the reference went, in microseconds from the start, and the result."""

    released: float
    failed: bool


class Closeness(NamedTuple):
    """How far apart model and measurement are.

    `apart`: mean difference of the shares, over the pins.  `measured`, `model`: the release time,
    in microseconds, that separates pins that fail from pins that don't: best for the measured ones,
    the median for the model's."""

    pins: int
    apart: float
    measured: float
    model: float


def version_of(variant: str) -> str:
    """The version of the model that behaves like a measured variant."""
    return VERSION_OF[LOOP, variant, RETFIX]


@functools.cache
def trials(how: str, variant: str) -> tuple[Trial, ...]:
    """The measured pins of this variant, by release time; `how`: one of measured.TIMED."""
    wanted = {"code": LOOP, "retfix": RETFIX, "variant": variant, "ref_kind": "timed"}
    rows = [row for row in load_csv(f"kernel-runs/{TIMED[how]}") if wanted.items() <= row.items()]
    found = [Trial(float(row["actual_release_us"]), row["pin_errno"] != "0") for row in rows]
    return tuple(sorted(found))


def _binned(found: Sequence[Trial], width: int, latest: float) -> dict[int, list[Trial]]:
    groups: dict[int, list[Trial]] = {}
    for trial in found:
        if trial.released < latest:
            groups.setdefault(int(trial.released // width) * width, []).append(trial)
    return groups


def bins(
    found: Sequence[Trial], width: int = BIN_US, latest: float = LATEST_US
) -> dict[int, Share]:
    """The share of pins that failed, by where a stretch of release times begins."""
    groups = _binned(found, width, latest)
    return {at: Share(sum(t.failed for t in group), len(group)) for at, group in groups.items()}


@functools.cache
def last_looks(variant: str, how: str) -> tuple[float, ...]:
    """When the last attempt looks at the count, in units of the clock; DRAWS of it, sorted."""
    knobs: dict[str, object] = {"hold": HOLD_MAX, "allocation": how, "order": 1}
    runs = (timed_hold(version_of(variant), seed=seed, **knobs) for seed in range(1, DRAWS + 1))
    return tuple(sorted(attempts(run)[-1] for run in runs))


def share_failed(variant: str, how: str, released: float, unit: float) -> float:
    """Of the model's pins, with a reference that goes at this time; `unit` in microseconds."""
    looks = last_looks(variant, how)
    return bisect.bisect_left(looks, released / unit) / len(looks)


def _apart(variant: str, how: str, unit: float, power: int) -> float:
    """Sum over the pins: how far apart the shares of their bin are, to this power."""
    total = 0.0
    for group in _binned(trials(how, variant), BIN_US, LATEST_US).values():
        measured = statistics.fmean(trial.failed for trial in group)
        model = statistics.fmean(share_failed(variant, how, t.released, unit) for t in group)
        total += len(group) * abs(measured - model) ** power
    return total


@functools.cache
def microseconds_per_unit() -> float:
    """The one number that is fitted: least squares over the injected failures, to a hundredth."""
    return min(
        (hundredths / 100 for hundredths in HUNDREDTHS),
        key=lambda unit: sum(_apart(variant, "injected", unit, 2) for variant in VARIANTS),
    )


def closeness(variant: str, how: str) -> Closeness:
    """Measured against model, after the fit."""
    unit = microseconds_per_unit()
    pins = [trial for trial in trials(how, variant) if trial.released < LATEST_US]
    apart = _apart(variant, how, unit, 1) / len(pins)
    model = statistics.median(last_looks(variant, how)) * unit
    return Closeness(len(pins), apart, best_split(trials(how, variant)), model)


def best_split(found: Sequence[Trial]) -> float:
    """The release time that puts the fewest trials on the wrong side, midway between two trials."""
    wrong = fewest = sum(not trial.failed for trial in found)  # at 0: all should have failed
    best = 0.0
    for trial, after in zip(found, [*found[1:], None], strict=True):
        wrong += 1 if trial.failed else -1
        if wrong < fewest and after is not None:
            fewest, best = wrong, (trial.released + after.released) / 2
    return best
