"""Lesson 05: its windows, and what its text says."""

from __future__ import annotations

from itertools import pairwise

import pytest
from views.svg_rules import readable

from mmsim.engine.schedule import render
from mmsim.lessons import probably_drop_caches as lesson
from mmsim.lessons.probably_drop_caches import FAILS, PINS, WAITS, check_times, pin_after, windows
from mmsim.scenarios import SMALL, drop_caches_only, pin_versus, timed_hold


def test_windows_of_a_batch():
    """The first is unlocked first and waits longest; all are let go one after the other."""
    found = windows(drop_caches_only(folios=4).run())
    assert [window.name for window in found] == ["T1", "T2", "T3", "T4"]
    for before, after in pairwise(found):
        assert before.locked + 4 == after.locked
        assert before.gone + 1 == after.gone
    alone = [window.gone - window.unlocked for window in found]
    assert alone == sorted(alone, reverse=True)
    assert [w.name for w in windows(drop_caches_only(folios=3, locked=2).run())] == ["T1", "T3"]
    longer = windows(drop_caches_only(folios=15).run())[0]
    assert longer.gone - longer.unlocked > alone[0]


@pytest.mark.parametrize("version", ["base", "v2", "v3"])
def test_after_how_many_steps_a_pin_meets_what(version):
    """From folio_unlock(), step 8, to folio_put(), step 14."""
    met = [pin_after(version, steps) for steps in range(16)]
    end = FAILS if version == "base" else PINS
    assert met[:2] == met[14:] == [end, end]
    assert met[3:8] == [WAITS] * 5
    assert met[8] == met[13] == FAILS
    # Off its LRU list, and back on it.
    assert (met[10], pin_after(version, 10, 12)) == (WAITS, FAILS)
    assert lesson.first_window()[1:] == (3, 8, 14)


def test_both_windows_end_in_a_failure():
    table = lesson.window_table()["v2's pin"]
    assert list(table.index) == ["0 to 1", "2", "3 to 7", "8 to 9", "10", "11 to 13", "14 to 17"]
    assert [("fails" in words) for words in table] == [0, 1, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("version", lesson.VERSIONS)
def test_ends_and_a_shortest_schedule_to_one(version):
    """What stands in the lesson is what a search of all orders finds."""
    found = pin_versus(version, **SMALL).explore()
    assert SMALL == {"order": 1, "passes": 2}
    assert found.complete
    ends = found.outcomes(found.scenario.outcome)
    reached = {each.name: render(each.shortest) for each in ends if each.shortest is not None}
    assert reached == lesson.REACHED[version]


@pytest.mark.parametrize(("how", "look"), [("injected", 1071), ("fragmented", 1471)])
def test_a_reference_may_stay_until_the_last_look(how, look):
    assert check_times("v2", how)[-1] == look
    for hold, end in ((look - 1, 2), (look, -12)):
        run = timed_hold("v2", hold=hold, allocation=how, order=1).run()
        assert run.results["pin"] == end


def test_what_is_said_of_the_chart_of_timed_releases():
    """A test of the measured rows holds its numbers against the clock."""
    assert lesson.releases()["fragmented", "measured"][0] == lesson.BASE_US
    assert lesson.releases()["fragmented", "model"][0] < lesson.BASE_US  # "the clock is rough"
    readable(lesson.release_chart()[0].svg)
