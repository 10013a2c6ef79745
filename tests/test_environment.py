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
LOCKS = {"lab.txt": ["notebook"], "test.txt": ["notebook", "test"]}
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


def lock_problems(text: str, wanted: list[str]) -> list[str]:
    """What is wrong with a lock file, given the requirements it must satisfy."""
    found = [f"address: {line}" for line in text.splitlines() if "://" in line or "@" in line]
    found += [f"option: {line}" for line in text.splitlines() if line.startswith("-")]
    if found:
        return found
    versions: dict[str, list[str]] = {}
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line or line.lstrip().startswith("#"):
            continue
        words, *hashes = re.split(r"\s+--hash=", line)
        pin = re.fullmatch(r"([\w.-]+)==([\w.+!]+)(?: ; .*)?", words)
        if pin is None:
            found.append(f"not pinned: {words}")
            continue
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", h.strip()) for h in hashes):
            found.append(f"no hash: {words}")
        versions.setdefault(pin[1].lower(), []).append(pin[2])
    for requirement in map(Requirement, wanted):
        locked = versions.get(requirement.name.lower(), ["none"])
        if not all(v != "none" and requirement.specifier.contains(v) for v in locked):
            found.append(f"outside the bound: {requirement}, {', '.join(locked)}")
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_hashed_within_bounds_and_names_no_registry(name: str) -> None:
    build = (ROOT / "requirements" / "build.in").read_text().splitlines()
    wanted = [r for extra in LOCKS[name] for r in EXTRAS[extra]]
    wanted += [line for line in build if line and not line.startswith("#")]
    assert lock_problems((ROOT / "requirements" / name).read_text(), wanted) == []


HASH = "    --hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"pandas==2.3.0 ; python_version < '3.12' \\\n{HASH} \\\n{HASH}\n    # via x\n", []),
        ("pandas==2.3.0\n", ["no hash: pandas==2.3.0"]),
        (f"pandas==2.3.0 \\\n{HASH[:-1]}\n", ["no hash: pandas==2.3.0"]),
        (f"pandas>=2.3.0 \\\n{HASH}\n", ["not pinned: pandas>=2.3.0"]),
        (f"pandas==2.1.0 \\\n{HASH}\n", ["outside the bound: pandas>=2.2, 2.1.0"]),
        (f"numpy==2.1.0 \\\n{HASH}\n", ["outside the bound: pandas>=2.2, none"]),
        (f"--index-url simple\npandas==2.3.0 \\\n{HASH}\n", ["option: --index-url simple"]),
        (f"# from ftp://host/\npandas==2.3.0 \\\n{HASH}\n", ["address: # from ftp://host/"]),
        (f"pandas @ file:/p.whl \\\n{HASH}\n", ["address: pandas @ file:/p.whl \\"]),
    ],
)
def test_the_lock_check_can_fail(text: str, problems: list[str]) -> None:
    assert lock_problems(text, ["pandas>=2.2"])[: len(problems) or None] == problems


def test_both_lock_files_pin_the_same_versions() -> None:
    lab, test = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in LOCKS
    )
    assert lab - test == set()


def test_npms_lock_file_is_hashed_pins_what_is_wanted_and_names_no_registry() -> None:
    folder = ROOT / "tests" / "pyodide"
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert [name for name, entry in packages.items() if not entry.get("integrity")] == []
    for name, version in json.loads((folder / "package.json").read_text())["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version
