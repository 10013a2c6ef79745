"""Lesson 08: its tables against those worked out from the kernel's source."""

from __future__ import annotations

from itertools import product

import pytest

from mmsim.constants import REASONS
from mmsim.lessons import review_v1_then_v2 as lesson
from mmsim.lessons.review_v1_then_v2 import SPLITS, STAYS, decided
from mmsim.mm.versions import OF_THE_SERIES
from mmsim.scenarios import vfio_map

PATCHED = ("v1", "v2", "v3", "v3fix", "2/2-only")
# What the split returns once it is refused, apart from references.
ERRNO = {"truncated": "-EBUSY", "writeback": "-EBUSY", "nomem": "-ENOMEM"}


def by_the_source(version, reason, split):
    """What is decided by section 5.2 of the specification."""
    if reason == "numa_misplaced":
        return "-ENOMEM"
    if split == "splits":
        return "goes on"
    if split == "reference" and reason == "longterm_pin" and version in PATCHED:
        return STAYS
    return ERRNO.get(split, "-EAGAIN") if version == "v1" else "-ENOMEM"


@pytest.mark.parametrize("version", OF_THE_SERIES)
def test_every_reason_and_split_result_in_every_version(version):
    for case in product(REASONS, SPLITS):
        assert decided(version, *case) == by_the_source(version, *case), case


def test_the_third_run_is_refused_as_often_as_its_card_says():
    _, version, knobs = lesson.ENDS["refused_split"]
    assert lesson.refused(lesson.run(version, **knobs)) == 2


def test_the_later_kernel_tells_every_other_caller_what_base_told():
    for reason, split in product(REASONS, SPLITS):
        if reason != "longterm_pin" and split != "splits":
            knobs = {"order": 1, "reason": reason, **SPLITS[split]}
            for name in ("base", "later"):
                assert vfio_map(lesson.JUDGED[name], **knobs).run().results["migrate"] == -12
