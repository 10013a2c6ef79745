"""Lesson 04 as a learner meets it: run all, predict, move the slider twice, go back twice."""

from __future__ import annotations

import re

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "04_migrate_or_split.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        yield lab


def test_predict_step_and_go_back(lab):
    lab.run_all()
    widget, picture = lab.unlock("how many times", ["1", "10"])
    expect(picture).to_contain_text("step 0 of 21")
    lab.shot(f"{lab.theme}-stored")

    handle = widget.get_by_role("slider")
    handle.press("ArrowRight")
    expect(picture).to_contain_text("step 1 of 21")
    handle.press("ArrowRight")
    expect(picture).to_contain_text("step 2 of 21")
    expect(picture).to_contain_text("1026")
    lab.shot(f"{lab.theme}-second")

    back = widget.get_by_role("button", name="Back")
    back.click()
    expect(picture).to_contain_text("step 1 of 21")
    back.click()
    expect(picture).to_contain_text("step 0 of 21")
    expect(back).to_be_disabled()

    handle.press("End")
    expect(picture).to_contain_text("step 21 of 21")
    expect(widget.get_by_text("does not start")).to_be_visible()
    lab.shot(f"{lab.theme}-end")
    # In a dark theme a picture without a ground of its own would be unreadable.
    assert re.fullmatch("#F[0-9A-F]{5}", picture.locator("rect").first.get_attribute("fill"))
    light = lab.page.evaluate("document.body.dataset.jpThemeLight")
    assert light == ("true" if lab.theme == "light" else "false")
    meets_drop_caches(lab)
    assert lab.errors == []
    assert lab.asked_outside == []


def meets_drop_caches(lab):
    """The second stepper: two questions, a run with two actors, another version."""
    # A slider that is pressed before it is unlocked stays where it is: unlock() waits.
    widget, picture = lab.unlock("drop_caches stands still", ["it waits", "it goes on"])
    handle = widget.get_by_role("slider")
    handle.press("End")
    expect(picture).to_contain_text("step 45 of 45")
    expect(widget.get_by_text("it waits: ✔ as predicted")).to_be_visible()
    expect(widget.get_by_text("it fails: ✘ you predicted it goes on")).to_be_visible()
    lab.shot(f"{lab.theme}-drop-caches")
    widget.locator("select").last.select_option("v2")
    expect(picture).to_contain_text("version v2")
    lab.shot(f"{lab.theme}-drop-caches-v2")
