"""Asks SPIN about a Promela model: how many states there are, how it can end, what always holds.

`spin` and `pan` exit with 0 whatever they find, so everything is read from what they print, and a
search that pan gave up is an error here.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
# Off: -o1 data flow, -o2 dead variables, -o3 merging of statements.  Each would join states.
GENERATE = ("-o1", "-o2", "-o3", "-a")


class Found(NamedTuple):
    """What a search of every order found.

    `edges` counts (state, move) pairs.  `ends`: the global variables of each state in which nobody
    can move.  `seconds`: to generate and compile, and to run."""

    states: int
    edges: int
    ends: list[dict[str, int]]
    seconds: tuple[float, float]


class Model:
    """A model with its -D definitions, translated to C and compiled in a folder of its own.

    Every state is kept whole, and there is no partial order reduction."""

    def __init__(self, name: str, folder: str, defines: dict[str, int], *options: str) -> None:
        self.folder = Path(folder)
        self.words = [*(f"-D{key}={value}" for key, value in defines.items()), str(HERE / name)]
        self.run("spin", *GENERATE, *self.words)
        self.run("gcc", "-w", "-DNOREDUCE", *options, "-o", "pan", "pan.c")

    def run(self, *words: str) -> str:
        """What a program printed; raises with it if the program failed."""
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def pan(self, *options: str) -> str:
        """What `pan` printed about a search that it finished."""
        said = self.run("./pan", *options)
        if "errors: " not in said or "max search depth too small" in said:
            raise RuntimeError(f"the search was not finished:\n{said}")
        return said

    def end(self, trail: Path) -> dict[str, int]:
        """The global variables at the end of a trail."""
        said = self.run("spin", "-k", trail.name, *self.words)
        last = said[said.rindex("#processes") :]
        return {key: int(value) for key, value in re.findall(r"^\t+(\w+) = (\d+)$", last, re.M)}


def _number(pattern: str, said: str) -> int:
    match = re.search(pattern, said)
    assert match is not None, f"pan's output has no {pattern!r}:\n{said}"
    return int(match[1])


def count(name: str, **defines: int) -> Found:
    """Every state, once.  A state in which nobody can move counts as an error of the model (an
    invalid end state), so that pan writes a trail to each."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        spin = Model(name, folder, defines, "-DSAFETY", "-DNOCLAIM")
        compiled = time.perf_counter()
        said = spin.pan("-e", "-c0", "-w20")  # a hash table for a million states, not for 16
        seconds = compiled - start, time.perf_counter() - compiled
        ends = [spin.end(trail) for trail in sorted(spin.folder.glob("*.trail"))]
    if len(ends) != _number(r"errors: (\d+)", said) or "assertion violated" in said:
        raise RuntimeError(f"pan found errors that are no ends:\n{said}")
    # pan counts the first state as if a transition led to it
    edges = _number(r"(\d+) transitions", said) - 1
    return Found(_number(r"(\d+) states, stored", said), edges, ends, seconds)


def holds(name: str, **defines: int) -> dict[str, bool]:
    """For each `ltl` property of the model: does it hold in every run?"""
    names = re.findall(r"^ltl (\w+)", (HERE / name).read_text(), re.M)
    with tempfile.TemporaryDirectory() as folder:
        spin = Model(name, folder, defines)
        said = {prop: spin.pan("-a", "-E", "-w20", "-N", prop) for prop in names}
    return {prop: _number(r"errors: (\d+)", text) == 0 for prop, text in said.items()}
