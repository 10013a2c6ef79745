"""The six steps of the pin: found in the run, not written down."""

from __future__ import annotations

from mmsim.scenarios import boot_guest
from mmsim.views.pinsteps import STEPS, pin_steps, places_of


def test_the_steps_stand_in_the_order_in_which_the_run_takes_them():
    trace = boot_guest(guest=2, scattered=0).run()
    at = places_of(trace)
    assert list(at) == list(STEPS)
    assert sorted(at.values()) == list(at.values())
    assert [trace.events[step - 1].op.kind.name for step in at.values()] == list(STEPS.values())
    assert at["pin"] < at["pin again"]


def test_a_row_says_what_the_step_was_called_with_and_what_it_changed():
    table = pin_steps(boot_guest(guest=2, scattered=0).run())
    assert table.loc["look", "in the model"] == "is_longterm_pinnable_page(guest) = no"
    assert table.loc["look", "what changed"] == ""
    assert table.loc["move", "what changed"] == "guest place CMA → UNMOVABLE memory"
    assert table.loc["pin again", "step"] > table.loc["pin", "step"]
