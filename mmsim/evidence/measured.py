"""What was measured on real kernels: which version of the model each is, and shares of pins.

Every number is counted from the rows of data/kernel-runs/.  Both loops of the measured kernel are
counted together unless said: they differ in how failures are counted, not in what fails.
"""

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


# -- shares of pins

TIMED = {"injected": "s3_timed_release.csv", "fragmented": "s10_s2_real_fragmentation_pins.csv"}
DISTURBED = "s4_dropcaches_trials.csv"

# What runs beside the pin; all with huge pages in CMA and no free huge page.
DISTURBANCES = {
    "S4_loop_n32": "tight loop, 32 huge pages",
    "S4_loop": "tight loop, 8",
    "S4_loop_gap20ms": "every 20 ms, 8",
    "S4_loop3_gap20ms": "value 3: 20 ms, 8",
    "S4_loop_gap100ms": "every 100 ms, 8",
    "S4_once_n8": "once, 8",
    "S4_once_n1": "once, 1",
}


_load = functools.cache(load_csv)  # nobody changes the rows


def _rows(file: str, **wanted: str) -> list[dict[str, str]]:
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


def rescued_pins(variant: str, how: str, dropped_by: float = float("inf")) -> Share:
    """Of the pins whose first split was refused by a timed reference: how many went through?

    `how`: "injected", the allocation of a huge page was made to fail, or "fragmented", there really
    was none, so that each attempt first compacts memory and the passes lie further apart.
    `dropped_by`: only pins whose reference was dropped so early, in microseconds after the pin
    began; drops come later than intended, and not equally late in the two."""
    met = [
        row
        for row in _rows(TIMED[how], ref_kind="timed", variant=variant)
        if int(row["d_thp_split_page_failed"]) > 0 and float(row["actual_release_us"]) < dropped_by
    ]
    return Share(sum(row["pin_errno"] == "0" for row in met), len(met))


class Pins(NamedTuple):
    """What became of pins while drop_caches ran: counts of pins."""

    failed: Share
    huge_page_left: int
    """failed pins after which at least one huge page was still whole"""
    only_pieces_left: int
    """failed pins after which every huge page had been split"""
    split_refused: int
    """pins in which at least one split was refused, failed or not"""


def measured_pins(variant: str, scenario: str = "", loop: str = "") -> Pins:
    """The pins of a variant in one scenario of DISTURBANCES or in all of them.

    `loop`: only those of one of the two measured loops, "oct22" or "6.1.192"."""
    rows = [
        row
        for row in _rows(DISTURBED, variant=variant, subpage_retry_knob="0")
        if row["scenario"] in ([scenario] if scenario else DISTURBANCES)
        and loop in ("", row["code"])
    ]
    failed = [row for row in rows if row["pin_errno"] != "0"]
    pieces = [row for row in failed if row["thp_after"] == "0"]
    return Pins(
        failed=Share(len(failed), len(rows)),
        huge_page_left=len(failed) - len(pieces),
        only_pieces_left=len(pieces),
        split_refused=sum(row["d_thp_split_page_failed"] != "0" for row in rows),
    )


# -- pins that met a reference with an end, by when it went


LOOP, RETFIX = "oct22", "1"
VARIANT_OF = {VERSION_OF[LOOP, variant, RETFIX]: variant for variant in VARIANTS}
"""Version -> the measured variant of that loop that behaves like it; all had the first patch."""
BIN_US = 100
LATEST_US = 1_500
"""Later releases are few, and every version has given up by then."""


class Trial(NamedTuple):
    """One measured pin: when the reference went, in microseconds from the start, and the result."""

    released: float
    failed: bool


@functools.cache
def trials(how: str, variant: str) -> tuple[Trial, ...]:
    """The measured pins of this variant, by release time; `how`: one of TIMED."""
    rows = _rows(TIMED[how], code=LOOP, retfix=RETFIX, variant=variant, ref_kind="timed")
    found = [Trial(float(row["actual_release_us"]), row["pin_errno"] != "0") for row in rows]
    return tuple(sorted(found))


def bins(found: Sequence[Trial]) -> dict[int, Share]:
    """The share of pins that failed before LATEST_US, by where a stretch of BIN_US begins."""
    groups: dict[int, list[bool]] = {}
    for trial in found:
        if trial.released < LATEST_US:
            groups.setdefault(int(trial.released // BIN_US) * BIN_US, []).append(trial.failed)
    return {at: Share(sum(failed), len(failed)) for at, failed in groups.items()}


def best_split(found: Sequence[Trial]) -> float:
    """The release time that puts the fewest trials on the wrong side, midway between two trials."""
    wrong = fewest = sum(not trial.failed for trial in found)  # at 0: all should have failed
    best = 0.0
    for trial, after in zip_longest(found, found[1:]):
        wrong += 1 if trial.failed else -1
        if wrong < fewest and after is not None:
            fewest, best = wrong, (trial.released + after.released) / 2
    return best
