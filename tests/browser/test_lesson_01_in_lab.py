"""Lesson 01 as a learner meets it: run all, predict, move a slider of each widget twice."""

from __future__ import annotations

import pytest
from lab import opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "01_who_holds_this_page.ipynb"


@pytest.fixture
def lab(tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium) as lab:
        yield lab


def test_predict_scrub_and_change_the_page(lab):
    lab.run_all()
    widget, picture = lab.unlock("add to the count", ["512", "1", "1", "1", "1"])
    handle = widget.get_by_role("slider")
    handle.press("ArrowRight")
    expect(picture).to_contain_text("step 1 of 9")
    handle.press("ArrowRight")
    expect(picture).to_contain_text("its count goes from 1 to 513")
    handle.press("End")
    expect(widget.get_by_text("mapped 0: ✘ you predicted 1")).to_be_visible()

    answers = ["equal", "equal", "not equal", "not equal"]
    widget, picture = lab.unlock("two sides still equal", answers)
    expect(picture).to_contain_text("514 references, all of them expected")
    holders = widget.get_by_role("slider").nth(1)
    holders.press("ArrowRight")
    expect(picture).to_contain_text("515 references: 1 more than expected")
    holders.press("ArrowRight")
    expect(picture).to_contain_text("516 references: 2 more than expected")
    lab.shot("lesson-01-bench")
    assert lab.errors == []
    assert lab.asked_outside == []
