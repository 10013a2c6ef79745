"""Make slides of the core lessons: pages that need no network, and their pictures as SVG and PDF.

usage: python tools/slides.py FOLDER

A page is made from both stored editions of a lesson, cell by cell, as the slideshow metadata says
that `build_lessons.py` writes.  A heading begins a slide.  A card is a slide with its question, and
the next one has the answer.  What the text folds is left out.  `slides.html` lays it all out."""

from __future__ import annotations

import base64
import re
import shutil
import sys
from html import escape
from pathlib import Path
from typing import Any

import mistune
import nbformat
from browsers import find_browser
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright

from mmsim.lessons import COURSE, Lesson

ROOT = Path(__file__).resolve().parents[1]
CORE = [lesson for lesson in COURSE if lesson.core]
LEFT_OUT = ("What this model leaves out", "Further reading", "Words", "More to try")
NAME = re.compile(r"^lesson\.(\w+)", re.MULTILINE)
SVG = re.compile(r'src="data:image/svg\+xml;base64,([^"]+)"')

Slide = list[str]
"""The class of a slide, its heading, and the blocks below it, as HTML."""


def blocks(html: str) -> list[str]:
    """The elements of a piece of HTML; a picture has the size that the page gives it."""
    found = [str(node).strip() for node in BeautifulSoup(html, "html.parser").children]
    return [re.sub(r'^(<img [^>]*?) style="[^"]*"', r"\1", one) for one in found if one]


def shown(cell: Any) -> str:
    """What a cell has put out, as HTML."""
    told = [o.get("data", {}).get("text/html") or o.get("text", "") for o in cell.outputs]
    return "".join(t if t.startswith("<") else f"<pre>{escape(t)}</pre>" for t in told)


def of_card(cell: Any, kind: str) -> Slide:
    """The slide of a card; its first line is the heading, and how to type an answer is left out."""
    first, *rest = blocks(re.sub(r"you said (?:[^<]* · it was )?", "", shown(cell)))
    heading = re.search(r"<b>.*?</b>(?=</p>|</summary>)", first, re.DOTALL)
    told = [b for b in rest if "<code>lesson." not in b and not re.match("<details|<p>Noted: ", b)]
    return [kind, f"<h2>{heading[0] if heading else ''}</h2>", *told]


def slides(lesson: Lesson) -> list[Slide]:
    """The slides of a lesson.  A text without a heading of its own goes on with the last slide."""
    student, solution = (
        nbformat.read(ROOT / folder / f"{lesson.stem}.ipynb", as_version=4).cells
        for folder in ("notebooks", "notebooks/solutions")
    )
    asked = {m[1]: cell for cell in student if (m := NAME.search(cell.source))}
    made: list[Slide] = []
    for cell in solution:
        what, name = cell.metadata.slideshow.slide_type, NAME.search(cell.source)
        if cell.cell_type == "markdown":
            text = re.sub(r"(?s)<details.*?</details>", "", cell.source)
            for block in blocks(str(mistune.html(text))):
                if re.match("<h[1-6]", block):
                    made.append(["text", re.sub("h[3-6]>", "h2>", block)])
                else:
                    made[-1].append(block)
        elif what == "slide" and name:
            asks = f"lesson.{name[1]}" in shown(asked[name[1]])  # it says how to answer
            made += [of_card(asked[name[1]], "card")] if asks else []
            made.append(of_card(cell, "answer"))
        elif what == "-":
            made[-1] += blocks(shown(cell))
    made = [slide for slide in made if len(slide) > 2 or slide[0] == "card"]
    return [slide for slide in made if not any(f">{name}<" in slide[1] for name in LEFT_OUT)]


def page(title: str, made: list[Slide]) -> str:
    """A whole page; a link to a notebook becomes plain words."""
    body = "\n".join(f'<section class="{kind}">{"".join(rest)}</section>' for kind, *rest in made)
    body = re.sub(r'(?s)<a href="\w+\.ipynb">(.*?)</a>', r"\1", body)
    frame = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return frame.replace("{title}", escape(title)).replace("{slides}", body)


def pictures(lesson: Lesson, folder: Path) -> None:
    """The pictures of the solution edition as SVG, named after their cells."""
    for cell in nbformat.read(ROOT / f"notebooks/solutions/{lesson.stem}.ipynb", 4).cells:
        name = NAME.search(cell.source) if cell.cell_type == "code" else None
        for number, found in enumerate(SVG.findall(shown(cell)) if name else [], start=1):
            file = f"{lesson.stem[:2]}_{name[1]}_{number}.svg" if name else ""
            (folder / file).write_bytes(base64.b64decode(found))


def print_pdf(folder: Path, chromium: str) -> None:
    """Each picture of the folder as a PDF of its size."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        for file in sorted(folder.glob("*.svg")):
            svg = file.read_text(encoding="utf-8")
            tab.set_content(f"<style>body{{margin:0}} svg{{display:block}}</style>{svg}")
            box = tab.locator("svg").first.bounding_box() or {}
            size = {name: f"{box[name]}px" for name in ("width", "height")}
            tab.pdf(path=file.with_suffix(".pdf"), page_ranges="1", print_background=True, **size)
        browser.close()


def main(folder: Path) -> None:
    """Make all of it in FOLDER.part, which takes the place of FOLDER."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "pictures").mkdir(parents=True)
    links = [f'<li><a href="{lesson.stem}.html">{lesson.title}</a></li>' for lesson in CORE]
    pages = {"index": page("Slides", [["text", "<h2>Slides</h2>", f"<ol>{''.join(links)}</ol>"]])}
    for lesson in CORE:
        pages[lesson.stem] = page(lesson.title, slides(lesson))
        pictures(lesson, part / "pictures")
    for name, text in pages.items():
        (part / f"{name}.html").write_text(text, encoding="utf-8")
    if chromium := find_browser():
        print_pdf(part / "pictures", chromium)
    else:
        print("There is no Chromium on this machine: pictures are there as SVG, and not as PDF.")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    print(f"{folder}: {len(pages)} pages, {len([*(folder / 'pictures').iterdir()])} pictures")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
