"""The book as somebody opens it from a folder, without a network: the built pages, in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from lab import BROWSER_FLAGS
from playwright.sync_api import expect, sync_playwright
from tool_rule import NODE_MODULES, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGE_MAX = 1_500_000  # bytes
SHOTS = os.environ.get("MMSIM_SHOTS")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of the book; MMSIM_BOOK names one that is built already."""
    if os.environ.get("MMSIM_BOOK"):
        return Path(os.environ["MMSIM_BOOK"]).absolute()
    folder = tmp_path_factory.mktemp("made") / "book"
    begin = time.monotonic()
    subprocess.run([sys.executable, ROOT / "tools" / "build_book.py", folder], check=True)
    print(f"built in {time.monotonic() - begin:.0f} s")
    return folder


class Reader:
    """A page of the book, in a browser that may open nothing but files."""

    def __init__(self, page, book):
        self.page, self.book = page, book
        self.asked, self.errors = [], []
        page.route(re.compile("^(?!file:|data:)"), self._refuse)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _refuse(self, route):
        self.asked.append(route.request.url)
        route.abort()

    def open(self, name):
        self.page.goto((self.book / name).as_uri())

    def card(self, words):
        return self.page.locator(".mmsim-live").filter(has_text=words).first

    def shot(self, name):
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/{name}.png")


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield browser
        browser.close()


SIZES = {"wide": (1366, 768), "enlarged": (1024, 576), "phone": (390, 844)}


@pytest.fixture(params=SIZES)
def reader(request, browser, book):
    width, height = SIZES[request.param]
    page = browser.new_page(viewport={"width": width, "height": height})
    reader = Reader(page, book)
    reader.size = request.param
    yield reader
    page.close()
    assert reader.asked == []
    assert reader.errors == []


@pytest.fixture
def wide(browser, book):
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    reader = Reader(page, book)
    yield reader
    page.close()
    assert reader.asked == []
    assert reader.errors == []


def choose(card, *choices):
    """Press one choice in each row of a card."""
    for row, choice in zip(card.locator("form fieldset").all(), choices, strict=True):
        row.get_by_role("radio", name=choice, exact=True).check()


def test_the_bug_can_be_walked_through_by_key(reader):
    reader.open("lessons/00_the_report.html")
    times = reader.page.evaluate(
        "() => [performance.getEntriesByName('first-contentful-paint')[0]?.startTime,"
        " performance.getEntriesByType('navigation')[0].domInteractive]"
    )
    print(f"{reader.size}: painted, interactive after (ms): {times}")
    card = reader.card("A virtual machine sometimes will not start")
    said, slider = card.locator(".mmsim-words"), card.get_by_role("slider", name="step")
    expect(said).to_contain_text("The machine does not start")
    reader.shot(f"book-00-{reader.size}")
    below = card.locator(".mmsim-board").bounding_box()
    if reader.size != "phone":  # all on the first screen
        assert below["y"] + below["height"] <= SIZES[reader.size][1]
    card.get_by_role("radio", name="v2").check()
    when = card.get_by_role("slider", name="the holder lets go")
    for _ in range(7):
        when.press("ArrowLeft")
    expect(when).to_have_attribute("aria-valuetext", "before pass 3")
    expect(said).to_contain_text("The machine starts")
    pictures = [card.locator("svg").last.inner_html()]
    for key, told in (
        ("ArrowLeft", "have been moved"),
        ("ArrowLeft", "All references were explained"),
        ("ArrowRight", "have been moved"),
    ):
        slider.press(key)
        expect(said).to_contain_text(told)
        pictures.append(card.locator("svg").last.inner_html())
    assert pictures[0] != pictures[1] != pictures[2] != pictures[3] == pictures[1]
    card.locator("svg").first.click()  # keys work on the picture and on a button, too
    reader.page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("All references were explained")
    card.get_by_role("button", name="Forward").press("Enter")
    expect(said).to_contain_text("have been moved")
    wide = reader.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= SIZES[reader.size][0]


def test_a_prediction_is_made_and_revealed_and_its_stepper_walked(reader):
    reader.open("lessons/04_migrate_or_split.html")
    card = reader.card("The holder comes right after the check")
    expect(card.get_by_role("slider")).to_have_count(0)
    card.get_by_role("button", name="Answer").click()
    expect(card.get_by_role("status")).to_contain_text("Choose first")
    choose(card, "515", "513")
    reader.shot(f"book-04-asked-{reader.size}")
    card.get_by_role("button", name="Answer").click()
    said = card.get_by_role("status")
    expect(said).to_contain_text("✘ there: you said 515 · it was 514")
    expect(said).to_contain_text("✔ explained: you said 513 · it was 513")
    expect(card).to_contain_text("the holder's is one too many")
    picture, words = card.locator("svg").first, card.locator("[aria-live=polite]").last
    seen = [(picture.inner_html(), words.inner_text())]
    slider = card.get_by_role("slider", name="step")
    for step in ("1", "2"):
        slider.press("ArrowRight")
        expect(slider).to_have_value(step)
        seen.append((picture.inner_html(), words.inner_text()))
    assert len({one for one, _ in seen}) == len({told for _, told in seen}) == 3
    for _ in range(21):
        slider.press("ArrowRight")
    base = picture.inner_html()
    reader.shot(f"book-04-revealed-{reader.size}")
    card.get_by_role("radio", name="v2").check()
    expect(slider).not_to_have_attribute("max", "25")
    assert picture.inner_html() != base
    expect(slider).to_have_value("23")
    card.get_by_role("button", name="Change my answer").click()
    choose(card, "514", "513")
    card.get_by_role("button", name="Answer").click()
    expect(said).to_contain_text("✔ there: you said 514")


def test_a_check_has_two_tries_and_what_waits_for_it_is_then_shown(wide):
    wide.open("lessons/00_the_report.html")
    card, reveal = wide.card("Find the rule that fits"), wide.card("What one failing pin counted")
    expect(reveal).to_contain_text("Shown once you have answered, further up: What does")
    choose(card, "a (each refused split)")
    card.get_by_role("button", name="Answer").click()
    expect(card.get_by_role("status")).to_contain_text("Shown once you have answered")
    start = wide.card("When does the machine start?")
    start.get_by_role("textbox").fill("<b>when it can</b>")
    choose(start, "starts", "does not start", "starts")
    start.get_by_role("button", name="Answer").press("Enter")
    expect(start.get_by_role("status")).to_contain_text("you said <b>when it can</b>")
    wide.shot("book-00-start")
    for told in ("Try once more", "only c gives all three numbers"):
        card.get_by_role("button", name="Answer").click()
        expect(card.get_by_role("status")).to_contain_text(told)
    expect(reveal.locator("table")).to_contain_text("thp_split_page_failed")
    card.get_by_role("button", name="Hint").click()
    expect(card).to_contain_text("Hint 1 of 3")
    wide.shot("book-00-second-try")


def test_numbers_orders_and_code(wide):
    wide.open("lessons/01_who_holds_this_page.html")
    card = wide.card("What is expected of each of these two pages")
    boxes = card.get_by_role("textbox")
    for box, text in zip(boxes.all(), ("many", "2", "2", "2"), strict=True):
        box.fill(text)
    card.get_by_role("button", name="Answer").click()
    expect(card.get_by_role("status")).to_contain_text("Write a whole number, not many")
    boxes.first.fill("17")
    card.get_by_role("button", name="Answer").click()
    expect(card.get_by_role("status")).to_contain_text("not 17; whose references are these?")
    code = wide.card("Build page Y")
    code.get_by_role("button", name="Show an answer").click()
    expect(code).to_contain_text("lesson.page_y(lesson.page_with(mappings=0, holders=1))")

    wide.open("lessons/04_migrate_or_split.html")
    order = wide.card("Put the six steps of a split")
    choose(order, "lock", "unmap", "pin", "cut", "cut", "unlock")
    order.get_by_role("button", name="Answer").click()
    expect(order.get_by_role("status")).to_contain_text("the second step is not 'unmap'")
    wide.shot("book-04-order")


def test_the_search_works_from_a_folder(wide):
    wide.open("search.html")
    box = wide.page.locator("#search-documentation input, .body input[name=q]").first
    box.fill("drop_caches")
    box.press("Enter")
    expect(wide.page.locator("#search-results li").first).to_be_visible()


def test_without_javascript_the_questions_are_there(browser, book):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((book / "lessons/04_migrate_or_split.html").as_uri())
    expect(page.get_by_text("Without buttons, write in a cell").first).to_be_visible()
    context.close()


class Links(HTMLParser):
    """What a page leads to, what it loads, and the places in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.places = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.places |= {given["id"]} if given.get("id") else set()
        if given.get("href"):
            (self.loaded if tag == "link" else self.links).append(given["href"])
        if given.get("src"):
            self.loaded.append(given["src"])


def test_links_lead_somewhere_and_no_page_is_heavy(book):
    pages = {path: path.read_text(encoding="utf-8") for path in book.rglob("*.html")}
    read = {path: Links(text) for path, text in pages.items()}
    assert len(pages) > 20
    broken = []
    for path, found in read.items():
        assert not [url for url in found.loaded if re.match("(https?:)?//", url)], path
        for link in [*found.links, *found.loaded]:
            if re.match("(https?|data|mailto):", link):
                continue
            target, _, place = unquote(link).partition("#")
            file = (path.parent / target.partition("?")[0]).resolve() if target else path
            if not file.exists() or (place and file.suffix == ".html"
                                     and place not in read[file].places):  # fmt: skip
                broken.append((path.name, link))
    assert broken == []
    heavy = sorted((path.stat().st_size, path.name) for path in pages)
    print(f"heaviest pages (bytes): {heavy[-4:]}")
    assert heavy[-1][0] < PAGE_MAX


AXE = NODE_MODULES / "axe-core" / "axe.min.js"
READ = (
    "index names kernel design kernel-runs orders search lessons/00_the_report"
    " lessons/01_who_holds_this_page lessons/04_migrate_or_split"
).split()


@pytest.mark.pyodide  # it comes with the packages of node
@pytest.mark.parametrize("name", READ)
def test_axe_finds_nothing_serious(wide, name):
    wide.open(f"{name}.html")
    for button in wide.page.get_by_role("button", name="Show an answer").all():
        button.click()
    wide.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = wide.page.evaluate("axe.run()")["violations"]
    print(name, [(one["id"], one["impact"], len(one["nodes"])) for one in found])
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["target"], len(one["nodes"])) for one in bad] == []
