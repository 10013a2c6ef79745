"""Lessons 07 and 08 as a learner meets them: run all, predict, move what was locked, twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab import BROWSER_FLAGS, Lab, Server
from playwright.sync_api import expect, sync_playwright

pytestmark = pytest.mark.browser
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture
def open_lab(tmp_path, chromium):
    """Opens a lesson in a theme; answers the page."""
    servers, browsers = [], []
    with sync_playwright() as playwright:

        def opened(lesson, theme):
            work = tmp_path / "work"
            work.mkdir()
            shutil.copy(NOTEBOOKS / lesson, work)
            servers.append(Server(tmp_path, work, f"JupyterLab {theme}"))
            browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
            browsers.append(browser)
            lab = Lab(browser.new_page(viewport={"width": 1280, "height": 1000}), servers[0])
            lab.open(lesson)
            lab.run_all()
            return lab

        try:
            yield opened
        finally:
            for each in browsers:
                each.close()
            for server in servers:
                server.stop()


def predict(lab, words, answers):
    """The widget that asks with these words, once its answers are stored."""
    widget = lab.page.locator(".jp-OutputArea", has=lab.page.get_by_text(words)).first
    expect(widget.get_by_text("Locked")).to_be_visible()
    for number, answer in enumerate(answers):
        widget.locator("select").nth(number).select_option(answer)
    widget.get_by_role("button", name="Store prediction").click()
    expect(widget.get_by_text("Locked")).to_have_count(0)
    return widget


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_trace_is_picked_and_walked_along(open_lab, theme):
    lab = open_lab("08_does_the_real_kernel_agree.ipynb", theme)
    widget = predict(lab, "Of twelve traces", ["3", "0"])
    expect(widget).to_contain_text("31 of 31 lines agree")
    forward = widget.get_by_role("button", name="Forward")
    forward.click()
    expect(widget).to_contain_text("Line 2: migrate_pages() begins")
    forward.click()
    expect(widget).to_contain_text("Line 3: round 1, pass 0")
    widget.get_by_role("button", name="Back").click()
    expect(widget).to_contain_text("Line 2: migrate_pages() begins")
    traces = widget.locator("select").nth(2)
    traces.select_option("real fragmentation, one reference for ever · v2")
    expect(widget).to_contain_text("93 of 95 lines agree")
    expect(widget).to_contain_text("compact_stall")
    widget.scroll_into_view_if_needed()
    lab.shot(f"lesson-08-picker-{theme.lower()}")
    assert lab.errors == []
    assert lab.asked_outside == []
