"""Knobs of a model beside the picture that is drawn of it: one widget for all of them.

The explorer is one, too: its knobs move a search of at most STATES_MAX states.  If there are more,
the words say that it is not finished, and what was found so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from mmsim.amounts import plural
from mmsim.engine.explore import explore
from mmsim.engine.schedule import render
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import Situation
from mmsim.scenarios.knobs import Knob, Value, chosen
from mmsim.views.chances import PACES, chances, chances_picture, pace_words
from mmsim.views.flow import flow_picture
from mmsim.views.run_text import summary
from mmsim.views.svg import Picture
from mmsim.widgets.board import Board, in_lines, to_choose


def _control(knob: Knob, value: Value) -> Any:
    """A drop-down of words and moments, with the one that is set; or a slider."""
    if not knob.allowed:
        return w.IntSlider(min=knob.low, max=knob.high, value=int(value), tooltip=knob.what)
    words = dict.fromkeys([*knob.allowed, *knob.offered, str(value)])
    return w.Dropdown(options=list(words), value=str(value), tooltip=knob.what)


class Console(Board):
    """The widget.  `boxes` maps the names of the knobs to their controls.

    `picture` gets the values of all knobs by name, at first those of `start` or else the usual."""

    def __init__(
        self, picture: Callable[..., Picture], knobs: Sequence[Knob], **start: Value
    ) -> None:
        self._picture = picture
        self.boxes = {k.name: _control(k, start.get(k.name, k.default)) for k in knobs}
        for name, box in self.boxes.items():
            box.description, box.layout = name, w.Layout(width="240px")
        self._values = {name: box.value for name, box in self.boxes.items()}
        self.reset = w.Button(description="Reset", tooltip="back to the first settings")
        self.reset.on_click(lambda _: self._reset())
        super().__init__([*self.boxes.values(), self.reset])
        self.watch(*self.boxes.values())
        self.redraw()

    def _reset(self) -> None:
        with self.silent():
            for name, value in self._values.items():
                self.boxes[name].value = value
        self.redraw()

    def draw(self) -> None:
        """Show what the knobs make."""
        drawn = self._picture(**{name: box.value for name, box in self.boxes.items()})
        self.view.value = drawn.html
        self.said.value = in_lines(drawn.words)


def _decisions(situation: Situation) -> Picture:
    """The way that the run of a situation takes, and what came of it."""
    trace = situation.run()
    words = f"{summary(trace)}Schedule: {render(trace.moves)}"
    return Picture(flow_picture(trace).columns, words)


def console(
    situation: Situation, *, knobs: Sequence[str], versions: Sequence[str] = tuple(VERSIONS)
) -> Console:
    """A widget to turn some knobs of a situation and see which way its run goes; raises UserError
    for a knob that it does not have."""
    turned = chosen(situation.name, situation.spec.knobs, knobs)
    rows = to_choose(situation, versions)
    kernel = Knob("version", situation.version.name, "which kernel", allowed=tuple(rows))
    return Console(
        lambda version, **values: _decisions(situation.with_(rows[version], **values)),
        [kernel, *turned],
        **situation.knobs,
    )


# -- every schedule behind two knobs: who is quicker, how many passes

STATES_MAX = 5_000


def explored(situation: Situation, pace: str) -> Picture:
    """How all schedules end.  `pace`: of the main actor."""
    asked = situation.merged()
    found = explore(asked, states_max=STATES_MAX)
    states, schedules = plural(found.states, "state"), found.schedules()
    paces = {asked.main: next(each for each in PACES if pace_words(each) == pace)}
    outcomes = found.outcomes(asked.full_outcome, paces)
    if not found.complete:
        ends = [f"{o.name}: {render(o.shortest)}" for o in outcomes if o.shortest is not None]
        lines = [f"Search not finished after {states}. It found so far:", *ends]
        return Picture("", "\n".join(lines))
    if schedules is None:
        return Picture("", f"{states}; some schedules go on for ever.")
    drawn = chances_picture(chances(outcomes))
    return Picture(drawn.columns, f"{states}, {plural(schedules, 'schedule')}.")


def explorer(situation: Situation) -> Console:
    """A widget to look at all schedules of a situation that has a knob `passes`."""
    (knob,) = chosen(situation.name, situation.spec.knobs, ["passes"])
    steps = f"how many steps {situation.main} takes for one of another actor, on the average"
    pace = Knob("pace", "1 : 1", steps, allowed=tuple(map(pace_words, PACES)))
    return Console(
        lambda pace, passes: explored(situation.with_(passes=passes), pace),
        (pace, knob),
        passes=situation.knobs["passes"],
    )
