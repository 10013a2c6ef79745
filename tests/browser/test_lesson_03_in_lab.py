"""Lesson 03 as a learner meets it: run all, predict, move two sliders twice, paste a text."""

from __future__ import annotations

import re

import pytest
from lab import THEMES, opened
from playwright.sync_api import expect
from proctext import buddyinfo

pytestmark = pytest.mark.browser
LESSON = "03_plenty_free.ipynb"
TEXT = buddyinfo([(0, "DMA32", (3,) * 11), (1, "Normal", (5,) * 9 + (0, 0))])


@pytest.fixture(params=THEMES)
def lab(request, tmp_path, chromium):
    with opened(LESSON, tmp_path, chromium, request.param) as lab:
        yield lab


def test_predict_change_the_host_and_paste(lab):
    page = lab.page
    lab.run_all()
    widget, picture = lab.unlock("What is there to be had", ["102", "granted"])
    expect(picture).to_contain_text("40.0 % of 1 GiB is free, but not one block of 2 MiB")
    picture.scroll_into_view_if_needed()
    lab.shot(f"lesson-03-{lab.theme}-host")

    sliders = widget.get_by_role("slider")
    scattered, order = sliders.nth(2), sliders.nth(4)
    scattered.press("Home")
    expect(picture).to_contain_text("198 blocks of 2 MiB")
    used = sliders.nth(1)
    used.press("ArrowRight")
    expect(picture).to_contain_text("39.0 % of 1 GiB is free: 198 blocks of 2 MiB")
    used.press("ArrowRight")
    expect(picture).to_contain_text("38.0 % of 1 GiB is free: 190 blocks of 2 MiB")
    used.press("ArrowLeft")
    expect(picture).to_contain_text("39.0 % of 1 GiB is free: 198 blocks of 2 MiB")
    used.press("ArrowLeft")
    order.press("ArrowLeft")
    expect(picture).to_contain_text("blocks of 1 MiB")
    order.press("ArrowLeft")
    expect(picture).to_contain_text("blocks of 512 KiB")
    expect(widget.get_by_text("huge page, for a process")).to_be_visible()

    paste = page.locator(".jp-OutputArea", has=page.get_by_text("prints. It is read by")).first
    area = paste.locator("textarea")
    area.fill(TEXT)
    seen = paste.locator("svg[role=img]")
    expect(seen).to_contain_text("How much is free, by size of block")
    expect(paste.get_by_text("Zone DMA32 of node 0")).to_be_visible()
    paste.locator("select").select_option("1 Normal")
    expect(seen).to_contain_text("but not one block of 2 MiB")
    seen.scroll_into_view_if_needed()
    lab.shot(f"lesson-03-{lab.theme}-paste")
    area.fill("hello")
    expect(paste.get_by_text("'hello' is no line of /proc/buddyinfo")).to_be_visible()
    paste.get_by_role("button", name="An example").click()
    expect(seen).to_contain_text("128 blocks of 2 MiB, all of them in CMA")
    for shown in (picture, seen):
        ground = shown.locator("rect").first.get_attribute("fill")
        assert re.fullmatch("#F[0-9A-F]{5}", ground)
    assert lab.errors == []
    assert lab.asked_outside == []
