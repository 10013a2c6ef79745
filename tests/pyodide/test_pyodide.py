"""The pure-Python core under Pyodide, which is CPython compiled to WebAssembly, in node.

Same searches, same pictures to the byte, as from the Python that runs these tests. That is what a
page with the lessons in it would need; the widgets, pandas and matplotlib are not looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import core
import pytest
from tool_rule import NODE_MODULES, ROOT

pytestmark = pytest.mark.pyodide
HERE = Path(__file__).parent
SEARCHES = [f"{name} {version}" for name, _, _, versions in core.SEARCHES for version in versions]
PICTURES = ("0.svg", "16.svg", "flow.svg", "steps.txt")


@pytest.fixture(scope="module")
def here() -> dict[str, object]:
    return json.loads(json.dumps(core.made()))


@pytest.fixture(scope="module")
def there() -> dict[str, object]:
    words = ["node", HERE / "in_node.mjs", NODE_MODULES / "pyodide", ROOT, HERE]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_was_pyodide(here, there) -> None:
    assert (here["platform"], there["platform"]) == (sys.platform, "emscripten")
    assert sorted(there) == sorted(here)


@pytest.mark.parametrize("name", SEARCHES)
def test_the_search_finds_the_same(name, here, there) -> None:
    assert there[name] == here[name]
    assert here[name]["complete"]
    assert len(here[name]["outcomes"]) > 1
    assert sum(Fraction(odds) for _, _, odds in here[name]["outcomes"].values()) == 1


def test_the_usual_run_is_the_same(here, there) -> None:
    assert there["usual"] == here["usual"] != []


@pytest.mark.parametrize("version", core.RUNS)
def test_the_pictures_are_the_same_bytes(version, here, there) -> None:
    names = [name for name in here if name.startswith(f"{version} ")]
    assert {f"{version} {picture}" for picture in PICTURES} < set(names)
    for name in names:
        assert there[name].encode() == here[name].encode(), name
        assert here[name].startswith("<svg") == name.endswith(".svg")


@pytest.mark.parametrize("name", core.schedules())
def test_pictures_of_schedules_are_the_same_bytes(name, here, there) -> None:
    assert there[name].encode() == here[name].encode()
    assert here[name].startswith("<svg")
