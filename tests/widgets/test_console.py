"""The console without a browser: every knob at every value, with callbacks live."""

from __future__ import annotations

from mmsim.scenarios import SCENARIOS, vfio_map
from mmsim.widgets import console

KNOBS = ("targets", "holder", "taken", "released", "reason", "passes", "thps")


def values(box):
    return list(box.options) if hasattr(box, "options") else [box.min, box.max, box.value]


def test_every_control_at_every_value_draws_or_says_why_not():
    widget = console(vfio_map(order=3), knobs=KNOBS)
    knobs = {knob.name: knob for knob in SCENARIOS["vfio_map"].knobs}
    assert set(widget.boxes) == {"version", *KNOBS}
    for name, box in widget.boxes.items():
        first = box.value
        for value in values(box):
            assert name == "version" or knobs[name].read(value) == value
            box.value = value
            assert "<svg" in widget.view.value
            assert widget.said.value
        box.value = first
    widget.boxes["holder"].value = 3
    assert "there are only 1 huge pages" in widget.said.value


def test_the_picture_follows_the_last_value_and_reset_goes_back():
    widget = console(vfio_map(), knobs=KNOBS)
    before = widget.view.value, widget.said.value
    widget.boxes["targets"].value = "available"
    widget.boxes["version"].value = "v3"
    assert widget.view.value != before[0]
    widget.reset.click()
    assert (widget.view.value, widget.said.value) == before
