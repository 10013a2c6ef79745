"""A test that needs a tool pip cannot bring is never left out in silence.

The tools are a browser, SPIN, and Pyodide in node; a test says by a mark which it needs. Without
the tool the test is skipped, and the last lines of the output name it and say what to install.
With CI=true the same is a failure: a machine that is there to test must not report success for
what it did not run. `test_tool_rule.py` tests this file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
ROOT = Path(__file__).parent.parent
NODE_MODULES = ROOT / ".node-test" / "node_modules"


class Tool(NamedTuple):
    """What a mark stands for.  `missing` says in a line what is not there; None if all is."""

    name: str
    missing: Callable[[], str | None]
    advice: str


def find_browser() -> str | None:
    """The path of a Chromium-like browser: MMSIM_CHROMIUM alone if it is set, else a usual name."""
    named = os.environ.get("MMSIM_CHROMIUM")
    paths = (shutil.which(name) for name in ([named] if named else BROWSERS))
    return next((path for path in paths if path), None)


def _no_browser() -> str | None:
    named = os.environ.get("MMSIM_CHROMIUM")
    absent = f"MMSIM_CHROMIUM={named} is not a program that can be run." if named else None
    return None if find_browser() else absent or "There is no Chromium on this machine."


def _not_found(*programs: str) -> str | None:
    absent = [program for program in programs if not shutil.which(program)]
    return f"Not found: {', '.join(absent)}." if absent else None


def no_spin() -> str | None:
    """What is missing for SPIN; it writes C and uses the C preprocessor."""
    return _not_found("spin", "gcc")


def _no_npm(package: str) -> str | None:
    wanted = json.loads((ROOT / "tests" / "pyodide" / "package.json").read_text())["dependencies"]
    try:
        found = json.loads((NODE_MODULES / package / "package.json").read_text())["version"]
    except FileNotFoundError:
        found = "not there"
    if found != wanted[package]:
        return f"{package} {wanted[package]} is needed in {NODE_MODULES}; it is {found}."
    return None


def no_pyodide() -> str | None:
    """What is missing for Pyodide: node, or the package in the version that is asked for."""
    return _no_npm("pyodide") or _not_found("node")


NODE_ADVICE = (
    "Install node 18 or newer with npm (Debian: apt-get install nodejs npm), then `make node`."
)
TOOLS = {
    "browser": Tool(
        "browser",
        _no_browser,
        "Install one (Debian: apt-get install chromium; macOS: Google Chrome),"
        " or set MMSIM_CHROMIUM to its path.",
    ),
    "spin": Tool("SPIN", no_spin, "Debian: apt-get install spin gcc libc6-dev."),
    "pyodide": Tool("Pyodide", no_pyodide, NODE_ADVICE),
    "axe": Tool("axe-core", lambda: _no_npm("axe-core"), NODE_ADVICE),
}
REASON = "without the tool: "


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser to drive."""
    found = find_browser()
    if found is None:
        pytest.fail("a test that asks for the browser must be marked `browser`")
    return found


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark, tool in TOOLS.items():
        if item.get_closest_marker(mark) is not None and tool.missing() is not None:
            pytest.skip(f"{REASON}{mark}")


def _skipped(config: pytest.Config) -> dict[str, list[str]]:
    """Mark -> tests that were left out for want of its tool, wherever they were to run."""
    found: dict[str, list[str]] = {}
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for report in reporter.stats.get("skipped", []) if reporter else []:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        _, is_ours, mark = why.partition(REASON)
        if is_ours:
            found.setdefault(mark, []).append(report.nodeid)
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    skipped = _skipped(session.config)
    if skipped and os.environ.get("CI") == "true" and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    failing = os.environ.get("CI") == "true"
    colour = {"red": True} if failing else {"yellow": True}
    for mark, nodeids in _skipped(config).items():
        tool = TOOLS[mark]
        terminalreporter.section(f"NOT TESTED: no {tool.name}", sep="!", bold=True, **colour)
        for nodeid in nodeids:
            terminalreporter.line(f"skipped: {nodeid}")
        terminalreporter.line(tool.missing() or "")
        terminalreporter.line(tool.advice)
        if failing:
            terminalreporter.line("CI=true: this counts as a failure.")
