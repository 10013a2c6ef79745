"""The browser edition in a real browser: `make lite-test`.  It is no part of `make test`, as it
needs an environment of its own and a built site.  The network is off: what is not the site's is
refused and listed."""

from __future__ import annotations

import re
import time

import pytest
import serve_lite
from browser.axe import serious
from browser.lab import BROWSER_FLAGS
from playwright.sync_api import expect, sync_playwright
from tool_rule import ROOT

from mmsim.lessons import COURSE

SITE = ROOT / "build" / "lite"
WAIT = 120_000
# The cell of lesson 10 that plots
PLOT = (
    "from mmsim.lessons import does_the_real_kernel_agree as lesson\n"
    "t = lesson.pins_table(); display(t.plot.scatter(x='runs', y='left', ylim=(0, 9))); t.hist"
)
KNOWN = {"undefined"}  # JupyterLite itself gives up promises without a word
pytestmark = pytest.mark.browser


class Opened:
    """A tab in front of the served site; knows what was asked for, and what went wrong."""

    def __init__(self, context, base: str) -> None:
        self.base, self.wrong = base, []  # what was asked of somebody else, and errors of the page
        self.asked: dict[str, None] = {}
        context.route("**/*", self._only_here)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)[:300]))

    def _only_here(self, route) -> None:
        url = route.request.url
        if url.startswith(self.base):
            self.asked[url.removeprefix(self.base).partition("?")[0]] = None
        if url.startswith((self.base, "data:", "blob:")):
            return route.continue_()
        self.wrong.append(url)
        route.abort()

    def first_card(self) -> None:
        """Run the first cell and wait for what can be moved."""
        self.page.locator(".jp-CodeCell").first.click()
        self.page.keyboard.press("Shift+Enter")
        self.page.locator(".mmsim-first").get_by_role("slider").first.wait_for(timeout=WAIT)


# The second is an address that a browser does not trust, as a class sees it: no service worker, no
# web cryptography.
@pytest.fixture(params=["127.0.0.1", serve_lite.own_address()])
def opened(request, chromium):
    server = serve_lite.serving(SITE, request.param, 0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        size = {"width": 1200, "height": 1400}
        # A service worker would hide its requests from the gate.
        context = browser.new_context(viewport=size, service_workers="block")
        yield Opened(context, f"http://{request.param}:{server.server_port}/")
        browser.close()
    server.shutdown()
    server.server_close()


def test_a_lesson_works_without_a_network(opened) -> None:
    page, begin = opened.page, time.monotonic()
    page.goto(opened.base)
    assert serious(page, "html") == []
    page.get_by_role("link", name="would not start").click()
    page.locator("blockquote", has_text="in your browser").wait_for(timeout=WAIT)
    opened.first_card()
    seconds = time.monotonic() - begin
    found = [path for path in opened.asked if (SITE / path).is_file()]
    (SITE / serve_lite.NOTED).write_text("".join(f"/{path}\n" for path in found))
    size = sum((SITE / path).stat().st_size for path in found)
    print(f"\n{opened.base}: the first card after {seconds:.1f} s, {size / 1e6:.1f} MB,", end=" ")
    print(f"{len(found)} files")
    assert serious(page) == []

    said, handle = page.locator(".mmsim-said"), page.get_by_role("slider", name="step")
    told = [said.inner_text()]
    for _ in range(2):
        handle.press("ArrowLeft")
        expect(said).not_to_have_text(told[-1], timeout=WAIT)
        told.append(said.inner_text())
    assert len(set(told)) == 3

    # pandas is a stand-in, which shows tables and says of the rest that it is not there
    page.locator(".jp-CodeCell").nth(1).click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(PLOT)
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_role("columnheader", name="pause_ms")).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("can't plot, so here is the table")).to_be_visible()
    expect(page.get_by_text("has only a small stand-in for pandas").first).to_be_visible()

    # what was done is gone with a reload, and the lesson works again
    cells = page.locator(".jp-CodeCell").count()
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator(".jp-CodeCell")).to_have_count(cells - 1, timeout=WAIT)
    opened.first_card()
    assert {*opened.wrong} <= KNOWN


@pytest.mark.parametrize("opened", ["127.0.0.1"], indirect=True)
@pytest.mark.parametrize("lesson", [each.stem for each in COURSE])
def test_every_lesson_runs_from_top_to_bottom(opened, lesson) -> None:
    """No cell fails, and nothing is asked outside."""
    page, begin = opened.page, time.monotonic()
    page.goto(f"{opened.base}notebooks/index.html?path={lesson}.ipynb")
    page.locator(".jp-CodeCell").first.wait_for(timeout=WAIT)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    done = re.compile(r"^\[\d+\]:?$")
    expect(prompts.last).to_have_text(done, timeout=WAIT)
    expect(prompts).to_have_text([done] * prompts.count(), timeout=WAIT)
    print(f"\n{lesson}: {prompts.count()} cells after {time.monotonic() - begin:.1f} s", end="")
    failed = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert failed.all_inner_texts() == []
    assert {*opened.wrong} <= KNOWN


def test_the_server_says_what_a_class_loads() -> None:
    server = serve_lite.serving(SITE, "127.0.0.1", 0)
    ticks = iter([1.0, 3.0])
    paths = ["/index.html", "/static/pyodide/pyodide.asm.wasm"]
    told = serve_lite.measured(server.server_port, paths, 4, lambda: next(ticks))
    with pytest.raises(OSError, match="answered with 404"):
        serve_lite.load(server.server_port, ["/nothing"])
    server.shutdown()
    server.server_close()
    size = sum((SITE / path[1:]).stat().st_size for path in paths) / 1e6
    assert f"2 files, {size:.0f} MB for each learner. 4 loads at once took 2.0 s" in told
