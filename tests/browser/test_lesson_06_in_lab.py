"""Lesson 06 as a learner meets it: run all, store the six cells, turn the knobs; paste counters."""

from __future__ import annotations

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "06_review_v1_then_v2.ipynb"
STORE = """from mmsim import diagnosis_console
cells.set(cells_happened())
diagnosis_console()"""


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


def test_store_turn_and_paste(lab):
    page = lab.page
    lab.run_all()
    locked = page.locator(".jp-OutputArea", has=page.get_by_text("Locked: store")).first
    expect(locked).to_be_visible()
    type_below(lab, STORE)
    console = page.locator(".jp-OutputArea", has=page.get_by_text("trouble")).first
    picture = console.locator("svg[role=img]").first
    expect(picture).to_contain_text("version v1")
    reason = console.locator("select").nth(2)
    reason.select_option("contig_range")
    expect(picture).to_contain_text("migrate_pages() returned -EAGAIN")
    reason.select_option("numa_misplaced")
    expect(picture).to_contain_text("migrate_pages() returned -ENOMEM")
    reason.scroll_into_view_if_needed()
    lab.shot(f"lesson-06-console-{lab.theme}")

    pasted = page.get_by_placeholder("/proc/vmstat before")
    pasted.fill("thp_migration_fail +1\nthp_split_page_failed +1")
    page.get_by_role("button", name="Diagnose").click()
    answer = page.get_by_text("a long-term pin; no huge page is free").last
    expect(answer).to_be_visible()
    pasted.fill("nonsense")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_text("Can't be diagnosed: BEFORE, line 1")).to_be_visible()
    pasted.fill("thp_migration_fail +11\nthp_split_page_failed +10")
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_text("v1, v2, v3, 2/2-only: a long-term pin").last).to_be_visible()
    lab.shot(f"lesson-06-diagnosis-{lab.theme}")
    assert lab.errors == []
    assert lab.asked_outside == []
