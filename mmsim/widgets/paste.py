"""What a machine says of its memory, pasted into a text area or given to `show_memory(text)`.

The text is read by this notebook's own kernel and sent nowhere else.  The picture is that of
`views.memory`."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w
from IPython.display import display

from mmsim.constants import HPAGE_PMD_ORDER, MAX_ORDER
from mmsim.scenarios.hosts import host
from mmsim.views.memory import PAGE_SIZES, Machine, machine, proc_text
from mmsim.views.show import Table, as_text
from mmsim.views.svg import Picture
from mmsim.widgets.board import Board

HELP = (
    "Paste what <code>cat /proc/buddyinfo</code>, <code>sudo cat /proc/pagetypeinfo</code> or "
    "<code>cat /proc/zoneinfo</code> prints. It is read by this notebook's own kernel and sent "
    "nowhere else."
)
LARGEST = "the one with most free memory"


class Paste(Board):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(self, example: str) -> None:
        self.text = w.Textarea(
            placeholder="Node 0, zone   Normal ...",
            description="text",
            rows=6,
            layout=w.Layout(width="98%"),
        )
        self.zone = w.Dropdown(options=[LARGEST], description="zone")
        self.order = w.IntSlider(
            min=0, max=MAX_ORDER - 1, value=HPAGE_PMD_ORDER, description="order"
        )
        self.page = w.Dropdown(
            options=[("as the text tells", None), *((f"{n} KiB", n) for n in PAGE_SIZES)],
            description="page size",
        )
        self.example = w.Button(
            description="An example", tooltip="what a host of the model would print"
        )
        super().__init__([self.zone, self.order, self.page, self.example], w.HTML(HELP), self.text)
        self.watch(self.zone, self.order, self.page)
        self.text.observe(lambda _: self._pasted(), "value")
        self.example.on_click(lambda _: setattr(self.text, "value", example))

    def _pasted(self) -> None:
        """Another text: begin with its largest zone and its usual order."""
        with self.silent():
            self.zone.options = [LARGEST]
            self.order.max = MAX_ORDER - 1
            self.order.value = HPAGE_PMD_ORDER
        self.redraw()

    def draw(self) -> None:
        """Show what the text says of the chosen zone."""
        self.view.value = self.said.value = ""
        if not self.text.value.strip():
            return
        chosen: dict[str, Any] = {"page_kib": self.page.value}
        if self.zone.value != LARGEST:
            node, _, name = self.zone.value.partition(" ")
            chosen |= {"node": int(node), "zone": name}
        first = len(self.zone.options) == 1
        order = None if first or self.order.disabled else self.order.value
        seen = machine(self.text.value, order=order, **chosen)
        if first:
            self._offer(seen)
        tables = "".join(Table(table)._repr_html_() for table in (seen.table, seen.zones))
        self.view.value = f"{seen.svg}<p>{escape(seen.sentence)}</p>{tables}"

    def _offer(self, seen: Machine) -> None:
        """The zones and the orders of this text."""
        with self.silent():
            self.zone.options = [LARGEST, *seen.zones.index]
            self.order.disabled = not seen.orders
            if seen.orders:
                self.order.max, self.order.value = seen.orders - 1, seen.order


def paste() -> Paste:
    """A widget that draws what somebody pasted: see HELP."""
    return Paste(proc_text(host(cma=25, used=60).zone))


def show_memory(
    text: str,
    zone: str | None = None,
    node: int | None = None,
    order: int | None = None,
    page_kib: int | None = None,
) -> None:
    """A pasted /proc/buddyinfo, pagetypeinfo or zoneinfo, or the free lists of a kernel log:
    picture, words, tables.

    `zone`, `node`: which zone, by default the one with most free memory; `order`: the order asked
    about; `page_kib`: the size of a page, if the text does not tell it.  What can't be read is
    answered by one sentence."""
    try:
        seen = machine(text, zone, node, order, page_kib)
    except ValueError as error:
        print(f"Can't be read: {error}")
        return
    if seen.svg:
        display(Picture(seen.svg, seen.sentence))
    print(as_text(seen.sentence))
    display(Table(seen.table))
    display(Table(seen.zones))
