"""The stepper without a browser: every control is moved, with its callbacks live."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import vfio_map
from mmsim.views.state import state_picture
from mmsim.widgets import stepper


def test_slider_and_buttons_move_the_same_position_and_stop_at_both_ends():
    situation = vfio_map()
    widget = stepper(situation)
    assert widget.back.disabled
    widget.back.click()
    assert widget.slider.value == 0
    for step, button in ((16, None), (17, widget.forward), (16, widget.back)):
        if button is None:
            widget.slider.value = step
        else:
            button.click()
        assert widget.slider.value == step
        assert widget.view.value == state_picture(situation.run().at(step)).html
    widget.slider.value = widget.slider.max
    assert widget.forward.disabled
    widget.forward.click()
    assert widget.slider.value == widget.slider.max == len(widget.rows)
    assert "does not start" in widget.said.value
    assert (widget.slider.description, widget.version.description) == ("step", "version")
    assert all(button.tooltip for button in (widget.back, widget.forward))


@pytest.mark.parametrize("version", VERSIONS)
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
    assert widget.view.value == state_picture(widget.trace.at()).html
