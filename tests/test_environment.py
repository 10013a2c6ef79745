"""environment.yml and the lock files say what pyproject.toml says, and name no registry."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCKS = {  # what each is made from: extras, and files beside it
    "lab.txt": (["notebook"], ["build.in"]),
    "test.txt": (["notebook", "test"], ["build.in"]),
    "lite.txt": ([], ["build.in", "lite.in"]),
    "pyodide.txt": ([], ["pyodide.in"]),
}
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def test_environment_says_what_pyproject_says_and_installs_this_checkout() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = {}
    for entry in environment["dependencies"]:
        if isinstance(entry, str):
            requirement = Requirement(entry)
            name = CONDA_NAMES.get(requirement.name, requirement.name)
            conda[name] = str(requirement.specifier)
    del conda["pip"]
    wanted = {r.name: str(r.specifier) for r in map(Requirement, EXTRAS["notebook"])}
    assert conda == wanted | {"python": PROJECT["requires-python"]}
    assert environment["channels"] == ["conda-forge"]
    assert {"pip": ["-e ."]} in environment["dependencies"]


def test_the_licence_of_every_package_is_told() -> None:
    """tools/licences.py looks them up."""
    lock = (ROOT / "requirements" / "lab.txt").read_text()
    rows = (ROOT / "docs" / "licences.md").read_text().splitlines()
    told = dict(row.strip("| ").split(" | ") for row in rows if row.startswith("| "))
    assert [*told][2:] == [*dict.fromkeys(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))]
    assert all(told.values())


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_hashed_within_bounds_and_names_no_registry(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    lines = text.splitlines()
    assert [line for line in lines if "://" in line or "@" in line or line.startswith("-")] == []
    versions: dict[str, list[str]] = {}
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if line and not line.lstrip().startswith("#"):
            pin = re.fullmatch(
                r"([\w.-]+)==([\w.+!]+)( ; .*?)?(\s+--hash=sha256:[0-9a-f]{64})+", line
            )
            assert pin is not None, f"not pinned, or without a hash: {line}"
            versions.setdefault(pin[1].lower(), []).append(pin[2])
    extras, files = LOCKS[name]
    wanted = [r for extra in extras for r in EXTRAS[extra]]
    for file in files:
        asked = (ROOT / "requirements" / file).read_text().splitlines()
        wanted += [line for line in asked if line and not line.startswith("#")]
    for requirement in map(Requirement, wanted):
        locked = versions.get(requirement.name.lower(), [])
        assert locked, f"{requirement} is not locked"
        assert all(requirement.specifier.contains(version) for version in locked), requirement


def test_all_lock_files_pin_the_same_versions() -> None:
    pins: dict[str, dict[str, set[str]]] = {}
    for name in LOCKS:
        text = (ROOT / "requirements" / name).read_text()
        for package, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
            pins.setdefault(name, {}).setdefault(package, set()).add(version)
    assert pins["lab.txt"].keys() <= pins["test.txt"].keys()
    for name in LOCKS:
        both = pins[name].keys() & pins["test.txt"].keys()
        assert {p: pins[name][p] for p in both} == {p: pins["test.txt"][p] for p in both}, name


def test_npms_lock_file_is_hashed_pins_what_is_wanted_and_names_no_registry() -> None:
    folder = ROOT / "tests" / "pyodide"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
    for name, version in json.loads((folder / "package.json").read_text())["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version
