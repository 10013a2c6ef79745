"""The browser rule, seen from outside: a tiny suite, run with and without a browser."""

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


@pytest.fixture
def run(tmp_path: Path):
    """Run the tiny suite; give exit status and output. PATH holds nothing but `bin/`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "test_tiny.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser: needs a browser\n")

    def run(*options: str, **env: str) -> tuple[int, str]:
        keep = {k: v for k, v in os.environ.items() if k not in ("CI", "MMSIM_CHROMIUM")}
        paths = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
        words = [sys.executable, "-m", "pytest", "-p", "browser_rule", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*words, *options],
            cwd=tmp_path,
            env=keep | paths | env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def put_browser(folder: Path) -> None:
    program = folder / "bin" / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def no_chrome_on_this_mac() -> bool:
    return not Path("/Applications/Google Chrome.app").exists()


needs_absence = pytest.mark.skipif(
    not no_chrome_on_this_mac(), reason="Google Chrome is found by its fixed place"
)


@needs_absence
def test_without_a_browser_the_skip_is_loud(run) -> None:
    status, output = run()
    assert status == 0
    end = output[output.index("NOT TESTED: no browser") :]
    assert "test_tiny.py::test_in_a_browser" in end
    assert "apt-get install chromium" in end
    assert "1 passed, 1 skipped" in end


@needs_absence
def test_on_a_test_machine_the_skip_is_a_failure(run) -> None:
    status, output = run(CI="true")
    assert status == 1
    assert "CI=true: this counts as a failure." in output


def test_a_named_browser_that_is_not_there_is_named(run) -> None:
    status, output = run(CI="true", MMSIM_CHROMIUM="/nowhere/chrome")
    assert status == 1
    assert "MMSIM_CHROMIUM=/nowhere/chrome is not a program" in output


def test_with_a_browser_everything_runs(run, tmp_path: Path) -> None:
    put_browser(tmp_path)
    status, output = run(CI="true")
    assert status == 0
    assert "2 passed" in output
    assert "NOT TESTED" not in output


def test_leaving_browser_tests_out_on_purpose_is_no_failure(run) -> None:
    status, output = run("-m", "not browser", CI="true")
    assert status == 0
    assert "NOT TESTED" not in output
