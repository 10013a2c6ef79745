"""The package under Pyodide, which is CPython compiled to WebAssembly, in node.

It searches as the Python that runs these tests does.  Every card of the course, whose tables come
from the stand-in for pandas, is the card that is stored in the solutions, to the byte."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import core
import pytest
from tool_rule import NODE_MODULES, ROOT

pytestmark = pytest.mark.pyodide
HERE = Path(__file__).parent
LESSONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


@pytest.fixture(scope="module")
def there():
    words = ["node", HERE / "in_node.mjs", NODE_MODULES / "pyodide", ROOT, HERE]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_searches_find_the_same(there) -> None:
    assert there["platform"] == "emscripten"
    here = core.searches()
    assert there["searches"] == here
    assert all(len(found) > 2 for found in here.values())


def test_the_cards_are_those_stored(there) -> None:
    assert there["pandas"] == "/project/tools/lite/pandas.py"
    for lesson in LESSONS:
        cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
        outputs = [each for cell in cells for each in cell.get("outputs", [])]
        stored = {"".join(each.get("data", {}).get("text/html", "")) for each in outputs}
        cards = {n: html for n, html in there["cards"].items() if n.startswith(f"{lesson.stem}.")}
        assert cards, lesson.stem
        assert [name for name, html in cards.items() if html not in stored] == []
