"""The explorer without a browser: knobs at several values, with callbacks live."""

from __future__ import annotations

import pytest

from mmsim.scenarios import drop_caches_only, pin_versus, split_race
from mmsim.views.chances import PACES, chances, chances_picture, pace_words
from mmsim.widgets.explorer import STATES_MAX, explorer

RACE = split_race("v3", released="1")


def test_every_knob_draws_something_else():
    widget = explorer(RACE)
    assert widget.view.value == chances_picture(chances(RACE.explore().outcomes(RACE.fate))).html
    assert widget.said.value == "55 states, 73 schedules."
    for name, values in (
        ("pace", ("1 : 9", "27 : 1")),
        ("passes", (1, 2)),
    ):
        part = widget.boxes[name]
        first, seen = part.value, []
        for value in values:
            part.value = value
            assert widget.view.value.startswith("<svg")
            seen.append(widget.view.value)
        assert len(set(seen)) == 2
        part.value = first


def test_the_pace_changes_the_odds_and_not_the_schedules():
    widget = explorer(RACE)
    fair = widget.said.value
    widget.boxes["pace"].value = pace_words(PACES[-1])
    assert widget.said.value == fair
    expected = RACE.explore().outcomes(RACE.fate, {"split": PACES[-1]})
    assert widget.view.value == chances_picture(chances(expected)).html


def test_a_large_search_says_that_it_is_not_finished():
    widget = explorer(pin_versus("6.1.0", order=1, passes=2))
    assert f"Search not finished after {STATES_MAX + 1:,} states" in widget.said.value
    assert ": pin*" in widget.said.value
    assert widget.view.value == ""  # no share of what nobody knows


def test_a_situation_without_passes_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="drop_caches_only has no knob 'passes'"):
        explorer(drop_caches_only())
