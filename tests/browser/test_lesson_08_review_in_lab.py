"""Lesson 08 as a learner meets it: answer four cells, then turn the knobs of the console."""

from __future__ import annotations

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
LESSON = "08_review_v1_then_v2.ipynb"


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        yield lab


def test_store_and_turn(lab):
    lab.run_all()
    card = lab.page.locator(".mmsim-card", has_text="A huge page has no destination").first
    rows = card.locator(".widget-toggle-buttons")
    expect(rows).to_have_count(4)
    for row in rows.all():
        row.get_by_role("button", name="stays").click()
    card.get_by_role("button", name="Store").click()
    expect(card.get_by_text("you said stays · it was -EAGAIN")).to_be_visible()
    picture = card.locator("svg[role=img]").last  # the column with the version and the end
    expect(picture).to_contain_text("version v1")
    reason = card.locator("select", has_text="contig_range")
    expect(picture).to_contain_text("migrate_pages() returned -EAGAIN")
    reason.select_option("numa_misplaced")
    expect(picture).to_contain_text("migrate_pages() returned -ENOMEM")
    lab.shot(f"lesson-08-console-{lab.theme}")
    assert lab.errors == []
    assert lab.asked_outside == []
