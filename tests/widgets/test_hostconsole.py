"""The host without a browser: every control at its ends and in between, with callbacks live."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from mmsim.lessons import Prediction
from mmsim.scenarios.host import HOST_KNOBS, host
from mmsim.views.memory import memory
from mmsim.widgets import host_console
from mmsim.widgets.hostconsole import HostConsole


def twin(order=9, **knobs):
    return memory(host(host=64, cma=0, **knobs).zone, order).svg


def drawn(widget) -> ET.Element:
    return ET.fromstring(widget.view.value)


def test_every_control_at_its_ends_draws():
    widget = host_console(host(host=64, cma=25, used=60))
    assert isinstance(widget, HostConsole)
    assert list(widget.boxes) == [*(knob.name for knob in HOST_KNOBS), "order"]
    for name, box in widget.boxes.items():
        first, seen = box.value, set()
        if name == "host":
            values = [size for _, size in box.options]
        else:
            values = [box.min, (box.min + box.max) // 2, box.max]
        for value in values:
            box.value = value
            drawn(widget)
            seen.add(widget.view.value)
            assert "for a long-term pin" in widget.said.value
        assert len(seen) == len(values)
        box.value = first


def test_the_picture_is_the_one_of_the_static_twin():
    widget = host_console(host(host=64, cma=0, used=60))
    widget.boxes["used"].value = 70
    assert widget.view.value == twin(used=70)
    widget.boxes["used"].value = 80
    assert widget.view.value == twin(used=80)
    widget.boxes["order"].value = 3
    assert widget.view.value == twin(3, used=80)
    widget.reset.click()
    assert widget.view.value == twin(used=60)


def test_it_is_locked_until_the_prediction_is_stored():
    guess = Prediction("?", {"a": (0, 1)})
    question, widget = host_console(host(host=64), unlock=guess).children
    assert "Locked" in widget.view.value
    assert all(box.disabled for box in widget.boxes.values())
    question.choices["a"].value = 1
    question.store.click()
    assert not any(box.disabled for box in widget.boxes.values())
    drawn(widget)
