"""One browser, one JupyterLab server and one page of it for all."""

from __future__ import annotations

import pytest
from lab import BROWSER_FLAGS, EMPTY, NOBODY_ELSE, Lab, Server
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="session")
def browser(chromium):
    with sync_playwright() as playwright:
        flags = [*BROWSER_FLAGS, NOBODY_ELSE]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def one_lab(browser, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("lab"))
    yield Lab(browser, server)
    server.stop()


@pytest.fixture
def lab(one_lab, request):
    """JupyterLab; no lesson of another test is open, and nothing that one left behind."""
    failed = request.session.testsfailed
    yield one_lab
    wrong, one_lab.wrong = one_lab.wrong, []
    if request.session.testsfailed > failed:
        one_lab.page.goto(EMPTY)
    one_lab.close()
    assert wrong == []
