"""Traces of real kernels to pick, line by line beside the model's run.

Interface: trace_picker, TracePicker
"""

from __future__ import annotations

from html import escape

import ipywidgets as w

from mmsim.evidence.ftrace import real_trace
from mmsim.mm.versions import VERSIONS
from mmsim.views.state import state_html
from mmsim.views.traces import aligned, lines_html, trace_names, trace_said

FITTING = "the one that was measured"


class TracePicker(w.VBox):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(self, first: str) -> None:
        names = [name for name in trace_names() if not real_trace(name).cut]
        self.trace = w.Dropdown(options=[(trace_said(n), n) for n in names], value=first)
        self.version = w.Dropdown(options=[(FITTING, ""), *((v, v) for v in VERSIONS)])
        self.line = w.IntSlider(min=1, max=1, value=1)
        self.back, self.forward = w.Button(description="◀ Back"), w.Button(description="Forward ▶")
        for box, name, wide in (
            (self.trace, "trace", "560px"),
            (self.version, "model", "320px"),
            (self.line, "line", "520px"),
        ):
            box.description = name
            box.layout = w.Layout(width=wide)
        for button in (self.back, self.forward):
            button.layout = w.Layout(width="110px")
        self.lines, self.view, self.said = w.HTML(), w.HTML(), w.HTML()
        wrap = w.Layout(flex_flow="row wrap")
        parts: list[w.Widget] = [
            w.HBox([self.trace, self.version], layout=wrap),
            w.HBox([self.back, self.line, self.forward], layout=wrap),
            self.said,
            self.lines,
            self.view,
        ]
        super().__init__(parts)
        self.trace.observe(lambda _: self._picked(), "value")
        self.version.observe(lambda _: self._picked(), "value")
        self.line.observe(lambda _: self._draw(), "value")
        self.back.on_click(lambda _: self._go(-1))
        self.forward.on_click(lambda _: self._go(1))
        self._picked()

    def _go(self, by: int) -> None:
        self.line.value += by

    def _picked(self) -> None:
        """Another trace or version: begin at its first line, or at one that differs."""
        _, rows = aligned(self.trace.value, self.version.value)
        differing = [number for number, row in enumerate(rows, start=1) if not row.agrees]
        self.line.max = len(rows)
        self.line.value = differing[0] if differing else 1
        self._draw()

    def _draw(self) -> None:
        trace, rows = aligned(self.trace.value, self.version.value)
        row = rows[self.line.value - 1]
        self.back.disabled = self.line.value == 1
        self.forward.disabled = self.line.value == len(rows)
        self.lines.value = lines_html(rows, self.line.value - 1)
        nowhere = "The model's run has no such line."
        self.said.value = f"<b>Line {self.line.value}</b>: {escape(row.what)}"
        shown = min(max(row.position, 0), len(trace))
        self.view.value = state_html(trace.at(shown)) if row.position >= 0 else f"<p>{nowhere}</p>"


def trace_picker(first: str = "S3_held_base_retfix1.txt") -> TracePicker:
    """A widget to pick a trace and walk along its lines beside the model's run."""
    return TracePicker(first)
