"""Lesson 04: what its text says is what the model does."""

from __future__ import annotations

import pytest

from mmsim.lessons import FOLDER
from mmsim.lessons import migrate_or_split as lesson
from mmsim.lessons.migrate_or_split import run, tries
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import vfio_map


def test_a_busy_move_is_tried_ten_times_and_a_refused_split_once():
    assert tries(run(targets="available")) == ["busy"] * 10
    assert tries(run()) == ["split refused"]
    assert tries(run("v2", released=3, order=1)) == ["split refused"] * 3 + ["split"]


def test_the_numbers_of_the_text():
    usual = {"targets": "none", "holder": 1, "released": "never", "trouble": "none"}
    assert usual.items() <= vfio_map().knobs.items()
    for version, moved in (("base", 0), ("v2", 1536)):
        vmstat = vfio_map(version, thps=4).run().last.world.vmstat
        assert vmstat["pgmigrate_success"] == moved
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
        assert fails is (lesson.pin_result(trace) == "-ENOMEM")
        split = lesson.counters_of(trace)["thp_migration_fail"]
        assert returned in ({"base": [-12, split], "v1": [split], "v2": [0, split]}[version])


def test_a_small_huge_page_counts_what_a_large_one_does():
    for version, measured in (("base", "6.1.0"), ("v2", "v3")):  # the cure of 1/2 changes nothing
        assert lesson.counters_of(run(version)) == lesson.counters_of(run(measured))
    for version in lesson.VERSIONS:
        large, small = (run(version, released=3, **knobs) for knobs in ({}, {"order": 1}))
        assert lesson.counters_of(large) == lesson.counters_of(small)
        assert tries(large) == tries(small)


def test_the_order_of_the_steps_is_the_models():
    steps = {
        "folio_lock": "lock",
        "can_split_folio": "check",
        "unmap_folio": "unmap",
        "folio_ref_freeze": "freeze",
        "__split_huge_page": "cut",
        "folio_unlock": "unlock",
    }
    order = [
        steps[event.op.kind.name]
        for event in run(holder=0, order=1).events
        if event.op.kind.name in steps
        and any(frame.function == "try_split_thp" for frame in event.where)
    ]
    assert order == lesson.order.solution


def test_the_lesson_speaks_of_three_versions_only():
    other = set(VERSIONS) - set(lesson.VERSIONS)
    words = (FOLDER / "migrate_or_split.md").read_text(encoding="utf-8")
    assert not [name for name in other if f"`{name}`" in words]
    assert list(lesson.four.play().boxes["version"].options) == list(lesson.VERSIONS)
