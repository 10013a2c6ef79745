"""What a learner waits for: an import, steps of a run, a slider, a whole lesson."""

from __future__ import annotations

import subprocess
import sys
from itertools import count
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks import Result, median_ms
from mmsim.lessons.plenty_free import worn
from mmsim.scenarios import vfio_map
from mmsim.scenarios.hosts import host

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def imports() -> list[Result]:
    """Whole processes, because an import happens once in each."""

    def run(code: str) -> float:
        words = [sys.executable, "-c", code]
        return median_ms(lambda: subprocess.run(words, check=True), repeats=15)

    empty = run("pass")
    return [
        Result(code, run(code), "ms", empty, "of a Python that imports nothing", "100 ms more")
        for code in ("import mmsim", "import mmsim.scenarios", "import ipywidgets")
    ]


def steps() -> list[Result]:
    """Steps a second of one long run, the split of a huge page into 512 pieces."""
    situation = vfio_map("v3", holder=0)
    number = len(situation.run())
    bare = median_ms(lambda: [None for _ in range(100_000)])
    rate = number / median_ms(situation.run) * 1000
    against = "of a bare loop's turns"
    return [Result(f"steps a second, {number} steps", rate, "1/s", 100_000 / bare * 1000, against)]


def slider() -> list[Result]:
    """A slider of lesson 03: from a knob to the picture; every move asks for a new host."""
    found = []
    for mib in (4096, 1 << 20):
        console = worn.play()
        console.boxes["cma"].value, console.boxes["host"].value = 25, str(mib)
        seeds = count(2)
        moves = median_ms(
            lambda box=console.boxes["seed"], seeds=seeds: setattr(box, "value", next(seeds)),
            repeats=21,
        )
        found.append(Result(f"a slider move at {mib:,} MiB", moves, "ms", budget="150 ms"))
    zone = host(host=4096, cma=25, used=60).zone
    listed = median_ms(lambda: zone.branch().blocks(zone.start, zone.end), repeats=1)
    return [found[0]._replace(baseline=listed, against="of listing its blocks"), found[1]]


def lessons() -> list[Result]:
    """Each lesson from top to bottom; kernel start included, because a learner waits for it."""
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])

    def run(notebook: nbformat.NotebookNode) -> float:
        return median_ms(lambda: NotebookClient(notebook, timeout=120).execute(), repeats=3) / 1000

    nothing, against = run(empty), "of a notebook that does nothing"
    return [
        Result(f"run all: {path.stem}", run(nbformat.read(path, 4)), "s", nothing, against, "5 s")
        for path in sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
    ]
