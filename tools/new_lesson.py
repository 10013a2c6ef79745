"""Begin a lesson: its text, its module with one card, its test, and a line wherever one is needed.

usage: python tools/new_lesson.py NAME      (or `make lesson NEW=NAME`, such as NEW=who_waits)

What it writes builds and passes, and shows each part of a lesson once.  The lesson becomes the last
of the course; title, place and minutes are yours to change in `mmsim.lessons.COURSE`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TEXT = """Begin with what can be seen, not with the rules. Here a holder never lets go of a huge
page, and the kernel is `v2`.

```python
from mmsim.lessons import {name} as lesson
```

```python
lesson.first
```

<details><summary>After this lesson you can …</summary>

- say how often `v2` tries a split.

</details>

## What to keep

- A refused split is tried in {{{{MIGRATE_PASSES}}}} passes.

## What this model leaves out

| left out | consequence |
| --- | --- |
| time: a step has no duration | nobody can say here how long the passes take |
"""
MODULE = '''"""Lesson {number}: {title}."""

from __future__ import annotations

from mmsim.constants import MIGRATE_PASSES
from mmsim.lessons.card import Card
from mmsim.scenarios import vfio_map


def refusals() -> int:
    """How many splits `v2` counts as refused, if the holder never lets go."""
    run = vfio_map("v2").run()
    return run.last.world.vmstat["thp_split_page_failed"]


first = Card(
    "How many splits are refused?\\nNo huge page is free.",
    (1, MIGRATE_PASSES, MIGRATE_PASSES + 1),
    outcome=refusals,
    why="Each pass tries the split once more, and none waits for the reference to go.",
    hints=("How many passes are there?",),
)
'''
TEST = '''"""Lesson {number}, {title}: its numbers."""

from __future__ import annotations

from mmsim.lessons import {name} as lesson


def test_each_pass_is_refused_once():
    assert lesson.first.outcome() == 10
'''
SOURCE = """
[cards.{name}.first]
wrong."1" = "It is what base does. v2 tries again."
next = "What would have to happen for the number to be smaller?"

[[objectives.{name}]]
says = "say how often `v2` tries a split"
cards = ["first"]
"""


def begin(name: str) -> str:
    """Write the new files, add the lines, and give the name of the lesson before it."""
    course = ROOT / "mmsim" / "lessons" / "__init__.py"
    there: list[str] = re.findall(
        r'^    Lesson\(\s*"(\w+)"', course.read_text("utf-8"), re.MULTILINE
    )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SystemExit(f"{name!r} can't be the name of a lesson: write it as in who_waits")
    if name in there or course.with_name(f"{name}.py").exists():
        raise SystemExit(f"there is a lesson or a module {name} already: choose another name")
    words = {
        "name": name,
        "number": f"{len(there):02}",
        "title": name.replace("_", " ").capitalize(),
    }
    for path, text in (
        (course.with_name(f"{name}.md"), TEXT),
        (course.with_name(f"{name}.py"), MODULE),
        (ROOT / "tests" / "lessons" / f"test_{name}.py", TEST),
    ):
        path.write_text(text.format(**words), "utf-8")
    entry = '    Lesson("{name}", "{title}", 30),\n'
    link = "[{number} {title}](notebooks/{number}_{name}.ipynb)"
    for file, behind, line in (
        ("mmsim/lessons/__init__.py", r"^COURSE = \(\n(    .*\n)*", entry),
        ("README.md", r"^(\| \[\d\d .*\n)+", f"| {link} | 30 | say here what one does |\n"),
        ("docs/teaching/after.md", r"^(\| \d\d \|.*\n)+", "| {number} | 30 | | | | |\n"),
        ("docs/teaching/source.toml", r"\A[\s\S]*", SOURCE),
    ):
        old = (ROOT / file).read_text("utf-8")
        (found,) = re.finditer(behind, old, re.MULTILINE)
        new = old[: found.end()] + line.format(**words) + old[found.end() :]
        (ROOT / file).write_text(new, "utf-8")
    return there[-1]


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1]:
        raise SystemExit("say how the lesson is called: make lesson NEW=who_waits")
    before = begin(sys.argv[1])
    for tool in (["build_lessons.py", before, sys.argv[1]], ["build_teaching.py"]):
        subprocess.run([sys.executable, str(ROOT / "tools" / tool[0]), *tool[1:]], check=True)
