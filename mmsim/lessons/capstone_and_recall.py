"""Lesson 11: unseen cases, diagnosed from counters; the six statements once more.

Interface: take and case for the learner; the cards verdict, trial, fitting, look, diagnosis,
posttest; and the names that the text fills in.

A case is drawn from a seed.  What is told of it is the kernel, the number of huge pages and what
its counters say; the cause is not, because several may fit.  Nothing is written down: whoever asks
is answered by running every cause in the same kernel."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.engine.trace import Trace
from mmsim.evidence.diagnose import EVIDENCE, diagnose
from mmsim.evidence.tracer import marks, names
from mmsim.lessons import number
from mmsim.lessons.card import Card, checked
from mmsim.lessons.form import FormError, Verdict, failed, passed, ran
from mmsim.mm.world import World
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_MOVED, NOT_SPLIT
from mmsim.views.diagnosis import explanations
from mmsim.views.flow import flow_sentence, flow_svg
from mmsim.views.show import Picture, Shown
from mmsim.views.tables import PIN, ended, frame, labels

if TYPE_CHECKING:
    import pandas as pd

# -- cases

KERNELS = ("base", "v1", "v2")
HUGE_PAGES_MAX = 2
COUNTERS = tuple(name for name in EVIDENCE if not name.startswith("cma_"))


class Cause(NamedTuple):
    """What may have happened to the first huge page; the others are left alone."""

    words: str
    knobs: Mapping[str, object]


CAUSES = {
    "reference": Cause("no huge page is free; somebody holds a reference and never lets go", {}),
    "truncated": Cause(
        "no huge page is free; the page has just been cut out of its file",
        {"holder": 0, "trouble": "truncated"},
    ),
    "nomem": Cause(
        "no huge page is free; there is no memory for a larger index of the file",
        {"holder": 0, "trouble": "nomem"},
    ),
    "writeback": Cause(
        "no huge page is free; the page is being written to disk or swap",
        {"holder": 0, "trouble": "writeback"},
    ),
    "busy": Cause(
        "a huge page is free; somebody holds a reference and never lets go",
        {"targets": "available"},
    ),
    "piece": Cause(
        "no huge page is free; the page is split, and one piece is busy when its turn comes",
        {"taken": "0.move_freeze"},
    ),
    "late": Cause(
        "no huge page is free, somebody holds a reference; both are over when pass 1 begins",
        {"targets": "late", "released": 1},
    ),
    "nobody": Cause("no huge page is free; nobody is in the way", {"holder": 0}),
}
OUTCOMES = {
    "could not be split": NOT_SPLIT,
    "could not be moved": NOT_MOVED,
    "a piece was left": MISSED,
    "everything moved": ALL_MOVED,
}


def situation(cause: str, kernel: str, huge_pages: int, order: int = 9) -> Situation:
    """A cause in a kernel, for so many huge pages of a guest."""
    return vfio_map(kernel, thps=huge_pages, order=order, **CAUSES[cause].knobs)


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
        return [words for words, end in OUTCOMES.items() if end in ends]


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
        for card in (verdict, trial, fitting, look):
            card.forget()
    return Shown(report)


def report() -> pd.DataFrame:
    """What is told of the case."""
    told = {"kernel": case().kernel, "huge pages in CMA": case().huge_pages, **case().counters}
    rows = {**told, PIN: "-ENOMEM"}
    return frame([[n] for n in rows.values()], labels(rows, "report"), [f"case {case().seed}"])


def causes() -> str:
    """The causes as rows of a table of the text."""
    rows = []
    for name, cause in CAUSES.items():
        knobs = ", ".join(f"{knob}={value!r}" for knob, value in cause.knobs.items())
        rows.append(f"| `{name}` | {cause.words} | {f'`{knobs}`' if knobs else 'none'} |")
    return "\n".join(rows)


# -- the verdict

SURE = ("50 %", "70 %", "90 %", "99 %")
FIRST: dict[int, tuple[bool, int]] = {}
"""Seed -> whether the first verdict was right, and how sure it was, in percent."""


def verdict_judged(answer: dict[str, str]) -> Verdict:
    """Judged by running every cause that fits the counters."""
    right = answer["outcome"] in case().outcomes
    FIRST.setdefault(case().seed, (right, int(answer["sure"].removesuffix(" %"))))
    allowed = f"the counters allow: {' or '.join(case().outcomes)}"
    if not right:
        why = f"no run of {case().kernel} that ends like this counts {case().moved}"
        return failed(why, second=f"{why}; {allowed}")
    return passed(allowed)


def how_sure() -> str:
    """What was said of all cases so far, against what was so."""
    hits, sure = (sum(column) for column in zip(*FIRST.values(), strict=True))
    return (
        f"Of your first verdicts {hits} of {len(FIRST)} were right; as sure as you were, it should "
        f"have been {sure / 100:.1f}. If your 90 % means what it says, nine of ten such verdicts "
        "are right."
    )


def undisturbed() -> Picture:
    """A run that goes well: a huge page is free, and nobody is in the way."""
    kernel, pages = case().kernel, case().huge_pages
    run = vfio_map(kernel, thps=pages, holder=0, targets="available").run()
    return Picture(flow_svg(run), f"Nobody is in the way. {flow_sentence(run)}")


def bench() -> Any:
    """Knobs beside the decisions of a run, set as in the report."""
    from mmsim.widgets.console import console

    knobs = ("targets", "holder", "taken", "released", "trouble")
    return console(vfio_map(case().kernel, thps=case().huge_pages), knobs=knobs, versions=KERNELS)


verdict = Card(
    "verdict",
    "What became of the pin, and how sure are you?\nSay it before you try anything.",
    {"outcome": tuple(OUTCOMES), "sure": SURE},
    judge=verdict_judged,
    solution={"outcome": "could not be split", "sure": "90 %"},
    hints=(
        "Were splits refused? Were huge pages split? What is left of pgmigrate_fail?",
        "thp_split_page_failed: refused. It stays at 0 if a split is turned away at its entry, or "
        "none is tried. pgmigrate_fail below 512: single pieces. 0: everything moved.",
    ),
    why=how_sure,
    still=undisturbed,
    play=bench,
)


# -- a run that does the same


def trial_judged(answer: Any) -> Verdict:
    """Judged by running it: kernel, number of huge pages, a pin that fails, counters."""
    mine = ran(answer)
    if mine is None:
        raise FormError("the answer is a situation such as vfio_map(...)")
    made, trace = mine
    pages = len(names(trace.state(0).world))
    if made.version.name != case().kernel:
        return failed(f"it is about {case().kernel}, your run about {made.version.name}")
    if pages != case().huge_pages:
        return failed(f"{case().huge_pages} huge pages lay in CMA, in your run {pages}: set thps")
    if "pin" not in trace.results:
        return failed("your run has no pin that ends: leave reason and schedule as they are")
    found = trace.last.world.vmstat
    wrong = [f"{name} {found[name]}, not {n}" for name, n in case().counters.items()
             if found[name] != n]  # fmt: skip
    if wrong:
        return failed(f"your run ends with {'; '.join(wrong)}")
    if trace.results["pin"] >= 0:
        return failed("the same counters, but in your run the pin succeeds")
    return passed(f"the same counters, and {made.result(trace.last)}")


trial = Card(
    "trial",
    "Find a run that does the same.\n"
    "It is of the same kernel, with as many huge pages, and ends with the counters of the case.",
    judge=trial_judged,
    form='vfio_map("v2", thps=2, ...)',
    solution=vfio_map("v2", thps=2, holder=0, trouble="nomem"),
    hints=(
        "Same kernel, same number of huge pages (thps).",
        "Try the knobs of one cause after the other, and compare the counters.",
    ),
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
    "Which causes fit?\nOne run that fits is not a diagnosis. Others may leave the same counters.",
    dict.fromkeys(CAUSES, (FITS, OUT)),
    labels={name: f"`{name}`: {cause.words}" for name, cause in CAUSES.items()},
    outcome=found_fitting,
    judge=checked(
        found_fitting,
        lambda cause, said: why_not(cause) if said == FITS else "look at its run once more",
        fit,
        "as counters have it; other observations may still tell them apart",
    ),
    hints=(
        "Try each cause in the kernel of the case: lesson.trial(vfio_map(...)) compares.",
        "From v1 on a reference is tried again, and leaves more than one refusal behind; base "
        "leaves at the first one.",
    ),
    why=lambda: "\n\n".join(f"`{name}`: {fit(name)}." for name in CAUSES),
)


# -- what to look at


def told(kind: str, *fields: str) -> Callable[[Trace], object]:
    """What a tracer would print of this kind."""

    def found(run: Trace) -> object:
        lines = (mark for mark in marks(run) if mark.kind == kind)
        return tuple(tuple(line.fields[field] for field in fields) for line in lines)

    return found


def left(run: Trace) -> object:
    """How many huge pages and single pages of the guest are in CMA at the end."""
    world: World = run.last.world
    inside = [f for pfn, f in world.folios.items() if f.name and world.in_cma(pfn)]
    return sum(f.is_thp for f in inside), sum(not f.is_thp for f in inside)


LOOKS: dict[str, tuple[str, Callable[[Trace], object]]] = {
    "split_returns": (
        "What `split_huge_page_to_list()` returns, each time.",
        told("split_ret", "ret"),
    ),
    "references": (
        "The references that a split found, and those that it expected.",
        told("split", "ref", "expected"),
    ),
    "migrate_returns": ("What `migrate_pages()` returns.", told("return", "return")),
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
    "Choose the *fewest* observations that tell the causes that fit apart, as far as all four "
    "together can. Any choice of so few will do. If one cause fits, choose none.",
    dict.fromkeys(LOOKS, (TRACE, LEAVE)),
    labels={name: words for name, (words, _) in LOOKS.items()},
    judge=look_judged,
    solution={name: TRACE if name == "split_returns" else LEAVE for name in LOOKS},
    hints=(
        "For each cause that fits: what would be seen? A run that stands alone in a cell, such as "
        "vfio_map(...).run(), shows its steps.",
        "A split that lacks memory returns -ENOMEM; one of a page that was cut out, -EBUSY. It is "
        "not called at all if a huge page is free.",
        "A holder adds a reference to the expected ones; a page that was cut out has lost those of "
        "its file, and is freed in the end; a lack of memory changes none.",
    ),
    needs=(fitting,),
)
diagnosis = Card(
    "diagnosis",
    "What the machine says",
    still=lambda: explanations(
        diagnose("\n".join(f"{n} +{m}" for n, m in case().counters.items()), kernel=case().kernel)
    ),
    needs=(fitting,),
)


# -- six statements

# Statement, whether it is true, and why.
STATEMENTS = {
    "sum": (
        "A huge page in the page cache that nobody maps has no references.",
        False,
        "the page cache alone has 512, one for each small page",
    ),
    "refused": (
        "A split that is refused shows that somebody holds one reference too many.",
        False,
        "a page that was cut out of its file is refused as well, and counted the same",
    ),
    "room": (
        "If free memory has a block of 2 MiB, a long-term pin can have a huge page.",
        False,
        "on host(cma=60, used=50) 154 such blocks are free, all CMA; the pin gets -ENOMEM",
    ),
    "window": (
        "Ten passes 2 ticks apart outlast a holder as often as three passes 9 ticks apart.",
        True,
        "both span 18 ticks, and only that counts",
    ),
    "code": (
        "A long-term pin returns the same, whether `migrate_pages()` returns -EBUSY or -ENOMEM.",
        True,
        "-ENOMEM with v1 and with v2; others notice the difference",
    ),
    "books": (
        "`thp_migration_fail` 4 means that four huge pages could not be moved.",
        False,
        "in v2 one page, refused 3 times and then split, counts 4, and all 512 pieces moved",
    ),
}
ABOUT = (
    "who_holds_this_page",
    "migrate_or_split",
    "plenty_free",
    "how_likely",
    "review_v1_then_v2",
    "v2_is_not_the_end",
)
posttest = Card(
    "posttest",
    "Six statements: true or false?\nThey are the six of lesson 00 in other words.",
    dict.fromkeys(STATEMENTS, bool),
    labels={name: statement for name, (statement, _, _) in STATEMENTS.items()},
    judge=checked(
        lambda: {name: true for name, (_, true, _) in STATEMENTS.items()},
        lambda name, _: STATEMENTS[name][2],
        lambda name: f"{str(STATEMENTS[name][1]).lower()}; {STATEMENTS[name][2]}",
        "all six",
    ),
    solution={name: true for name, (_, true, _) in STATEMENTS.items()},
    hints=(
        f"They are about lessons {', '.join(map(number, ABOUT))}, in this order.",
        "Look for one counterexample: who else refers to a page, what else refuses a split, what "
        "else can a free block be, how often is one page counted?",
        "Two of the six are true.",
    ),
    why="\n\n".join(f"`{name}`: {why}." for name, (_, _, why) in STATEMENTS.items()),
)
