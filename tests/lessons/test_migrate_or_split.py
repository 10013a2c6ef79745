"""Lesson 04: what its text says, and what its cards say to answers that are nearly right."""

from __future__ import annotations

import pytest

from mmsim.lessons import migrate_or_split as lesson
from mmsim.lessons.migrate_or_split import run, tries
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import vfio_map

PAIR = {"thp_migration_fail": 1, "thp_split_page_failed": 1}


@pytest.fixture(autouse=True)
def all_open():
    for name in ("pair", "order"):
        getattr(lesson, name).forget()


def said(card, answer):
    return "\n".join(card.answer(answer).reply())


def test_a_busy_move_is_tried_ten_times_and_a_refused_split_once():
    picture = lesson.ten_or_one.make()
    assert tries(run(targets="available")) == ["busy"] * 10
    assert tries(run()) == ["split refused"]
    assert picture.svg.count("tries")
    assert "10 of 10 passes" in picture.words
    assert tries(run("v2", released=3, order=1)) == ["split refused"] * 3 + ["split"]
    assert [*lesson.leaves.outcome().values()] == [4, True, 1, False]


def test_the_numbers_of_the_text():
    usual = {"targets": "none", "holder": 1, "released": "never", "trouble": "none"}
    assert usual.items() <= vfio_map().knobs.items()
    assert list(lesson.four.outcome().values()) == [0, 1, 1, 1]
    assert lesson.counted.outcome() == {"there": 514, "explained": 513}
    for case, said in lesson.rescues.outcome().items():
        assert lesson.counters_of(lesson.rescue(case))["thp_migration_fail"] == said
    assert lesson.returned.outcome() == {"base_returns": 1, "base_pinned": False}
    assert list(lesson.companion.outcome().values()) == [1, True, 0, True]
    moved = [
        vfio_map(v, thps=4).run().last.world.vmstat["pgmigrate_success"] for v in ("base", "v2")
    ]
    assert moved == [0, 1536]
    # A refusal at the freeze takes the mappings away, one at the check does not.
    (checked,), (frozen,) = (
        run(taken=t).last.world.folios.values() for t in ("start", "0.split.freeze")
    )
    assert (checked.mapcount, frozen.mapcount) == (1, 0)


@pytest.mark.parametrize("version", ["base", "v1", "v2"])
def test_what_is_returned_and_what_the_pin_makes_of_it(version):
    """The text's table: 0, a count, or an error code; base and v2 take anything but 0 as failure,
    v1 a negative number or a page that is left."""
    for knobs in ({}, {"holder": 0}, {"released": 3}, {"targets": "available"}):
        trace = run(version, order=1, **knobs)
        returned = lesson.migrate_returns(trace)[-1]
        left = tries(trace)[-1] in ("busy", "split refused")
        fails = returned < 0 or left if version == "v1" else returned != 0
        assert fails is (lesson.ended(trace) == "-ENOMEM")
        split = lesson.counters_of(trace)["thp_migration_fail"]
        assert returned in ({"base": [-12, split], "v1": [split], "v2": [0, split]}[version])


def test_the_companion_of_the_measured_kernels_changes_nothing_here():
    assert lesson.counters_of(run("6.1.0")) == lesson.counters_of(run())
    assert lesson.counters_of(run("v3")) == lesson.counters_of(run("v2"))


def test_a_small_huge_page_counts_what_a_large_one_does():
    for version in lesson.VERSIONS:
        large, small = (run(version, released=3, **knobs) for knobs in ({}, {"order": 1}))
        assert lesson.counters_of(large) == lesson.counters_of(small)
        assert tries(large) == tries(small)


def test_measured_and_model_agree():
    table = lesson.measured_counters()
    assert table.to_numpy().tolist() == [[1, 1]] * 2 + [[11, 10]] * 4


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (vfio_map("base"), "the pair, but with a holder; find one without"),
        (vfio_map("base").run(), "find one without"),
        (vfio_map("v2"), "thp_migration_fail 11"),
        (
            vfio_map(targets="available", holder=0, trouble="truncated"),
            "with a free huge page elsewhere no split is tried",
        ),
        (vfio_map(holder=0, trouble="writeback"), "thp_migration_fail 1"),
        (vfio_map().run().last, "the answer should be a situation"),
    ],
)
def test_a_pair_that_is_not_the_one(answer, told):
    assert told in said(lesson.pair, answer)
    assert not lesson.pair.settled


@pytest.mark.parametrize("trouble", ["truncated", "nomem"])
def test_the_pair_without_a_holder(trouble):
    assert "nobody held a reference" in said(lesson.pair, vfio_map(holder=0, trouble=trouble))
    assert lesson.pair.settled


def test_an_order_is_judged_step_by_step():
    right = lesson.split_order()
    assert right == lesson.order.solution
    swapped = [right[0], right[2], right[1], *right[3:]]
    assert "second: not 'unmap'; what belongs there comes first" in said(lesson.order, swapped)
    assert "'wait' is not part of a split" in lesson.misplaced("second", "wait")
    assert "this is the order" in said(lesson.order, tuple(right))


def test_the_lesson_speaks_of_three_versions_only():
    other = set(VERSIONS) - set(lesson.VERSIONS)
    text = lesson.__file__.removesuffix("py") + "md"
    with open(text, encoding="utf-8") as file:
        words = file.read()
    assert not [name for name in other if f"`{name}`" in words]
    assert list(lesson.four.play().boxes["version"].options) == list(lesson.VERSIONS)
