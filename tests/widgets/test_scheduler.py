"""The game without a browser: every button, with its callbacks live."""

from __future__ import annotations

from mmsim.engine.schedule import parse, render
from mmsim.lessons.you_are_the_scheduler import LEVELS
from mmsim.scenarios import vfio_map
from mmsim.widgets.scheduler import ALL, STEP, free_play, letters, scheduler

CHECK, FREEZE = LEVELS["at_check"], LEVELS["at_freeze"]


def press(widget, schedule):
    """Click through a schedule, as a learner would."""
    for move in parse(schedule, list(widget.rows)):
        row = widget.rows[move.actor]
        row.buttons[row._moves.index(move)].click()


def played(widget):
    """The schedule that the widget shows."""
    moves = render(list(widget.trace.moves))
    assert f"<code>{moves or '(empty)'}</code>" in widget.moves.value
    return moves


def test_a_typed_schedule_is_played_and_a_wrong_one_gets_a_sentence():
    widget = scheduler(CHECK)
    widget.text.value = "split*6 holder split*99"
    widget.load.click()
    assert "Won." in widget.told.value
    before = widget.view.value
    for wrong, said in (
        ("split*6 holdr", "did you mean &#x27;holder&#x27;"),
        ("split:fail", "write one of split"),
        ("__import__('os')", "can&#x27;t read"),
    ):
        widget.text.value = wrong
        widget.load.click()
        assert said in widget.said.value
        assert widget.view.value == before
        assert widget.text.value == wrong  # to be mended, not to be typed anew
    for left in ("split*6 holder split*2", "split*6 holder split"):
        widget.undo.click()
        assert played(widget) == left
    widget.grain.value = ALL
    press(widget, "split")
    assert played(widget) == "split*6 holder split*3"
    widget.reset.click()
    assert widget.undo.disabled


def test_each_outcome_of_the_environment_has_its_button():
    widget = scheduler(vfio_map("v3", order=1, targets="either"))
    widget.grain.value = ALL
    press(widget, "pin")  # as far as it goes without a decision
    assert played(widget) == "pin*7"
    widget.grain.value = STEP
    said = [b.description for b in widget.rows["pin"].buttons if b.layout.display != "none"]
    assert said == [
        "pin: ask for a new place for huge page A: there is one",
        "pin: ask for a new place for huge page A: there is none",
    ]
    press(widget, "pin:fail pin")
    shown = [b for b in widget.rows["pin"].buttons if b.layout.display != "none"]
    assert len(shown) == 1
    assert played(widget) == "pin*7 pin:fail pin"


def test_buttons_are_renamed_and_not_made_anew_and_have_keys():
    """So the keyboard's focus stays on the button that was pressed.  Every control has a name."""
    widget = scheduler(CHECK)
    button, rows = widget.rows["split"].buttons[0], widget.actors.children
    press(widget, "split*3 holder split")
    assert widget.rows["split"].buttons == [button]
    assert widget.actors.children is rows
    assert button.description == "split: may the file's private data of huge page A go?"
    parts = (widget.undo, widget.reset, widget.load, button)
    assert all(part.description for part in (widget.level, widget.grain, widget.text, *parts))
    assert all(part.tooltip for part in parts)
    assert "<kbd>s</kbd> split, <kbd>h</kbd> holder" in widget.help.value
    buttons = {"s": button, "h": widget.rows["holder"].buttons[0], "backspace": widget.undo}
    assert all(f"mmsim-key-{key}" in each._dom_classes for key, each in buttons.items())
    actors = ["pin", "permanent_pin", "pin_2"]
    assert letters(actors) == dict(zip("pei", actors, strict=True))


def test_kinds_and_levels_that_were_won_are_kept_over_a_reset_and_a_level():
    widget = scheduler(CHECK, FREEZE)
    assert "Levels: ○ 1 · ○ 2." in widget.told.value
    for _ in range(2):
        press(widget, "split*6 holder split*3")
        widget.reset.click()
    assert "You found 1 of 2 kinds" in widget.told.value
    widget.level.value = FREEZE.name
    assert "the check finds nothing" in widget.told.value
    assert "You found 1 of 2 kinds" in widget.told.value  # it is the same situation
    assert "Levels: ✔ 1 · ○ 2." in widget.told.value
    assert "border: 3px solid transparent" in widget.told.value
    press(widget, "split*8 holder split*5")
    assert "Won." in widget.told.value
    assert widget.rows["split"].buttons[0].disabled
    assert "has returned -EBUSY" in widget.rows["split"].said.value
    assert "You found 2 of 2 kinds" in widget.told.value


def test_a_situation_is_played_without_a_goal():
    widget = scheduler(CHECK, free_play(vfio_map("v2")))
    press(widget, "split")
    widget.level.value = "free"
    assert played(widget) == ""
    assert [row.actor for row in widget.actors.children] == ["pin", "holder"]
    widget.grain.value = ALL
    widget.actors.children[0].buttons[0].click()
    assert "<svg" in widget.view.value
    assert "There is none" in widget.told.value
