"""Lesson 08: its tables against those worked out from the kernel's source, and its judges."""

from __future__ import annotations

import dataclasses

import pytest
from views.svg_rules import readable

from mmsim.constants import REASONS
from mmsim.evidence.kernel_runs import compare_file
from mmsim.lessons import review_v1_then_v2 as lesson
from mmsim.lessons.card import Card
from mmsim.lessons.review_v1_then_v2 import SPLITS, STAYS, VERSIONS, decided
from mmsim.mm.versions import OF_THE_SERIES
from mmsim.scenarios import cma_alloc, vfio_map
from mmsim.scenarios.policy import CALL_STEPS, STEPS_MAX
from mmsim.views.tables import counters_by_version

UNPATCHED, PATCHED = ("base", "6.1.0"), ("v1", "v2", "v3", "v3fix", "2/2-only")
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
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_and_split_result_in_every_version(version, reason):
    for split in SPLITS:
        assert decided(version, reason, split) == by_the_source(version, reason, split), split


def test_one_cell_of_v2_differs_from_base_and_six_of_v1():
    table = lesson.decisions(*VERSIONS)
    assert [cell for cell in table["v2"] if "≠" in cell] == [f"≠ {STAYS}"]
    assert sum("≠" in cell for cell in table["v1"]) == 1 + 5
    assert {*table["base"]} == {"goes on", "-ENOMEM"}
    assert list(lesson.cells.outcome().values()) == [STAYS, "-EBUSY", "-EAGAIN", "-EBUSY"]


# -- how it ends, section 5.3: what is returned, the pin, and the counters thp_migration_fail,
# thp_split_page_failed and pgmigrate_fail


def ends(k, split):
    """k refusals, and then a split, or memory for the whole page."""
    failed, end = k + 1 if split else k, ("-ENOMEM", "-ENOMEM", 1, 1, 2)
    return {
        "base": end if k else ("+1", "-ENOMEM", 1, 0, 0),
        "6.1.0": end if k else ("0", "2 pages pinned", 1, 0, 0),
        "v1": (f"+{failed}", "2 pages pinned", failed, k, 0),
        "v2": ("0", "2 pages pinned", failed, k, 0) if split else (f"+{k}", "-ENOMEM", k, k, 0),
        "v3": ("0", "2 pages pinned", failed, k, 0),
        "v3fix": ("0", "2 pages pinned", int(split), k, 0),
        "2/2-only": (f"+{failed}", "-ENOMEM", failed, k, 0),
    }


@pytest.mark.parametrize(("k", "split"), [(0, True), (1, True), (9, True), (1, False), (9, False)])
def test_how_it_ends_in_every_version(k, split):
    wanted = ends(k, split)
    assert set(wanted) == set(OF_THE_SERIES)
    for version in OF_THE_SERIES:
        knobs = {"order": 1, "holder": int(k > 0), "released": str(k) if k else "never"}
        situation = vfio_map(version, targets="none" if split else "either", **knobs)
        if not split:
            fails = {"A": frozenset(range(k))}
            situation.script = dataclasses.replace(situation.script, targets=fails)
        run = situation.run()
        found = (
            "-ENOMEM" if (rc := lesson.migrate_returns(run)[-1]) < 0 else f"+{rc}" if rc else "0",
            situation.result(run.last),
            *(
                run.last.world.vmstat[name]
                for name in ("thp_migration_fail", "thp_split_page_failed", "pgmigrate_fail")
            ),
        )
        assert found == wanted[version], version


# -- what the text says of the owner


def test_the_owner_in_the_model_and_measured():
    assert lesson.owner.outcome() == {
        "base_refused": 1, "v1_refused": 5, "base_gets": "nothing", "v1_gets": "memory",
    }  # fmt: skip
    for version, ((_, said), _) in lesson.RANGES.items():
        assert said.startswith(f"{lesson.owner.outcome()[f'{version}_refused']} refusal")
        assert decided(version, "contig_range", "reference") in said
    readable(lesson.ranges_picture(lesson.ASKED, lesson.RANGES).svg)
    results = [cma_alloc(version).run().results["owner"] for version in ("base", "v2")]
    assert results == [-12, -12]
    table = lesson.measured_requests()
    assert table["v1"].tolist() == ["30,725", "0"]
    assert table["base"].tolist() == table["v2"].tolist() == ["1", "-ENOMEM"]
    rows = compare_file("s11_cma_alloc_return_value.csv")
    assert not rows.having("disagree")
    assert len(rows.having("agree")) == 43


def test_every_remark_can_be_found_in_the_archive():
    assert len(lesson.list_said()) == len(lesson.REMARKS) == 4
    assert all("@" in row.message_id and len(row.said) > 60 for row in lesson.REMARKS)
    assert lesson.mails().count("](https://lore.kernel.org/all/") == 3


# -- the judges


def test_the_same_remark_twice_is_one():
    assert "noted" in said(lesson.remarks, lesson.remarks.solution)
    lesson.remarks.forget()
    same = ["Who else calls this function?", "who else  calls this function?"]
    assert "each are asked for, not 1" in said(lesson.remarks, [*same, "ok"])


@pytest.mark.parametrize(
    ("card", "wrong", "reason", "told"),
    [
        ("explain", {"refused_split": 2}, "not 2; how often was there no destination?",
         "returns 3: 2 for refused splits, 1 for the huge page that was split"),
        ("explain", {"busy_moved": 3}, "not 3; how often was there no destination?",
         "returns 0: a page that was busy and has moved in the end leaves no count"),
    ],
)  # fmt: skip
def test_a_reason_comes_before_the_outcome(card, wrong, reason, told):
    card = getattr(lesson, card)
    answer = {**card.outcome(), **wrong}
    first = said(card, answer)
    assert reason in first
    assert told not in first
    assert told in said(card, answer)


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


def counts(name):
    return lambda run: run.last.world.vmstat[name] == 1


def loops(version):
    for _ in range(2 * STEPS_MAX // CALL_STEPS):  # without a limit: a failure, and no hang
        vfio_map(version, reason="syscall")


RIGHT = "v1 fails; base, v2 and a kernel that tries and counts otherwise pass"
NARROW = "it also stops a kernel that keeps the contract"
BASE_STEPS = len(vfio_map("base", reason="contig_range").run().events)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        (asks(lambda run: run.results["migrate"] == -12), RIGHT),
        (asks(lambda run: run.results["migrate"] == -12, trouble="truncated", holder=0), RIGHT),
        (asks(lambda run: run.results["migrate"] == -12, reason="syscall"), RIGHT),
        (lambda version: cma_alloc(version).run().results["owner"] == -12, RIGHT),
        (
            lambda version: (
                cma_alloc(version).run().last.world.vmstat["thp_split_page_failed"] == 1
            ),
            NARROW,
        ),
        (
            asks(
                lambda run: run.results["migrate"] == -12 and counts("thp_split_page_failed")(run)
            ),
            NARROW,
        ),
        (asks(counts("thp_migration_fail")), "v1 passes it, too"),
        (asks(lambda run: run.results["migrate"] == -12 and len(run.events) == BASE_STEPS), NARROW),
        (lambda version: version.name != "v1", "v1 passes it, too"),
        (lambda version: True, "v1 passes it, too"),
        (lambda version: False, "base does not pass it, and should"),
        (asks(counts("thp_split_page_failed"), reason="longterm_pin"), "v2 does not pass it"),
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
        assert "look at what the caller is told" in said(lesson.regression, test)


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason != "longterm_pin"])
@pytest.mark.parametrize("split", [split for split in SPLITS if split != "splits"])
def test_the_later_kernel_tells_every_other_caller_what_base_told(reason, split):
    knobs = {"order": 1, "reason": reason, **SPLITS[split]}
    told = [
        vfio_map(lesson.JUDGED[name], **knobs).run().results["migrate"]
        for name in ("base", "later")
    ]
    assert told == [-12, -12]


def test_the_lesson_shows_three_versions():
    assert VERSIONS == ("base", "v1", "v2")
    assert list(lesson.console().boxes["version"].options) == list(VERSIONS)
