"""The rule about tools, seen from outside: tiny suites, run with the tools and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SUITE = """
import pytest

@pytest.mark.browser
def test_in_a_browser(chromium):
    assert chromium.endswith("chromium")

def test_without():
    pass
"""


CI = {"CI": "true"}
NAMED = {"MMSIM_CHROMIUM": "/nowhere/chrome"}
LOUD = ("NOT TESTED: no browser", "skipped: test_tiny.py::test_in_a_browser", "1 skipped")


@pytest.mark.slow
@pytest.mark.skipif(
    Path("/Applications/Google Chrome.app").exists(),
    reason="Google Chrome is found by its fixed place",
)
@pytest.mark.parametrize(
    ("options", "env", "browser", "status", "says"),
    [
        ((), CI | NAMED, True, 1, (*LOUD, "MMSIM_CHROMIUM=/nowhere/chrome is not a program")),
        (("-m", "not browser"), CI, False, 0, ("1 passed, 1 deselected",)),
    ],
    ids=["a named one is meant", "left out on purpose"],
)
def test_a_missing_browser_is_loud(tmp_path: Path, options, env, browser, status, says) -> None:
    """The tiny suite, with a PATH that holds nothing but `bin/`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "test_tiny.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser:\n    spin:\n")
    if browser:
        (tmp_path / "bin" / "chromium").write_text("#!/bin/sh\n")
        (tmp_path / "bin" / "chromium").chmod(0o755)
    keep = {k: v for k, v in os.environ.items() if k not in ("CI", "MMSIM_CHROMIUM")}
    keep["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # to load them takes longest
    paths = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    words = [sys.executable, "-m", "pytest", "-p", "tool_rule", "-p", "no:cacheprovider", *options]
    done = subprocess.run(
        words, cwd=tmp_path, env=keep | paths | env, capture_output=True, text=True, timeout=300
    )
    said = done.stdout + done.stderr
    assert done.returncode == status
    assert [each for each in says if each not in said] == []
    assert ("NOT TESTED" in said) == ("NOT TESTED: no browser" in says)
