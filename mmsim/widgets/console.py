"""Knobs of a model beside the picture that is drawn of it: one widget for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets as w

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine import schedule
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.scenarios.situation import Knob, Value
from mmsim.views import flow, run
from mmsim.views.show import Picture

Drawing = Callable[[Any], Picture]


class Turnable(Protocol):
    """What has knobs, and another one of its kind for other values."""

    @property
    def knobs(self) -> Mapping[str, Value]: ...
    def with_(self, **knobs: Any) -> Any: ...


def _control(knob: Knob, value: Value) -> Any:
    """A drop-down of words, or of the moments a lesson speaks of; or a slider."""
    if not knob.allowed:
        return w.IntSlider(min=knob.low, max=knob.high, value=int(value), tooltip=knob.what)
    moments = map(str, range(1, MIGRATE_PASSES)) if knob.is_moment else ()
    words = [*knob.allowed, *(("0.site2", "0.move_freeze") if knob.name == "taken" else moments)]
    return w.Dropdown(options=words, value=str(value), tooltip=knob.what)


class Console(w.VBox):
    """The widget.  `boxes` maps knob names, and "version" for a situation, to their controls."""

    box_width = "240px"

    def __init__(
        self,
        first: Turnable,
        knobs: Sequence[Knob],
        draw: Drawing,
        versions: Sequence[str] = (),
    ) -> None:
        self.first, self.draw = first, draw
        self.boxes: dict[str, Any] = {}
        if versions and isinstance(first, Situation):
            self.boxes["version"] = w.Dropdown(options=versions, value=first.version.name)
        self.boxes |= {knob.name: _control(knob, first.knobs[knob.name]) for knob in knobs}
        for name, box in self.boxes.items():
            box.description, box.layout = name, w.Layout(width=self.box_width)
            box.observe(lambda _: self._draw(), "value")
        self.reset = w.Button(description="Reset", tooltip="back to the first settings")
        self.reset.on_click(lambda _: self._reset())
        self.view, self.said, self.busy = w.HTML(), w.HTML(), w.Label()
        self._values = {name: box.value for name, box in self.boxes.items()}
        self._quiet = False
        controls = [*self.boxes.values(), self.reset, self.busy]
        row = w.HBox(controls, layout=w.Layout(flex_flow="row wrap"))
        super().__init__([row, self.view, self.said])
        self._draw()

    def _reset(self) -> None:
        self._quiet = True  # one picture for all of them, not one each
        for name, value in self._values.items():
            self.boxes[name].value = value
        self._quiet = False
        self._draw()

    def _draw(self) -> None:
        if self._quiet:
            return
        self.busy.value = "The model runs …"
        try:
            drawn = self.draw(self.first.with_(**{n: box.value for n, box in self.boxes.items()}))
        except ValueError as error:
            self.said.value = f"These settings contradict each other: {escape(str(error))}"
            return
        finally:
            self.busy.value = ""
        self.view.value = drawn.html
        self.said.value = "<br>".join(map(escape, drawn.words.splitlines()))


def _decisions(situation: Situation) -> Picture:
    """The way that the run of a situation takes, and what came of it."""
    trace = situation.run()
    words = f"{run.summary(trace)}Schedule: {schedule.render(trace.moves)}"
    return Picture(flow.flow_picture(trace).columns, words)


def console(
    situation: Situation, *, knobs: Sequence[str], versions: Sequence[str] = tuple(VERSIONS)
) -> Console:
    """A widget to turn some knobs of a situation and see which way its run goes."""
    known = [knob for knob in SCENARIOS[situation.name].knobs if knob.name in knobs]
    return Console(situation, known, _decisions, versions)


def knobs_beside(first: Turnable, known: Sequence[Knob], draw: Drawing) -> Console:
    """A widget to turn the knobs `known` of `first`, and see the picture of what they make."""
    return Console(first, known, draw)
