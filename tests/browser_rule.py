"""A test that needs a browser is never left out in silence.

Without a browser, tests marked `browser` are skipped and the last lines of the output name
them and say what to install. With CI=true the same is a failure: a machine that is there to
test must not report success for what it did not run. `test_browser_rule.py` tests this file.
"""

from __future__ import annotations

import os

import pytest

from mmsim.doctor import find_browser

SKIPPED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser to drive."""
    found = find_browser()
    if found is None:
        pytest.fail("a test that asks for the browser must be marked `browser`")
    return found


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") is None or find_browser() is not None:
        return
    item.config.stash.setdefault(SKIPPED, []).append(item.nodeid)
    pytest.skip("no browser")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    skipped = session.config.stash.get(SKIPPED, [])
    if skipped and os.environ.get("CI") == "true" and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    skipped = config.stash.get(SKIPPED, [])
    if not skipped:
        return
    failing = os.environ.get("CI") == "true"
    mark = {"red": True} if failing else {"yellow": True}
    terminalreporter.section("NOT TESTED: no browser", sep="!", bold=True, **mark)
    for nodeid in skipped:
        terminalreporter.line(f"skipped: {nodeid}")
    named = os.environ.get("MMSIM_CHROMIUM")
    if named:
        terminalreporter.line(f"MMSIM_CHROMIUM={named} is not a program that can be run.")
    terminalreporter.line(
        "Install one (Debian: apt-get install chromium; macOS: Google Chrome),"
        " or set MMSIM_CHROMIUM to its path."
    )
    if failing:
        terminalreporter.line("CI=true: this counts as a failure.")
