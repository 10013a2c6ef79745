"""Lessons as a learner meets them: first screen, cards, sliders, a text, the game."""

from __future__ import annotations

import re

import pytest
from lab import PICTURE
from playwright.sync_api import expect
from proctext import buddyinfo

from mmsim.progress import FILE, read

pytestmark = pytest.mark.browser
PASTED = buddyinfo([(0, "DMA32", (3,) * 11), (1, "Normal", (5,) * 9 + (0, 0))])


def choose(box, answers):
    """Press a choice in each row of a card, by keyboard, and Store."""
    for row, answer in enumerate(answers):
        rows = box.locator(".widget-toggle-buttons")
        rows.nth(row).get_by_role("button", name=answer, exact=True).press("Enter")
    box.get_by_role("button", name="Store").click()


def first_screen(lab):
    """The bug is on the first screen, and moves by mouse and by key."""
    # An unsigned notebook, as after a clone: what is stored shows itself before anything is run.
    frames = lab.page.locator("img[alt*='thp_split_page_failed']")
    expect(frames).to_have_count(3)
    tops = [frames.nth(n).bounding_box() for n in range(3)]
    assert len({box["y"] for box in tops}) == 1
    assert max(box["y"] + box["height"] for box in tops) < 740
    expect(lab.page.locator("img[alt^='The way of the bug']")).to_be_visible()
    lab.run_all()

    box = lab.page.locator(".mmsim-first")
    lab.page.locator(".jp-Notebook .jp-Cell").first.evaluate("n => n.scrollIntoView()")
    said = box.locator(".mmsim-said")
    expect(said).to_contain_text("The machine does not start")
    place = box.bounding_box()
    assert place["y"] + place["height"] <= 768 - 24  # above the status bar
    box.get_by_role("button", name="v2").press("Enter")
    when = box.get_by_role("slider").first
    for _ in range(7):  # from never to before pass 3
        when.press("ArrowLeft")
    expect(box).to_contain_text("before pass 3")
    # The browser holds moves of a slider back while the kernel is busy, but no click of a button:
    # a click counts for pass 3 only once the kernel has drawn its 17 steps.
    expect(box.get_by_role("slider").nth(1)).to_have_attribute("aria-valuenow", "17.0")
    expect(said).to_contain_text("The machine starts")
    # Keys work wherever the focus is in the box: on a button, on the picture.
    box.get_by_role("button", name="Back").press("Enter")
    expect(said).to_contain_text("have been moved")
    box.locator("svg").first.click()
    lab.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("The count is as expected")
    # Every press counts, however quickly they come.
    for _ in range(4):
        lab.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("515 references, 514 expected. The split is refused")
    for _ in range(6):
        lab.page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("The machine starts")
    assert box.bounding_box()["height"] == place["height"]


def test_the_bug_is_seen_and_answers_are_judged_and_come_back(lab):
    lab.copy("00_the_report.ipynb")
    first_screen(lab)
    box = lab.card("When does the machine start?")
    counted = lab.card("Find the rule that fits all three settings")
    reveal = lab.card("What one failing pin counted")
    expect(reveal).to_contain_text("Shown once you have answered lesson.counted")
    box.get_by_role("button", name="Store").click()
    expect(box).to_contain_text("Still open: sentence")
    box.get_by_role("textbox").fill("when it can")
    choose(box, ("starts", "does not start", "starts"))
    expect(box).to_contain_text("✘ base, before pass 1: you said starts · it was does not start")
    expect(box).to_contain_text("✔ base, nobody: you said does not start")

    rules = counted.get_by_role("radio")
    for n, told in ((0, "would be 10, and it is 11"), (3, "would be 2, and it is 1")):
        rules.nth(n).press("Space")
        counted.get_by_role("button", name="Store").click()
        expect(counted).to_contain_text(told)
    expect(reveal).to_contain_text("thp_split_page_failed")
    rules.nth(2).press("Space")
    counted.get_by_role("button", name="Store").click()
    expect(counted).to_contain_text("At first you had said: a")

    choose(lab.card("Place your bet"), ("reference", "nomem", "truncated", "writeback"))
    suspects = lab.card("Which suspects fit the report")
    suspects.get_by_role("button", name="Hint").click()
    expect(suspects).to_contain_text("Hint 1 of 3")
    choose(suspects, ["fits"] * 4)
    expect(suspects).to_contain_text("at which line of the table")
    assert suspects.locator("table").count() == 0
    kept = ["counted", "ranking", "ruled_out", "start"]
    assert sorted(read(lab.folder / FILE).cards) == [f"the_report.{name}" for name in kept]

    # Without a kernel nothing answers; a card on the page says so by itself.
    lab.restart()
    expect(counted.locator(".mmsim-card")).to_have_class(re.compile("jupyter-widgets-disconnected"))
    told = "node => getComputedStyle(node, '::before').content"
    assert "Run the cells above again" in counted.locator(".mmsim-card").evaluate(told)
    lab.idle()
    lab.close()
    lab.open(lab.folder / "00_the_report.ipynb")
    lab.run_all()
    expect(box).to_contain_text("you said when it can")
    expect(box.get_by_role("button", name="Store")).to_be_hidden()
    box.get_by_role("button", name="Change my answer").click()
    expect(box.locator(".mod-active")).to_have_text(["starts", "does not start", "starts"])


def test_turn_the_knobs_of_a_host_and_paste(lab):
    lab.copy("03_plenty_free.ipynb")
    lab.run_all()
    worn = lab.card("A host of 1 GiB that has been in use for weeks")
    picture = worn.locator(PICTURE).first
    expect(picture).to_contain_text("40.0 % of 1 GiB is free, but not one block of 2 MiB")
    cma, used, scattered, _, order = (worn.get_by_role("slider").nth(n) for n in range(5))
    for slider, key, said in (
        (scattered, "Home", "198 blocks of 2 MiB"),
        (used, "ArrowRight", "39.0 % of 1 GiB is free: 198 blocks of 2 MiB"),
        (used, "ArrowRight", "38.0 % of 1 GiB is free: 190 blocks of 2 MiB"),
        (order, "ArrowLeft", "blocks of 1 MiB"),
        (cma, "ArrowRight", "in CMA"),
    ):
        slider.press(key)
        expect(picture).to_contain_text(said)
    worn.get_by_role("button", name="Reset").click()
    expect(picture).to_contain_text("but not one block of 2 MiB")

    choose(lab.card("What does extfrag_index say of each host"), ("0.998", "-1.000", "0.998"))
    paste = lab.card("What does your own machine say?")
    area, seen = paste.locator("textarea"), paste.locator(PICTURE).first
    area.fill(PASTED)
    expect(seen).to_contain_text("How much is free, by size")
    expect(paste.get_by_text("Zone DMA32 of node 0")).to_be_visible()
    paste.get_by_label("zone").select_option("1 Normal")
    expect(seen).to_contain_text("but not one block of 2 MiB")
    area.fill("hello")
    expect(paste.get_by_text("'hello' is no line of /proc/buddyinfo")).to_be_visible()


def drawn(picture):
    """What is drawn: names of patterns apart, which belong to a page."""
    return re.sub(r"p[0-9a-f]{8}-", "", picture.inner_html())


def test_a_level_won_by_clicking_is_stored_in_its_card(lab):
    lab.copy("06_you_are_the_scheduler.ipynb")
    lab.run_all()
    game = lab.card("You are the scheduler. Level 1")
    card = lab.card("Level 1: write a schedule")
    picture = game.locator("svg[role=img]").first
    expect(picture).to_be_visible()
    # From the choice of the level to the end of the picture: all of it is on one screen.
    first = game.locator("select").first
    first.evaluate("n => n.scrollIntoView()")
    page = lab.page.locator(".jp-WindowedPanel-outer").bounding_box()
    last = game.locator("svg[role=img]").last.bounding_box()
    assert last["y"] + last["height"] - first.bounding_box()["y"] <= page["height"]
    split = game.get_by_role("button", name="split:")
    for number in range(1, 7):
        split.click()
        expect(picture.locator("text", has_text=re.compile(f"^{number}$")).first).to_be_visible()
    expect(split).to_have_text("split: are all references to huge page A known?")
    before = drawn(picture)
    split.click()
    expect(picture).to_contain_text("can_split_folio(A) = yes")
    game.get_by_role("button", name="Undo").click()
    expect(picture).not_to_contain_text("can_split_folio(A) = yes")
    assert drawn(picture) == before

    # Letters are presses wherever the focus is in the game: two quick ones, and Backspace.
    split.focus()
    for key in ("s", "s"):
        lab.page.keyboard.press(key)
    expect(picture).to_contain_text("unmap_folio(A)")
    for key in ("Backspace", "Backspace"):
        lab.page.keyboard.press(key)
    expect(picture).not_to_contain_text("can_split_folio(A) = yes")
    assert drawn(picture) == before

    # By buttons and keyboard from here on: the button that was pressed keeps the focus.
    game.get_by_role("button", name="holder:").press("Enter")
    expect(picture).to_contain_text("folio_get(A)")
    split.focus()
    for _ in range(3):
        split.press("Enter")
    expect(game.get_by_text("Won.")).to_be_visible()
    expect(card).to_contain_text("counted one reference that it could not explain")
    expect(card.get_by_role("button", name="Change my answer")).to_be_visible()
