"""environment.yml and the lock files say what pyproject.toml says."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCKS = {"lab.txt": ["notebook"], "test.txt": ["notebook", "test"]}
CONDA_NAMES = {"matplotlib-base": "matplotlib"}

# --- environment.yml --------------------------------------------------------------------


def differences(environment: dict, wanted: Iterable[str], python: str) -> list[str]:
    """What conda's file and the project's requirements say differently; empty if nothing."""
    conda: dict[str, str] = {}
    for entry in environment["dependencies"]:
        if isinstance(entry, str):
            requirement = Requirement(entry)
            name = CONDA_NAMES.get(requirement.name, requirement.name)
            conda[name] = str(requirement.specifier)
    conda.pop("pip", None)
    project = {r.name: str(r.specifier) for r in map(Requirement, wanted)} | {"python": python}
    return [
        f"{name}: {conda.get(name, 'missing')!r} in environment.yml, "
        f"{project.get(name, 'missing')!r} in pyproject.toml"
        for name in sorted(conda.keys() | project.keys())
        if conda.get(name) != project.get(name)
    ]


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def test_environment_says_what_pyproject_says() -> None:
    assert differences(environment(), EXTRAS["notebook"], PROJECT["requires-python"]) == []


@pytest.mark.parametrize(
    ("dependencies", "named"),
    [
        (["python>=3.11"], "pandas: 'missing' in environment.yml"),
        (["python>=3.11", "pandas>=2.1"], "pandas: '>=2.1' in environment.yml, '>=2.2'"),
        (["python>=3.11", "pandas"], "pandas: '' in environment.yml"),
        (["python>=3.12", "pandas>=2.2"], "python: '>=3.12' in environment.yml"),
        (["python>=3.11", "pandas>=2.2", "numpy"], "numpy: '' in environment.yml, 'missing'"),
    ],
)
def test_the_comparison_can_fail(dependencies: list[str], named: str) -> None:
    found = differences({"dependencies": dependencies}, ["pandas>=2.2"], ">=3.11")
    assert len(found) == 1
    assert found[0].startswith(named)


def test_the_comparison_knows_conda_names() -> None:
    same = {"dependencies": ["python>=3.11", "pip", "matplotlib-base>=3.8", {"pip": ["-e ."]}]}
    assert differences(same, ["matplotlib>=3.8"], ">=3.11") == []


def test_environment_installs_this_checkout() -> None:
    found = environment()
    assert found["name"] == "mmsim"
    assert found["channels"] == ["conda-forge"]
    assert {"pip": ["-e ."]} in found["dependencies"]


# --- the lock files ---------------------------------------------------------------------


def pins(text: str) -> list[tuple[Requirement, list[str]]]:
    """Every requirement of a lock file with its hashes; comments are left out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip() for line in joined.splitlines()]
    found = []
    for line in lines:
        if line and not line.startswith("#"):
            words, *hashes = re.split(r"\s--hash=", line)
            found.append((Requirement(words), [h.strip() for h in hashes]))
    return found


def lock_problems(text: str, wanted: Iterable[str]) -> list[str]:
    """What is wrong with a lock file, given the requirements it must satisfy."""
    found = [f"address: {line}" for line in text.splitlines() if "://" in line or "@" in line]
    locked = [line for line in text.splitlines() if line and line[0] not in " #"]
    found += [f"option: {line}" for line in locked if line.startswith("-")]
    if found:
        return found
    exact: dict[str, SpecifierSet] = {}
    versions: dict[str, list[str]] = {}
    for requirement, hashes in pins(text):
        name = requirement.name.lower()
        spec = list(requirement.specifier)
        if len(spec) != 1 or spec[0].operator != "==":
            found.append(f"not pinned: {requirement}")
            continue
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes):
            found.append(f"no hash: {requirement}")
        exact[name] = requirement.specifier
        versions.setdefault(name, []).append(spec[0].version)
    for requirement in map(Requirement, wanted):
        name = requirement.name.lower()
        if name not in versions:
            found.append(f"missing: {requirement}")
        found += [
            f"outside the bound: {name} {version}, {requirement}"
            for version in versions.get(name, [])
            if not requirement.specifier.contains(version)
        ]
    return found


def build_requirements() -> list[str]:
    lines = (ROOT / "requirements" / "build.in").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_file_is_hashed_and_within_bounds(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    wanted = [r for extra in LOCKS[name] for r in EXTRAS[extra]] + build_requirements()
    assert lock_problems(text, wanted) == []


HASH = "    --hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pandas==2.3.0\n", "no hash: pandas==2.3.0"),
        (f"pandas==2.3.0 \\\n{HASH[:-1]}\n", "no hash: pandas==2.3.0"),
        (f"pandas>=2.3.0 \\\n{HASH}\n", "not pinned: pandas>=2.3.0"),
        (f"pandas==2.1.0 \\\n{HASH}\n", "outside the bound: pandas 2.1.0, pandas>=2.2"),
        (f"numpy==2.1.0 \\\n{HASH}\n", "missing: pandas>=2.2"),
        (f"--index-url simple\npandas==2.3.0 \\\n{HASH}\n", "option: --index-url simple"),
        (f"# from ftp://host/\npandas==2.3.0 \\\n{HASH}\n", "address: # from ftp://host/"),
        (f"pandas @ file:/p.whl \\\n{HASH}\n", "address: pandas @ file:/p.whl \\"),
    ],
)
def test_the_lock_check_can_fail(text: str, problem: str) -> None:
    assert problem in lock_problems(text, ["pandas>=2.2"])


def test_the_lock_check_passes_a_good_file() -> None:
    good = f"pandas==2.3.0 ; python_version < '3.12' \\\n{HASH} \\\n{HASH}\n    # via mmsim\n"
    assert lock_problems(good, ["pandas>=2.2"]) == []


def test_both_lock_files_pin_the_same_versions() -> None:
    lab, test = (
        {str(requirement) for requirement, _ in pins((ROOT / "requirements" / name).read_text())}
        for name in LOCKS
    )
    assert lab - test == set()


# --- npm's lock file ----------------------------------------------------------------------


def npm_problems(lock: dict, wanted: dict[str, str]) -> list[str]:
    """What is wrong with npm's lock file, given the exact versions that package.json names."""
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    found = [f"address: {name}" for name, entry in packages.items() if "resolved" in entry]
    found += [f"no hash: {name}" for name, entry in packages.items() if not entry.get("integrity")]
    for name, version in wanted.items():
        locked = packages.get(f"node_modules/{name}", {}).get("version")
        if locked != version:
            found.append(f"{name}: {version} is wanted, {locked} is locked")
    return found


def npm_file(name: str) -> dict:
    return json.loads((ROOT / "tests" / "pyodide" / name).read_text())


def test_npm_lock_file_is_hashed_and_names_no_address() -> None:
    assert (
        npm_problems(npm_file("package-lock.json"), npm_file("package.json")["dependencies"]) == []
    )
    assert "://" not in (ROOT / "tests" / "pyodide" / "package-lock.json").read_text()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"version": "1.0", "integrity": "x", "resolved": "y"}, "address: node_modules/pyodide"),
        ({"version": "1.0"}, "no hash: node_modules/pyodide"),
        ({"version": "1.1", "integrity": "x"}, "pyodide: 1.0 is wanted, 1.1 is locked"),
    ],
)
def test_the_npm_check_can_fail(entry: dict, problem: str) -> None:
    lock = {"packages": {"": {}, "node_modules/pyodide": entry}}
    assert npm_problems(lock, {"pyodide": "1.0"}) == [problem]
