"""Write the lessons: one text source makes a student and a solution edition, with stored outputs.

usage: python notebooks/build.py [NAME ...]      (default: every lesson)

A source is a py:percent file in notebooks/source.  Tags of its cells: `solution` cells stand in the
solution edition only, `student` cells in the student edition only, `check` cells assert the numbers
of the text, `nbval-ignore-output` marks a widget.  The source of a `check` cell is collapsed in
JupyterLab: a learner may skip it.  What the text folds (`<details>`), because it answers a question
above it, stands open in the solution edition.  Both editions are executed from top to bottom; what
is stored is the same on every machine."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
CELL_SECONDS_MAX = 60
EDITIONS = {"student": HERE, "solution": HERE / "solutions"}
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def edition(source: Path, which: str) -> Any:
    """The notebook of one edition, not executed, with everything in it that could differ fixed."""
    read = jupytext.read(source)
    other = "student" if which == "solution" else "solution"
    cells = []
    for cell in read.cells:
        tags = cell.metadata.get("tags", [])
        if other in tags:
            continue
        made = (
            nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        )
        new = made(cell.source, metadata={"tags": tags} if tags else {})
        if "check" in tags:
            new.metadata["jupyter"] = {"source_hidden": True}
        if cell.cell_type == "markdown" and which == "solution":
            new.source = new.source.replace("<details>", "<details open>")
        new["id"] = f"{which}-{len(cells):03}"
        cells.append(new)
    metadata = {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
        "mmsim": {"edition": which, "source": f"notebooks/source/{source.name}"},
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
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            cell.outputs = []


def write(notebook: Any, path: Path) -> None:
    """Write by a temporary name, so that an interrupted build leaves the old file whole."""
    path.parent.mkdir(exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    os.close(handle)
    Path(temporary).write_text(nbformat.writes(notebook, version=4) + "\n", encoding="utf-8")
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def sources(names: list[str]) -> list[Path]:
    """The sources of these lessons, or of all."""
    found = sorted((HERE / "source").glob("[0-9]*.py"))
    chosen = [path for path in found if not names or path.stem in names]
    missing = sorted(set(names) - {path.stem for path in chosen})
    if missing:
        there = ", ".join(path.stem for path in found)
        raise SystemExit(f"no lesson {', '.join(missing)}; there are: {there}")
    return chosen


def main() -> None:
    """Build what was asked for."""
    # The same library everywhere: a colour map of the terminal must not end up in an output.
    os.environ["NO_COLOR"] = "1"
    for source in sources(sys.argv[1:]):
        for which, folder in EDITIONS.items():
            notebook = edition(source, which)
            execute(notebook)
            write(notebook, folder / f"{source.stem}.ipynb")
            print(f"{which:9} {folder.name}/{source.stem}.ipynb: {len(notebook.cells)} cells")


if __name__ == "__main__":
    main()
