"""Sliders over the retry law: how long one holds, how often and how far apart one tries.

Interface: retry_sliders, RetrySliders
"""

from __future__ import annotations

from fractions import Fraction
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.retrylaw import Retrying
from mmsim.views.retry_chart import retry_law

HOLDS = tuple(digit * 10**power for power in range(4) for digit in (1, 2, 5))
PARTS = tuple((f"{n} %", Fraction(n, 100)) for n in (0, 1, 5, 10, 20, 30, 40, 50))


class RetrySliders(w.VBox):
    """The widget.  Its parts are attributes, so that a test can move them."""

    def __init__(self) -> None:
        usual = Retrying()
        self.hold = w.SelectionSlider(options=[(f"{h:,}", h) for h in HOLDS], value=100)
        self.gap = w.IntSlider(min=1, max=100, value=usual.gap)
        self.passes = w.IntSlider(min=1, max=100, value=usual.passes)
        self.permanent = w.SelectionSlider(options=PARTS)
        self.parked = w.SelectionSlider(options=PARTS)
        self.drain = w.Checkbox(description="drain batches after the first pass", indent=False)
        self.boxes = {
            "held, ticks": self.hold,
            "gap, ticks": self.gap,
            "passes": self.passes,
            "never dropped": self.permanent,
            "parked in a batch": self.parked,
        }
        for name, box in self.boxes.items():
            box.description = name
            box.style = {"description_width": "120px"}
            box.layout = w.Layout(width="370px")
        self.view = w.Image(format="png")
        self.said = w.HTML()
        controls = w.HBox([*self.boxes.values(), self.drain], layout=w.Layout(flex_flow="row wrap"))
        parts: list[Any] = [controls, self.view, self.said]
        super().__init__(parts)
        for box in (*self.boxes.values(), self.drain):
            box.observe(lambda _: self._draw(), "value")
        self._draw()

    def _draw(self) -> None:
        setting = Retrying(
            self.passes.value,
            self.gap.value,
            self.permanent.value,
            self.parked.value,
            self.drain.value,
        )
        chart = retry_law(setting, hold=self.hold.value)
        self.view.value = chart.png()
        self.said.value = escape(chart.sentence)


def retry_sliders() -> RetrySliders:
    """A widget over the law."""
    return RetrySliders()
