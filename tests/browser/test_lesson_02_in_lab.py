"""Lesson 02 as a learner meets it: run all, predict, move sliders twice, see the last value."""

from __future__ import annotations

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "02_cma_borrowed_land.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        yield lab


def test_predict_and_change_the_host(lab):
    lab.run_all()
    widget, picture = lab.unlock("Eight huge pages", ["CMA"] * 4 + ["ordinary"] * 4)
    expect(picture).to_contain_text("8 allocations of 2 MiB, movable: 7 in CMA")
    expect(widget.get_by_text("Stored: 1st CMA")).to_be_visible()
    lab.shot(f"lesson-02-{lab.theme}-stored")

    cma = widget.get_by_role("slider").nth(0)
    for _ in range(10):
        cma.press("ArrowLeft")
    expect(picture).to_contain_text("movable: 4 in CMA, 4 in ordinary memory")
    cma.press("Home")
    expect(picture).to_contain_text("movable: none in CMA, 8 in ordinary memory")
    widget.get_by_role("button", name="Reset").click()
    expect(picture).to_contain_text("movable: 7 in CMA")

    widget.locator("select").nth(8).select_option("no")
    expect(picture).to_contain_text("8 allocations of 2 MiB, not movable: none in CMA")
    order = widget.get_by_role("slider").nth(2)
    order.press("ArrowRight")
    expect(picture).to_contain_text("8 allocations of 4 MiB, not movable")
    lab.shot(f"lesson-02-{lab.theme}-changed")
    assert lab.errors == []
    assert lab.asked_outside == []
