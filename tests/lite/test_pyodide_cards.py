"""Every card of the course under Pyodide, whose tables come from the stand-in for pandas, is the
card that is stored in the solutions, to the byte."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tool_rule import NODE_MODULES, ROOT

pytestmark = pytest.mark.pyodide
LESSONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def test_the_cards_are_those_stored() -> None:
    script = ROOT / "tests" / "pyodide" / "in_node.mjs"
    words = ["node", script, NODE_MODULES / "pyodide", ROOT, Path(__file__).parent]
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert there["pandas"] == "/project/tools/lite/pandas.py"
    for lesson in LESSONS:
        cells = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
        outputs = [each for cell in cells for each in cell.get("outputs", [])]
        stored = {"".join(each.get("data", {}).get("text/html", "")) for each in outputs}
        cards = {name: html for name, html in there.items() if name.startswith(f"{lesson.stem}.")}
        assert cards, lesson.stem
        assert [name for name, html in cards.items() if html not in stored] == []
