"""The lender without a browser: every control at its ends and in between, with callbacks live."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from mmsim.lessons import Prediction
from mmsim.practice.loans import LENDING_KNOBS, lending
from mmsim.views.lending import lending_svg
from mmsim.widgets import lending_console
from mmsim.widgets.lendingconsole import LendingConsole


def drawn(widget) -> ET.Element:
    return ET.fromstring(widget.view.value)


def test_every_control_at_its_ends_draws_another_picture():
    widget = lending_console(lending(cma=25, free=60))
    assert isinstance(widget, LendingConsole)
    assert list(widget.boxes) == [knob.name for knob in LENDING_KNOBS]
    for name, box in widget.boxes.items():
        first, seen = box.value, set()
        values = box.options if hasattr(box, "options") else (box.min, first, box.max)
        for value in values:
            box.value = value
            assert drawn(widget).get("role") == "img"
            seen.add(widget.view.value)
            assert "8 allocations of" in widget.said.value
        assert len(seen) == len(values), name
        box.value = first


def test_the_picture_is_the_one_of_the_static_twin():
    widget = lending_console(lending())
    widget.boxes["cma"].value = 50
    assert widget.view.value == lending_svg(lending(cma=50))
    widget.boxes["cma"].value = 45
    assert widget.view.value == lending_svg(lending(cma=45))
    widget.boxes["movable"].value = "no"
    assert widget.view.value == lending_svg(lending(cma=45, movable="no"))
    widget.reset.click()
    assert widget.view.value == lending_svg(lending())


def test_it_is_locked_until_the_prediction_is_stored():
    guess = Prediction("?", {"1st": ("CMA", "ordinary")})
    question, widget = lending_console(lending(), unlock=guess).children
    assert "Locked" in widget.view.value
    assert all(box.disabled for box in widget.boxes.values())
    question.choices["1st"].value = "CMA"
    question.store.click()
    assert not any(box.disabled for box in widget.boxes.values())
    drawn(widget)
