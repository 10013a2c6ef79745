"""Walking through a run: Back, Forward, a slider, the arrow keys, and one picture.

The picture is the one that `views.state` makes for the static twin too."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.engine.trace import Trace
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import Situation
from mmsim.views.fold import Row, fold
from mmsim.views.run import summary
from mmsim.views.state import state_picture

# A key pressed anywhere in a box presses a button of it; sliders and fields keep their own keys.
_LISTEN = """<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" onload="
const box = this.closest('.mmsim-keys');
this.remove();
box.tabIndex = -1;
box.style.outline = 'none';
box.addEventListener('keydown', event => {
  const keys = {ArrowLeft: '.mmsim-back', ArrowRight: '.mmsim-forward'};
  if (!keys[event.key] || event.target.closest('.noUi-target, input, select, textarea')) return;
  event.preventDefault();
  event.stopPropagation();
  box.querySelector(keys[event.key]).click();
});">"""


def quiet(html: str) -> w.HTML:
    """HTML that works without being seen: a style, a listener."""
    return w.HTML(html, layout=w.Layout(display="none"))


class Walk(w.VBox):
    """The frame of a walk.  Its parts are attributes, so that a test can press them.

    The slider counts stops; 0 is before the first.  A subclass says what `last` is and draws."""

    def __init__(self, *controls: Any, slider: str, above: tuple[Any, ...] = ()) -> None:
        narrow = w.Layout(width="96px")
        self.back = w.Button(description="◀ Back", tooltip="one step back (←)", layout=narrow)
        self.forward = w.Button(description="Forward ▶", tooltip="one step on (→)", layout=narrow)
        self.busy = w.Label()
        self.slider = w.IntSlider(
            max=self.last, description="step", layout=w.Layout(flex="1 1 210px", max_width=slider)
        )
        for button, name in ((self.back, "back"), (self.forward, "forward")):
            button.add_class(f"mmsim-{name}")
        self.view, self.verdict = w.HTML(), w.HTML()
        walk = [*controls, self.back, self.slider, self.forward, self.busy]
        self.controls = w.HBox(walk, layout=w.Layout(flex_flow="row wrap"))
        super().__init__([*above, self.controls, self.view, self.verdict, quiet(_LISTEN)])
        self.add_class("mmsim-keys")
        self.slider.observe(lambda _: self.redraw(), "value")
        self.back.on_click(lambda _: self._go(-1))
        self.forward.on_click(lambda _: self._go(1))

    @property
    def last(self) -> int:
        """The number of the last stop."""
        raise NotImplementedError

    def draw(self, stop: int) -> None:
        """Show a stop."""
        raise NotImplementedError

    def _go(self, by: int) -> None:
        self.slider.value += by

    def redraw(self) -> None:
        """Show the stop that the slider names."""
        self.back.disabled = self.slider.value == 0
        self.forward.disabled = self.slider.value == self.last
        self.draw(self.slider.value)


class Stepper(Walk):
    """The steps of a run, and a switch for its version.  Its stops are rows of the folded run."""

    def __init__(self, situation: Situation, versions: tuple[str, ...]) -> None:
        self.situation = situation
        self._runs: dict[str, Trace] = {}
        self.version = w.Dropdown(
            options=list(versions),
            value=situation.version.name,
            description="version",
            layout=w.Layout(width="140px"),
        )
        super().__init__(self.version, slider="480px")
        self.version.observe(lambda _: self._switch(), "value")
        self.redraw()

    @property
    def trace(self) -> Trace:
        """The run of the chosen version, made once."""
        version: Any = self.version.value
        if version not in self._runs:
            self.busy.value = "The model runs …"
            self._runs[version] = self.situation.with_(version=version).run()
            self.busy.value = ""
        return self._runs[version]

    @property
    def rows(self) -> list[Row]:
        """Its rows."""
        return fold(self.trace)

    @property
    def last(self) -> int:
        """The number of the last row."""
        return len(self.rows)

    def _switch(self) -> None:
        # Rows of two versions are not the same steps: keep the number only if it exists there.
        self.slider.max = self.last
        self.redraw()

    def draw(self, stop: int) -> None:
        """Show the state after a row."""
        moment = self.trace.at(self.rows[stop - 1].end if stop else 0)
        self.view.value = state_picture(moment).html
        lines = summary(self.trace).splitlines() if self.forward.disabled else []
        self.verdict.value = "<br>".join(map(escape, lines))


def stepper(situation: Situation, *, versions: tuple[str, ...] = tuple(VERSIONS)) -> Stepper:
    """A widget to step through the run of a situation."""
    return Stepper(situation, versions)
