"""The clock of the timed scenario against measured release times.

When the last attempt at a split looks at the count is drawn many times; a release time then has a
share of pins that fail.  One number is fitted, on the pins whose failing allocation was "injected":
how many microseconds a unit of the clock is."""

from __future__ import annotations

import bisect
import functools
import statistics
from collections import defaultdict

from mmsim.evidence.measured import BIN_US, LATEST_US, LOOP, RETFIX, VARIANTS, VERSION_OF, trials
from mmsim.scenarios import timed_hold
from mmsim.scenarios.clock import HOLD_MAX, attempts

DRAWS = 200


@functools.cache
def last_looks(variant, how):
    """When the last attempt looks at the count, in units of the clock; DRAWS of it, sorted."""
    version = VERSION_OF[LOOP, variant, RETFIX]
    knobs = {"hold": HOLD_MAX, "allocation": how, "order": 1}
    runs = (timed_hold(version, seed=seed, **knobs) for seed in range(1, DRAWS + 1))
    return tuple(sorted(attempts(run)[-1] for run in runs))


def share_failed(variant, how, released, unit):
    """Of the model's pins, with a reference that goes at this time; `unit` in microseconds."""
    looks = last_looks(variant, how)
    return bisect.bisect_left(looks, released / unit) / len(looks)


def _apart(variant, how, unit, power):
    """Sum over the pins: how far apart the shares of their bin are, to this power; and how many."""
    groups = defaultdict(list)
    for trial in trials(how, variant):
        if trial.released < LATEST_US:
            groups[trial.released // BIN_US].append(trial)
    total = 0.0
    for group in groups.values():
        measured = statistics.fmean(trial.failed for trial in group)
        model = statistics.fmean(share_failed(variant, how, t.released, unit) for t in group)
        total += len(group) * abs(measured - model) ** power
    return total, sum(map(len, groups.values()))


@functools.cache
def microseconds_per_unit():
    """The one number that is fitted: least squares over the injected failures, to a hundredth."""
    return min(
        (hundredths / 100 for hundredths in range(20, 151)),
        key=lambda unit: sum(_apart(variant, "injected", unit, 2)[0] for variant in VARIANTS),
    )


def closeness(variant, how):
    """After the fit: the mean difference of the shares, over the pins; and the median of the
    model's release times, in microseconds, that separate pins that fail from pins that don't."""
    unit = microseconds_per_unit()
    total, pins = _apart(variant, how, unit, 1)
    return total / pins, statistics.median(last_looks(variant, how)) * unit
