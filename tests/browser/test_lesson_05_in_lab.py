"""Lesson 05 as two learners meet it: one wins by clicking, the other pastes the schedule."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from lab import BROWSER_FLAGS, Lab, Server
from playwright.sync_api import expect, sync_playwright

pytestmark = pytest.mark.browser
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSON = "05_you_are_the_scheduler.ipynb"
SECOND = "second.ipynb"
SCHEDULE = "split*6 stranger split*3"
ENDED = "failed: a huge page could not be split"


@pytest.fixture(params=["JupyterLab Light", "JupyterLab Dark"])
def lab(request, tmp_path, chromium):
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(NOTEBOOKS / LESSON, work)
    notebook = nbformat.read(NOTEBOOKS / LESSON, as_version=4)
    source = "from mmsim import scheduler\nscheduler()"
    notebook.cells = [nbformat.v4.new_code_cell(source, id="only")]
    nbformat.write(notebook, work / SECOND)
    server = Server(tmp_path, work, request.param)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            lab = Lab(page, server)
            lab.theme = request.param.split()[-1].lower()
            lab.open(LESSON)
            yield lab
            browser.close()
    finally:
        server.stop()


def game(lab):
    """The widget of the game, and its picture."""
    goal = lab.page.get_by_text("Make the split fail at the reference check.")
    widget = (
        lab.page.locator(".jp-OutputArea", has=goal).filter(has=lab.page.locator("select")).first
    )
    picture = widget.locator("svg[role=img]")
    expect(picture).to_be_visible()
    return widget, picture


def drawn(picture):
    """What is drawn: names of patterns apart, which belong to a page."""
    return re.sub(r"p[0-9a-f]{8}-", "", picture.inner_html())


def unlock_and_move_the_sliders(lab):
    """The explorer: locked, then one picture for each value of its slider."""
    widget = lab.page.locator(".jp-OutputArea", has=lab.page.get_by_text("Predict first.")).first
    picture = widget.locator("svg[role=img]")
    expect(widget.get_by_text("Locked")).to_be_visible()
    assert picture.count() == 0
    widget.locator("select").first.select_option("288")
    widget.get_by_role("button", name="Store prediction").click()
    expect(picture).to_contain_text("the odds of a failure are 2.88 %")
    pace = widget.get_by_role("slider").first
    pace.press("ArrowRight")
    expect(picture).to_contain_text("the odds of a failure are 27.58 %")
    pace.press("ArrowRight")
    expect(picture).to_contain_text("the odds of a failure are 43.94 %")
    widget.get_by_role("button", name="tree").click()
    expect(picture).to_contain_text("33 of 73 schedules fail")
    lab.shot(f"lesson-05-{lab.theme}-tree")


def test_a_level_won_by_clicking_is_shared_by_its_schedule(lab):
    lab.run_all()
    widget, picture = game(lab)
    split = widget.get_by_role("button", name="split:")
    stranger = widget.get_by_role("button", name="stranger:")

    for number in range(1, 7):
        split.click()
        expect(picture.locator("text", has_text=re.compile(f"^{number}$")).first).to_be_visible()
    expect(split).to_have_text("split: are all references to huge page A known?")
    before = drawn(picture)
    split.click()
    expect(picture).to_contain_text("can_split_folio(A) = yes")
    widget.get_by_role("button", name="Undo").click()
    expect(picture).not_to_contain_text("can_split_folio(A) = yes")
    assert drawn(picture) == before

    # By keyboard from here on: the button that was pressed keeps the focus.
    stranger.focus()
    stranger.press("Enter")
    expect(picture).to_contain_text("folio_get(A)")
    split.focus()
    for _ in range(3):
        split.press("Enter")
    expect(widget.get_by_text("Won.")).to_be_visible()
    expect(widget.get_by_text("You found 1 of 2 kinds")).to_be_visible()
    expect(split).to_be_disabled()
    # The parts of a widget arrive one after the other: wait for each that is looked at.
    expect(picture).to_contain_text(ENDED)
    expect(widget.get_by_text(SCHEDULE)).to_be_visible()
    lab.shot(f"lesson-05-{lab.theme}-won")
    won = drawn(picture)
    assert re.fullmatch("#F[0-9A-F]{5}", picture.locator("rect").first.get_attribute("fill"))
    light = lab.page.evaluate("document.body.dataset.jpThemeLight")
    assert light == ("true" if lab.theme == "light" else "false")

    unlock_and_move_the_sliders(lab)

    lab.open(SECOND)
    lab.run_all()
    other, copy = game(lab)
    assert drawn(copy) != won
    other.get_by_label("play", exact=True).fill(SCHEDULE)
    other.get_by_role("button", name="Play it").click()
    expect(other.get_by_text("Won.")).to_be_visible()
    expect(copy).to_contain_text(ENDED)
    assert drawn(copy) == won
    other.get_by_label("play", exact=True).fill(SCHEDULE + "0")
    other.get_by_role("button", name="Play it").click()
    expect(other.get_by_text("can't read")).to_be_visible()
    assert drawn(copy) == won
    assert lab.errors == []
    assert lab.asked_outside == []
