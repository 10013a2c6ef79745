"""The book as somebody opens it from a folder, without a network: the built pages, in a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from axe import serious
from playwright.sync_api import expect
from tool_rule import ROOT

from mmsim.lessons import migrate_or_split

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGE_MAX = 1_500_000  # bytes
# What is wider than the page, or than the box that it scrolls in
BEYOND = """() => [...document.querySelectorAll("body *")].filter(each =>
    each.getBoundingClientRect().right > innerWidth + 1 ||
    (getComputedStyle(each).overflowX === "auto" && each.scrollWidth > each.clientWidth + 2)
).map(each => each.outerHTML.slice(0, 120))"""
SIZES = {"wide": (1366, 768), "enlarged": (1024, 576), "phone": (390, 844)}


@pytest.fixture(scope="module")
def book(tmp_path_factory, testrun_uid):
    """The folder of the book, built once for all workers."""
    import fcntl  # not on Windows, where this is only collected

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"book-{testrun_uid}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            subprocess.run([sys.executable, ROOT / "tools" / "build_book.py", folder], check=True)
    return folder


@contextmanager
def opened(browser, file, size="wide", **context):
    """A page that may open nothing but files."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, **context)
    asked, errors = [], []
    page.route(re.compile("^(?!file:|data:)"), lambda route: (asked.append(route), route.abort()))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    yield page
    page.close()
    assert asked == errors == []


def card_of(page, words):
    return page.locator(".mmsim-live").filter(has_text=words).first


def answer(card, *choices):
    """Press one choice in each row of a card, then Answer; what it says then."""
    for row, choice in zip(card.locator("form fieldset").all(), choices, strict=True):
        row.get_by_role("radio", name=choice, exact=True).check()
    card.get_by_role("button", name="Answer", exact=True).press("Enter")
    return card.get_by_role("status")


@pytest.mark.parametrize("size", SIZES)
def test_the_bug_is_on_the_first_screen_and_moves_by_key(browser, book, size):
    with opened(browser, book / "lessons" / "00_the_report.html", size) as page:
        card = card_of(page, "A virtual machine sometimes will not start")
        said, slider = card.locator(".mmsim-words"), card.get_by_role("slider", name="step")
        expect(said).to_contain_text("The machine does not start")
        box = card.locator(".mmsim-board").bounding_box()
        assert size == "phone" or box["y"] + box["height"] <= SIZES[size][1]
        card.get_by_role("radio", name="v2").check()
        when = card.get_by_role("slider", name="the holder lets go")
        for _ in range(7):
            when.press("ArrowLeft")
        expect(when).to_have_attribute("aria-valuetext", "before pass 3")
        expect(said).to_contain_text("The machine starts")
        for key, words in (
            ("ArrowLeft", "have been moved"),
            ("ArrowLeft", "The count is as expected"),
            ("ArrowRight", "have been moved"),
        ):
            slider.press(key)
            expect(said).to_contain_text(words)
        card.locator("svg").first.click()  # keys work on the picture and on a button, too
        page.keyboard.press("ArrowLeft")
        expect(said).to_contain_text("The count is as expected")
        card.get_by_role("button", name="Forward").press("Enter")
        expect(said).to_contain_text("have been moved")
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_a_prediction_is_made_and_revealed_and_its_stepper_walked(browser, book):
    with opened(browser, book / "lessons" / "04_migrate_or_split.html", "phone") as page:
        card = card_of(page, "The holder comes right after the check")
        expect(card.get_by_role("slider")).to_have_count(0)
        card.get_by_role("button", name="Answer", exact=True).click()
        expect(card.get_by_role("status")).to_contain_text("Choose first")
        said = answer(card, "515", "513")
        expect(said).to_contain_text("✘ references on the page: you said 515 · it was 514")
        expect(said).to_contain_text("✔ references that are explained: you said 513 · it was 513")
        expect(card).to_contain_text("the holder's is one too many")
        picture, words = card.locator("svg").first, card.locator(".mmsim-words")
        seen = {(picture.inner_html(), words.inner_text())}
        slider = card.get_by_role("slider", name="step")
        for step in ("1", "2"):
            slider.press("ArrowRight")
            expect(slider).to_have_value(step)
            seen.add((picture.inner_html(), words.inner_text()))
        assert len({one for one, _ in seen}) == len({told for _, told in seen}) == 3
        slider.press("End")
        base = picture.inner_html()
        card.get_by_role("radio", name="v2").check()  # it has more steps
        expect(slider).to_have_value("25")
        assert picture.inner_html() != base
        card.get_by_role("button", name="Change my answer").click()
        expect(answer(card, "514", "513")).to_contain_text("✔ references on the page: you said 514")
        order = card_of(page, "Put the six steps of a split")
        said = answer(order, "lock", "unmap", "pin", "cut", "cut", "unlock")
        expect(said).to_contain_text("second: not 'unmap'")
        code = card_of(page, "Write a situation that gives the reported pair")
        code.get_by_role("button", name="Show an answer").click()
        expect(code).to_contain_text('vfio_map("base", holder=0, trouble="truncated")')


def test_a_check_has_two_tries_and_what_waits_for_it_is_then_shown(browser, book):
    with opened(browser, book / "lessons" / "00_the_report.html") as page:
        card, reveal = (card_of(page, w) for w in ("Find the rule", "What one failing pin"))
        expect(reveal).to_contain_text("Shown once you have answered, further up: What does")
        rule = "a (each refused split)"
        expect(answer(card, rule)).to_contain_text("Shown once you have answered")
        start = card_of(page, "When does the machine start?")
        start.get_by_role("textbox").fill("<b>when it can</b>")
        said = answer(start, "starts", "does not start", "starts")
        expect(said).to_contain_text("you said <b>when it can</b>")
        for chosen, told in (
            (rule, "Try another answer"),
            (rule, "Try another answer"),  # the same one again is no new try
            ("b (each pass)", "only c gives all three numbers"),
        ):
            expect(answer(card, chosen)).to_contain_text(told)
        expect(reveal.locator("table")).to_contain_text("thp_split_page_failed")
        card.get_by_role("button", name="Hint").click()
        expect(card).to_contain_text("Hint 1 of 3")


def test_nbconvert_makes_the_same_of_a_notebook(browser, tmp_path):
    lesson, path = "01_who_holds_this_page", [ROOT / "tools", os.environ.get("PYTHONPATH", "")]
    words = ["--to", "html", "--HTMLExporter.preprocessors=alive.Alive", "--output-dir", tmp_path]
    command = [sys.executable, "-m", "nbconvert", *words, ROOT / "notebooks" / f"{lesson}.ipynb"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    subprocess.run(command, check=True, env=env)
    with opened(browser, tmp_path / f"{lesson}.html") as page:
        card = card_of(page, "What is expected of each of these two pages")
        for box, text in zip(card.get_by_role("textbox").all(), ("many", *"222"), strict=True):
            box.fill(text)
        expect(answer(card)).to_contain_text("Write a whole number, not many")
        card.get_by_role("textbox").first.fill("17")
        expect(answer(card)).to_contain_text("not 17; whose references are these?")
        # On paper: A4 less the usual margins, no buttons, nothing cut
        page.set_viewport_size({"width": 718, "height": 1040})
        assert page.locator("button:visible").count() > 0
        page.emulate_media(media="print")
        assert page.locator("button:visible, input[type=range]:visible").count() == 0
        assert page.evaluate(BEYOND) == []


def test_the_search_works_from_a_folder_and_questions_without_javascript(browser, book):
    with opened(browser, book / "search.html") as page:
        page.locator(".body input[name=q]").fill("drop_caches")
        page.keyboard.press("Enter")
        expect(page.locator("#search-results li").first).to_be_visible()
    file = book / "lessons" / "04_migrate_or_split.html"
    with opened(browser, file, java_script_enabled=False) as page:
        expect(page.get_by_text("Without buttons, write in a cell").first).to_be_visible()


def data_of(book, lesson):
    """What the page of a lesson has of each card."""
    text = (book / "lessons" / f"{lesson}.html").read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return {card["name"]: card for card in map(json.loads, found)}


WIDGETS = {
    "00_the_report": ["bug"],
    "01_who_holds_this_page": ["guess", "sides"],
    "04_migrate_or_split": ["leaves", "four", "counted"],
    "05_probably_drop_caches": ["meeting"],
    "08_review_v1_then_v2": ["cells"],
    "11_capstone_and_recall": ["verdict"],
}


def test_a_page_says_and_draws_what_the_notebook_does(book):
    for lesson, names in WIDGETS.items():
        cards = data_of(book, lesson)
        assert [name for name in names if not cards[name]["play"]] == []
    cards = data_of(book, "04_migrate_or_split")
    box, play = migrate_or_split.four.play(), cards["four"]["play"]
    for key, values in {
        "2.0.2.0.1": ("v2", 0, "9", "none", "none"),
        "1.1.1.0.1": ("v1", 1, "1", "none", "none"),
        "0.1.0.0.0": ("base", 1, "never", "none", "available"),
    }.items():
        numbers = map(int, key.split("."))
        told = [words[n] for (_, words), n in zip(play["controls"], numbers, strict=True)]
        assert told == list(map(str, values))
        for control, value in zip(box.boxes.values(), values, strict=True):
            control.value = value
        ((words, *columns),) = play["ways"][key]
        drawn = "".join(play["pieces"][n] for column in columns for n in play["pictures"][column])
        assert (drawn, play["words"][words]) == (box.view.value, box.said.value)


def test_links_lead_somewhere_and_no_page_is_heavy(book):
    text = {file: file.read_text(encoding="utf-8") for file in book.rglob("*.html")}
    assert len(text) > 20
    broken = []
    for file, page in text.items():
        loaded = re.findall(r'<(?:script|link|img)\b[^>]*?(?:src|href)="([^"]*)"', page)
        broken += [link for link in loaded if re.match("(https?:)?//", link)]
        for link in [*loaded, *re.findall(r'<a\b[^>]*?href="([^"]*)"', page)]:
            target, _, place = unquote(link).partition("#")
            there = (file.parent / target.partition("?")[0]).resolve() if target else file
            if not re.match("https?:|data:", link) and not (
                there.exists() and (not place or f'id="{place}"' in text[there])
            ):
                broken.append((file.name, link))
    assert broken == []
    heavy = sorted((file.stat().st_size, file.name) for file in text)
    assert heavy[-1][0] < PAGE_MAX


@pytest.mark.axe
def test_axe_finds_nothing_serious(browser, book):
    for name in ("names", "orders", "lessons/00_the_report", "lessons/04_migrate_or_split"):
        with opened(browser, book / f"{name}.html") as page:
            for button in page.get_by_role("button", name="Show an answer").all():
                button.click()
            if name.endswith("split"):
                answer(card_of(page, "The holder comes right after the check"), "515", "513")
            assert serious(page, "html") == []
