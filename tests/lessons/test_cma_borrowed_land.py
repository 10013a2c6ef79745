"""Lesson 02: where eight allocations land, the stored course, and how often a page is pinned."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv, path
from mmsim.evidence.kernel_runs import curves, populate, rows_of, zone_with
from mmsim.lessons import cma_borrowed_land as lesson
from mmsim.lessons.cma_borrowed_land import lending
from mmsim.scenarios import boot_guest


@pytest.mark.parametrize(
    ("knobs", "landed"),
    [
        ({"cma": 14}, "oooooCoC"),
        ({"movable": "no"}, "oooooooo"),
        ({"cma": 8, "old": "yes"}, "CCCCCCCC"),  # the second road
        ({"cma": 0, "old": "yes"}, "rrrrrrrr"),
    ],
)
def test_where_eight_allocations_land(knobs, landed):
    assert "".join(grant.place[0] for grant in lending(**knobs)) == landed


def test_numbers_of_the_text():
    assert [n for n in range(27) if lesson.in_cma(cma=n) == 1] == [lesson.one.solution]
    first, *_, seventh, _ = lending()
    assert (first.free // 512, first.free_cma // 512) == (32, 19)
    assert (seventh.free // 512, seventh.free_cma // 512) == (26, 13)


def test_the_stored_course_is_what_the_model_gives():
    curve = curves(rows_of(path(lesson.FILE)))[f"s9_{lesson.SINGLE}_cma256"]
    zone = zone_with(curve[0].free, curve[0].free_cma)
    for step, stored in zip(curve, load_csv(lesson.MODEL), strict=True):
        taken = populate(zone, step.pages if step is not curve[0] else 0, huge=False)
        mine = (stored["mapped_mib"], zone.nr_free, zone.nr_free_cma, taken)
        assert [*stored.values()] == [*map(str, mine)]


def test_how_often_the_page_is_pinned_is_as_the_text_says():
    inverted = boot_guest(guest=2, scattered=0, isolation="inverted").run()
    for run, times, released in ((lesson.pinned(), 2, 512), (inverted, 3, 1024)):
        names = [event.op.kind.name for event in run.events]
        assert names.count("follow_page_mask") == times
        assert run.last.world.vmstat["nr_foll_pin_acquired"] == 512 * times
        assert run.last.world.vmstat["nr_foll_pin_released"] == released
