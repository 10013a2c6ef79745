"""The stepper without a browser: every control is moved, with its callbacks live."""

from __future__ import annotations

import pytest

from mmsim.scenarios import vfio_map
from mmsim.views.state import state_html
from mmsim.widgets import stepper


def test_slider_back_and_forward_move_the_same_position():
    widget = stepper(vfio_map())
    first = widget.view.value
    widget.slider.value = 7
    seven = widget.view.value
    assert seven != first
    widget.slider.value = 9
    assert widget.view.value not in (first, seven)
    widget.back.click()
    widget.back.click()
    assert widget.slider.value == 7
    assert widget.view.value == seven
    widget.forward.click()
    assert widget.slider.value == 8


def test_buttons_stop_at_both_ends():
    widget = stepper(vfio_map())
    assert widget.back.disabled
    widget.back.click()
    assert widget.slider.value == 0
    widget.slider.value = widget.slider.max
    assert widget.forward.disabled
    widget.forward.click()
    assert widget.slider.value == widget.slider.max == len(widget.rows)
    assert "does not start" in widget.verdict.value


@pytest.mark.parametrize("version", ["base", "6.1.0", "v1", "v2", "v3", "v3fix", "2/2-only"])
def test_every_version_can_be_chosen_at_every_end(version):
    widget = stepper(vfio_map())
    widget.slider.value = widget.slider.max
    widget.version.value = version
    assert 0 < widget.slider.value <= widget.slider.max == len(widget.rows)
    widget.slider.value = widget.slider.max
    assert "<svg" in widget.view.value
    widget.slider.value = 0
    assert "<svg" in widget.view.value


def test_a_run_of_thousands_of_steps_has_a_slider_of_dozens():
    widget = stepper(vfio_map("v3", released="1"))
    assert len(widget.trace) > 5000
    assert widget.slider.max < 400
    widget.slider.value = widget.slider.max
    assert widget.view.value == state_html(widget.trace.at())


def test_controls_have_names():
    widget = stepper(vfio_map())
    assert widget.slider.description == "step"
    assert widget.version.description == "version"
    assert all(button.tooltip for button in (widget.back, widget.forward))


def test_the_picture_is_the_one_of_the_static_twin():
    situation = vfio_map()
    widget = stepper(situation)
    widget.slider.value = 16
    assert widget.view.value == state_html(situation.run().at(16))
