"""Walking through a run: Back, Forward, a slider, the arrow keys, and one picture.

There are two: the steps of any run, and the first screen of the course.  Their pictures are those
that are shown without a widget, too."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from mmsim.engine.trace import Trace
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import Situation
from mmsim.views.first_screen import (
    KERNELS,
    LETS_GO,
    NEVER,
    NOBODY,
    Stop,
    screen,
    stop_words,
    stops,
)
from mmsim.views.run_text import fold, summary
from mmsim.views.state import state_picture
from mmsim.widgets.board import ROW, Board, in_lines, keyed, quiet, to_choose


class Walk(Board):
    """What both widgets here are: a walk whose slider counts stops; 0 is before the first.

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


# -- the first screen of the course: the bug in one picture, with two controls

FIRST_STYLE = """<style>
.mmsim-first svg {display: block}
.mmsim-first .mmsim-said {min-height: 22px; font-size: 15px; padding: 2px 4px}
</style>"""


class FirstScreen(Walk):
    """When does the holder let go, and in which kernel?  The end is shown at once."""

    def __init__(self) -> None:
        names = {NOBODY: "nobody holds it", NEVER: "never"}
        pairs = [(names.get(when, f"before pass {when}"), when) for when in LETS_GO]
        self.kernel = w.ToggleButtons(options=list(KERNELS), style={"button_width": "58px"})
        self.lets_go = w.SelectionSlider(
            options=pairs,
            value=NEVER,
            description="the holder lets go",
            style={"description_width": "120px"},
            layout=w.Layout(flex="1 1 365px", max_width="480px"),
        )
        self.play = w.Play(interval=1300, show_repeat=False)
        settings = w.HBox([w.Label("kernel"), self.kernel, self.lets_go], layout=ROW)
        super().__init__(self.play, slider="400px", above=(quiet(FIRST_STYLE), settings))
        self.add_class("mmsim-first")
        # Not in the browser: there an answer that comes late would take the next press back.
        self._link = w.link((self.play, "value"), (self.slider, "value"))
        for control in (self.kernel, self.lets_go):
            control.observe(lambda _: self._switch(), "value")
        self._switch()

    @property
    def way(self) -> list[Stop]:
        """The stops of the chosen setting."""
        return stops(self.kernel.value, self.lets_go.value)

    @property
    def last(self) -> int:
        """The number of the last stop."""
        return len(self.way) - 1

    def _switch(self) -> None:
        self.play.playing = False
        with self.silent():
            self.play.max = self.slider.max = self.last
            self.slider.value = self.last
        self.redraw()

    def show(self, stop: int) -> None:
        """Show the way as far as a stop."""
        way = self.way[: stop + 1]
        self.view.value = screen(way).html
        self.said.value = f'<div class="mmsim-said">{stop_words(way[-1])}</div>'
