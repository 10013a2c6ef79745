"""How long `import mmsim` takes, against a Python that imports nothing."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Result, median_ms


def results() -> list[Result]:
    """Whole processes, because an import happens once in each."""

    def run(code: str) -> float:
        words = [sys.executable, "-c", code]
        return median_ms(lambda: subprocess.run(words, check=True), repeats=15)

    empty = run("pass")
    against = "of a Python that imports nothing"
    budget = "under 100 ms more than nothing, standard library only"
    return [
        Result("import mmsim", run("import mmsim"), "ms", empty, against, budget),
        Result(
            "import mmsim.scenarios",
            run("import mmsim.scenarios"),
            "ms",
            empty,
            against,
            budget,
        ),
        Result("import ipywidgets, for comparison", run("import ipywidgets"), "ms", empty, against),
    ]
