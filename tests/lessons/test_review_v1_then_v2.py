"""Lesson 08: its tables against those worked out from the kernel's source, and its judges."""

from __future__ import annotations

from itertools import product

import pytest

from mmsim.constants import REASONS
from mmsim.lessons import review_v1_then_v2 as lesson
from mmsim.lessons.activity import State
from mmsim.lessons.card import Card
from mmsim.lessons.form import failed
from mmsim.lessons.review_v1_then_v2 import SPLITS, STAYS, VERSIONS, decided
from mmsim.mm.versions import OF_THE_SERIES
from mmsim.scenarios import cma_alloc, vfio_map
from mmsim.scenarios.policy import CALL_STEPS, STEPS_MAX
from mmsim.views.tables import counters_by_version

PATCHED = ("v1", "v2", "v3", "v3fix", "2/2-only")
# What the split returns once it is refused, apart from references.
ERRNO = {"truncated": "-EBUSY", "writeback": "-EBUSY", "nomem": "-ENOMEM"}


@pytest.fixture(autouse=True)
def all_open():
    for card in vars(lesson).values():
        if isinstance(card, Card):
            card.forget()


def said(card, answer):
    return "\n".join([card.problem, *card.answer(answer).reply()])


# -- what is decided, section 5.2 of the specification


def by_the_source(version, reason, split):
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


def test_one_cell_of_v2_differs_from_base_and_six_of_v1():
    table = lesson.decisions(*VERSIONS)
    assert [cell for cell in table["v2"] if "≠" in cell] == [f"≠ {STAYS}"]
    assert sum("≠" in cell for cell in table["v1"]) == 1 + 5
    assert {*table["base"]} == {"goes on", "-ENOMEM"}
    assert list(lesson.cells.outcome().values()) == [STAYS, "-EBUSY", "-EAGAIN", "-EBUSY"]


# -- what the text says of the owner


def test_the_owner_in_the_model_and_measured():
    assert lesson.owner.outcome() == {
        "base_refused": 1, "v1_refused": 5, "base_gets": "nothing", "v1_gets": "memory",
    }  # fmt: skip
    results = [cma_alloc(version).run().results["owner"] for version in ("base", "v2")]
    assert results == [-12, -12]
    table = lesson.measured_requests()
    assert table["v1"].tolist() == ["30,725", "0"]
    assert table["base"].tolist() == table["v2"].tolist() == ["1", "-ENOMEM"]


def test_what_three_runs_return():
    assert [*lesson.explain.outcome().values()] == [0, 1, 3]
    counts = [lesson.refused(lesson.run(v, **knobs)) for _, v, knobs in lesson.ENDS.values()]
    assert counts == [0, 0, 2]  # what the card says of each


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (vfio_map("v1", targets="late", released=1), "that is v1; it should happen in v2"),
        (vfio_map("v2", targets="late", holder=0), "no failing pin"),
        (vfio_map("v2"), "not everything has moved"),
        (vfio_map("v2", taken="0.move.freeze"), "not everything has moved"),
        (vfio_map("v2", reason="syscall"), "no pin"),
        (vfio_map, "the answer should be a situation"),
    ],
)
def test_what_is_not_the_hole(answer, told):
    assert told in said(lesson.hole, answer)
    assert not lesson.hole.settled


def test_the_hole_can_come_late_too():
    assert "nothing is left in CMA" in said(
        lesson.hole, vfio_map("v2", targets="late", released=3).run()
    )
    table = counters_by_version(vfio_map(targets="late", released=1), ("v1", "v2", "v3"))
    assert table.loc["migrate_pages returns"].tolist() == ["+1", "+1", "0"]
    assert [cell == "-ENOMEM" for cell in table.loc["pin returns"]] == [False, True, False]


def asks(look, **knobs):
    return lambda version: look(vfio_map(version, **{"reason": "contig_range", **knobs}).run())


def enomem(run):
    return run.results["migrate"] == -12


def once(run):
    return run.last.world.vmstat["thp_split_page_failed"] == 1


def failed_once(run):
    return run.last.world.vmstat["thp_migration_fail"] == 1


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
        (asks(failed_once), "v1 passes it, too"),
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
