"""environment.yml, the lock files and the workflows agree with pyproject.toml and the Makefile."""

from __future__ import annotations

import json
import re
import tomllib

import kit
import pytest
import yaml
from packaging.requirements import Requirement
from tool_rule import ROOT

from benchmarks.__main__ import NAMES as BENCHMARKS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCKS = {  # what each is made from: extras, and files beside it
    "lab.txt": (["notebook"], ["build.in"]),
    "test.txt": (["notebook", "test"], ["build.in"]),
    "lite.txt": ([], ["build.in", "lite.in"]),
    "pyodide.txt": ([], ["pyodide.in"]),
}
TEXTS = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")]
TEXTS += [*ROOT.glob("docs/*.md"), *ROOT.glob(".github/workflows/*.yml")]
FOLDERS = r"(?<![\w/.-])(?:\.ci|benchmarks|data|docs|mmsim|requirements|tests|tools)/[\w./-]*[\w/]"


def test_environment_says_what_pyproject_says_and_installs_this_checkout() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    asked = [Requirement(each) for each in environment["dependencies"] if isinstance(each, str)]
    conda = {r.name.removesuffix("-base"): str(r.specifier) for r in asked if r.name != "pip"}
    wanted = {r.name: str(r.specifier) for r in map(Requirement, EXTRAS["notebook"])}
    assert conda == wanted | {"python": PROJECT["requires-python"]}
    assert {"pip": ["-e ."]} in environment["dependencies"]


def test_the_licence_of_every_package_is_told() -> None:
    """tools/licences.py looks them up."""
    rows = (ROOT / "docs" / "licences.md").read_text().splitlines()
    told = dict(row.strip("| ").split(" | ") for row in rows if row.startswith("| "))
    assert [*told][2:] == [*pins("lab.txt")]
    assert all(told.values())


def pins(name: str) -> dict[str, set[str]]:
    """The packages of a lock file with their versions; each with a hash."""
    found: dict[str, set[str]] = {}
    for pin in kit.pins((ROOT / "requirements" / name).read_text()):
        assert pin.hashes, pin.text
        (version,) = pin.wanted.specifier
        assert version.operator == "=="
        found.setdefault(pin.wanted.name.lower(), set()).add(version.version)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_hashed_within_bounds_and_names_no_registry(name: str) -> None:
    assert "://" not in (ROOT / "requirements" / name).read_text()
    versions, tested = pins(name), pins("test.txt")
    extras, files = LOCKS[name]
    wanted = [words for extra in extras for words in EXTRAS[extra]]
    for file in files:
        lines = (ROOT / "requirements" / file).read_text().splitlines()
        wanted += [line for line in lines if line and not line.startswith("#")]
    for requirement in map(Requirement, wanted):
        locked = versions[requirement.name.lower()]
        assert all(requirement.specifier.contains(version) for version in locked), requirement
    assert {p: versions[p] for p in versions if p in tested}.items() <= tested.items()


def test_npms_lock_file_is_hashed_and_names_no_registry() -> None:
    text = (ROOT / "tests" / "pyodide" / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    assert [name for name in packages if name and not packages[name].get("integrity")] == []


def test_what_a_text_or_a_workflow_names_is_there() -> None:
    targets = {*re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())}
    for file in TEXTS:
        text = file.read_text(encoding="utf-8")
        assert {*re.findall(r"(?m)(?:^|`|run: )make ([a-z-]+)\b(?! [a-z])", text)} <= targets, file
        assert {*re.findall(r"python -m benchmarks (\w+)", text)} <= {*BENCHMARKS}, file
        named = [name for name in re.findall(FOLDERS, text) if "NAME" not in name]
        assert [name for name in named if not (ROOT / name).exists()] == [], file
