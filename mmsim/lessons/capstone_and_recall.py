"""Lesson 11: unseen cases, diagnosed from counters.

Interface: take and counters for the learner; the cards verdict, fitting, look; and the names that
the text fills in.

A case is drawn from a seed.  What is told of it is the kernel, the number of huge pages and what
its counters say; the cause is not, because several may fit.  Nothing is written down: an answer is
judged by running every cause in the same kernel."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim import errno
from mmsim.engine.trace import Trace
from mmsim.evidence.diagnose import EVIDENCE
from mmsim.evidence.tracer import marks, migrate_returns
from mmsim.lessons.card import Card, checked
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.mm.world import World
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_MOVED, NOT_SPLIT
from mmsim.views.flow import flow_picture
from mmsim.views.show import Picture, Shown, as_html
from mmsim.views.tables import PIN, counters_by_version, ended, frame, in_a_row, labels

if TYPE_CHECKING:
    import pandas as pd

# -- cases

KERNELS = ("base", "v1", "v2")
HUGE_PAGES_MAX = 2
COUNTERS = tuple(name for name in EVIDENCE if not name.startswith("cma_"))


# What may have happened to the first huge page, and the knobs that make it so.
CAUSES: dict[str, tuple[str, dict[str, object]]] = {
    "reference": ("no huge page is free; somebody holds a reference and never lets go", {}),
    "truncated": (
        "no huge page is free; the page has just been cut off from its file",
        {"holder": 0, "trouble": "truncated"},
    ),
    "nomem": (
        "no huge page is free; there is no memory for the file's longer list of pages",
        {"holder": 0, "trouble": "nomem"},
    ),
    "writeback": (
        "no huge page is free; the page is being written to disk or swap",
        {"holder": 0, "trouble": "writeback"},
    ),
    "busy": (
        "a huge page is free; somebody holds a reference and never lets go",
        {"targets": "available"},
    ),
    "piece": (
        "no huge page is free; the page is split, and one piece is busy when its turn comes",
        {"taken": "0.move_freeze"},
    ),
    "late": (
        "no huge page is free, somebody holds a reference; both are over when pass 1 begins",
        {"targets": "late", "released": 1},
    ),
    "nobody": ("no huge page is free; nobody is in the way", {"holder": 0}),
}
OUTCOMES = {
    "could not be split": "no huge page was free, and the split was refused, if only at its entry",
    "could not be moved": "a huge page was free, but the page to be moved stayed busy",
    "a piece was left": "a huge page was split, and a piece of it is still in CMA",
    "everything moved": "nothing is left in CMA, and the pin failed all the same",
}
ENDS = dict(zip(OUTCOMES, (NOT_SPLIT, NOT_MOVED, MISSED, ALL_MOVED), strict=True))


def situation(cause: str, kernel: str, huge_pages: int, order: int = 9) -> Situation:
    """A cause in a kernel, for so many huge pages of a guest."""
    return vfio_map(kernel, thps=huge_pages, order=order, **CAUSES[cause][1])


@cache
def small_run(cause: str, kernel: str, huge_pages: int) -> Trace:
    """With huge pages of two pages: enough for everything but counters of pages."""
    return situation(cause, kernel, huge_pages, order=1).run()


@cache
def seen(cause: str, kernel: str, huge_pages: int) -> dict[str, int]:
    """What the counters would say."""
    vmstat = ended(situation(cause, kernel, huge_pages))[0].world.vmstat
    return {name: vmstat[name] for name in COUNTERS}


@cache
def failing(kernel: str) -> tuple[str, ...]:
    """The causes that make a pin fail in this kernel."""
    return tuple(cause for cause in CAUSES if small_run(cause, kernel, 1).results["pin"] < 0)


class Case(NamedTuple):
    """What is told of a case, and its cause for those who mark."""

    seed: int
    kernel: str
    huge_pages: int
    cause: str

    @property
    def counters(self) -> dict[str, int]:
        """What moved, and what did not."""
        return seen(self.cause, self.kernel, self.huge_pages)

    @property
    def moved(self) -> str:
        """The counters that moved, in words."""
        return ", ".join(f"{name} {n}" for name, n in self.counters.items() if n)

    @property
    def fitting(self) -> list[str]:
        """Every cause that gives these counters in this kernel."""
        told = self.counters
        return [c for c in failing(self.kernel) if seen(c, self.kernel, self.huge_pages) == told]

    @property
    def outcomes(self) -> list[str]:
        """How the pin can have ended, as the counters have it."""
        runs = [small_run(cause, self.kernel, self.huge_pages) for cause in self.fitting]
        ends = {run.scenario.outcome(run.last) for run in runs}  # type: ignore[attr-defined]
        return [words for words, end in ENDS.items() if end in ends]


@cache
def drawn(seed: int) -> Case:
    """The case of a seed."""
    draw = random.Random(seed)
    cause = [*CAUSES][int(draw.random() * len(CAUSES))]  # random() is the same in every Python
    kernels = [kernel for kernel in KERNELS if cause in failing(kernel)]
    kernel = kernels[int(draw.random() * len(kernels))]
    return Case(seed, kernel, 1 + int(draw.random() * HUGE_PAGES_MAX), cause)


TAKEN = {"seed": 1}
"""The case that the cards are about."""


def case() -> Case:
    """The case that the cards are about."""
    return drawn(TAKEN["seed"])


def take(seed: int) -> Shown:
    """The report of the case of this seed; its cards open again if it is another one."""
    if type(seed) is not int or seed < 0:
        raise ValueError(f"a seed is a whole number from 0 on, not {seed!r}")
    if seed != TAKEN["seed"]:
        TAKEN["seed"] = seed
        for card in (verdict, fitting, look):
            card.forget()
    return Shown(report)


def report() -> pd.DataFrame:
    """What is told of the case."""
    told = {"huge pages in CMA": case().huge_pages, **case().counters, PIN: "-ENOMEM"}
    rows = labels(told, f"kernel: {case().kernel}")
    return frame([[n] for n in told.values()], rows, [f"case {case().seed}"])


def counters(run: Situation) -> pd.DataFrame:
    """What moves in a run, to be compared with the report."""
    return counters_by_version(run, [run.version.name])


def causes() -> str:
    """The causes as rows of a table of the text."""
    rows = []
    for name, (words, set_) in CAUSES.items():
        knobs = ", ".join(f"{knob}={value!r}" for knob, value in set_.items())
        rows.append(f"| `{name}` | {words} | {f'`{knobs}`' if knobs else 'as they are'} |")
    return "\n".join(rows)


# -- the verdict


def verdict_judged(answer: str) -> Verdict:
    """Judged by running every cause that fits the counters."""
    allowed = f"so say the counters: {' or '.join(case().outcomes)}"
    if answer in case().outcomes:
        return passed(allowed)
    why = f"no run of {case().kernel} that ends like this counts {case().moved}"
    return failed(why, second=f"{why}; {allowed}")


@cache
def bench_of(case: Case) -> tuple[str, Situation]:
    """The first cause that ends as the counters allow, and its situation: the bench begins there.

    It need not fit the counters."""
    ends = {ENDS[words] for words in case.outcomes}
    for cause in failing(case.kernel):
        run = small_run(cause, case.kernel, case.huge_pages)
        if run.scenario.outcome(run.last) in ends:  # type: ignore[attr-defined]
            break
    words = f"A run that ends so: {CAUSES[cause][0]}. Does it have the counters of the report?"
    return words, situation(cause, case.kernel, case.huge_pages)


@cache
def picture(made: Situation) -> Picture:
    """The way of a run; it has thousands of steps."""
    run = made.run()
    return flow_picture(run)


def still_bench() -> list[Any]:
    """Where the bench begins."""
    words, made = bench_of(case())
    return [words, picture(made)]


def bench() -> Any:
    """Knobs beside the decisions of a run."""
    import ipywidgets as w

    from mmsim.widgets.console import console

    words, made = bench_of(case())
    knobs = ("targets", "holder", "taken", "released", "trouble")
    return w.VBox([w.HTML(as_html(words)), console(made, knobs=knobs, versions=KERNELS)])


verdict = Card(
    "verdict",
    "How did the pin end?\nSay it before you try anything.",
    Choices(OUTCOMES),
    judge=verdict_judged,
    solution="could not be split",
    hints=(
        "Were splits refused? Were huge pages split? What is left of pgmigrate_fail?",
        "thp_split_page_failed: refused. It stays at 0 if a split is turned away at its entry, or "
        "none is tried. pgmigrate_fail below 512: single pieces. 0: everything moved.",
    ),
    still=still_bench,
    play=bench,
)


# -- every cause that fits

FITS, OUT = "fits", "out"


def why_not(cause: str) -> str:
    """The first counter by which a cause differs from the case."""
    found = seen(cause, case().kernel, case().huge_pages)
    wrong = [f"{n} would be {found[n]}, not {m}" for n, m in case().counters.items()
             if found[n] != m]  # fmt: skip
    return wrong[0] if wrong else f"the pin succeeds in {case().kernel}"


def found_fitting() -> dict[str, str]:
    """Which causes fit."""
    return {name: FITS if name in case().fitting else OUT for name in CAUSES}


def fit(cause: str) -> str:
    """What is so, and why."""
    return "its run has the same counters" if cause in case().fitting else why_not(cause)


fitting = Card(
    "fitting",
    "Which causes fit, and which are out?\n"
    "Decide with a pencil first. One cause that fits is not a diagnosis: others may leave the same "
    "counters.",
    dict.fromkeys(CAUSES, (FITS, OUT)),
    labels={name: f"`{name}`: {words}" for name, (words, _) in CAUSES.items()},
    outcome=found_fitting,
    judge=checked(
        found_fitting,
        lambda cause, said: why_not(cause) if said == FITS else "look at its run once more",
        fit,
        "as counters have it; other observations may still tell them apart",
    ),
    hints=(
        "Go through the causes one by one: which counters does each of them move, and how far?",
        "If you can't tell, try it in the kernel of the case: lesson.counters(vfio_map(...)).",
        "From v1 on a reference is tried again, and leaves more than one refusal behind; base "
        "leaves at the first one.",
    ),
    why=lambda: "\n\n".join(f"`{name}`: {fit(name)}." for name in CAUSES),
)


# -- what to look at


def split_returned(run: Trace) -> str:
    """What each split returned."""
    codes = [errno.name(int(mark.fields["ret"])) for mark in marks(run) if mark.kind == "split_ret"]
    return in_a_row(codes) or "not called"


def references(run: Trace) -> str:
    """What each split found, against what it expected."""
    words = []
    for mark in (mark for mark in marks(run) if mark.kind == "split"):
        more = int(mark.fields["ref"]) - int(mark.fields["expected"])
        words.append("too many" if more > 0 else "too few" if more else "as expected")
    return in_a_row(words) or "not counted"


def left(run: Trace) -> str:
    """How many huge pages and single pages of the guest are in CMA at the end."""
    world: World = run.last.world
    inside = [f.is_thp for pfn, f in world.folios.items() if f.name and world.in_cma(pfn)]
    return f"{sum(inside)} huge, {len(inside) - sum(inside)} single"


LOOKS: dict[str, tuple[str, Callable[[Trace], str]]] = {
    "split_returns": ("What `split_huge_page_to_list()` returns, each time.", split_returned),
    "references": ("The references that a split finds, against the expected number.", references),
    "migrate_returns": (
        "What `migrate_pages()` returns.",
        lambda run: in_a_row(list(map(errno.name, migrate_returns(run)))),
    ),
    "left_in_CMA": ("How many huge pages and single pages are left there afterwards.", left),
}
TRACE, LEAVE = "trace", "leave out"


def tells_apart(looks: Iterable[str]) -> set[frozenset[str]]:
    """Pairs of fitting causes that at least one of these observations tells apart."""
    runs = {c: small_run(c, case().kernel, case().huge_pages) for c in case().fitting}
    return {
        frozenset(pair)
        for pair in combinations(runs, 2)
        if any(LOOKS[name][1](runs[pair[0]]) != LOOKS[name][1](runs[pair[1]]) for name in looks)
    }


def seen_of() -> pd.DataFrame:
    """What each observation would show of each cause that fits."""
    runs = [small_run(cause, case().kernel, case().huge_pages) for cause in case().fitting]
    rows = [[look(run) for run in runs] for _, look in LOOKS.values()]
    return frame(rows, labels(LOOKS, "it would show"), case().fitting)


def look_judged(answer: dict[str, str]) -> Verdict:
    """Judged by what each observation would show of each cause that fits."""
    looks = [name for name, said in answer.items() if said == TRACE]
    every, mine = tells_apart(LOOKS), tells_apart(looks)
    if mine != every:
        pairs = ", ".join(" and ".join(sorted(pair)) for pair in sorted(every - mine, key=sorted))
        return failed(f"{', '.join(looks) or 'nothing'} does not tell apart {pairs}")
    if not looks:
        return passed("one cause fits, so there is nothing to tell apart")
    if any(tells_apart(fewer) == every for fewer in combinations(LOOKS, len(looks) - 1)):
        return failed("as much can be told with fewer: which are really needed?")
    pairs_all = len(case().fitting) * (len(case().fitting) - 1) // 2
    rest = f"; {pairs_all - len(every)} by none of the four" if pairs_all > len(every) else ""
    return passed(f"{len(every)} of {pairs_all} pairs of causes are told apart{rest}")


look = Card(
    "look",
    "What would you look at next?\n"
    "Choose what shows one thing for one of the causes that fit, and another thing for another "
    "cause. Choose no more than you need. If only one cause fits, choose none.",
    dict.fromkeys(LOOKS, (TRACE, LEAVE)),
    labels={name: words for name, (words, _) in LOOKS.items()},
    judge=look_judged,
    solution={name: TRACE if name == "split_returns" else LEAVE for name in LOOKS},
    hints=(
        "For each cause that fits: what would be seen?",
        "A split that lacks memory returns -ENOMEM; one of a page that was cut off, -EBUSY. It is "
        "not called at all if a huge page is free.",
        "A holder adds a reference to the expected ones; a page that was cut off has lost those of "
        "its file, and is freed in the end; a lack of memory changes none.",
    ),
    still=seen_of,
    needs=(fitting,),
)
