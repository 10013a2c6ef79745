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
    lab.shot(f"cards-{lab.theme}-unsigned", still)
    lab.run_all()

    box = lab.card("The pin of one huge page fails")
    reveal = lab.card("What one failing pin counted")
    expect(reveal).to_contain_text("Shown once you have answered lesson.guess")
    lab.shot(f"cards-{lab.theme}-open", box)
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
    lab.shot(f"cards-{lab.theme}-stored", box)
    slider = box.get_by_role("slider")
    slider.press("ArrowRight")
    expect(picture).to_contain_text("step 1 of 21")
    lab.shot(f"cards-{lab.theme}-reveal", reveal)

    box.get_by_role("button", name="Change my answer").click()
    press(lab, box, 0, "512")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("At first you had said: pgmigrate_fail 1")

    box = lab.card("would the two counters not both be 1")
    lab.shot(f"cards-{lab.theme}-check", box)
    box.get_by_role("button", name="Hint").click()
    expect(box).to_contain_text("Hint 1 of 3")
    for row in range(4):
        press(lab, box, row, "fits")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("would it be turned away at the entry")
    assert box.locator("table").count() == 0
    lab.shot(f"cards-{lab.theme}-wrong", box)
    box.get_by_role("button", name="Store").click()
    expect(box.locator("table")).to_contain_text("ruled out")
    press(lab, box, 3, "ruled out")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("one suspect is out")
    lab.shot(f"cards-{lab.theme}-right", box)

    box = lab.card("Six statements")
    lab.shot(f"cards-{lab.theme}-statements", box)
    lab.shot(f"cards-{lab.theme}-bet", lab.card("Place your bet"))
    assert lab.errors == []
    assert lab.asked_outside == []
