"""Knobs of one folio beside its ledger.

Interface: bench, BenchConsole

The controls are built from the bench's knobs, which are data; the picture is that of
`views.account`, as in the static twin.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.engine.trace import Trace
from mmsim.lessons import Prediction
from mmsim.practice.benches import WORKBENCH_KNOBS, Bench
from mmsim.views.account import account_sentence, account_svg
from mmsim.widgets.asking import AskingConsole


class BenchConsole(AskingConsole):
    """The widget.  `boxes` maps knob names to their controls."""

    then = "Now change the page."

    def _offered(self, knobs: tuple[str, ...]) -> dict[str, Any]:
        return {knob.name: self._box(knob) for knob in WORKBENCH_KNOBS if knob.name in knobs}

    def _show(self, trace: Trace) -> None:
        self.view.value = account_svg(trace)
        self.said.value = escape(account_sentence(trace))


def bench(situation: Bench, *, unlock: Prediction | None = None) -> w.VBox:
    """A widget to change who refers to a page and see its ledger.

    `unlock`: a prediction that has to be stored before anything moves.
    """
    names = tuple(knob.name for knob in WORKBENCH_KNOBS)
    return BenchConsole(situation, names, unlock).asked()
