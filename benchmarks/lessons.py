"""How long each lesson takes to run from top to bottom, against a notebook that does nothing."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.measure import Result, median_ms

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def results() -> list[Result]:
    """Kernel start included, because that is what a learner waits for."""
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])

    def run(notebook: nbformat.NotebookNode) -> float:
        return median_ms(lambda: NotebookClient(notebook, timeout=120).execute(), repeats=3) / 1000

    nothing = run(empty)
    found = []
    for path in sorted((NOTEBOOKS / "solutions").glob("*.ipynb")):
        seconds = run(nbformat.read(path, as_version=4))
        against = "of a notebook that does nothing"
        found.append(Result(f"run all: {path.stem}", seconds, "s", nothing, against, "5 s"))
    return found
