"""Write the lessons: one text source makes a student and a solution edition, with stored outputs.

usage: python tools/build_lessons.py [NAME ...]      (default: every lesson)

A source is `mmsim/lessons/NAME.md`, in jupytext's Markdown format, beside the module of its cards.
The heading, the strip that says "you are here" and the link to the next lesson come from
`mmsim.lessons.COURSE`.  In the text `{{expression}}` is filled in from the
module of the lesson, as in an f-string.  In the solution edition a cell `lesson.NAME` that shows a
card becomes `lesson.NAME.solved()`; cells with the tag `solution` stand only there, cells with the
tag `student` only in the student edition.

What each cell is in a slide show is told by its metadata (`slide_type`).

What the text folds (`<details>`) stands open in the solution edition.  Both editions are executed
from top to bottom; what is stored is the same on every machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

from mmsim.datafiles import write_whole
from mmsim.lessons import COURSE, STATIONS, Lesson, number
from mmsim.lessons.card import Card
from mmsim.progress import SESSION
from mmsim.views.show import as_html
from mmsim.views.svg import INK, LINE, MARKED, MUTED, PANEL, Picture, Svg

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
CELL_SECONDS_MAX = 60
EDITIONS = {"student": NOTEBOOKS, "solution": NOTEBOOKS / "solutions"}
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
FILLED = re.compile(r"\{\{(.+?)\}\}")


def strip(here: Collection[str], seen: Collection[str]) -> Picture:
    """The way of the bug: where a lesson is, where the course has been, and the rest pale."""
    found = " and ".join(name for name in STATIONS if name in here)
    words = f"The way of the bug: {' → '.join(STATIONS)}. You are here: {found}."
    station, gap = 104.0, 22.0
    svg = Svg(len(STATIONS) * (station + gap) - gap + 4, 30, words, words)
    for i, name in enumerate(STATIONS):
        x, now = 2 + i * (station + gap), name in here
        known = now or name in seen
        fill, stroke, ink = MARKED if now else PANEL, *((INK, INK) if known else (LINE, MUTED))
        svg.rect(x, 3, station, 24, rx=12, fill=fill, stroke=stroke, stroke_width=2 if now else 1)
        label = f"● {name}" if now else name
        svg.text(x + station / 2, 19.4, label, station - 8, bold=now, fill=ink, anchor="middle")
        if i:
            svg.path(f"M{x - gap + 4:g} 15h{gap - 9:g}m-5 -4l5 4l-5 4", stroke=MUTED)
    return Picture(svg.render(), words)


def heading(lesson: Lesson) -> str:
    """The title of a lesson, how long it takes, and where on the way of the bug it is."""
    here = lesson.here or STATIONS
    seen = {station for earlier in COURSE[: COURSE.index(lesson)] for station in earlier.here}
    core = ", on the short way through the course" if lesson.core else ""
    title = f"# {number(lesson.name)} · {lesson.title}"
    return f"{title}\n\n*{lesson.minutes} minutes{core}.* {as_html(strip(here, seen))}\n\n"


def linked(text: str) -> str:
    """A text in which `lesson 04, *its title*` is a link to that notebook, in the same folder."""
    for lesson in COURSE:
        words = rf"([Ll]esson {number(lesson.name)},\s\*{re.escape(lesson.title)}\*)"
        if lesson.text.exists():
            text = re.sub(words, rf"[\1]({lesson.stem}.ipynb)", text)
    return text


def next_lesson(lesson: Lesson) -> str:
    """The line that leads on, if the text has none of its own; nothing after the last lesson."""
    later = [one for one in COURSE[COURSE.index(lesson) + 1 :] if one.text.exists()]
    if not later or "**Next:**" in lesson.text.read_text(encoding="utf-8"):
        return ""
    return f"\n\n**Next:** lesson {number(later[0].name)}, *{later[0].title}*."


def filled(text: str, cards: ModuleType) -> str:
    """A text with its placeholders filled in from the module of the lesson."""
    names = {**vars(cards), "number": number}

    def value(match: re.Match[str]) -> str:
        try:
            return str(eval("f" + repr("{" + match[1] + "}"), names))
        except Exception as error:
            raise SystemExit(f"{cards.__name__}: {match[0]} cannot be filled in: {error}") from None

    return FILLED.sub(value, text)


def solved(code: str, cards: ModuleType) -> str:
    """A cell of the solution edition: a card that is only shown is shown answered."""
    shown = re.fullmatch(r"lesson\.(\w+)", code.strip())
    card = getattr(cards, shown[1], None) if shown else None
    return f"{code}.solved()" if isinstance(card, Card) and card.asks else code


def slide_type(code: str | None, cards: ModuleType) -> str:
    """What a cell is in a slide show, which Jupyter's slide tools and `slides.py` read.

    A text is a slide, and so is a card.  What is shown besides belongs to the text above it.  A
    cell that only imports, or that is there to be typed in, is left out."""
    shown = re.search(r"^(?:print\(|lesson\.(\w+))", code or "", re.MULTILINE)
    if code is not None and not shown:
        return "skip"
    card = shown is not None and isinstance(getattr(cards, str(shown[1]), None), Card)
    return "slide" if code is None or card else "-"


def edition(lesson: Lesson, which: str) -> Any:
    """The notebook of one edition, not executed, with everything in it that could differ fixed."""
    cards = lesson.module
    other = "student" if which == "solution" else "solution"
    cells = []
    parts = jupytext.read(lesson.text).cells
    if parts[0].cell_type == "code":
        parts.insert(0, nbformat.v4.new_markdown_cell())
    for cell in parts:
        tags = cell.metadata.get("tags", [])
        if other in tags:
            continue
        text = cell.source
        if cell.cell_type == "code":
            made = nbformat.v4.new_code_cell
            text = solved(text, cards) if which == "solution" else text
        else:
            made = nbformat.v4.new_markdown_cell
            text = filled(text, cards)
            text = text.replace("<details>", "<details open>") if which == "solution" else text
            text = (text if cells else heading(lesson) + text).strip()
            text = linked(text + (next_lesson(lesson) if cell is parts[-1] else ""))
        code = text if cell.cell_type == "code" else None
        metadata = {"slideshow": {"slide_type": slide_type(code, cards)}}
        new = made(text, metadata=metadata | ({"tags": tags} if tags else {}))
        new["id"] = f"{which}-{len(cells):03}"
        cells.append(new)
    metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
        "mmsim": {"edition": which, "source": lesson.text.relative_to(ROOT).as_posix()},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def execute(notebook: Any) -> None:
    """Run every cell in order; raises with the cell's error if one fails."""
    # A slow machine gets one print in several messages; what is stored must not show it.
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS_MAX, kernel_name="python3", coalesce_streams=True
    )
    client.create_kernel_manager()
    if os.name == "posix":
        client.km.transport = "ipc"  # otherwise each kernel warns about its open port
    client.execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            # A widget is dead in a file; a card's text and HTML stand beside it and stay.
            output.get("data", {}).pop(WIDGET_VIEW, None)
            # A learner's own plot differs from machine to machine; its text stays.
            output.get("data", {}).pop("image/png", None)


def named(names: list[str]) -> list[Lesson]:
    """These lessons, or all that have a text; a name is that of the notebook or of the module."""
    found = [lesson for lesson in COURSE if lesson.text.exists()]
    chosen = [lesson for lesson in found if not names or {lesson.stem, lesson.name} & {*names}]
    missing = sorted({*names} - {name for one in chosen for name in (one.stem, one.name)})
    if missing:
        there = ", ".join(lesson.stem for lesson in found)
        raise SystemExit(f"no lesson {', '.join(missing)}; there are: {there}")
    return chosen


def main() -> None:
    """Build what was asked for."""
    # The same library everywhere: a colour map of the terminal must not end up in an output.
    os.environ["NO_COLOR"] = "1"
    os.environ.pop(SESSION, None)  # nobody's answers are read, also if a notebook starts this
    for lesson in named(sys.argv[1:]):
        for which, folder in EDITIONS.items():
            notebook = edition(lesson, which)
            execute(notebook)
            text = nbformat.writes(notebook, version=4) + "\n"
            write_whole(folder / f"{lesson.stem}.ipynb", text.encode())
            print(f"{which:9} {folder.name}/{lesson.stem}.ipynb: {len(notebook.cells)} cells")


if __name__ == "__main__":
    main()
