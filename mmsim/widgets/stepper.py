"""Walking through a run: Back, Forward, a slider, the arrow keys, and one picture.

The picture is the one that is shown without a widget, too."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from mmsim.engine.trace import Trace
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import Situation
from mmsim.views.run_text import fold, summary
from mmsim.views.state import state_picture
from mmsim.widgets.board import Board, in_lines, keyed, to_choose


class Walk(Board):
    """A walk whose slider counts stops; 0 is before the first.

    A subclass says what `last` is and what is shown at a stop."""

    def __init__(self, *controls: Any, slider: str, above: tuple[Any, ...] = ()) -> None:
        narrow = w.Layout(width="96px")
        self.back = w.Button(description="◀ Back", tooltip="one step back (←)", layout=narrow)
        self.forward = w.Button(description="Forward ▶", tooltip="one step on (→)", layout=narrow)
        room = w.Layout(flex="1 1 210px", max_width=slider)
        self.slider = w.IntSlider(description="step", layout=room)
        walk = [*controls, keyed(self.back, "arrowleft"), self.slider]
        super().__init__([*walk, keyed(self.forward, "arrowright")], *above)
        self.watch(self.slider)
        self.back.on_click(lambda _: self._go(-1))
        self.forward.on_click(lambda _: self._go(1))

    @property
    def last(self) -> int:
        """The number of the last stop."""
        raise NotImplementedError

    def _go(self, by: int) -> None:
        self.slider.value += by

    def draw(self) -> None:
        """Show the stop that the slider names, if there is one of this number."""
        with self.silent():
            self.slider.max = self.last
        self.back.disabled = self.slider.value == 0
        self.forward.disabled = self.slider.value == self.last
        self.show(self.slider.value)

    def show(self, stop: int) -> None:
        """Show a stop."""
        raise NotImplementedError


class Stepper(Walk):
    """The steps of a run, and a switch for its version.  Its stops are rows of the folded run."""

    def __init__(self, situation: Situation, versions: tuple[str, ...]) -> None:
        self.situation = situation
        self._versions = to_choose(situation, versions)
        self._runs: dict[str, Trace] = {}
        self.version = w.Dropdown(
            options=list(self._versions), value=situation.version.name, description="version"
        )
        self.version.layout.width = "180px"
        super().__init__(self.version, slider="480px")
        self.view.add_class("mmsim-live")  # the picture's title says what the step changed
        self.watch(self.version)
        self.redraw()

    @property
    def trace(self) -> Trace:
        """The run of the chosen version, made once."""
        version: Any = self.version.value
        if version not in self._runs:
            self._runs[version] = self.situation.with_(self._versions[version]).run()
        return self._runs[version]

    @property
    def last(self) -> int:
        """The number of the last row."""
        return len(fold(self.trace))

    def show(self, stop: int) -> None:
        """Show the state after a row."""
        moment = self.trace.at(fold(self.trace)[stop - 1].end if stop else 0)
        self.view.value = state_picture(moment).html
        self.said.value = in_lines(summary(self.trace)) if self.forward.disabled else ""


def stepper(situation: Situation, *, versions: tuple[str, ...] = tuple(VERSIONS)) -> Stepper:
    """A widget to step through the run of a situation."""
    return Stepper(situation, versions)
