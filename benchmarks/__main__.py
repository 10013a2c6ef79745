"""Run the benchmarks and print one table."""

from __future__ import annotations

import importlib
import sys

from benchmarks import Result

# name -> the module that has a function of this name
NAMES = {
    "imports": "usual",
    "steps": "usual",
    "slider": "usual",
    "lessons": "usual",
    "alloc": "alloc",
    "explore": "explore",
    "spin": "explore",
    "longuse": "longuse",
    "browser": "browser",
}


def show(results: list[Result]) -> None:
    """One line for each: the figure, the baseline's, their ratio, the budget."""
    for r in results:
        ratio = f"{r.value / r.baseline:8.3g} x" if r.baseline else " " * 10
        print(f"{r.what:52} {r.value:10.2f} {r.unit:8} {ratio} {r.against}")
        if r.budget:
            print(f"{'':52} budget: {r.budget}")


def main() -> int:
    """Run the named benchmarks, or all."""
    names = sys.argv[1:] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        show(getattr(importlib.import_module(f"benchmarks.{NAMES[name]}"), name)())
    return 0


if __name__ == "__main__":
    sys.exit(main())
