"""The stepper without a browser: every control is moved, with its callbacks live."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import POLICIES, VERSIONS, own_policy
from mmsim.scenarios import vfio_map
from mmsim.views.first_screen import stop_words
from mmsim.views.state import state_picture
from mmsim.widgets import console, stepper
from mmsim.widgets.first_screen import FirstScreen


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
        assert widget.said.value == ""
    widget.slider.value = widget.slider.max
    assert widget.forward.disabled
    widget.forward.click()
    assert widget.slider.value == widget.slider.max == widget.last
    assert "does not start" in widget.said.value
    assert (widget.slider.description, widget.version.description) == ("step", "version")
    assert all(button.tooltip for button in (widget.back, widget.forward))


def test_every_version_can_be_chosen_at_every_end():
    widget = stepper(vfio_map())
    for version in VERSIONS:
        widget.slider.value = widget.slider.max
        widget.version.value = version
        assert 0 < widget.slider.value <= widget.slider.max == widget.last
        for place in (widget.slider.max, 0):
            widget.slider.value = place
            assert "<svg" in widget.view.value


GIVES_UP = own_policy(lambda attempt: "give up")
OWN = {name: name for name in POLICIES} | {"own": GIVES_UP, "v2": GIVES_UP._replace(name="v2")}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_the_version_of_a_situation_can_be_chosen_again(own):
    """One that is not among the usual ones, or only has the name of one."""
    situation = vfio_map(own, order=1)
    for widget in (stepper(situation), console(situation, knobs=["holder"])):
        box = widget.version if hasattr(widget, "version") else widget.boxes["version"]
        first = widget.view.value
        for version in ("v1", situation.version.name):
            box.value = version
        assert {*box.options} == {situation.version.name, *VERSIONS}
        assert widget.view.value == first
    assert stepper(situation).trace.moves == situation.run().moves


def test_a_run_of_thousands_of_steps_has_a_slider_of_dozens():
    widget = stepper(vfio_map("v3", released="1"))
    assert len(widget.trace) > 5000
    widget.slider.value = widget.slider.max
    assert widget.slider.max < 400
    assert widget.view.value == state_picture(widget.trace.at()).html


def test_an_error_of_the_model_does_not_leave_a_board_silent():
    widget = stepper(vfio_map())
    with pytest.raises(LookupError), widget.silent():
        raise LookupError
    widget.slider.value = 16
    assert widget.view.value == state_picture(vfio_map().run().at(16)).html


# -- the first screen


def test_every_control_shows_the_end_at_once_and_once():
    box = FirstScreen()
    drawn = []
    box.show = lambda stop, show=box.show: (drawn.append(stop), show(stop))
    for kernel, lets_go in (("v2", "never"), ("v2", "3"), ("base", "3"), ("base", "never")):
        box.kernel.value = kernel
        box.lets_go.value = lets_go
        assert box.slider.value == box.slider.max == box.play.max == len(box.way) - 1
        assert box.forward.disabled
        assert stop_words(box.way[-1]) in box.said.value
        assert len(drawn) == len(set(drawn)) or drawn[-1] == box.last
    assert "does not start" in box.view.value
