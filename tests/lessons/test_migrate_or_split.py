"""Lesson 04: what its text says is what the model does."""

from __future__ import annotations

from mmsim.lessons import migrate_or_split as lesson
from mmsim.lessons.migrate_or_split import run
from mmsim.scenarios.observed import counters_of
from mmsim.views.flow import tries


def test_a_small_huge_page_counts_what_a_large_one_does():
    for version, measured in (("base", "6.1.0"), ("v2", "v3")):  # the cure of 1/2 changes nothing
        assert counters_of(run(version)) == counters_of(run(measured))
    for version in lesson.VERSIONS:
        large, small = (run(version, released=3, **knobs) for knobs in ({}, {"order": 1}))
        assert counters_of(large) == counters_of(small)
        assert tries(large) == tries(small)


def test_what_each_rescue_counts_is_the_models():
    for case, (_, _, count, _) in lesson.RESCUES.items():
        assert counters_of(lesson.rescue_run(case))["thp_migration_fail"] == count


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
