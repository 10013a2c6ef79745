"""Pasting a machine's own text, without a browser."""

from __future__ import annotations

import pytest
from proctext import buddyinfo, zoneinfo

from mmsim.scenarios.hosts import host
from mmsim.views.memory import machine, proc_text
from mmsim.widgets import paste, show_memory
from mmsim.widgets.paste import LARGEST

SMALL, LARGE = (0, "Normal", (1,) * 11), (1, "Normal", (0,) * 8 + (4, 5, 6))
TEXT = buddyinfo([SMALL, LARGE])
SIZES = {"min": 1, "low": 2, "high": 3, "spanned": 90, "present": 80, "managed": 70}
ZONEINFO = zoneinfo([(0, "Normal", {**SIZES, "free": 60, "nr_free_cma": 40, "start_pfn": 1})])


def test_a_text_is_drawn_and_its_zones_are_offered():
    widget = paste()
    assert widget.view.value == ""
    widget.text.value = TEXT
    assert widget.view.value.startswith(machine(TEXT).svg)
    assert widget.zone.options == (LARGEST, "0 Normal", "1 Normal")
    widget.zone.value = "0 Normal"
    assert widget.view.value.startswith(machine(TEXT, "Normal", 0).svg)
    widget.order.value = 0
    assert widget.view.value.startswith(machine(TEXT, "Normal", 0, 0).svg)


def test_another_text_begins_anew():
    widget = paste()
    widget.text.value = TEXT
    widget.zone.value, widget.order.value = "0 Normal", 2
    for zone, orders, order in (("DMA32", 9, 8), ("Normal", 14, 9)):
        other = buddyinfo([(0, zone, (2,) * orders)])
        widget.text.value = other
        assert widget.zone.options == (LARGEST, f"0 {zone}")
        assert (widget.order.value, widget.order.max) == (order, orders - 1)
        assert widget.view.value.startswith(machine(other).svg)
    widget.text.value = ""
    assert widget.view.value == ""
    widget.example.click()
    assert widget.text.value == proc_text(host(cma=25, used=60).zone)
    widget.text.value = ZONEINFO
    assert "more than half, so movable requests go to CMA first" in widget.view.value
    assert widget.order.disabled
    widget.zone.value = widget.zone.options[-1]  # an order is refused where there are no blocks
    assert "free" in widget.view.value


@pytest.mark.parametrize("text", ["hello", TEXT[:-30] + "x", "hello <script"])
def test_a_text_that_can_not_be_read_gets_one_sentence_and_markup_stays_text(text):
    widget = paste()
    widget.text.value = TEXT
    widget.text.value = text
    assert widget.said.value.startswith("<b>That can't be shown:</b> ")
    assert "<script" not in widget.said.value
    assert widget.view.value == ""
    widget.text.value = TEXT
    assert widget.view.value.startswith("<svg")


def test_the_plain_call_says_the_same(capsys):
    show_memory(TEXT, "Normal", 0)
    said = " ".join(capsys.readouterr().out.split())
    assert machine(TEXT, "Normal", 0).sentence in said
    show_memory("hello")
    assert capsys.readouterr().out.startswith("Can't be read: line 1: 'hello' is no line of")
