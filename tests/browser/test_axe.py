"""Outputs of lessons for those who can't see or point, in both themes.

A fresh run of the student edition has the widgets; the solutions as they are stored have what is
seen before anything is run.  The keys are walked in test_every_card.py.
Three lessons have all kinds of controls and tables.  AXE=all goes through every lesson."""

from __future__ import annotations

import os

import pytest
from axe import serious
from lab import NOTEBOOKS, THEMES
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.axe, pytest.mark.slow]
LESSONS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
SHORT = [name for name in LESSONS if name[:2] in ("00", "03", "09")]
# The filter of every picture of ours that is seen, in a widget, an output or the text.
FILTERS = """() => [...document.querySelectorAll(
    ':is(.jp-OutputArea-output, .jp-MarkdownOutput) ' +
    ':is(svg[role=img], img[src^="data:image/svg"])')]
  .filter(each => each.getBoundingClientRect().width)
  .map(each => getComputedStyle(each).filter)"""


@pytest.mark.parametrize("lesson", LESSONS if os.environ.get("AXE") == "all" else SHORT)
def test_nothing_serious(lab, lesson) -> None:
    for edition in (lesson, f"solutions/{lesson}"):
        lab.copy(edition)
        if edition == lesson:
            lab.run_all()
            expect(lab.page.locator(".mmsim-card")).not_to_have_count(0)
            expect(lab.page.locator(".mmsim-board [title=null]")).to_have_count(0)
            # each has a name, and no shell takes its arrow keys for commands
            handle = lab.page.locator(".mmsim-board .widget-slider [role=slider]")
            if lesson == LESSONS[0]:
                expect(handle).not_to_have_count(0)
            bare = ":is(:not([aria-label]), [aria-label=''], :not([data-lm-suppress-shortcuts]))"
            expect(handle.and_(lab.page.locator(bare))).to_have_count(0)
        for theme in THEMES:
            lab.switch(theme)
            assert serious(lab.page) == [], (edition, theme)
            dark = edition == lesson and theme == THEMES[1]
            if edition == lesson:
                assert {each != "none" for each in lab.page.evaluate(FILTERS)} <= {dark}
        lab.switch(THEMES[0])
