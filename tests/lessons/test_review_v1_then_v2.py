"""Lesson 08: its tables against those worked out from the kernel's source, and its judges."""

from __future__ import annotations

from itertools import product

import pytest

from mmsim.constants import REASONS
from mmsim.lessons import review_v1_then_v2 as lesson
from mmsim.lessons.activity import State
from mmsim.lessons.form import failed
from mmsim.lessons.review_v1_then_v2 import SPLITS, STAYS, decided
from mmsim.mm.versions import OF_THE_SERIES
from mmsim.sandbox import CALL_STEPS, STEPS_MAX
from mmsim.scenarios import cma_alloc, vfio_map

PATCHED = ("v1", "v2", "v3", "v3fix", "2/2-only")
# What the split returns once it is refused, apart from references.
ERRNO = {"truncated": "-EBUSY", "writeback": "-EBUSY", "nomem": "-ENOMEM"}


def said(card, answer):
    return "\n".join([card.problem, *card.answer(answer).reply()])


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


def asks(look, **knobs):
    return lambda version: look(vfio_map(version, **{"reason": "contig_range", **knobs}).run())


def enomem(run):
    return run.results["migrate"] == -12


def once(run, counter="thp_split_page_failed"):
    return run.last.world.vmstat[counter] == 1


def loops(version):
    for _ in range(2 * STEPS_MAX // CALL_STEPS):  # without a limit: a failure, and no hang
        vfio_map(version, reason="syscall")


RIGHT = "v1 fails; base, v2 and a kernel that tries and counts otherwise pass"
NARROW = "it also stops a kernel that keeps the contract"
BASE_STEPS = len(vfio_map("base", reason="contig_range").run().events)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (asks(enomem), RIGHT),
        (asks(enomem, trouble="truncated", holder=0), RIGHT),
        (asks(enomem, reason="syscall"), RIGHT),
        (lambda version: cma_alloc(version).run().results["owner"] == -12, RIGHT),
        (lambda version: once(cma_alloc(version).run()), NARROW),
        (asks(lambda run: enomem(run) and once(run)), NARROW),
        (asks(lambda run: enomem(run) and len(run.events) == BASE_STEPS), NARROW),
        (asks(lambda run: once(run, "thp_migration_fail")), "v1 passes it, too"),
        (lambda version: version.name != "v1", "v1 passes it, too"),
        (lambda version: True, "v1 passes it, too"),
        (lambda version: False, "base does not pass it, and should"),
        (asks(once, reason="longterm_pin"), "v2 does not pass it"),
        (lambda version: 1, "with base it returns 1, not True or False"),
        (lambda version: None, "returns nothing yet"),
        (loops, "the test was stopped after"),
        (lambda version: vfio_map(version).run().result, "AttributeError"),
        (lambda: True, "TypeError"),
        ("v1", "hand in the function itself"),
    ],
)
def test_a_regression_test_is_judged_by_what_it_tells_apart(test, says):
    assert says in said(lesson.regression, test)
    assert lesson.regression.settled == (says == RIGHT)
    if says == NARROW:
        lesson.regression.forget()
        lesson.regression.state = State(verdict=failed("another"))
        assert "look at what the caller is told" in said(lesson.regression, test)


def test_the_later_kernel_tells_every_other_caller_what_base_told():
    for reason, split in product(REASONS, SPLITS):
        if reason != "longterm_pin" and split != "splits":
            knobs = {"order": 1, "reason": reason, **SPLITS[split]}
            for name in ("base", "later"):
                assert vfio_map(lesson.JUDGED[name], **knobs).run().results["migrate"] == -12
