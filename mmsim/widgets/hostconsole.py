"""Knobs of a host beside its memory, and what three requests would get from it.

Interface: host_console, HostConsole

The controls are built from the host's knobs, which are data; the picture is that of `views.memory`,
as in the static twin.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.hosts import HOST_KNOBS, Host
from mmsim.lessons import Prediction
from mmsim.mm.zone import Zone
from mmsim.units import HPAGE_PMD_ORDER, MAX_ORDER
from mmsim.views.memory import fates_table, memory_sentence, memory_svg
from mmsim.widgets.console import Console
from mmsim.widgets.display import Table
from mmsim.widgets.question import Question

SIZES = {"16 MiB": 16, "64 MiB": 64, "1 GiB": 1024, "4 GiB": 4096, "1 TiB": 1 << 20}
ORDER = "order"
SEED_MAX = 99


class HostConsole(Console):
    """The widget.  `boxes` maps knob names, and "order", to their controls."""

    def __init__(self, host: Host, prediction: Prediction | None) -> None:
        self.question = (
            Question(prediction, "Now change the host.") if prediction is not None else None
        )
        self.order = HPAGE_PMD_ORDER
        super().__init__(host, tuple(knob.name for knob in HOST_KNOBS), prediction)

    def _offered(self, knobs: tuple[str, ...]) -> dict[str, Any]:
        found = {knob.name: self._box(knob) for knob in HOST_KNOBS if knob.name in knobs}
        size = self.situation.knobs["host"]
        sizes = SIZES if size in SIZES.values() else {f"{size} MiB": size, **SIZES}
        found["host"] = w.Dropdown(options=list(sizes.items()), value=size)
        found["seed"].max = max(SEED_MAX, found["seed"].value)
        found[ORDER] = w.IntSlider(min=0, max=MAX_ORDER - 1, value=HPAGE_PMD_ORDER)
        return found

    def _unlock(self) -> None:
        if self.question is not None:
            self.question.stored()
        super()._unlock()

    def _run(self, values: dict[str, Any]) -> Zone:
        self.order = values.pop(ORDER)
        zone: Zone = self.situation.with_(**values).zone
        return zone

    def _show(self, zone: Zone) -> None:  # type: ignore[override]
        self.view.value = memory_svg(zone, self.order)
        table = Table(fates_table(zone))._repr_html_()
        self.said.value = f"<p>{escape(memory_sentence(zone, self.order))}</p>{table}"


def host_console(host: Host, *, unlock: Prediction | None = None) -> w.VBox:
    """A widget to change a host and see its memory.

    `unlock`: a prediction that has to be stored before anything moves.
    """
    console = HostConsole(host, unlock)
    return w.VBox([console.question, console]) if console.question is not None else console
