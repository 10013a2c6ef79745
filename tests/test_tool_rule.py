"""The rule about tools, seen from outside: tiny suites, run with the tools and without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tool_rule

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
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser:\n    spin:\n")

    def run(*options: str, **env: str) -> tuple[int, str]:
        keep = {k: v for k, v in os.environ.items() if k not in ("CI", "MMSIM_CHROMIUM")}
        paths = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
        words = [sys.executable, "-m", "pytest", "-p", "tool_rule", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*words, *options],
            cwd=tmp_path,
            env=keep | paths | env,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def put(folder: Path, *programs: str) -> None:
    for name in programs:
        program = folder / "bin" / name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)


needs_absence = pytest.mark.skipif(
    Path("/Applications/Google Chrome.app").exists(),
    reason="Google Chrome is found by its fixed place",
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
def test_tests_that_run_in_several_processes_are_skipped_as_loudly(run) -> None:
    status, output = run("-n", "2", CI="true")
    assert status == 1
    assert "test_tiny.py::test_in_a_browser" in output[output.index("NOT TESTED: no browser") :]


def test_a_named_browser_is_meant_and_with_one_everything_runs(run, tmp_path: Path) -> None:
    put(tmp_path, "chromium")
    status, output = run(CI="true", MMSIM_CHROMIUM="/nowhere/chrome")
    assert status == 1
    assert "MMSIM_CHROMIUM=/nowhere/chrome is not a program" in output
    status, output = run(CI="true")
    assert status == 0
    assert "2 passed" in output
    assert "NOT TESTED" not in output


def test_leaving_browser_tests_out_on_purpose_is_no_failure(run) -> None:
    status, output = run("-m", "not browser", CI="true")
    assert status == 0
    assert "NOT TESTED" not in output


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), "Not found: spin, gcc."),
        (("spin",), "Not found: gcc."),
        (("gcc",), "Not found: spin."),
        (("spin", "gcc"), None),
    ],
)
def test_what_is_missing_for_spin(tmp_path: Path, monkeypatch, there, said) -> None:
    (tmp_path / "bin").mkdir()
    put(tmp_path, *there)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert tool_rule.no_spin() == said


@pytest.mark.parametrize("installed", [None, "1.0", "2.0"])
def test_pyodide_counts_only_in_the_version_that_is_pinned(
    tmp_path: Path, monkeypatch, installed
) -> None:
    pin = tmp_path / "tests" / "pyodide" / "package.json"
    pin.parent.mkdir(parents=True)
    pin.write_text('{"dependencies": {"pyodide": "2.0"}}')
    monkeypatch.setattr(tool_rule, "ROOT", tmp_path)
    monkeypatch.setattr(tool_rule, "NODE_MODULES", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    if installed:
        found = tmp_path / "pyodide" / "package.json"
        found.parent.mkdir()
        found.write_text(f'{{"version": "{installed}"}}')
    said = tool_rule.no_pyodide() or ""
    assert said.endswith({None: "it is not there.", "1.0": "it is 1.0.", "2.0": ""}[installed])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert installed != "2.0" or tool_rule.no_pyodide() == "Not found: node."
