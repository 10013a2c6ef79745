"""A test that needs a tool pip cannot bring is never left out in silence.

A test says by a mark which tool it needs.  Without the tool it is skipped, and the last lines of
the output say what to install.  With CI=true it fails: a machine that is there to test must not
report success for what it did not run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from browsers import find_browser

ROOT = Path(__file__).parent.parent
NODE_MODULES = ROOT / ".node-test" / "node_modules"


def has_package(name: str) -> bool:
    """Whether npm has installed the version of a package that is asked for."""
    wanted = json.loads((ROOT / "tests" / "pyodide" / "package.json").read_text())["dependencies"]
    file = NODE_MODULES / name / "package.json"
    return file.exists() and json.loads(file.read_text())["version"] == wanted[name]


NODE = "node 18 or newer with npm (Debian: apt-get install nodejs npm), then `make node`"
TOOLS = {  # mark -> whether the tool is there, and what to install
    "browser": (
        find_browser,
        "Chromium (Debian: apt-get install chromium), or set MMSIM_CHROMIUM to its path",
    ),
    "spin": (
        lambda: shutil.which("spin") and shutil.which("gcc"),
        "SPIN (Debian: apt-get install spin gcc libc6-dev)",
    ),
    "pyodide": (lambda: has_package("pyodide") and shutil.which("node"), NODE),
    "axe": (lambda: has_package("axe-core"), NODE),
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark, (there, wanted) in TOOLS.items():
        if item.get_closest_marker(mark) and not there():
            end = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            end(f"NOT TESTED for want of {mark}: install {wanted}")


@pytest.fixture(scope="session")
def chromium() -> str | None:
    """The browser to drive; a test that asks for it has the mark `browser`."""
    return find_browser()
