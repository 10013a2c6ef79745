"""Every lesson's outputs for those who can't see or point, in both themes.

A fresh run of the student edition has the widgets; the solutions as they are stored have what is
seen before anything is run.  The keys are walked in test_every_card_in_lab.py.
Three lessons have all kinds of controls and tables.  AXE=all goes through every lesson."""

from __future__ import annotations

import os
import shutil

import pytest
from axe import serious
from lab import BROWSER_FLAGS, NOTEBOOKS, THEMES, Lab, Server, expect
from playwright.sync_api import sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.axe, pytest.mark.slow]
LESSONS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
SHORT = [name for name in LESSONS if name[:2] in ("00", "03", "09")]
# The filter of every picture of ours that is seen, in a widget or as an output of its own.
FILTERS = """() => [...document.querySelectorAll(
    '.jp-OutputArea-output :is(svg[role=img], img[src^="data:image/svg+xml"])')]
  .filter(each => each.getBoundingClientRect().width)
  .map(each => getComputedStyle(each).filter)"""


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("axe")
    shutil.copytree(NOTEBOOKS, folder / "work")
    server = Server(folder, folder / "work", THEMES[0])
    try:
        with sync_playwright() as playwright:
            found = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
            yield found, server
            found.close()
    finally:
        server.stop()


def switch(lab: Lab, theme: str) -> None:
    lab.menu("Settings", "Theme", theme)
    light = str(theme == THEMES[0]).lower()
    expect(lab.page.locator(f"body[data-jp-theme-light={light}]")).to_have_count(1)


@pytest.mark.parametrize("lesson", LESSONS if os.environ.get("AXE") == "all" else SHORT)
def test_nothing_serious(browser, lesson) -> None:
    found, server = browser
    for edition in (lesson, f"solutions/{lesson}"):
        lab = Lab(found.new_page(viewport={"width": 1400, "height": 1000}), server)
        lab.open(edition)
        if edition == lesson:
            lab.run_all()
            expect(lab.page.locator(".mmsim-card")).not_to_have_count(0)
            expect(lab.page.locator(".mmsim-board [title=null]")).to_have_count(0)
            # each has a name, and no shell takes its arrow keys for commands
            handles = lab.page.locator(".mmsim-board .widget-slider [role=slider]")
            whole = lab.page.locator("[role=slider][aria-label]:not([aria-label=''])")
            expect(whole.and_(lab.page.locator("[data-lm-suppress-shortcuts]"))).to_have_count(
                handles.count()
            )
            assert handles.count() or lesson != LESSONS[0]
        for theme in THEMES:
            switch(lab, theme)
            assert serious(lab.page) == {}, (edition, theme)
            dark = edition == lesson and theme == THEMES[1]
            if edition == lesson:
                assert {each != "none" for each in lab.page.evaluate(FILTERS)} <= {dark}
        switch(lab, THEMES[0])
        assert lab.asked_outside == []
        lab.page.close()
