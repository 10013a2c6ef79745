"""The sliders of the retry law without a browser: every control at every value."""

from __future__ import annotations

from mmsim.widgets import retry_sliders


def values(box):
    return [value for _, value in box.options][::3] if hasattr(box, "options") else [1, 7, 100]


def test_every_slider_changes_what_is_said():
    widget = retry_sliders()
    widget.parked.value = widget.parked.options[3][1]
    for name, box in widget.boxes.items():
        first, said = box.value, set()
        for value in values(box):
            box.value = value
            assert bytes(widget.view.value).startswith(b"\x89PNG")
            said.add(widget.said.value)
        assert len(said) == len(values(box)), name
        box.value = first
    before = widget.said.value
    widget.drain.value = True
    assert widget.said.value != before
