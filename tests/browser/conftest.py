"""One JupyterLab server and one browser for all; each opened lesson has a folder of its own.

The folder keeps what somebody answered, so nobody finds the answers of another test."""

from __future__ import annotations

import shutil
from itertools import count

import pytest
from lab import BROWSER_FLAGS, NOTEBOOKS, Lab, Server
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    (root / "work").mkdir()
    server = Server(root, root / "work")
    yield server
    server.stop()


FOLDERS = count()


@pytest.fixture
def open_lesson(browser, server):
    """Open a copy of a lesson, an unsigned notebook as after a clone."""
    opened = []

    def make(lesson: str, size: tuple[int, int] = (1366, 768)) -> Lab:
        folder = f"{next(FOLDERS)}"
        (server.work / folder).mkdir()
        shutil.copy(NOTEBOOKS / lesson, server.work / folder)
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        opened.append(Lab(page, server))
        opened[-1].open(f"{folder}/{lesson.rpartition('/')[2]}")
        return opened[-1]

    yield make
    for lab in opened:
        lab.close()
    assert [lab.errors + lab.asked_outside for lab in opened] == [[]] * len(opened)
