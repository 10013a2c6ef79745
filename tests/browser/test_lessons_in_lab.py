"""Lesson 04 as a learner meets it: run all, answer a card, move the slider twice, go back twice."""

from __future__ import annotations

import re

import pytest
from lab import PICTURE, THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "04_migrate_or_split.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        yield lab


def test_predict_step_and_go_back(lab):
    lab.run_all()
    card = lab.page.locator(".mmsim-card", has_text="The holder comes right after the check").first
    for number, choice in enumerate(("514", "513")):
        row = card.locator(".widget-toggle-buttons").nth(number)
        row.get_by_role("button", name=choice).click()
    card.get_by_role("button", name="Store").click()
    expect(card.get_by_text("you said 514 · it was 514")).to_be_visible()
    picture = card.locator(PICTURE).first
    expect(picture).to_contain_text("step 0 of 25")

    handle = card.get_by_role("slider")
    handle.press("ArrowRight")
    expect(picture).to_contain_text("step 1 of 25")
    handle.press("ArrowRight")
    expect(picture).to_contain_text("step 2 of 25")
    expect(picture).to_contain_text("1025")
    lab.shot(f"{lab.theme}-second")

    back = card.get_by_role("button", name="Back")
    back.click()
    expect(picture).to_contain_text("step 1 of 25")
    back.click()
    expect(picture).to_contain_text("step 0 of 25")
    expect(back).to_be_disabled()

    handle.press("End")
    expect(picture).to_contain_text("step 25 of 25")
    expect(card.get_by_text("does not start")).to_be_visible()
    # In a dark theme a picture without a ground of its own would be unreadable.
    assert re.fullmatch("#F[0-9A-F]{5}", picture.locator("rect").first.get_attribute("fill"))
    assert lab.errors == []
    assert lab.asked_outside == []
