"""The lessons as files: in step with their sources, thin, with outputs, and no loose numbers."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import build_lessons as build

EDITIONS = ("student", "solution")
CODE_LINES_MAX = 8
# In one lesson the learner writes whole functions, and finds two more in the text.
OWN_MODEL, OWN_LINES_MAX = "from_scratch", 28

SOURCES = build.sources([])


def path(source, which):
    return build.EDITIONS[which] / f"{build.stem(source)}.ipynb"


@cache
def stored(source, which):
    return nbformat.read(path(source, which), as_version=4)


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(source, which):
    return [cell for cell in stored(source, which).cells if cell.cell_type == "code"]


each_lesson = pytest.mark.parametrize("source", SOURCES, ids=build.stem)
each_edition = pytest.mark.parametrize("which", EDITIONS)


def test_there_are_lessons_and_nothing_else():
    numbers = [build.stem(path)[:2] for path in SOURCES]
    assert numbers[0] == "00"
    assert len(SOURCES) >= 10
    for folder in build.EDITIONS.values():
        assert sorted(p.stem for p in folder.glob("*.ipynb")) == list(map(build.stem, SOURCES))


@each_lesson
@each_edition
def test_an_edition_is_what_its_source_makes_and_says_where_it_stands(source, which):
    """Run `make notebooks` after changing a source."""
    made, found = build.edition(source, which), stored(source, which)
    assert made.metadata == found.metadata
    assert [(c.cell_type, c.source, c.metadata, c.id) for c in made.cells] == [
        (c.cell_type, c.source, c.metadata, c.id) for c in found.cells
    ]
    cells = [cell.source for cell in made.cells if cell.cell_type == "markdown"]
    alt = re.search(r'<img alt="([^"]+)" src="data:image/svg\+xml;base64,', cells[0])[1]
    assert re.fullmatch(r"The way of the bug: report → .+ → try again\. You are here: .+\.", alt)
    later, text = SOURCES[SOURCES.index(source) + 1 :], "\n".join(cells)
    if later:
        assert f"]({build.stem(later[0])}.ipynb)" in text[text.index("**Next:**") :]
    for target in re.findall(r"\]\((\d\d_\w+)\.ipynb\)", text):
        assert target in map(build.stem, SOURCES)


@each_lesson
@each_edition
def test_every_cell_was_run_and_its_outputs_are_small_and_fit(source, which):
    """They name no machine, and fit the 592 px that JupyterLab leaves at 1280 x 720 and 125 %."""
    cells = code_cells(source, which)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
    text = path(source, which).read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"/(home|root|tmp)/|0x7f[0-9a-f]{6,}", text)
    assert 0 < max(float(px) for px in re.findall(r"min-width:([\d.]+)px", text)) <= 592


@each_lesson
def test_cells_are_thin_and_have_no_plumbing(source):
    for which in EDITIONS:
        for cell in code_cells(source, which):
            assert not re.search(r"\bassert\b|Prediction|\bshow_|ipywidgets", cell.source)
            assert not {*tags(cell)} - {*EDITIONS}
            most = OWN_LINES_MAX if source.stem == OWN_MODEL else CODE_LINES_MAX
            assert len(cell.source.splitlines()) <= most, cell.source
            kinds = {type(node).__name__ for node in ast.walk(ast.parse(cell.source))}
            if source.stem != OWN_MODEL:
                assert not kinds & {"ClassDef", "With", "Try", "While"}, cell.source
                # The one thing a learner may be asked to write is a function.
                assert "FunctionDef" not in kinds or {*tags(cell)} & {*EDITIONS}, cell.source


@each_lesson
def test_the_first_code_cell_imports_the_lesson_and_what_is_typed(source):
    """One import of the cards, at most one of names, each used further down, and one card."""
    first, *others = [cell.source for cell in code_cells(source, "student")]
    body = ast.parse(first).body
    if isinstance(body[-1], ast.Expr):
        assert re.fullmatch(r"lesson\.\w+", ast.unparse(body.pop()))
    *names, lesson = body
    assert ast.unparse(lesson) == f"from mmsim.lessons import {source.stem} as lesson"
    assert len(names) <= 1
    typed = "\n".join([*others, *(cell.source for cell in code_cells(source, "solution"))])
    for node in names:
        assert isinstance(node, ast.ImportFrom)
        assert node.module == "mmsim"
        assert all(re.search(rf"\b{alias.name}\(", typed) for alias in node.names)


@each_lesson
def test_every_placeholder_is_filled_in(source):
    for which in EDITIONS:
        for cell in stored(source, which).cells:
            assert cell.cell_type == "code" or not re.search(r"\{\{|\}\}", cell.source)


@each_lesson
def test_what_answers_a_question_is_folded_until_it_is_opened(source):
    """Closed in the student edition, open in the solutions; and every fold is a whole one."""
    for which, opened in (("student", 0), ("solution", 1)):
        text = "\n".join(c.source for c in stored(source, which).cells if c.cell_type == "markdown")
        folds = len(re.findall(r"^<details(?: open)?><summary>.+</summary>$", text, re.MULTILINE))
        assert folds == text.count("<details") == text.count("</details>")
        assert text.count("<details open>") == folds * opened
