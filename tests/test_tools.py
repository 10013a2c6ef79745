"""What stands behind `make`: which Python is used, what the summary says, the benchmarks."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.explore import count_states
from mmsim.scenarios import split_race

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="make and its scripts are for POSIX")


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def call(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


# --- tools/find-python: a real Python that says it is another version ------------------------


def pretend(file: Path, version: tuple[int, int]) -> Path:
    code = f"import sys; sys.version_info = {version}; exec(sys.argv[1])"
    return script(file, f'exec "{sys.executable}" -c "{code}" "$2"')


def find_python(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return call("/bin/sh", ROOT / "tools" / "find-python", PATH=str(folder), **env)


def test_the_first_python_that_is_new_enough(tmp_path: Path) -> None:
    script(tmp_path / "python3.13", "exit 127")  # a name that is there and does not run
    pretend(tmp_path / "python3", (3, 11))
    found = find_python(tmp_path)
    assert (found.returncode, found.stdout) == (0, "python3\n")
    pretend(tmp_path / "python3.12", (3, 12))
    assert find_python(tmp_path).stdout == "python3.12\n"


def test_no_python_is_one_sentence(tmp_path: Path) -> None:
    pretend(tmp_path / "python3", (3, 10))
    found = find_python(tmp_path)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("mmsim needs Python 3.11 or newer, and none was found")
    assert found.stderr.count("\n") == 1


def test_a_named_python_is_meant(tmp_path: Path) -> None:
    pretend(tmp_path / "python3", (3, 12))
    mine = pretend(tmp_path / "mine", (3, 14))
    assert find_python(tmp_path, PYTHON=str(mine)).stdout == f"{mine}\n"
    pretend(mine, (3, 9))
    found = find_python(tmp_path, PYTHON=str(mine))
    assert found.returncode == 1
    assert str(mine) in found.stderr


# --- tools/make-venv: a stand-in for Python notes how it is called ----------------------------

PYTHON = """
echo "$*" >>"$CALLS"
case "$*" in
"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"$FAIL"*) exit 1 ;;
esac
"""


class Checkout:
    """A folder with what make-venv reads. `make()` gives the calls of Python that it made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "tools", root / "tools")
        (root / "lock.txt").write_text("a==1")
        (root / "pyproject.toml").write_text("")
        self.python = script(root / "python", PYTHON)

    def make(self, fail: str = "nothing fails") -> list[str]:
        calls = self.root / "calls"
        calls.write_text("")
        env = os.environ | {"PYTHON": str(self.python), "CALLS": str(calls), "FAIL": fail}
        words = ["tools/make-venv", ".venv", "lock.txt"]
        subprocess.run(words, cwd=self.root, env=env, timeout=300)
        return [line for line in calls.read_text().splitlines() if line.startswith("-m")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_from_nothing_then_at_once_then_only_what_has_changed(
    checkout: Checkout, tmp_path: Path
) -> None:
    """A checkout that was moved installs anew."""
    venv, lock, editable = checkout.make()
    assert venv == "-m venv .venv"
    assert lock.endswith("--require-hashes --requirement lock.txt")
    assert editable.endswith("--no-build-isolation --no-deps --editable .")
    assert checkout.make() == []
    (checkout.root / "pyproject.toml").write_text("version = 2")
    assert checkout.make() == [editable]
    (checkout.root / "lock.txt").write_text("a==2")
    assert len(checkout.make()) == 3
    checkout.root = checkout.root.rename(tmp_path / "moved")
    checkout.python = checkout.root / "python"
    assert len(checkout.make()) == 3


def test_an_interrupted_run_is_done_again(checkout: Checkout) -> None:
    assert len(checkout.make(fail="--require-hashes")) == 2
    assert len(checkout.make(fail="--editable")) == 3
    assert len(checkout.make()) == 3
    (checkout.root / "pyproject.toml").write_text("version = 2")
    checkout.make(fail="--editable")
    (checkout.root / "pyproject.toml").write_text("")  # the change is taken back
    assert checkout.make() != []


# --- tools/make-node: without npm, all but one test can be run


def test_without_npm_one_sentence_says_what_is_skipped(tmp_path: Path) -> None:
    for name in ("cat", "cksum"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = call("/bin/sh", ROOT / "tools" / "make-node", tmp_path / "node", PATH=str(tmp_path))
    skipped = "npm was not found: the Pyodide test will be skipped.\n"
    assert (done.returncode, done.stderr) == (0, skipped)


# --- tests/run.sh: the stages run stand-ins for ruff, mypy and pytest -----------------------


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    for tool in ("ruff", "mypy", "pytest"):
        script(tmp_path / "bin" / tool, f'echo "{tool} $*"')
    return tmp_path


def run(venv: Path, *stages: str) -> tuple[int, list[list[str]], str]:
    """The exit status, the summary (stage and word), and all that was said."""
    done = call(ROOT / "tests" / "run.sh", venv, *stages, PATH=os.environ["PATH"])
    lines = done.stdout.partition("== summary\n")[2].splitlines()
    return done.returncode, [line.split()[:2] for line in lines], done.stdout + done.stderr


def test_every_stage_is_run_and_the_summary_says_which_failed(venv: Path) -> None:
    stages = ["lint", "format", "types", "quick", "unit", "notebooks"]
    assert run(venv, *stages)[:2] == (0, [[stage, "passed"] for stage in stages])
    script(venv / "bin" / "mypy", "exit 3")
    status, summary, said = run(venv, "lint", "types", "unit")
    assert status == 3
    assert summary == [["lint", "passed"], ["types", "FAILED"], ["unit", "passed"]]
    assert "pytest -n auto" in said


# --- benchmarks: nothing else runs them, so a name that is gone would not be missed ------------


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_finds_what_it_measures(name):
    assert callable(getattr(importlib.import_module(f"benchmarks.{NAMES[name]}"), name))


def test_the_baseline_of_the_search_finds_the_same_states():
    race = split_race(released="1", order=1)
    assert count_states(race, 1_000) == race.explore().states


# --- tools/new_lesson.py: what it writes builds and passes -----------------------------------


@pytest.mark.slow
def test_a_new_lesson_builds_and_passes_in_a_copy(tmp_path: Path) -> None:
    for name in ("mmsim", "tools", "tests", "docs", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "benchmarks", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "README.md", tmp_path)

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PYTHONPATH": str(tmp_path)}
        call = [sys.executable, *words]
        return subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True)

    made = ran("tools/new_lesson.py", "who_waits")
    assert made.returncode == 0, made.stderr
    picked = "who_waits or page_is or printed or estimates or edition_is and from_scratch"
    tests = ("tests/lessons", "tests/test_teaching.py", "tests/notebooks")
    tested = ran("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-k", picked, *tests)
    assert tested.returncode == 0, tested.stdout
    assert ran("-m", "ruff", "check", ".").returncode == 0
    assert "who_waits already" in ran("tools/new_lesson.py", "who_waits").stderr
    assert "can't be the name" in ran("tools/new_lesson.py", "Who Waits").stderr
