"""Lesson 03 as a learner meets it: move three sliders twice, predict, paste a text."""

from __future__ import annotations

import pytest
from lab import PICTURE, opened
from playwright.sync_api import expect
from proctext import buddyinfo

pytestmark = pytest.mark.browser
LESSON = "03_plenty_free.ipynb"
TEXT = buddyinfo([(0, "DMA32", (3,) * 11), (1, "Normal", (5,) * 9 + (0, 0))])


@pytest.fixture
def lab(tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, size=(1366, 768)) as lab:
        yield lab


def test_change_the_host_predict_and_paste(lab):
    lab.run_all()
    lab.shot("lesson-03-first", lab.page.locator(".jp-Notebook-cell").first)
    worn = lab.card("A host of 1 GiB that has been in use for weeks")
    picture = worn.locator(PICTURE).first
    expect(picture).to_contain_text("40.0 % of 1 GiB is free, but not one block of 2 MiB")
    lab.shot("lesson-03-worn", worn)
    cma, used, scattered, _, order = (worn.get_by_role("slider").nth(n) for n in range(5))
    scattered.press("Home")
    expect(picture).to_contain_text("198 blocks of 2 MiB")
    used.press("ArrowRight")
    expect(picture).to_contain_text("39.0 % of 1 GiB is free: 198 blocks of 2 MiB")
    used.press("ArrowRight")
    expect(picture).to_contain_text("38.0 % of 1 GiB is free: 190 blocks of 2 MiB")
    order.press("ArrowLeft")
    expect(picture).to_contain_text("blocks of 1 MiB")
    order.press("ArrowLeft")
    expect(picture).to_contain_text("blocks of 512 KiB")
    cma.press("ArrowRight")
    expect(picture).to_contain_text("in CMA")

    index = lab.card("What does extfrag_index say of each host")
    for row, answer in enumerate(("0.998", "-1.000", "0.998")):
        buttons = index.locator(".widget-toggle-buttons").nth(row)
        buttons.get_by_role("button", name=answer, exact=True).click()
    index.get_by_role("button", name="Store").click()
    expect(index).to_contain_text("✘ with_CMA: you said 0.998 · it was -1.000")
    lab.shot("lesson-03-index", index)
    paste = lab.card("What does your own machine say?")
    area, seen = paste.locator("textarea"), paste.locator(PICTURE).first
    area.fill(TEXT)
    expect(seen).to_contain_text("How much is free, by size")
    expect(paste.get_by_text("Zone DMA32 of node 0")).to_be_visible()
    paste.get_by_label("zone").select_option("1 Normal")
    expect(seen).to_contain_text("but not one block of 2 MiB")
    area.fill("hello")
    expect(paste.get_by_text("'hello' is no line of /proc/buddyinfo")).to_be_visible()
    paste.get_by_role("button", name="An example").click()
    expect(seen).to_contain_text("128 blocks of 2 MiB, all of them in CMA")
    assert lab.errors == []
    assert lab.asked_outside == []
