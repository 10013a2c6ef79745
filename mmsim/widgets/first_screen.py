"""The first screen of the course: the bug in one picture, with two controls.

Lesson 00 alone shows it.  It is no part of that lesson's module, as lessons are read without
ipywidgets, too."""

from __future__ import annotations

import ipywidgets as w

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
from mmsim.widgets.board import ROW, quiet
from mmsim.widgets.stepper import Walk

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
