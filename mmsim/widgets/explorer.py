"""Every schedule behind a few sliders: who is quicker, how many passes, how many interruptions.

Interface: explorer, Explorer

A slider moves a search of at most `STATES_MAX` states; if there are more, the picture says "search
not finished", and a button searches on, with a bar and Cancel.  That search runs a few hundred
states at a time and lets the page live in between."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.engine.explore import Exploration, Outcome, explore, search
from mmsim.engine.schedule import render
from mmsim.errors import nearest
from mmsim.knobs import Value
from mmsim.lessons import Prediction
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.views import chances, tree
from mmsim.views.chances import PACES, pace_words
from mmsim.views.treefold import fold
from mmsim.views.words import plural
from mmsim.widgets.question import Question

STATES_MAX, BUTTON_STATES_MAX, EVERY = 5_000, 80_000, 500
UNFINISHED = (
    "<b>Search not finished</b> after {}. What was found is there; "
    "what was not found may be in the rest."
)
LOCKED = "Locked: store your prediction first."
NO_BOUND = "any"
PREEMPTIONS = (NO_BOUND, 0, 1, 2, 3, 4)
BARS, TREE = "bars", "tree"


def _so_far(outcomes: list[Outcome]) -> str:
    """What an unfinished search may claim: that there is a way to get there, and which."""
    lines = [
        f"<li>{escape(each.name)}: <code>{escape(render(each.shortest))}</code></li>"
        for each in outcomes
        if each.shortest is not None
    ]
    return (
        f"<p>Ways to end that were found so far, each with a schedule:</p><ul>{''.join(lines)}</ul>"
    )


class Explorer(w.VBox):
    """The widget.  Its parts are attributes, so that a test can move them."""

    def __init__(self, situation: Situation, prediction: Prediction | None) -> None:
        self.situation = situation
        self.cancelled = False
        self.question_number = 0  # a search that answers an older one is not shown
        self.task: asyncio.Task[None] | None = None
        main = situation.main
        wide = {"description_width": "initial"}
        self.pace = w.SelectionSlider(
            options=[(pace_words(pace), pace) for pace in PACES],
            value=Fraction(1),
            description=f"pace, {main} : others",
            style=wide,
            tooltip="how many steps it takes for one of another actor, on the average",
        )
        self.passes = w.IntSlider(description="passes", style=wide, **self._range("passes"))
        self.bound = w.SelectionSlider(
            options=PREEMPTIONS, value=NO_BOUND, description="interruptions, at most", style=wide,
            tooltip="schedules in which whoever could go on is interrupted at most so often",
        )  # fmt: skip
        self.shown = w.ToggleButtons(
            options=[BARS, TREE], value=BARS, tooltips=["odds", "schedules"]
        )
        self.shown.style.button_width = "80px"
        for part in (self.pace, self.passes, self.bound):
            part.layout = w.Layout(width="340px")
        self.on = w.Button(description="Search on", tooltip="search all states, up to a limit")
        self.cancel = w.Button(description="Cancel", tooltip="stop searching")
        self.bar = w.IntProgress(min=0, max=BUTTON_STATES_MAX, description="states")
        self.said, self.view = w.HTML(), w.HTML()
        self.longer = w.HBox([self.on, self.cancel, self.bar])
        rows: list[Any] = [
            w.HBox([self.pace, self.passes, self.bound], layout=w.Layout(flex_flow="row wrap")),
            w.HBox([self.shown]),
            self.said,
            self.longer,
            self.view,
        ]
        if prediction is not None:
            self.question = Question(prediction, "Now move the sliders.")
            rows.insert(0, self.question)
        super().__init__(rows)
        self._connect()
        self.locked = prediction is not None and prediction.stored is None
        self._draw()
        if prediction is not None:
            prediction.when_stored(self._unlock)

    def _range(self, name: str) -> dict[str, Value]:
        knobs = {knob.name: knob for knob in SCENARIOS[self.situation.name].knobs}
        if name not in knobs:
            raise ValueError(f"{self.situation.name} has no knob {name!r}{nearest(name, knobs)}")
        knob = knobs[name]
        return {"min": knob.low, "max": knob.high, "value": self.situation.knobs[name]}

    def _connect(self) -> None:
        for part in (self.pace, self.passes, self.bound, self.shown):
            part.observe(lambda _: self._draw(), "value")
        self.on.on_click(lambda _: self._start())
        self.cancel.on_click(lambda _: self._stop())

    def _unlock(self) -> None:
        self.locked = False
        self.question.stored()
        self._draw()

    # -- what is asked

    @property
    def asked(self) -> Situation:
        """The situation with what the sliders say."""
        return self.situation.with_(passes=self.passes.value)

    @property
    def preemptions_max(self) -> int | None:
        """The bound, None without one."""
        return None if self.bound.value == NO_BOUND else int(self.bound.value)

    def _weights(self) -> dict[str, Fraction]:
        return {self.situation.main: self.pace.value}

    # -- the search behind a slider

    def _draw(self) -> None:
        self._stop()
        self.question_number += 1
        for part in (self.pace, self.passes, self.bound, self.shown):
            part.disabled = self.locked
        self.longer.layout.display = "none"
        if self.locked:
            self.view.value = f"<p><i>{LOCKED}</i></p>"
            return
        bound = self.preemptions_max
        found = explore(self.asked.merged(), states_max=STATES_MAX, preemptions_max=bound)
        self._show(found)

    def _show(self, found: Exploration) -> None:
        situation = found.scenario
        assert isinstance(situation, Situation)
        states, schedules = plural(found.states, "state"), found.schedules()
        counted = "no limit to them" if schedules is None else plural(schedules, "schedule")
        self.said.value = f"{states}, {counted}." if found.complete else UNFINISHED.format(states)
        self.longer.layout.display = "none" if found.complete else None
        self.on.disabled, self.cancel.disabled = False, True
        self.view.value = self._picture(found, situation)

    def _picture(self, found: Exploration, situation: Situation) -> str:
        try:
            outcomes = found.outcomes(situation.fate, self._weights())
            if not found.complete:
                return _so_far(outcomes)
            if self.shown.value == TREE:
                return tree.tree_svg(fold(found, situation.fate))
            # Under a bound the coin has fewer sides, so its odds are those of another scheduler.
            odds = self.preemptions_max is None
            return chances.chances_svg(chances.chances(outcomes, odds=odds))
        except ValueError as error:
            return f"<p>{escape(str(error))}</p>"

    # -- the search behind the button

    def _start(self) -> None:
        self.task = asyncio.ensure_future(self.search_on())

    def _stop(self) -> None:
        self.cancelled = True

    async def search_on(self) -> None:
        """Search up to `BUTTON_STATES_MAX` states, letting others run after every few hundred."""
        self.cancelled = False
        self.on.disabled, self.cancel.disabled = True, False
        found: Exploration | None = None
        question = self.question_number
        for found in search(
            self.asked.merged(),
            states_max=BUTTON_STATES_MAX,
            preemptions_max=self.preemptions_max,
            every=EVERY,
        ):
            self.bar.value = found.states
            await asyncio.sleep(0)
            if self.cancelled:
                break
        if found is not None and question == self.question_number:
            self._show(found)


def explorer(situation: Situation, *, unlock: Prediction | None = None) -> Explorer:
    """A widget to look at all schedules of a situation that has a knob `passes`.

    `unlock`: a prediction that has to be stored before anything moves.
    """
    return Explorer(situation, unlock)
