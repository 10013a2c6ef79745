"""The workflows can't be run here.  What they name is there: targets, files, versions, the name."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from tool_rule import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MADE = {"dist/", "build/book", "build/book/lite", "build/lite"}  # by a target, on the way


def steps(text):
    return [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_names_what_is_there(path) -> None:
    text = path.read_text()
    assert text.startswith("# Untested: ")
    whole = yaml.safe_load(text)
    assert whole["permissions"] == {"contents": "read"}
    for job in whole["jobs"].values():
        assert job["runs-on"].startswith(("ubuntu-", "${{"))
        assert "publish" in path.stem or "timeout-minutes" in job or "permissions" in job
    commands = [step["run"] for step in steps(text) if "run" in step]
    missing = {*re.findall(r"\bmake ([a-z-]+)", "\n".join(commands))} - {*TARGETS}
    if missing == {"book"} and not (ROOT / "tools" / "build_book.py").exists():
        pytest.skip("there is no book to build yet")
    assert missing == set()
    named = re.findall(r"(?<![\w/.{-])(?:[\w.-]+/)+[\w.-]*", "\n".join(commands))
    for name in named:
        made = name in MADE or name.startswith(("newest/", "dist/"))
        assert made or (ROOT / name).exists(), name
    for action in (step["uses"] for step in steps(text) if "uses" in step):
        assert re.fullmatch(r"[\w-]+/[\w.-]+@(v\d+|release/v\d+)", action), action


def test_the_tests_run_on_every_python_and_system() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    versions = jobs["linux"]["strategy"]["matrix"]["python"]
    assert versions == [f"3.{minor}" for minor in range(11, 15)]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert jobs["elsewhere"]["strategy"]["matrix"]["system"] == ["macos-latest", "windows-latest"]


def test_what_is_released_has_the_own_name() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert f"dist/{PROJECT['name'].replace('-', '_')}-$" in text
    assert yaml.safe_load(text)["jobs"]["publish"]["permissions"] == {"id-token": "write"}
