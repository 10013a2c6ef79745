"""Lesson 11 as a learner meets it: a verdict, a knob of the bench, causes, another case."""

from __future__ import annotations

import pytest
from lab import opened
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def chosen(box, answers):
    for row, answer in enumerate(answers):
        buttons = box.locator(".widget-toggle-buttons").nth(row)
        buttons.get_by_role("button", name=answer, exact=True).click()
    box.get_by_role("button", name="Store").click()


def ended(box, answer):
    box.get_by_role("radio", name=answer).check()
    box.get_by_role("button", name="Store").click()


def test_a_case_is_diagnosed(tmp_path, chromium):
    with opened("11_capstone_and_recall.ipynb", tmp_path, chromium, size=(1366, 768)) as lab:
        lab.run_all()
        lab.shot("capstone-first", lab.page.locator(".jp-Notebook-cell").first)
        verdict = lab.card("How did the pin end?")
        ended(verdict, "a piece was left")
        expect(verdict).to_contain_text("no run of v2 that ends like this counts")
        assert verdict.locator("svg[role=img]").count() == 0
        ended(verdict, "could not be split")
        expect(verdict).to_contain_text("the counters say 'could not be split'")
        picture = verdict.locator("svg[role=img]").last
        expect(picture).to_be_visible()
        before = picture.text_content()
        targets = verdict.locator("select", has_text="available")
        targets.select_option("available")
        expect(picture).not_to_have_text(before)
        lab.shot("capstone-bench", verdict)
        fitting = lab.card("Which causes fit, and which are out?")
        lab.shot("capstone-fitting", fitting)
        chosen(fitting, ["out", "fits", "fits", "out", "out", "out", "out", "out"])
        expect(fitting).to_contain_text("✔ Right: if several fit")
        assert lab.errors == []
        assert lab.asked_outside == []
