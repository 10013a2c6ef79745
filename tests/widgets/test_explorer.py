"""The explorer without a browser: every slider at every value, with callbacks live."""

from __future__ import annotations

import asyncio

import pytest

from mmsim.lessons import Prediction
from mmsim.scenarios import pin_versus, split_race
from mmsim.views.chances import PACES, chances, chances_svg
from mmsim.views.tree import tree_svg
from mmsim.views.treefold import fold
from mmsim.widgets import explorer
from mmsim.widgets.explorer import BARS, NO_BOUND, PREEMPTIONS, STATES_MAX, TREE

RACE = split_race("v3", released="1")


def test_the_pictures_are_the_ones_of_the_static_twins():
    widget = explorer(RACE)
    found = RACE.explore()
    assert widget.view.value == chances_svg(chances(found.outcomes(RACE.fate)))
    assert "55 states, 73 schedules" in widget.said.value
    widget.shown.value = TREE
    assert widget.view.value == tree_svg(fold(found, RACE.fate))


def test_every_slider_at_every_value_draws():
    widget = explorer(RACE)
    for part, values in (
        (widget.pace, PACES),
        (widget.passes, range(1, 11)),
        (widget.bound, PREEMPTIONS),
        (widget.shown, (TREE, BARS)),
    ):
        first, seen = part.value, []
        for value in values:
            part.value = value
            assert widget.view.value.startswith("<svg")
            seen.append(widget.view.value)
        assert len(set(seen)) > 1
        part.value = first


def test_the_pace_changes_the_odds_and_not_the_schedules():
    widget = explorer(RACE)
    fair = widget.said.value
    widget.pace.value = PACES[-1]
    assert widget.said.value == fair
    expected = RACE.explore().outcomes(RACE.fate, {"split": PACES[-1]})
    assert widget.view.value == chances_svg(chances(expected))


def test_a_bound_leaves_fewer_schedules_and_no_odds():
    widget = explorer(RACE)
    counts = []
    for bound in PREEMPTIONS[1:]:
        widget.bound.value = bound
        counts.append(int(widget.said.value.split(", ")[1].split()[0]))
        assert ">odds<" not in widget.view.value
    assert counts == sorted(counts)
    assert counts[0] < counts[1] <= 73
    widget.bound.value = NO_BOUND
    assert ">odds<" in widget.view.value


def test_a_large_search_says_that_it_is_not_finished_and_can_go_on():
    widget = explorer(pin_versus("6.1.0", order=1, passes=2))
    assert "Search not finished" in widget.said.value
    assert f"{STATES_MAX + 1:,} states" in widget.said.value
    assert widget.longer.layout.display is None
    assert "<svg" not in widget.view.value  # no share of what nobody knows
    assert "found so far" in widget.view.value
    asyncio.run(widget.search_on())
    assert "not finished" not in widget.said.value
    assert widget.view.value.startswith("<svg")
    assert widget.longer.layout.display == "none"
    assert widget.bar.value > STATES_MAX


def test_the_long_search_can_be_cancelled_and_lets_others_run():
    widget = explorer(pin_versus("6.1.0", order=2, passes=2))

    async def press_cancel_meanwhile():
        widget.on.click()
        for _ in range(3):
            await asyncio.sleep(0)
        assert widget.on.disabled
        assert not widget.cancel.disabled
        widget.cancel.click()
        await widget.task

    asyncio.run(press_cancel_meanwhile())
    assert 0 < widget.bar.value < 20_000
    assert "Search not finished" in widget.said.value
    assert not widget.on.disabled


@pytest.mark.parametrize(("slider", "value"), [("passes", 1), ("bound", 0), ("pace", PACES[0])])
def test_moving_a_slider_stops_the_long_search(slider, value):
    widget = explorer(pin_versus("6.1.0", order=2, passes=2))

    async def move_meanwhile():
        widget.on.click()
        await asyncio.sleep(0)
        getattr(widget, slider).value = value
        shown = widget.view.value
        await widget.task
        return shown

    shown = asyncio.run(move_meanwhile())
    assert widget.view.value == shown


def test_everything_is_locked_until_the_prediction_is_stored():
    prediction = Prediction("How likely?", {"odds": ("1 in 2", "1 in 35")})
    widget = explorer(RACE, unlock=prediction)
    parts = (widget.pace, widget.passes, widget.bound, widget.shown)
    assert all(part.disabled for part in parts)
    assert "<svg" not in widget.view.value
    prediction.set({"odds": "1 in 2"})
    assert not any(part.disabled for part in parts)
    assert widget.view.value.startswith("<svg")
    assert "Stored: odds 1 in 2" in widget.question.said.value


def test_controls_have_names():
    widget = explorer(RACE)
    for part in (widget.pace, widget.passes, widget.bound, widget.on, widget.cancel, widget.bar):
        assert part.description


def test_a_situation_without_passes_is_refused_in_a_sentence():
    from mmsim.scenarios import drop_caches_only

    with pytest.raises(ValueError, match="drop_caches_only has no knob 'passes'"):
        explorer(drop_caches_only())
