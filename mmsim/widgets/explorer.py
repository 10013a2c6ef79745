"""Every schedule behind a few sliders: who is quicker, how many passes, how many interruptions.

A slider moves a search of at most `STATES_MAX` states; if there are more, the picture says "search
not finished", and what was found so far."""

from __future__ import annotations

from fractions import Fraction
from html import escape

import ipywidgets as w

from mmsim.engine.explore import explore
from mmsim.engine.schedule import render
from mmsim.errors import nearest
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.scenarios.situation import Value
from mmsim.views.chances import PACES, chances, chances_picture, pace_words
from mmsim.views.words import plural
from mmsim.widgets.board import Board

STATES_MAX = 5_000
NO_BOUND = "any"
PREEMPTIONS = (NO_BOUND, 0, 1, 2, 3, 4)


class Explorer(Board):
    """The widget.  Its parts are attributes, so that a test can move them."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        wide = {"description_width": "initial"}
        self.pace = w.SelectionSlider(
            options=[(pace_words(pace), pace) for pace in PACES],
            value=Fraction(1),
            description=f"pace, {situation.main} : others",
            style=wide,
            tooltip="how many steps it takes for one of another actor, on the average",
        )
        self.passes = w.IntSlider(description="passes", style=wide, **self._range("passes"))
        self.bound = w.SelectionSlider(
            options=PREEMPTIONS, value=NO_BOUND, description="interruptions, at most", style=wide,
            tooltip="schedules in which an actor that could go on is interrupted at most so often",
        )  # fmt: skip
        self.sliders = (self.pace, self.passes, self.bound)
        for part in self.sliders:
            part.layout = w.Layout(width="300px")
        super().__init__(self.sliders)
        self.watch(*self.sliders)
        self.redraw()

    def _range(self, name: str) -> dict[str, Value]:
        knobs = {knob.name: knob for knob in SCENARIOS[self.situation.name].knobs}
        if name not in knobs:
            raise ValueError(f"{self.situation.name} has no knob {name!r}{nearest(name, knobs)}")
        knob = knobs[name]
        return {"min": knob.low, "max": knob.high, "value": self.situation.knobs[name]}

    def draw(self) -> None:
        """Search, and show what ends how."""
        asked = self.situation.with_(passes=self.passes.value).merged()
        bound = None if self.bound.value == NO_BOUND else int(self.bound.value)
        found = explore(asked, states_max=STATES_MAX, preemptions_max=bound)
        states = plural(found.states, "state")
        outcomes = found.outcomes(asked.fate, {asked.main: self.pace.value})
        if not found.complete:
            self.said.value = f"<b>Search not finished</b> after {states}. It found so far:"
            self.view.value = "".join(
                f"<p>{escape(each.name)}: <code>{escape(render(each.shortest))}</code></p>"
                for each in outcomes
                if each.shortest is not None
            )
            return
        schedules = found.schedules()
        if schedules is None:
            self.said.value = f"{states}; some schedules go on for ever."
            self.view.value = ""
            return
        self.said.value = f"{states}, {plural(schedules, 'schedule')}."
        # Under a bound the coin has fewer sides, so its odds are those of another scheduler.
        self.view.value = chances_picture(chances(outcomes, odds=bound is None)).html


def explorer(situation: Situation) -> Explorer:
    """A widget to look at all schedules of a situation that has a knob `passes`."""
    return Explorer(situation)
