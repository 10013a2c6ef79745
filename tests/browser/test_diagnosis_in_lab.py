"""The console that diagnoses pasted counters, in a cell of a learner's own."""

from __future__ import annotations

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "00_the_report.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        yield lab


def type_below(lab, text):
    """A cell of one's own at the end of the notebook, run."""
    lab.page.locator(".jp-Notebook .jp-CodeCell").last.click()
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("b")
    lab.page.keyboard.press("Enter")
    lab.page.keyboard.insert_text(text)
    lab.page.keyboard.press("Control+Enter")
    lab.idle()


def test_paste_counters(lab):
    page = lab.page
    type_below(lab, "from mmsim import diagnosis_console\ndiagnosis_console()")
    pasted = page.get_by_placeholder("/proc/vmstat before")
    pasted.fill("thp_migration_fail +1\nthp_split_page_failed +1")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_text("a long-term pin; no huge page is free").last).to_be_visible()
    pasted.fill("nonsense")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_text("Can't be diagnosed: BEFORE, line 1")).to_be_visible()
    pasted.fill("thp_migration_fail +11\nthp_split_page_failed +10")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_text("v1, v2, v3, 2/2-only: a long-term pin").last).to_be_visible()
    lab.shot(f"diagnosis-{lab.theme}")
    assert lab.errors == []
    assert lab.asked_outside == []
