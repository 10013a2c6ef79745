"""Knobs of a small host with a CMA area beside eight allocations.

Interface: lending_console, LendingConsole

The controls are built from the knobs, which are data; the picture is that of `views.lending`, as in
the static twin.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.lessons import Prediction
from mmsim.practice.loans import LENDING_KNOBS, Lending
from mmsim.views.lending import lending_sentence, lending_svg
from mmsim.widgets.asking import AskingConsole


class LendingConsole(AskingConsole):
    """The widget.  `boxes` maps knob names to their controls."""

    then = "Now change the host and what it is asked for."

    def _offered(self, knobs: tuple[str, ...]) -> dict[str, Any]:
        return {knob.name: self._box(knob) for knob in LENDING_KNOBS if knob.name in knobs}

    def _run(self, values: dict[str, Any]) -> Lending:
        made: Lending = self.situation.with_(**values)
        return made

    def _show(self, made: Lending) -> None:  # type: ignore[override]
        self.view.value = lending_svg(made)
        self.said.value = f"<p>{escape(lending_sentence(made))}</p>"


def lending_console(made: Lending, *, unlock: Prediction | None = None) -> w.VBox:
    """A widget to change the host and the allocations, and see where they land.

    `unlock`: a prediction that has to be stored before anything moves.
    """
    return LendingConsole(made, tuple(knob.name for knob in LENDING_KNOBS), unlock).asked()
