"""Lesson 05: its windows, and what its text says."""

from __future__ import annotations

import pytest

from mmsim.engine.schedule import render
from mmsim.lessons import probably_drop_caches as lesson
from mmsim.lessons.probably_drop_caches import windows
from mmsim.scenarios import SMALL, drop_caches_only, pin_versus


def test_a_page_that_was_locked_already_has_no_window():
    found = windows(drop_caches_only(folios=3, locked=2).run())
    assert [window.name for window in found] == ["T1", "T3"]


@pytest.mark.parametrize("version", lesson.VERSIONS)
def test_ends_and_a_shortest_schedule_to_one(version):
    """What stands in the lesson is what a search of all orders finds."""
    found = pin_versus(version, **SMALL).explore()
    assert SMALL == {"order": 1, "passes": 2}
    assert found.complete
    ends = found.outcomes(found.scenario.outcome)
    ways = {each.name: render(each.shortest) for each in ends if each.shortest is not None}
    assert ways == lesson.WAYS_TO_END[version]
