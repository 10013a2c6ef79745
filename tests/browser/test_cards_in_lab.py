"""Cards as a learner meets them, in lesson 00: first open, store, step, a wrong answer twice."""

from __future__ import annotations

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "00_the_report.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param, size=(1366, 768)) as lab:
        yield lab


def card(lab, words):
    """The output that shows a card, found by words of its question."""
    output = lab.page.locator(".jp-OutputArea-output", has=lab.page.get_by_text(words))
    return output.filter(has=lab.page.locator(".mmsim-card")).first


def seen(lab, locator, name):
    """A screenshot with this at the top of the notebook."""
    locator.evaluate("node => node.scrollIntoView({block: 'start'})")
    lab.page.wait_for_timeout(300)
    lab.shot(f"cards-{lab.theme}-{name}")


def press(lab, box, row, choice):
    """Press a choice by keyboard: Tab reaches it, Enter takes it."""
    button = (
        box.locator(".widget-toggle-buttons")
        .nth(row)
        .get_by_role("button", name=choice, exact=True)
    )
    button.focus()
    lab.page.keyboard.press("Enter")


def test_a_lesson_is_read_stored_and_stepped(lab):
    # An unsigned notebook, as after a clone: what is stored shows itself before anything is run.
    still = lab.page.locator(".jp-OutputArea-output", has_text="pgmigrate_fail: 0, 1, 2, 512").first
    expect(still).to_contain_text("lesson.guess.answer(")
    expect(lab.page.locator("img[alt^='memfd_create']")).to_be_visible()
    seen(lab, still, "unsigned")
    lab.run_all()

    box = card(lab, "The pin of one huge page fails")
    reveal = card(lab, "What one failing pin counted")
    expect(reveal).to_contain_text("Shown once you have answered lesson.guess")
    seen(lab, box, "open")
    press(lab, box, 0, "1")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("Still open: nr_foll_pin_acquired")
    assert box.locator("svg[role=img]").count() == 0
    press(lab, box, 1, "512")
    box.get_by_role("button", name="Store").click()
    picture = box.locator("svg[role=img]")
    expect(picture).to_contain_text("step 0 of 21")
    expect(box).to_contain_text("✘ pgmigrate_fail: you said 1 · it was 512")
    expect(box).to_contain_text("✔ nr_foll_pin_acquired: you said 512 · it was 512")
    expect(reveal).to_contain_text("thp_split_page_failed")
    seen(lab, box, "stored")
    slider = box.get_by_role("slider")
    slider.press("ArrowRight")
    expect(picture).to_contain_text("step 1 of 21")
    seen(lab, reveal, "reveal")

    box.get_by_role("button", name="Change my answer").click()
    press(lab, box, 0, "512")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("At first you had said: pgmigrate_fail 1")

    box = card(lab, "would the two counters not both be 1")
    seen(lab, box, "check")
    box.get_by_role("button", name="Hint").click()
    expect(box).to_contain_text("Hint 1 of 3")
    for row in range(4):
        press(lab, box, row, "fits")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("would it be turned away at the entry")
    assert box.locator("table").count() == 0
    seen(lab, box, "wrong")
    box.get_by_role("button", name="Store").click()
    expect(box.locator("table")).to_contain_text("ruled out")
    press(lab, box, 3, "ruled out")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("one suspect is out")
    seen(lab, box, "right")

    box = card(lab, "Six statements")
    seen(lab, box, "statements")
    seen(lab, card(lab, "Place your bet"), "bet")
    assert lab.errors == []
    assert lab.asked_outside == []
