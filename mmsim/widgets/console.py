"""Knobs of a situation beside the decisions its run takes.

Interface: console, Console, Turnable, knobs_beside

The controls are built from the scenario's knobs, which are data; the picture is the flow chart of
`views.flow`, as in the static twin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets as w

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine import schedule
from mmsim.engine.trace import Trace
from mmsim.lessons import Prediction
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.scenarios.situation import Knob, Value
from mmsim.views import flow, run
from mmsim.views.show import Picture

LOCKED = "Locked: store your prediction first."


class Turnable(Protocol):
    """What has knobs, and another one of its kind for other values."""

    @property
    def knobs(self) -> Mapping[str, Value]: ...
    def with_(self, **knobs: Any) -> Any: ...


def _choices(knob: Knob) -> list[str]:
    """The values a drop-down offers: words, or the moments a lesson speaks of."""
    if knob.name == "taken":
        return [*knob.allowed, "0.site2", "0.move_freeze"]
    if knob.is_moment:
        return [*knob.allowed, *map(str, range(1, MIGRATE_PASSES))]
    return list(knob.allowed)


class Console(w.VBox):
    """The widget.  `boxes` maps knob names, and "version", to their controls."""

    box_width = "240px"

    def __init__(
        self,
        situation: Turnable,
        knobs: tuple[str, ...],
        prediction: Prediction | None,
        versions: tuple[str, ...] = tuple(VERSIONS),
    ) -> None:
        self.situation = situation
        self.versions = versions
        self.boxes = self._offered(knobs)
        for name, box in self.boxes.items():
            box.description = name
            box.layout = w.Layout(width=self.box_width)
            box.observe(lambda _: self._draw(), "value")
        self.reset = w.Button(description="Reset", tooltip="back to the first settings")
        self.reset.on_click(lambda _: self._reset())
        self.view = w.HTML()
        self.said = w.HTML()
        self._quiet = False
        self._first = {name: box.value for name, box in self.boxes.items()}
        layout = w.Layout(flex_flow="row wrap")
        super().__init__(
            [w.HBox([*self.boxes.values(), self.reset], layout=layout), self.view, self.said]
        )
        self.locked = prediction is not None and prediction.stored is None
        self._lock()
        if prediction is not None:
            prediction.when_stored(self._unlock)
        self._draw()

    def _offered(self, knobs: tuple[str, ...]) -> dict[str, Any]:
        """Name -> control, in the order they are shown."""
        assert isinstance(self.situation, Situation)
        known = SCENARIOS[self.situation.name].knobs
        version = w.Dropdown(options=list(self.versions), value=self.situation.version.name)
        return {"version": version, **{k.name: self._box(k) for k in known if k.name in knobs}}

    def _run(self, values: dict[str, Any]) -> Any:
        """What these settings make; raises ValueError if they contradict each other."""
        return self.situation.with_(**values).run()

    def _show(self, trace: Trace) -> None:
        """Draw a run and say what came of it."""
        self.view.value = flow.flow_svg(trace)
        told = [escape(line) for line in run.summary(trace).splitlines()]
        moves = escape(schedule.render(trace.moves))
        self.said.value = "<br>".join(told) + f"<br><code>{moves}</code>"

    def _box(self, knob: Knob) -> Any:
        value = self.situation.knobs[knob.name]
        if knob.allowed:
            return w.Dropdown(options=_choices(knob), value=str(value), tooltip=knob.what)
        return w.IntSlider(min=knob.low, max=knob.high, value=int(value), tooltip=knob.what)

    def _lock(self) -> None:
        for box in (*self.boxes.values(), self.reset):
            box.disabled = self.locked

    def _unlock(self) -> None:
        self.locked = False
        self._lock()
        self._draw()

    def _reset(self) -> None:
        self._quiet = True  # one picture for all of them, not one each
        for name, value in self._first.items():
            self.boxes[name].value = value
        self._quiet = False
        self._draw()

    def _draw(self) -> None:
        if self.locked or self._quiet:
            self.view.value = f"<p><i>{LOCKED}</i></p>" if self.locked else self.view.value
            return
        values = {name: box.value for name, box in self.boxes.items()}
        try:
            made = self._run(values)
        except ValueError as error:
            self.said.value = f"These settings contradict each other: {escape(str(error))}"
            return
        self._show(made)


def console(
    situation: Situation,
    *,
    knobs: tuple[str, ...],
    unlock: Prediction | None = None,
    versions: tuple[str, ...] = tuple(VERSIONS),
) -> Console:
    """A widget to turn some knobs of a situation and see which way its run goes."""
    return Console(situation, knobs, unlock, versions)


Drawing = Callable[[Any], Picture]


class _Beside(Console):
    """Knobs beside the picture that `draw` makes of them."""

    def __init__(self, first: Turnable, known: Sequence[Knob], draw: Drawing) -> None:
        self.known, self.picture = known, draw
        super().__init__(first, (), None)

    def _offered(self, knobs: tuple[str, ...]) -> dict[str, Any]:
        return {knob.name: self._box(knob) for knob in self.known}

    def _run(self, values: dict[str, Any]) -> Any:
        return self.situation.with_(**values)

    def _show(self, made: Any) -> None:
        drawn = self.picture(made)
        self.view.value, self.said.value = drawn.svg, f"<p>{escape(drawn.words)}</p>"


def knobs_beside(first: Turnable, known: Sequence[Knob], draw: Drawing) -> Console:
    """A widget to turn the knobs `known` of `first`, and see the picture of what they make."""
    return _Beside(first, known, draw)
