"""The console and the explorer without a browser: their knobs, with callbacks live."""

from __future__ import annotations

import pytest

from mmsim.errors import UserError
from mmsim.scenarios import SCENARIOS, drop_caches_only, pin_versus, split_race, vfio_map
from mmsim.views.chances import PACES, chances, chances_picture, pace_words
from mmsim.views.svg import Picture
from mmsim.widgets.console import STATES_MAX, Console, console, explorer

KNOBS = ("targets", "holder", "taken", "released", "reason", "passes", "thps")


def values(box):
    return list(box.options) if hasattr(box, "options") else [box.min, box.max, box.value]


def test_every_control_at_every_value_draws_or_says_why_not():
    widget = console(vfio_map(order=3), knobs=KNOBS)
    knobs = {knob.name: knob for knob in SCENARIOS["vfio_map"].knobs}
    assert set(widget.boxes) == {"version", *KNOBS}
    for name, box in widget.boxes.items():
        first = box.value
        for value in values(box):
            assert name == "version" or knobs[name].read(value) == value
            box.value = value
            assert "<svg" in widget.view.value
            assert widget.said.value
        box.value = first
    widget.boxes["holder"].value = 3
    assert "there are only 1 huge pages" in widget.said.value


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_control_shows_every_value_that_its_knob_can_have(scenario):
    for knob in SCENARIOS[scenario].knobs:
        moments = ["0", "9", "0.split.freeze", "2.split.freeze"] * knob.is_pass_site
        lists = ["nobody", ",".join(knob.allowed)] * knob.several
        limits = () if knob.allowed else (knob.low, knob.high)
        for value in map(knob.read, (*knob.allowed, *moments, *lists, *limits)):
            widget = Console(lambda **_: Picture("", ""), [knob], **{knob.name: value})
            assert widget.boxes[knob.name].value == value


def test_a_knob_that_a_situation_lacks_is_named():
    with pytest.raises(UserError, match="vfio_map has no knob 'holdr'; did you mean 'holder'"):
        console(vfio_map(), knobs=("holdr", "passes"))


# -- the explorer

RACE = split_race("v3", released="1")


def test_the_pace_changes_the_odds_and_not_the_schedules():
    widget = explorer(RACE)
    first = widget.view.value
    widget.boxes["pace"].value = pace_words(PACES[-1])
    assert widget.said.value == "55 states, 73 schedules."
    expected = RACE.explore().outcomes(RACE.full_outcome, {"split": PACES[-1]})
    assert widget.view.value == chances_picture(chances(expected)).html != first


def test_a_large_search_says_that_it_is_not_finished():
    widget = explorer(pin_versus("6.1.0", order=1, passes=2))
    assert f"Search not finished after {STATES_MAX + 1:,} states" in widget.said.value
    assert ": pin*" in widget.said.value
    assert widget.view.value == ""  # no share of what nobody knows


def test_a_situation_without_passes_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="drop_caches_only has no knob 'passes'"):
        explorer(drop_caches_only())
