"""What was measured on real kernels: which version each of them is, and what two lessons count.

Every number is counted from the rows of data/kernel-runs/."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import zip_longest
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from mmsim.datafiles import load_csv
from mmsim.mm.seams import Version
from mmsim.mm.versions import get

VARIANTS = ("base", "v1", "v2")

# -- measured kernels

# (loop in the measured kernel, variant, return-value fix) -> the version with the same behaviour
# here.  The trees of base to v3 had an inverted test in collect_longterm_unpinnable_pages(): they
# skipped a page when its isolation succeeded.  The measured kernels had the test right, as all rows
# of the model have it (`isolate_inverted` is off).
VERSION_OF = {
    ("oct22", "base", "0"): "base",
    ("oct22", "base", "1"): "6.1.0",
    # v1's gup.c change and the later return-value rule differ in no number of these rows.
    ("oct22", "v1", "1"): "v1",
    # v1's retry with neither of them: what gup sees is what it sees of the retry alone.
    ("oct22", "v1", "0"): "2/2-only",
    ("oct22", "v2", "1"): "v3",
    ("oct22", "v2", "0"): "2/2-only",
    # That loop works in batches of at most 512 pages.  For these lists its numbers are the same.
    ("6.1.192", "v2", "1"): "v3fix",
    ("6.12.117", "unmodified", "1"): "6.12",
}


def measured_version(code: str, variant: str, retfix: str) -> Version | None:
    """The row of seams that behaves like a measured kernel; None if there is none.

    All measured variants decide by the same return-value rule whether a pin goes on, v1 too: what
    v1 itself did about that, in gup.c, was not in the measured kernel."""
    name = VERSION_OF.get((code, variant, retfix))
    if name is None:
        return None
    rule = get(VERSION_OF["oct22", "base", retfix])
    return get(name)._replace(final_rc=rule.final_rc, gup_fails=rule.gup_fails)


# -- rows, and shares of them

_load = functools.cache(load_csv)  # nobody changes the rows


def rows_with(file: str, **wanted: str) -> list[dict[str, str]]:
    """The rows of a table with these cells."""
    return [row for row in _load(f"kernel-runs/{file}") if wanted.items() <= row.items()]


CONFIDENCE = 0.95


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The interval in which the true share lies with CONFIDENCE, as far as `trials` can tell.

    Wilson's score interval: unlike hits/trials plus or minus something it never leaves 0 to 1, and
    0 hits of 10 do not give an interval without width.  Raises ValueError for impossible counts.
    Left out: trials that depend on one another make the true interval wider.
    """
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f"{hits} of {trials} is no share: needed are 0 <= hits <= trials > 0")
    z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
    middle = (hits + z2 / 2) / (trials + z2)
    half = sqrt(z2 * (hits * (trials - hits) / trials + z2 / 4)) / (trials + z2)
    return (middle - half if hits else 0.0), (middle + half if hits < trials else 1.0)


class Share(NamedTuple):
    """So many of so many."""

    hits: int
    trials: int

    @property
    def part(self) -> float:
        """From 0 to 1."""
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """In which the true share lies with CONFIDENCE, if the trials are independent."""
        return wilson(self.hits, self.trials)

    def __str__(self) -> str:
        return f"{self.hits:,} of {self.trials:,}"


# -- pins that met a reference with an end, by when it went

TIMED = {"injected": "s3_timed_release.csv", "fragmented": "s10_s2_real_fragmentation_pins.csv"}
LOOP, RETFIX = "oct22", "1"
VARIANT_OF = {VERSION_OF[LOOP, variant, RETFIX]: variant for variant in VARIANTS}
"""Version -> the measured variant of that loop that behaves like it; all had the first patch."""


class Trial(NamedTuple):
    """One measured pin: when the reference went, in microseconds from the start, and the result."""

    released: float
    failed: bool


@functools.cache
def trials(how: str, variant: str) -> tuple[Trial, ...]:
    """The measured pins of this variant, by release time; `how`: one of TIMED."""
    rows = rows_with(TIMED[how], code=LOOP, retfix=RETFIX, variant=variant, ref_kind="timed")
    found = [Trial(float(row["actual_release_us"]), row["pin_errno"] != "0") for row in rows]
    return tuple(sorted(found))


def best_split(found: Sequence[Trial]) -> float:
    """The release time that puts the fewest trials on the wrong side, midway between two trials."""
    wrong = fewest = sum(not trial.failed for trial in found)  # at 0: all should have failed
    best = 0.0
    for trial, after in zip_longest(found, found[1:]):
        wrong += 1 if trial.failed else -1
        if wrong < fewest and after is not None:
            fewest, best = wrong, (trial.released + after.released) / 2
    return best
