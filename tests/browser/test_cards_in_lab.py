"""Lesson 00 as a learner meets it: first open, the bug, store, a wrong answer twice."""

from __future__ import annotations

import re

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


def test_the_bug_is_on_the_first_screen(lab):
    # An unsigned notebook, as after a clone: what is stored shows itself before anything is run.
    frames = lab.page.locator("img[alt*='thp_split_page_failed']")
    expect(frames).to_have_count(3)
    tops = [frames.nth(n).bounding_box() for n in range(3)]
    assert len({box["y"] for box in tops}) == 1
    assert max(box["y"] + box["height"] for box in tops) < 740
    expect(lab.page.locator("img[alt^='The way of the bug']")).to_be_visible()
    lab.shot(f"first-{lab.theme}-unsigned")
    lab.run_all()

    box = lab.page.locator(".mmsim-first")
    lab.page.locator(".jp-Notebook .jp-Cell").first.evaluate("n => n.scrollIntoView()")
    said = box.locator(".mmsim-said")
    expect(said).to_contain_text("The machine does not start")
    place = box.bounding_box()
    assert place["y"] + place["height"] <= 768 - 24  # above the status bar
    lab.shot(f"first-{lab.theme}-base")
    box.get_by_role("button", name="v2").press("Enter")
    when = box.get_by_role("slider").first
    for _ in range(7):  # from never to before pass 3
        when.press("ArrowLeft")
    expect(box).to_contain_text("before pass 3")
    # The browser holds moves of a slider back while the kernel is busy, but no click of a button:
    # a click counts for pass 3 only once the kernel has drawn its 17 steps.
    expect(box.get_by_role("slider").nth(1)).to_have_attribute("aria-valuenow", "17.0")
    expect(said).to_contain_text("The machine starts")
    lab.shot(f"first-{lab.theme}-starts")
    # Keys work wherever the focus is in the box: on a button, on the picture.
    box.get_by_role("button", name="Back").press("Enter")
    expect(said).to_contain_text("have been moved")
    lab.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("The count is as expected")
    box.locator("svg").first.click()
    lab.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("Pass 3: is there a free huge page")
    lab.shot(f"first-{lab.theme}-pass")
    lab.page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("The count is as expected")
    # Every press counts, however quickly they come.
    for _ in range(4):
        lab.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("515 references, 514 expected. The split is refused")
    for _ in range(6):
        lab.page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("The machine starts")
    assert box.bounding_box()["height"] == place["height"]
    assert lab.errors == []


def test_a_lesson_is_read_and_stored(lab):
    lab.run_all()
    box = lab.card("When does the machine start?")
    counted = lab.card("Find the rule that fits all three settings")
    reveal = lab.card("What one failing pin counted")
    expect(reveal).to_contain_text("Shown once you have answered lesson.counted")
    lab.shot(f"cards-{lab.theme}-open", box)
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("Still open: sentence")
    box.get_by_role("textbox").fill("when it can")
    for row, choice in enumerate(("starts", "does not start", "starts")):
        press(lab, box, row, choice)
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("✘ base, before pass 1: you said starts · it was does not start")
    expect(box).to_contain_text("✔ base, nobody: you said does not start")
    lab.shot(f"cards-{lab.theme}-stored", box)

    rules = counted.get_by_role("radio")
    for n, told in ((0, "would be 10, and it is 11"), (3, "would be 2, and it is 1")):
        rules.nth(n).press("Space")
        counted.get_by_role("button", name="Store").click()
        expect(counted).to_contain_text(told)
    expect(reveal).to_contain_text("thp_split_page_failed")
    lab.shot(f"cards-{lab.theme}-reveal", reveal)
    rules.nth(2).press("Space")
    counted.get_by_role("button", name="Store").click()
    expect(counted).to_contain_text("At first you had said: a")

    bet = lab.card("Place your bet")
    for row, name in enumerate(("reference", "nomem", "truncated", "writeback")):
        press(lab, bet, row, name)
    bet.get_by_role("button", name="Store").click()
    box = lab.card("Which suspects fit the report")
    lab.shot(f"cards-{lab.theme}-check", box)
    box.get_by_role("button", name="Hint").click()
    expect(box).to_contain_text("Hint 1 of 3")
    for row in range(4):
        press(lab, box, row, "fits")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("at which line of the table")
    assert box.locator("table").count() == 0
    lab.shot(f"cards-{lab.theme}-wrong", box)
    box.get_by_role("button", name="Store").click()
    expect(box.locator("table")).to_contain_text("ruled out")
    press(lab, box, 3, "ruled out")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("the others are left")
    lab.shot(f"cards-{lab.theme}-right", box)

    # Without a kernel nothing answers; a card on the page says so by itself.
    lab.menu("Kernel", "Restart Kernel…")
    lab.page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(counted.locator(".mmsim-card")).to_have_class(re.compile("jupyter-widgets-disconnected"))
    told = "node => getComputedStyle(node, '::before').content"
    assert "Run the cells above again" in counted.locator(".mmsim-card").evaluate(told)
    lab.shot(f"cards-{lab.theme}-restarted", counted)

    box = lab.card("Six statements")
    lab.shot(f"cards-{lab.theme}-statements", box)
    lab.shot(f"cards-{lab.theme}-bet", lab.card("Place your bet"))
    assert lab.errors == []
    assert lab.asked_outside == []
