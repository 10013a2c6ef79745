"""What stands behind `make`: which Python is used, what the summary says, the benchmarks."""

from __future__ import annotations

import csv
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tool_rule
from tool_rule import ROOT

from benchmarks.__main__ import NAMES
from benchmarks.explore import count_states
from mmsim.scenarios import split_race

pytestmark = pytest.mark.skipif(os.name == "nt", reason="make and its scripts are for POSIX")


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def call(*words: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True)


# --- tools/find-python: a real Python that says it is another version ------------------------


def pretend(file: Path, version: tuple[int, int]) -> Path:
    code = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    return script(file, f'exec "{sys.executable}" -c "{code}" "$2"')


def test_the_first_python_that_is_new_enough_or_one_sentence(tmp_path: Path) -> None:
    find = ("/bin/sh", ROOT / "tools" / "find-python")
    script(tmp_path / "python3.13", "exit 127")  # a name that is there and does not run
    pretend(tmp_path / "python3", (3, 10))
    found = call(*find, PATH=str(tmp_path))
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (1, "", 1)
    assert found.stderr.startswith("mmsim needs Python 3.11 or newer, and none was found")
    pretend(tmp_path / "python3", (3, 11))
    assert call(*find, PATH=str(tmp_path)).stdout == "python3\n"
    mine = pretend(tmp_path / "mine", (3, 9))  # a named Python is meant
    found = call(*find, PATH=str(tmp_path), PYTHON=str(mine))
    assert (found.returncode, str(mine) in found.stderr) == (1, True)


# --- tools/make-venv: a stand-in for Python notes how it is called ----------------------------

PYTHON = """
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"$FAIL"*) exit 1 ;;
*uv.txt*) cp "$0" "$(dirname "$0")/uv" ;;
esac
"""


def test_an_environment_is_made_from_nothing_then_at_once_then_where_something_changed(tmp_path):
    """An interrupted run is done again; where uv cannot install something, pip does."""
    root, calls = tmp_path / "checkout", tmp_path / "calls"
    shutil.copytree(ROOT / "tools", root / "tools")
    (root / "lock.txt").write_text("a==1")
    (root / "pyproject.toml").write_text("")
    python = script(root / "python", PYTHON)

    def make(fail: str = "nothing fails") -> list[str]:
        calls.write_text("")
        env = os.environ | {"PYTHON": str(python), "CALLS": str(calls), "FAIL": fail}
        call("tools/make-venv", ".venv", "lock.txt", cwd=root, **env)
        return [line for line in calls.read_text().splitlines() if " -c " not in line]

    def programs(lines: list[str]) -> list[str]:
        return [line.partition(" ")[0] for line in lines]

    assert programs(make(fail="uv.txt")) == ["python"] * 4  # pip does all of it
    (root / ".venv" / ".mmsim-stamp").unlink()
    assert programs(make(fail="lock.txt")) == ["python", "python", "uv", "python"]
    assert programs(make(fail="--editable")) == ["python", "python", "uv", "uv", "python"]
    venv, uv, lock, editable = make()
    assert venv == "python -m venv .venv"
    assert uv.endswith("--require-hashes --requirement requirements/uv.txt")
    assert lock.endswith("--no-compile --require-hashes --requirement lock.txt")
    assert editable.endswith("--no-build-isolation --no-deps --editable .")
    assert make() == []
    (root / "pyproject.toml").write_text("version = 2")
    assert make() == [editable]
    (root / "lock.txt").write_text("a==2")
    assert len(make()) == 4


def test_without_npm_one_sentence_says_what_is_skipped(tmp_path: Path) -> None:
    for name in ("cat", "cksum"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = call("/bin/sh", ROOT / "tools" / "make-node", tmp_path / "node", PATH=str(tmp_path))
    skipped = "npm was not found: the Pyodide test will be skipped.\n"
    assert (done.returncode, done.stderr) == (0, skipped)


def test_every_stage_is_run_and_the_summary_says_which_failed(tmp_path: Path) -> None:
    """tests/run.sh, with stand-ins for ruff, mypy and pytest."""
    for tool in ("ruff", "mypy", "pytest"):
        script(tmp_path / "bin" / tool, f'echo "{tool} $*"')
    script(tmp_path / "bin" / "mypy", "exit 3")
    stages = ["lint", "format", "types", "quick", "unit", "notebooks"]
    done = call(ROOT / "tests" / "run.sh", tmp_path, *stages, PATH=os.environ["PATH"])
    lines = done.stdout.partition("== summary\n")[2].splitlines()
    words = ["FAILED" if stage == "types" else "passed" for stage in stages]
    assert [line.split()[:2] for line in lines] == [*map(list, zip(stages, words, strict=True))]
    assert done.returncode == 3
    assert "pytest -n auto" in done.stdout


@pytest.mark.parametrize(("ci", "end"), [("", "Skipped"), ("true", "Failed")])
def test_a_missing_browser_is_told_and_in_ci_a_failure(monkeypatch, ci, end) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("MMSIM_CHROMIUM", "/nowhere/chrome")  # a named one is meant
    test = SimpleNamespace(get_closest_marker="browser".__eq__)
    with pytest.raises(BaseException, match="NOT TESTED for want of browser: install") as told:
        tool_rule.pytest_runtest_setup(test)
    assert told.typename == end


# --- tests/survivors.csv: the mutants that may live


def test_a_survivor_is_a_line_that_is_there_and_has_a_reason():
    with (ROOT / "tests" / "survivors.csv").open(newline="") as rows:
        for file, _, was, becomes, reason in csv.reader(rows):
            lines = [" ".join(line.split()) for line in (ROOT / file).read_text().splitlines()]
            assert was in lines, f"{was}: the line is gone, take the row out"
            assert becomes != was
            assert reason.endswith(".")


# --- benchmarks: nothing else runs them, so a name that is gone would not be missed ------------


def test_a_benchmark_finds_what_it_measures():
    for name, module in NAMES.items():
        assert callable(getattr(importlib.import_module(f"benchmarks.{module}"), name))


@pytest.mark.parametrize("name", ["browser", "spin"])
def test_a_benchmark_without_its_tool_says_that_nothing_was_measured(name, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("MMSIM_CHROMIUM", "/nowhere/chrome")
    assert getattr(importlib.import_module(f"benchmarks.{NAMES[name]}"), name)() == []
    assert "nothing measured" in capsys.readouterr().out


def test_the_baseline_of_the_search_finds_the_same_states():
    race = split_race(released="1", order=1)
    assert count_states(race, 1_000) == race.explore().states


@pytest.mark.slow
def test_a_new_lesson_builds_and_passes_in_a_copy(tmp_path: Path) -> None:
    """What tools/new_lesson.py writes."""
    for name in ("mmsim", "tools", "tests", "docs", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "benchmarks", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "README.md", tmp_path)

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PYTHONPATH": str(tmp_path)}
        return call(sys.executable, *words, cwd=tmp_path, **env)

    made = ran("tools/new_lesson.py", "who_waits")
    assert made.returncode == 0, made.stderr
    picked = "who_waits or printed or estimates"
    tests = ("tests/lessons", "tests/test_teaching.py", "tests/notebooks")
    tested = ran("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-k", picked, *tests)
    assert tested.returncode == 0, tested.stdout
    assert ran("-m", "ruff", "check", ".").returncode == 0
    assert "who_waits already" in ran("tools/new_lesson.py", "who_waits").stderr
    assert "can't be the name" in ran("tools/new_lesson.py", "Who Waits").stderr
