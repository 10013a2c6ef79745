"""Lesson 07: the stored tosses, and what its text counts and no card shows."""

from __future__ import annotations

from coin import sample

from mmsim.lessons import how_likely as lesson

RACE = lesson.RACE


def test_the_stored_runs_are_those_of_the_coin():
    assert sample(RACE.merged(), RACE.full_outcome, sum(lesson.TOSSED.values()), 0) == lesson.TOSSED


def test_what_the_text_says_and_no_card_shows():
    looks = {e.site: n for n, e in enumerate(RACE.replay("split*13 holder*2").events, start=1)}
    assert (looks["split.check"], looks["split.freeze"]) == (7, 10)
    assert lesson.failing_at(81, 10) > lesson.failing_at(27, 10)  # beyond the list
    assert all(lesson.rescued_share(how, "6.1.0").hits == 0 for how in lesson.HOW)
