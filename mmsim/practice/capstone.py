"""Unseen cases: counters of a pin that failed, and everything that can be asked about them.

Interface: unseen, Case, CAUSES, WORDS, LOOKS, FATES, seen, outcome, tells_apart,
looks_needed, verdict_question, HANDED, VERDICTS, SURE

A case is drawn from a seed.  What is told of it is the kernel, the number of huge pages and what
its counters say; the cause is not, because several may fit.  Nothing is written down: whoever asks
is answered by running every cause in the same kernel."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from mmsim.engine.trace import Trace
from mmsim.evidence.diagnose import EVIDENCE
from mmsim.evidence.tracer import marks
from mmsim.lessons import Prediction
from mmsim.mm.world import World
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.fates import ALL_MOVED, MISSED, NOT_MOVED, NOT_SPLIT

KERNELS = ("base", "6.1.0", "v2", "v3", "v3fix")
"""Versions of the model.  Not every one was released: v3fix is the loop of 6.1 with its count
repaired, which no release is."""
HUGE_PAGES_MAX = 2
COUNTERS = tuple(name for name in EVIDENCE if not name.startswith("cma_"))

# What may have happened to the first huge page; the others, if there are any, are left alone.
CAUSES: dict[str, Mapping[str, object]] = {
    "reference": {},
    "truncated": {"stranger": 0, "trouble": "truncated"},
    "nomem": {"stranger": 0, "trouble": "nomem"},
    "writeback": {"stranger": 0, "trouble": "writeback"},
    "busy": {"targets": "available"},
    "piece": {"taken": "0.move_freeze"},
    "late": {"targets": "late", "released": 1},
    "nobody": {"stranger": 0},
}
WORDS = {
    "reference": "no huge page is free; somebody has a reference on it and never lets go",
    "truncated": "no huge page is free; it has just been cut out of its file",
    "nomem": "no huge page is free; there is no memory for a larger index of the file",
    "writeback": "no huge page is free; it is being written to disk or swap",
    "busy": "a huge page is free; somebody has a reference on it and never lets go",
    "piece": "no huge page is free; it is split, and one piece is busy when its turn comes",
    "late": "no huge page is free, somebody has a reference; both are over when pass 1 begins",
    "nobody": "no huge page is free; nobody is in the way",
}
FATES = {
    "could not be split": NOT_SPLIT,
    "could not be moved": NOT_MOVED,
    "a piece was left": MISSED,
    "everything moved": ALL_MOVED,
}


def situation(cause: str, kernel: str, huge_pages: int, order: int = 9) -> Situation:
    """A cause in a kernel, for so many huge pages of a guest."""
    return vfio_map(kernel, thps=huge_pages, order=order, **CAUSES[cause])


class Case(NamedTuple):
    """What is told: the kernel, the guest's huge pages in CMA, and what the counters say.

    `cause` is for those who mark."""

    seed: int
    kernel: str
    huge_pages: int
    cause: str

    @property
    def counters(self) -> dict[str, int]:
        """What moved, and what did not."""
        return seen(self.cause, self.kernel, self.huge_pages)

    @property
    def text(self) -> str:
        """The same as `mmsim diagnose` reads it."""
        return "\n".join(f"{name} +{n}" for name, n in self.counters.items())

    @property
    def fitting(self) -> list[str]:
        """Every cause that gives these counters in this kernel."""
        told = self.counters
        return [c for c in failing(self.kernel) if seen(c, self.kernel, self.huge_pages) == told]

    @property
    def fates(self) -> set[str]:
        """What can have become of the pin, as the counters have it."""
        return {outcome(cause, self.kernel, self.huge_pages) for cause in self.fitting}


@functools.cache
def _run(cause: str, kernel: str, huge_pages: int) -> Trace:
    """With huge pages of two pages: enough for everything but counters of pages."""
    return situation(cause, kernel, huge_pages, order=1).run()


@functools.cache
def seen(cause: str, kernel: str, huge_pages: int) -> dict[str, int]:
    """What the counters would say."""
    vmstat = situation(cause, kernel, huge_pages).run().last.world.vmstat
    return {name: vmstat[name] for name in COUNTERS}


@functools.cache
def failing(kernel: str) -> tuple[str, ...]:
    """The causes that make a pin fail in this kernel."""
    return tuple(cause for cause in CAUSES if _run(cause, kernel, 1).results["pin"] < 0)


def unseen(seed: object) -> Case:
    """The case of a seed; raises ValueError unless it is a whole number from 0 on."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"a seed is a whole number from 0 on, not {seed!r}")
    draw = random.Random(seed)
    cause = [*CAUSES][int(draw.random() * len(CAUSES))]  # random() is the same in every Python
    kernels = [kernel for kernel in KERNELS if cause in failing(kernel)]
    kernel = kernels[int(draw.random() * len(kernels))]
    return Case(seed, kernel, 1 + int(draw.random() * HUGE_PAGES_MAX), cause)


def outcome(cause: str, kernel: str, huge_pages: int) -> str:
    """What became of the pin, as one of FATES."""
    run = _run(cause, kernel, huge_pages)
    found: str = run.scenario.outcome(run.last)  # type: ignore[attr-defined]
    return next(word for word, name in FATES.items() if name == found)


# -- a verdict, and how sure one is

SURE = (50, 70, 90, 99)
HANDED: dict[int, dict[str, object]] = {}
"""Seed -> what was handed in for its case: of each kind the last that was right, or the last."""
VERDICTS: dict[int, Prediction] = {}
"""Seed -> the question about its case, with the answer if there is one; there is no second try."""


def verdict_question(case: Case) -> Prediction:
    """What became of the pin, and how sure is the learner?  The same object for the same case."""
    if case.seed not in VERDICTS:
        choices = {"verdict": (*FATES,), "sure": tuple(f"{percent} %" for percent in SURE)}
        question = f"What became of the pin of case {case.seed}, and how sure are you?"
        VERDICTS[case.seed] = Prediction(question, choices)
    return VERDICTS[case.seed]


# -- what to look at


def _values(kind: str, *fields: str) -> Callable[[Trace], object]:
    def look(run: Trace) -> object:
        found = (mark for mark in marks(run) if mark.kind == kind)
        return tuple(tuple(mark.fields[field] for field in fields) for mark in found)

    return look


def _left(run: Trace) -> object:
    world: World = run.last.world
    inside = [f for pfn, f in world.folios.items() if f.name and world.in_cma(pfn)]
    return sum(f.is_thp for f in inside), sum(not f.is_thp for f in inside)


LOOKS: dict[str, Callable[[Trace], object]] = {
    "split returns": _values("split_ret", "ret"),
    "references": _values("split", "ref", "expected"),
    "migrate returns": _values("return", "return"),
    "left in CMA": _left,
}


def tells_apart(looks: Iterable[str], case: Case) -> set[frozenset[str]]:
    """Pairs of fitting causes that at least one of these observations tells apart."""
    runs = {cause: _run(cause, case.kernel, case.huge_pages) for cause in case.fitting}
    return {
        frozenset(pair)
        for pair in combinations(runs, 2)
        if any(LOOKS[name](runs[pair[0]]) != LOOKS[name](runs[pair[1]]) for name in looks)
    }


def looks_needed(case: Case) -> int:
    """How many observations tell as much as all four; 0 if one cause fits."""
    everything = tells_apart(LOOKS, case)
    return next(
        number
        for number in range(len(LOOKS) + 1)
        if any(tells_apart(looks, case) == everything for looks in combinations(LOOKS, number))
    )
