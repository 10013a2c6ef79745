"""Lesson 11: unseen cases, diagnosed from counters.

A case is drawn from a seed.  What is told of it is the kernel, the number of huge pages and what
its counters say; the cause is not, because several may fit.  Nothing is written down: an answer is
judged by running every cause in the same kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import cache, lru_cache
from itertools import combinations
from math import comb
from typing import Any, NamedTuple

from mmsim import errno, progress
from mmsim.amounts import plural
from mmsim.engine.trace import Trace
from mmsim.evidence.counters import EVIDENCE
from mmsim.evidence.ftrace import marks
from mmsim.lessons.card import Card, picks, quiz, widget
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.lessons.migrate_or_split import ANSWERS
from mmsim.lessons.the_report import QUESTIONS, SUSPECTS
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.observed import migrate_returns
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_MOVED, NOT_SPLIT
from mmsim.views.flow import flow_picture
from mmsim.views.show import Shown
from mmsim.views.svg import INK, PANEL, SMALL_TEXT, Picture, Svg
from mmsim.views.tables import PIN, Frame, counters_by_version, frame, labels
from mmsim.views.words import in_a_row

# -- cases

KERNELS = ("base", "v1", "v2")
COUNTERS = tuple(name for name in EVIDENCE if not name.startswith("cma_"))

# What may have happened to the first huge page, and the knobs that make it so.
CAUSES: dict[str, tuple[str, dict[str, object]]] = {
    "reference": ("somebody holds a reference and never lets go", {}),
    "truncated": (
        "the page has just been cut off from its file: the page cache has given back its 512 "
        "references",
        {"holder": 0, "trouble": "truncated"},
    ),
    "nomem": (
        "there is no memory for the file's longer list of pages",
        {"holder": 0, "trouble": "nomem"},
    ),
    "writeback": (
        "the page is being written to disk or swap",
        {"holder": 0, "trouble": "writeback"},
    ),
    "busy": (
        "a huge page is free; somebody holds a reference and never lets go",
        {"targets": "available"},
    ),
    "piece": (
        "the page is split, and one piece is busy when its turn comes",
        {"taken": "0.move.freeze"},
    ),
    "late": (
        "in pass 0 somebody holds a reference, and no huge page is free; before pass 1 the holder "
        "lets go, and a huge page becomes free",
        {"targets": "late", "released": 1},
    ),
    "nobody": ("nobody is in the way", {"holder": 0}),
}
REFUSED, SPLIT, MOVED = "thp_split_page_failed", "thp_split_page", "thp_migration_success"
# The counter that tells most of a cause, and why it does.
TELLING = {
    "reference": (REFUSED, "base tries a refused split once, v1 and v2 try it ten times"),
    "truncated": (
        REFUSED,
        "its refusal has nothing to do with references, so no version tries again",
    ),
    "nomem": (REFUSED, "its refusal has nothing to do with references, so no version tries again"),
    "writeback": (REFUSED, "the split is turned away at its entry, and that is not counted"),
    "busy": (REFUSED, "a huge page is free, so no split is tried"),
    "piece": (SPLIT, "a huge page that nobody holds can be split, and a piece is tried once"),
    "late": (MOVED, "base tries once; v1 and v2 try again, and then the page moves whole"),
    "nobody": (SPLIT, "a huge page that nobody holds can be split"),
}
OUTCOMES = {
    "could not be split": "no huge page was free, and the split was refused or turned away",
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
def counted(cause: str, kernel: str, huge_pages: int) -> dict[str, int]:
    """What the counters would say."""
    vmstat = situation(cause, kernel, huge_pages).run().last.world.vmstat
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

    def counters_with(self, cause: str) -> dict[str, int]:
        """What the counters would say with this cause."""
        return counted(cause, self.kernel, self.huge_pages)

    @property
    def counters(self) -> dict[str, int]:
        """What moved, and what did not."""
        return self.counters_with(self.cause)

    @property
    def fitting(self) -> list[str]:
        """Every cause that gives these counters in this kernel."""
        return [c for c in failing(self.kernel) if self.counters_with(c) == self.counters]

    @property
    def runs(self) -> dict[str, Trace]:
        """A run of each of these."""
        return {c: small_run(c, self.kernel, self.huge_pages) for c in self.fitting}

    @property
    def outcomes(self) -> list[str]:
        """How the pin can have ended, as the counters have it."""
        ends = {
            run.scenario.outcome(run.last)  # type: ignore[attr-defined]
            for run in self.runs.values()
        }
        return [words for words, end in ENDS.items() if end in ends]


@lru_cache(None, typed=True)  # True is no seed
def case_of(seed: int) -> Case:
    """The case of a seed; ValueError for what is no seed."""
    pick = picks(seed)
    cause = pick([*CAUSES])
    kernel = pick([kernel for kernel in KERNELS if cause in failing(kernel)])
    return Case(seed, kernel, pick((1, 2)), cause)


def case() -> Case:
    """The case that the cards are about."""
    return case_of(int(verdict.which))


def take(seed: int) -> Shown:
    """What is told of the case of this seed; its cards open again if it is another one.

    Raises ValueError for what is no seed."""
    if case_of(seed) != case():
        ask_about(seed)
        verdict.solution, look.solution = case().outcomes[0], chosen(fewest_looks())
    facts = {"kernel": case().kernel, "huge pages in CMA": case().huge_pages}
    facts |= {**case().counters, PIN: "-ENOMEM"}
    rows = labels(facts, "what is told")
    return Shown(
        lambda: [ways_picture(), frame([[n] for n in facts.values()], rows, [f"case {seed}"])]
    )


# What may become of a huge page: words, counters, place, and what follows.
WAYS: tuple[tuple[str, tuple[str, ...], float, float, tuple[int, ...]], ...] = (
    ("a huge page in CMA", ("in each pass",), 228, 52, (1, 2, 3)),
    ("moves whole", ("thp_migration_success",), 18, 136, ()),
    ("no huge page is free", ("thp_migration_fail",), 228, 136, (4, 5, 6)),
    ("has no pass left", ("thp_migration_fail",), 438, 136, ()),
    ("is split", ("thp_split_pmd", "thp_split_page", "thp_migration_split"), 18, 220, ()),
    ("the split is refused", ("thp_split_page_failed", "no next pass: call ends"), 228, 220, ()),
    ("is turned away", ("nothing more is counted",), 438, 220, ()),
)
AGAIN = "next pass: it was busy,", "or references refused", "its split (v1 and v2)"
END = (
    "In the end, for each 4 KiB page: pgmigrate_success if moved, pgmigrate_fail if tried and left"
)


def ways_picture() -> Picture:
    """Where each counter goes up."""
    claim = "Where the counters go up: thp_migration_fail has two places"
    told = "; ".join(f"{words}: {', '.join(counters)}" for words, counters, *_ in WAYS[1:])
    svg = Svg(640, 328, claim, f"{told}. {END}.")
    svg.headline(18, 30, 604, claim)
    for words, counters, x, y, then in WAYS:
        for _, _, to_x, to_y, _ in (WAYS[number] for number in then):
            svg.line(x + 92, y + 46, to_x + 92, to_y - 6, stroke=INK, stroke_width=1.5)
            svg.path(f"M{to_x + 92} {to_y}l-5 -9h10Z", fill=INK)
        svg.rect(x, y, 184, 29 + 17 * len(counters), fill=PANEL, stroke=INK, rx=4)
        svg.text(x + 92, y + 20, words, 172, bold=True, anchor="middle")
        for row, counter in enumerate(counters):
            svg.text(x + 92, y + 37 + 17 * row, counter, 172, size=SMALL_TEXT, anchor="middle")
    svg.path("M228 64h-22v22h14", stroke=INK, stroke_width=1.5)
    svg.path("M228 86l-9 -5v10Z", fill=INK)
    for row, line in enumerate(AGAIN):
        svg.note(198, 72 + 16 * row, line, 180, anchor="end")
    svg.note(530, 106, "after the last pass", 150, anchor="middle")
    svg.note(18, 320, END, 604)
    return Picture(svg.render(), f"{claim}. {told}. {END}.")


def counters(**knobs: object) -> Frame:
    """What moves in a run with these knobs, in the kernel of the case."""
    run = vfio_map(case().kernel, thps=case().huge_pages, **knobs)
    return counters_by_version(run, [case().kernel])


def knobs_of_causes() -> str:
    """The knobs of the causes as rows of a table of the text."""
    rows = []
    for name, (_, set_) in CAUSES.items():
        knobs = ", ".join(f"{knob}={json.dumps(value)}" for knob, value in set_.items())
        rows.append(f"| `{name}` | {f'`{knobs}`' if knobs else 'as they are'} |")
    return "\n".join(rows)


# -- the verdict


def judge_verdict(answer: str) -> Verdict:
    """Judged by running every cause that fits the counters."""
    allowed = f"the counters say {' or '.join(map(repr, case().outcomes))}"
    if answer in case().outcomes:
        return passed(allowed)
    why = f"no run of {case().kernel} that ends like this counts what the case says"
    return failed(why, second=f"{why}; {allowed}")


def first_suspect() -> Situation:
    """What the picture with knobs begins with: the first cause, whatever the case is."""
    return situation("reference", case().kernel, case().huge_pages)


def play_causes() -> Any:
    """Knobs beside the decisions of a run."""
    knobs = ("targets", "holder", "taken", "released", "trouble")
    return widget("console", first_suspect(), knobs=knobs, versions=KERNELS)()


verdict = Card(
    "How did the pin end?\n"
    "Say it before you try anything. In code, write one of the four phrases in quotes, without its "
    "bracket.",
    Choices(OUTCOMES),
    judge=judge_verdict,
    solution="could not be split",
    hints=(
        "Were splits refused? Were huge pages split? What is left of pgmigrate_fail?",
        "thp_split_page_failed: refused. It stays at 0 if a split is turned away at its entry, or "
        "none is tried. pgmigrate_fail below 512: single pieces. 0: everything moved.",
    ),
    still=lambda: flow_picture(first_suspect().run()),
    why="This run has the kernel of your case, and the first suspect: a reference that never goes. "
    "Are its counters those of the case? The next card names eight suspects.",
    play=play_causes,
)


# -- every cause that fits

FITS, OUT = "fits", "out"


def why_not(cause: str) -> str:
    """A counter by which a cause differs from the case: the one that tells most, if it does."""
    counters, mine = case().counters, case().counters_with(cause)
    telling, why = TELLING[cause]
    for name in (telling, *counters):
        if mine[name] != counters[name]:
            more = f": {why}" if name == telling else ""
            return f"{name} would be {mine[name]}, not {counters[name]}{more}"
    return f"the pin succeeds in {case().kernel}"


def fit_in_words(cause: str) -> str:
    """What is so, and why."""
    same = f"its run has the same counters; {TELLING[cause][1]}"
    return same if cause in case().fitting else why_not(cause)


def causes_table() -> Frame:
    """The counters of the case beside those of each cause, with a sign where they differ."""
    counters, every = case().counters, [*map(case().counters_with, CAUSES)]
    rows = [
        [n, *(str(mine[name]) if mine[name] == n else f"{mine[name]} ≠" for mine in every)]
        for name, n in counters.items()
    ]
    return frame(rows, labels(counters, "≠: not as in the case"), [f"case {case().seed}", *CAUSES])


fitting = Card(
    "Which causes fit, and which are out?\n"
    "Decide with a pencil first. Then try what you are not sure of, with the knobs of the picture "
    "under your answer to `verdict`. A huge page is free only where the cause says so. One cause "
    "that fits is not a diagnosis: others may leave the same counters.",
    dict.fromkeys(CAUSES, (FITS, OUT)),
    labels={name: words for name, (words, _) in CAUSES.items()},
    outcome=lambda: {name: FITS if name in case().fitting else OUT for name in CAUSES},
    against=lambda cause, said: (
        why_not(cause) if said == FITS else TELLING[cause][1],
        fit_in_words(cause),
    ),
    if_right="if several fit, counters can't tell them apart, but something else may",
    hints=(
        "Go through the causes one by one: which counters does each of them move, and how far?",
        "If you can't tell, try it: lesson.counters(...) with the knobs of the cause.",
        "From v1 on a reference is tried again, and leaves more than one refusal behind; base "
        "leaves at the first one.",
    ),
    still=causes_table,
    why=lambda: "\n\n".join(f"`{name}`: {fit_in_words(name)}." for name in CAUSES),
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


LOOKS: dict[str, tuple[str, Callable[[Trace], str]]] = {
    "split_returns": ("What `split_huge_page_to_list()` returns, each time.", split_returned),
    "references": (
        "The references on the page when a split begins, against 512 + mappings + 1.",
        references,
    ),
    "migrate_returns": (
        "What `migrate_pages()` returns.",
        lambda run: in_a_row(list(map(errno.name, migrate_returns(run)))),
    ),
}
TRACE, LEAVE = "trace", "leave out"


def tells_apart(looks: Collection[str]) -> set[frozenset[str]]:
    """Pairs of fitting causes that at least one of these observations tells apart."""
    shown = {cause: [LOOKS[n][1](run) for n in looks] for cause, run in case().runs.items()}
    return {frozenset((a, b)) for a, b in combinations(shown, 2) if shown[a] != shown[b]}


def fewest_looks() -> tuple[str, ...]:
    """Observations that tell apart all that can be told apart: as few as possible."""
    every = tells_apart(LOOKS)
    choices = (looks for n in range(len(LOOKS) + 1) for looks in combinations(LOOKS, n))
    return next(looks for looks in choices if tells_apart(looks) == every)


def chosen(looks: Collection[str]) -> dict[str, str]:
    """The answer that chooses these observations."""
    return {name: TRACE if name in looks else LEAVE for name in LOOKS}


def judge_look(answer: dict[str, str]) -> Verdict:
    """Judged by what each observation would show of each cause that fits."""
    looks = [name for name, said in answer.items() if said == TRACE]
    every, mine = tells_apart(LOOKS), tells_apart(looks)
    if mine != every:
        pairs = ", ".join(" and ".join(sorted(pair)) for pair in sorted(every - mine, key=sorted))
        return failed(f"{'what you chose' if looks else 'nothing'} does not tell apart {pairs}")
    if not looks:
        return passed("one cause fits, so there is nothing to tell apart")
    if len(looks) > len(fewest_looks()):
        return failed("as much can be told with fewer: which are really needed?")
    of = comb(len(case().fitting), 2)
    return passed(f"told apart: {len(every)} of {plural(of, 'pair')} of causes that fit")


look = Card(
    "What would you look at next?\n"
    "Choose as few observations as you need to tell apart the causes that fit. If two do it "
    "equally well, take either. If only one cause fits, choose none.",
    dict.fromkeys(LOOKS, (TRACE, LEAVE)),
    labels={name: words for name, (words, _) in LOOKS.items()},
    judge=judge_look,
    solution=chosen(["split_returns"]),
    hints=(
        "For each cause that fits: what would be seen?",
        "A split that lacks memory returns -ENOMEM; one of a page that was cut off, -EBUSY. It is "
        "not called at all if a huge page is free.",
        "A holder adds a reference to the expected ones; a page that was cut off has lost those of "
        "its file; a lack of memory changes none.",
    ),
    still=lambda: frame(
        [[observe(run) for run in case().runs.values()] for _, observe in LOOKS.values()],
        labels(LOOKS, "it would show"),
        case().fitting,
    ),
    why="512 + mappings + 1 is the number for a huge page of a file. A page that has just been cut "
    "off has lost the 512 references of the file, so it has too few.",
    needs=(fitting,),
)


# -- before and after


def before_and_after() -> list[Any]:
    """The first answer of lesson 00, if it was kept, beside the one of today."""
    before = progress.recall("the_report.pretest")[0].get("first")
    sides = {"lesson 00": before if isinstance(before, dict) else {}, "today": afterwards.stored}
    said = {when: side for when, side in sides.items() if side}
    true = afterwards.right()
    rows = {
        words: [str(side.get(name)).lower() for side in (*said.values(), true)]
        for name, words in QUESTIONS.items()
    }
    table = frame([*rows.values()], labels(rows, "statement"), [*said, "it is"])
    right = ", ".join(
        f"{when} {sum(side.get(name) is true[name] for name in QUESTIONS)} of 6"
        for when, side in said.items()
    )
    return [table, *[f"Right: {right}."] * bool(said)]


afterwards = Card(
    "The six statements of lesson 00, for the last time: true or false?",
    dict.fromkeys(QUESTIONS, bool),
    labels=QUESTIONS,
    outcome=lambda: {name: true for name, (true, _) in ANSWERS.items()},
    still=before_and_after,
    why="The reasons are under the same statements in lesson 04.",
)


def ask_about(seed: int) -> None:
    """Open the cards for another case."""
    for card in (verdict, fitting, look):
        card.about(str(seed))


ask_about(1)


# -- day 2 and day 7

day_2 = quiz(
    "Day 2: five questions, from memory.",
    {
        "call": (
            "Which call failed in the report?",
            ("mmap()", "VFIO_IOMMU_MAP_DMA", "memfd_create()"),
            "VFIO_IOMMU_MAP_DMA",
            "the one that failed gives a device access, and pins the memory for that",
        ),
        "expected": (
            "An isolated huge page of a memfd, mapped once: which count does the kernel expect?",
            int,
            514,
            "512 of the page cache, 1 mapping, 1 isolation",
        ),
        "once": (
            "What does base try only once?",
            Choices(a="to move a busy page", b="to split a page"),
            "b",
            "a busy move has ten tries; for a long-term pin the patch gives a split as many",
        ),
        "refused": (
            "v2, one reference for ever, no free huge page: how many refused splits?",
            int,
            10,
            "one in each pass",
        ),
        "failures": (
            "And what does `thp_migration_fail` say then?",
            int,
            11,
            "what still waits after the last pass is counted once more",
        ),
    },
)
day_7 = quiz(
    "Day 7: five questions, from memory.",
    {
        "out": (
            "Which of the four suspects do the two counters rule out?",
            SUSPECTS,
            "writeback",
            "such a page is turned away before the split is counted",
        ),
        "mappings": (
            "A huge page of a memfd has 514 references and is isolated, its split is refused, and "
            "one holder has looked it up. How often is it mapped?",
            int,
            0,
            "512 of the page cache, 1 isolation and 1 of the holder; so 513 are expected",
        ),
        "unmapped": (
            "Which refusal leaves a page of a file without its mappings?",
            ("the check", "the freeze"),
            "the freeze",
            "the check changes nothing; the next access maps the page again",
        ),
        "alone": (
            "Nobody is in the way, and the split works. What does the pin return in base?",
            ("512", "-ENOMEM"),
            "-ENOMEM",
            "migrate_pages() returned 1, and base takes anything but 0 for a failure",
        ),
        "passes": (
            "v2, the page is truncated, and no huge page is free: how many passes are made?",
            int,
            1,
            "no reference was in the way, so v2 does not try again",
        ),
    },
)
