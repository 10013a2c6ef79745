"""The lessons as files: in step with their sources, thin, with outputs, and no loose numbers."""

from __future__ import annotations

import ast
import re
from functools import cache

import build_lessons as build
import nbformat
import pytest

EDITIONS = ("student", "solution")
CODE_LINES_MAX = 8
# In one lesson the learner writes whole functions, and finds two more in the text.
OWN_MODEL, OWN_LINES_MAX = "from_scratch", 28

LESSONS = build.named([])


def path(lesson, which):
    return build.EDITIONS[which] / f"{lesson.stem}.ipynb"


@cache
def stored(lesson, which):
    return nbformat.read(path(lesson, which), as_version=4)


def cells(lesson, which, kind="code"):
    return [cell for cell in stored(lesson, which).cells if cell.cell_type == kind]


each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
each_edition = pytest.mark.parametrize("which", EDITIONS)


def test_there_are_lessons_and_nothing_else():
    for folder in build.EDITIONS.values():
        assert sorted(p.stem for p in folder.glob("*.ipynb")) == [lesson.stem for lesson in LESSONS]


@each_lesson
@each_edition
def test_an_edition_is_what_its_source_makes_and_says_where_it_stands(lesson, which):
    """Run `make notebooks` after changing a source."""
    made, found = build.edition(lesson, which), stored(lesson, which)
    assert made.metadata == found.metadata
    assert [(c.cell_type, c.source, c.metadata, c.id) for c in made.cells] == [
        (c.cell_type, c.source, c.metadata, c.id) for c in found.cells
    ]
    texts = [cell.source for cell in made.cells if cell.cell_type == "markdown"]
    alt = re.search(r'<img alt="([^"]+)" src="data:image/svg\+xml;base64,', texts[0])[1]
    assert re.fullmatch(r"The way of the bug: report → .+ → try again\. You are here: .+\.", alt)
    later, text = LESSONS[LESSONS.index(lesson) + 1 :], "\n".join(texts)
    assert "{{" not in text
    if later:
        assert f"]({later[0].stem}.ipynb)" in text[text.index("**Next:**") :]
    for target in re.findall(r"\]\((\d\d_\w+)\.ipynb\)", text):
        assert target in [lesson.stem for lesson in LESSONS]


@each_lesson
@each_edition
def test_every_cell_was_run_and_its_outputs_are_small_and_fit(lesson, which):
    """They name no machine, and fit the 592 px that JupyterLab leaves at 1280 x 720 and 125 %."""
    code = cells(lesson, which)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
    text = path(lesson, which).read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"/(home|root|tmp)/|0x7f[0-9a-f]{6,}", text)
    assert 0 < max(float(px) for px in re.findall(r"min-width:([\d.]+)px", text)) <= 592


@each_lesson
def test_cells_are_thin_and_have_no_plumbing(lesson):
    own = lesson.name == OWN_MODEL
    for cell in (cell for which in EDITIONS for cell in cells(lesson, which)):
        tags = {*cell.metadata.get("tags", [])}
        assert tags <= {*EDITIONS}
        assert not re.search(r"\bassert\b|Prediction|\bshow_|ipywidgets", cell.source)
        assert cell.source.count("\n") < (OWN_LINES_MAX if own else CODE_LINES_MAX), cell.source
        kinds = {type(node).__name__ for node in ast.walk(ast.parse(cell.source))}
        if not own:
            assert not kinds & {"ClassDef", "With", "Try", "While", "Import"}, cell.source
            assert not re.search(r"\bfrom (?!mmsim)\w+ import", cell.source)
            # The one thing a learner may be asked to write is a function.
            assert "FunctionDef" not in kinds or tags, cell.source


@each_lesson
def test_what_answers_a_question_is_folded_until_it_is_opened(lesson):
    """Closed in the student edition, open in the solutions; and every fold is a whole one."""
    for which, opened in (("student", 0), ("solution", 1)):
        text = "\n".join(cell.source for cell in cells(lesson, which, "markdown"))
        folds = len(re.findall(r"^<details(?: open)?><summary>.+</summary>$", text, re.MULTILINE))
        assert folds == text.count("<details") == text.count("</details>")
        assert text.count("<details open>") == folds * opened
