"""Knobs of a host beside its memory, and what three requests would get from it.

Interface: host_console, HostConsole

The controls are built from the host's knobs, which are data; the picture is that of `views.memory`,
as in the static twin.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.constants import HPAGE_PMD_ORDER, MAX_ORDER
from mmsim.lessons import Prediction
from mmsim.mm.zone import Zone
from mmsim.scenarios.host import HOST_KNOBS, Host
from mmsim.views.memory import fates_table, memory
from mmsim.views.show import Table
from mmsim.widgets.asking import AskingConsole

SIZES = {"16 MiB": 16, "64 MiB": 64, "1 GiB": 1024, "4 GiB": 4096, "1 TiB": 1 << 20}
ORDER = "order"
SEED_MAX = 99


class HostConsole(AskingConsole):
    """The widget.  `boxes` maps knob names, and "order", to their controls."""

    then = "Now change the host."
    order = HPAGE_PMD_ORDER
    box_width = "285px"  # a slider from 0 to 100 needs room

    def _offered(self, knobs: tuple[str, ...]) -> dict[str, Any]:
        found = {knob.name: self._box(knob) for knob in HOST_KNOBS if knob.name in knobs}
        size = self.situation.knobs["host"]
        sizes = SIZES if size in SIZES.values() else {f"{size} MiB": size, **SIZES}
        found["host"] = w.Dropdown(options=list(sizes.items()), value=size)
        found["seed"].max = max(SEED_MAX, found["seed"].value)
        found[ORDER] = w.IntSlider(min=0, max=MAX_ORDER - 1, value=HPAGE_PMD_ORDER)
        return found

    def _run(self, values: dict[str, Any]) -> Zone:
        self.order = values.pop(ORDER)
        zone: Zone = self.situation.with_(**values).zone
        return zone

    def _show(self, zone: Zone) -> None:  # type: ignore[override]
        seen = memory(zone, self.order)
        self.view.value = seen.svg
        self.said.value = f"<p>{escape(seen.sentence)}</p>{Table(fates_table(zone))._repr_html_()}"


def host_console(host: Host, *, unlock: Prediction | None = None) -> w.VBox:
    """A widget to change a host and see its memory.

    `unlock`: a prediction that has to be stored before anything moves.
    """
    return HostConsole(host, tuple(knob.name for knob in HOST_KNOBS), unlock).asked()
