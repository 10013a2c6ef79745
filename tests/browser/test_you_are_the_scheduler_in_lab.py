"""The game as a learner meets it: a level is won by clicking and by keyboard, and stored."""

from __future__ import annotations

import re

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "06_you_are_the_scheduler.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        lab.page.set_viewport_size({"width": 1366, "height": 768})
        yield lab


def drawn(picture):
    """What is drawn: names of patterns apart, which belong to a page."""
    return re.sub(r"p[0-9a-f]{8}-", "", picture.inner_html())


def test_a_level_won_by_clicking_is_stored_in_its_card(lab):
    lab.run_all()
    game = lab.card("You are the scheduler. Level 1")
    card = lab.card("Level 1: write a schedule")
    picture = game.locator("svg[role=img]").first
    expect(picture).to_be_visible()
    # From the choice of the level to the end of the picture: all of it is on one screen.
    first = game.locator("select").first
    first.evaluate("n => n.scrollIntoView()")
    page = lab.page.locator(".jp-WindowedPanel-outer").bounding_box()
    last = game.locator("svg[role=img]").last.bounding_box()
    assert last["y"] + last["height"] - first.bounding_box()["y"] <= page["height"]
    lab.shot(f"scheduler-{lab.theme}-first")
    split = game.get_by_role("button", name="split:")
    for number in range(1, 7):
        split.click()
        expect(picture.locator("text", has_text=re.compile(f"^{number}$")).first).to_be_visible()
    expect(split).to_have_text("split: are all references to huge page A known?")
    before = drawn(picture)
    split.click()
    expect(picture).to_contain_text("can_split_folio(A) = yes")
    game.get_by_role("button", name="Undo").click()
    expect(picture).not_to_contain_text("can_split_folio(A) = yes")
    assert drawn(picture) == before

    # Letters are presses wherever the focus is in the game: two quick ones, and Backspace.
    split.focus()
    lab.page.keyboard.press("s")
    lab.page.keyboard.press("s")
    expect(picture).to_contain_text("unmap_folio(A)")
    lab.page.keyboard.press("Backspace")
    lab.page.keyboard.press("Backspace")
    expect(picture).not_to_contain_text("can_split_folio(A) = yes")
    assert drawn(picture) == before

    # By buttons and keyboard from here on: the button that was pressed keeps the focus.
    other = game.get_by_role("button", name="holder:")
    other.focus()
    other.press("Enter")
    expect(picture).to_contain_text("folio_get(A)")
    split.focus()
    for _ in range(3):
        split.press("Enter")
    expect(game.get_by_text("Won.")).to_be_visible()
    expect(card).to_contain_text("counted one reference that it could not explain")
    expect(card.get_by_role("button", name="Change my answer")).to_be_visible()
    lab.shot(f"scheduler-{lab.theme}-won")
    assert lab.errors == []
    assert lab.asked_outside == []
