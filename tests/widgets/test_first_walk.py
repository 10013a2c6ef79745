"""The first screen as a widget: a control shows the end at once, and the way is walked."""

from __future__ import annotations

from mmsim.views.first_screen import said
from mmsim.widgets.first_screen import FirstScreen


def test_every_control_shows_the_end_at_once_and_once():
    box = FirstScreen()
    drawn = []
    box.show = lambda stop, show=box.show: (drawn.append(stop), show(stop))
    for kernel, lets_go in (("v2", "never"), ("v2", "3"), ("base", "3"), ("base", "never")):
        box.kernel.value = kernel
        box.lets_go.value = lets_go
        assert box.slider.value == box.slider.max == box.play.max == len(box.way) - 1
        assert box.forward.disabled
        assert said(box.way[-1]) in box.said.value
        assert len(drawn) == len(set(drawn)) or drawn[-1] == box.last
    assert "does not start" in box.view.value


def test_the_way_is_walked_back_and_on():
    box = FirstScreen()
    box.kernel.value, box.lets_go.value = "v2", "1"
    seen = []
    while not box.back.disabled:
        seen.append(box.said.value)
        box.back.click()
    assert len(seen) == len({*seen}) == box.last
    box.forward.click()
    assert box.slider.value == 1
    assert not box.back.disabled
