"""environment.yml, the lock files and the workflows agree with pyproject.toml and the Makefile."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from tool_rule import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCKS = {  # what each is made from: extras, and files beside it
    "lab.txt": (["notebook"], ["build.in"]),
    "test.txt": (["notebook", "test"], ["build.in"]),
    "lite.txt": ([], ["build.in", "lite.in"]),
    "pyodide.txt": ([], ["pyodide.in"]),
}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_environment_says_what_pyproject_says_and_installs_this_checkout() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    asked = [Requirement(each) for each in environment["dependencies"] if isinstance(each, str)]
    conda = {r.name.removesuffix("-base"): str(r.specifier) for r in asked if r.name != "pip"}
    wanted = {r.name: str(r.specifier) for r in map(Requirement, EXTRAS["notebook"])}
    assert conda == wanted | {"python": PROJECT["requires-python"]}
    assert {"pip": ["-e ."]} in environment["dependencies"]


def test_the_licence_of_every_package_is_told() -> None:
    """tools/licences.py looks them up."""
    lock = (ROOT / "requirements" / "lab.txt").read_text()
    rows = (ROOT / "docs" / "licences.md").read_text().splitlines()
    told = dict(row.strip("| ").split(" | ") for row in rows if row.startswith("| "))
    assert [*told][2:] == [*dict.fromkeys(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))]
    assert all(told.values())


def pins(name: str) -> dict[str, set[str]]:
    """The packages of a lock file with their versions; each with a hash."""
    found: dict[str, set[str]] = {}
    text = re.sub(r"\\\n\s*", " ", (ROOT / "requirements" / name).read_text())
    for line in re.findall(r"(?m)^[^#\s].*$", text):
        pin = re.fullmatch(r"([\w.-]+)==([\w.+!]+)( ; .*?)?(\s+--hash=sha256:[0-9a-f]{64})+", line)
        assert pin is not None, f"not pinned, or without a hash: {line}"
        found.setdefault(pin[1].lower(), set()).add(pin[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_hashed_within_bounds_and_names_no_registry(name: str) -> None:
    assert "://" not in (ROOT / "requirements" / name).read_text()
    versions, tested = pins(name), pins("test.txt")
    extras, files = LOCKS[name]
    wanted = [r for extra in extras for r in EXTRAS[extra]]
    for file in files:
        asked = (ROOT / "requirements" / file).read_text().splitlines()
        wanted += [line for line in asked if line and not line.startswith("#")]
    for requirement in map(Requirement, wanted):
        locked = versions[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in locked), requirement
    both = versions.keys() & tested.keys()
    assert {p: versions[p] for p in both} == {p: tested[p] for p in both}


def test_npms_lock_file_is_hashed_pins_what_is_wanted_and_names_no_registry() -> None:
    folder = ROOT / "tests" / "pyodide"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
    for name, version in json.loads((folder / "package.json").read_text())["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version


# -- the workflows can't be run here: what they name is there


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_names_what_is_there(path) -> None:
    whole = yaml.safe_load(path.read_text())
    assert whole["permissions"] == {"contents": "read"}
    steps = [step for job in whole["jobs"].values() for step in job["steps"]]
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    assert {*re.findall(r"\bmake ([a-z-]+)", commands)} <= {*TARGETS}
    made = ("newest/", "dist/", "build/")  # by a target, on the way
    for name in re.findall(r"(?<![\w/.{-])(?:[\w.-]+/)+[\w.-]*", commands):
        assert name.startswith(made) or (ROOT / name).exists(), name
    for action in (step["uses"] for step in steps if "uses" in step):
        assert re.fullmatch(r"[\w-]+/[\w.-]+@(v\d+|release/v\d+)", action), action


def test_the_tests_run_on_every_python_and_what_is_released_has_the_own_name() -> None:
    folder = ROOT / ".github" / "workflows"
    jobs = yaml.safe_load((folder / "tests.yml").read_text())["jobs"]
    versions = jobs["linux"]["strategy"]["matrix"]["python"]
    assert versions == [f"3.{minor}" for minor in range(11, 15)]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert f"dist/{PROJECT['name'].replace('-', '_')}-$" in (folder / "release.yml").read_text()
