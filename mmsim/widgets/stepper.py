"""Stepping through a run: slider, Back, Forward, a version switch, and one picture.

The picture is the one that `views.state` makes for the static twin too."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.engine.trace import Trace
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import Situation
from mmsim.views.run import Row, fold, summary
from mmsim.views.state import state_svg


class Stepper(w.VBox):
    """The widget.  Its parts are attributes, so that a test can press them.

    The slider counts the rows of the folded run; 0 is before the first step."""

    def __init__(self, situation: Situation, versions: tuple[str, ...]) -> None:
        self.situation = situation
        self._runs: dict[str, Trace] = {}
        self.version = w.Dropdown(
            options=list(versions),
            value=situation.version.name,
            description="version",
            layout=w.Layout(width="180px"),
        )
        narrow = w.Layout(width="110px")
        self.back = w.Button(description="◀ Back", tooltip="one step back", layout=narrow)
        self.forward = w.Button(description="Forward ▶", tooltip="one step on", layout=narrow)
        self.slider = w.IntSlider(
            max=len(self.rows), description="step", layout=w.Layout(width="520px")
        )
        self.view, self.verdict = w.HTML(), w.HTML()
        self.controls = w.HBox([self.version, self.back, self.slider, self.forward])
        super().__init__([self.controls, self.view, self.verdict])
        self.slider.observe(lambda _: self._draw(), "value")
        self.back.on_click(lambda _: self._go(-1))
        self.forward.on_click(lambda _: self._go(1))
        self.version.observe(lambda _: self._switch(), "value")
        self._draw()

    @property
    def trace(self) -> Trace:
        """The run of the chosen version, made once."""
        version: Any = self.version.value
        if version not in self._runs:
            self._runs[version] = self.situation.with_(version=version).run()
        return self._runs[version]

    @property
    def rows(self) -> list[Row]:
        """Its rows."""
        return fold(self.trace)

    def _go(self, by: int) -> None:
        self.slider.value += by

    def _switch(self) -> None:
        # Rows of two versions are not the same steps: keep the number only if it exists there.
        self.slider.max = len(self.rows)
        self._draw()

    def _draw(self) -> None:
        row, rows = self.slider.value, self.rows
        moment = self.trace.at(rows[row - 1].end if row else 0)
        self.back.disabled = row == 0
        self.forward.disabled = row == len(rows)
        self.view.value = state_svg(moment)
        lines = summary(self.trace).splitlines() if self.forward.disabled else []
        self.verdict.value = "<br>".join(map(escape, lines))


def stepper(situation: Situation, *, versions: tuple[str, ...] = tuple(VERSIONS)) -> Stepper:
    """A widget to step through the run of a situation."""
    return Stepper(situation, versions)
