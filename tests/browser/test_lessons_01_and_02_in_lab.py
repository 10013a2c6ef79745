"""Lessons 01 and 02 as a learner meets them: a card answered, then its slider moved twice."""

from __future__ import annotations

import pytest
from lab import opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def stored(lab, words, answers):
    """The card that asks with these words, with these choices pressed and stored."""
    card = lab.card(words)
    rows = card.locator(".widget-toggle-buttons")
    for number, answer in enumerate(answers):
        rows.nth(number).get_by_role("button", name=answer, exact=True).click()
    lab.shot(f"{words[:12]}-open".replace(" ", "-"), card)
    assert card.locator("svg[role=img]").count() == 0
    card.get_by_role("button", name="Store").click()
    picture = card.locator("svg[role=img]")
    expect(picture).to_be_visible()
    return card, picture


def test_predict_scrub_and_change_the_page(tmp_path, chromium):
    with opened("01_who_holds_this_page.ipynb", tmp_path, chromium) as lab:
        lab.page.set_viewport_size({"width": 1366, "height": 768})
        lab.run_all()
        lab.shot("lesson-01-first", lab.page.locator(".jp-Notebook-cell").first)
        asked = "After the allocation the count is 1"
        card, picture = stored(lab, asked, ["512", "1", "1", "1", "1"])
        expect(card).to_contain_text("✘ mapped: you said 1 · it was 0")
        handle = card.get_by_role("slider")
        handle.press("ArrowRight")
        expect(picture).to_contain_text("Step 2 of 9")
        expect(picture).to_contain_text("513")
        handle.press("ArrowRight")
        expect(picture).to_contain_text("Step 3 of 9")
        lab.shot("lesson-01-life", card)

        answers = ["equal", "equal", "not equal", "not equal"]
        card, picture = stored(lab, "One thing about page X", answers)
        expect(picture).to_contain_text("514 references, 514 expected")
        holders = card.get_by_role("slider").nth(1)
        holders.press("ArrowRight")
        expect(picture).to_contain_text("515 references, 514 expected")
        holders.press("ArrowRight")
        expect(picture).to_contain_text("516 references, 514 expected")
        lab.shot("lesson-01-ledger", card)
        assert lab.errors == []
        assert lab.asked_outside == []


def test_predict_and_change_the_host(tmp_path, chromium):
    with opened("02_cma_borrowed_land.ipynb", tmp_path, chromium) as lab:
        lab.page.set_viewport_size({"width": 1366, "height": 768})
        lab.run_all()
        lab.shot("lesson-02-first", lab.page.locator(".jp-Notebook-cell").first)
        asked = "32 pageblocks are free, 19 of them CMA."
        card, picture = stored(lab, asked, ["ordinary", "7"])
        expect(card).to_contain_text("✘ the_first: you said ordinary · it was CMA")
        expect(picture).to_contain_text("8 huge pages, movable: 7 in CMA")
        lab.shot("lesson-02-stored", card)
        cma = card.get_by_role("slider").nth(0)
        for _ in range(3):
            cma.press("ArrowLeft")
        expect(picture).to_contain_text("movable: 4 in CMA, 4 outside")
        cma.press("Home")
        expect(picture).to_contain_text("movable: none in CMA, 8 outside")
        card.get_by_role("button", name="Reset").click()
        expect(picture).to_contain_text("movable: 7 in CMA")
        card.locator("select").first.select_option("no")
        expect(picture).to_contain_text("8 huge pages, not movable: none in CMA")
        assert lab.errors == []
        assert lab.asked_outside == []
