"""Lesson 00: the bug in one picture, the report, and four suspects of which it rules one out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from mmsim.constants import HPAGE_PMD_NR, MIGRATE_PASSES
from mmsim.evidence.ftrace import real_trace
from mmsim.lessons import number
from mmsim.lessons.card import Card, widget
from mmsim.lessons.form import Choices, FormError, Verdict, failed, noted, passed
from mmsim.scenarios import make
from mmsim.scenarios.observed import counters_of
from mmsim.views.first_screen import (
    NEVER,
    NOBODY,
    frame_svg,
    last_refused,
    passes_of,
    setting_words,
    stops,
    words_of,
)
from mmsim.views.svg import Picture
from mmsim.views.tables import Frame, frame, labels, measured_table

# -- the bug in one picture

SETTINGS = {
    "base, before pass 1": ("base", "1"),
    "base, nobody": ("base", NOBODY),
    "v2, before pass 9": ("v2", "9"),
}
SHOWN = (("base", NEVER), ("v2", NEVER), ("v2", "3"))
PAGES, EXPECTED = HPAGE_PMD_NR, last_refused(stops(*SHOWN[0])).explained


def which_start() -> dict[str, str]:
    """Does the machine start, in each of the settings?"""
    ends = {name: stops(*setting)[-1] for name, setting in SETTINGS.items()}
    return {name: "starts" if end.starts else "does not start" for name, end in ends.items()}


bug = Card(
    "A virtual machine sometimes will not start. Find out when.",
    still=lambda: [Picture(frame_svg(*setting), setting_words(*setting)) for setting in SHOWN],
    play=widget("FirstScreen"),
)
start = Card(
    "When does the machine start? Say it in one sentence, then check three settings.\n"
    "Try the picture first. The sentence is about runs with a holder. `base` is the kernel of the "
    "report. `v1` and `v2` are two versions of the patch against this failure, and here they "
    "behave alike. A setting is a kernel and the moment at which the holder lets go. In "
    "`base, nobody` there is no holder at all. Try all three before you answer.",
    {"sentence": str, **dict.fromkeys(SETTINGS, ("starts", "does not start"))},
    outcome=which_start,
    solution={"sentence": "It starts if the kernel tries again after the holder has let go."}
    | which_start(),
    why="*To compare with yours:* The machine starts with `v1` and `v2` if a pass comes after the "
    "holder has let go. With `base` it never starts here.\n\n"
    "`v1` and `v2` try again in the next pass. In `base` a refused split is final: the holder may "
    "let go a moment later, and it does not help.\n\n"
    "**And without a holder?** Then `base` splits the page and moves all its small pages. But it "
    "has counted the huge page as a failure before the split, and so it still reports one. That "
    f"is another fault of `base`; lesson {number('migrate_or_split')} shows it in the code.",
)


# -- what a counter counts

# A rule in words, and what it gives for so many passes with so many refused splits.
RULES: dict[str, tuple[str, Callable[[int, int], int]]] = {
    "a": ("each refused split", lambda passes, refused: refused),
    "b": ("each pass", lambda passes, refused: passes),
    "c": (
        "each pass, and once more if the page still waits after the tenth",
        lambda passes, refused: passes + (refused == MIGRATE_PASSES),
    ),
    "d": (
        "each refused split, and once more at the end of the whole call",
        lambda passes, refused: refused + 1,
    ),
}


def numbers_of(setting: tuple[str, str]) -> tuple[int, int, int]:
    """What the picture shows of a setting: passes, refused splits, thp_migration_fail."""
    way = stops(*setting)
    return len(passes_of(way)), sum(passes_of(way).values()), way[-1].thp_migration_fail


def judge_counted(letter: str) -> Verdict:
    """A rule is tried on each setting."""
    for setting in SHOWN:
        passes, refused, true = numbers_of(setting)
        mine = RULES[letter][1](passes, refused)
        if mine != true:
            why = f"in `{words_of(*setting)}` that would be {mine}, and it is {true}"
            return failed(why, second=f"{why}; only c gives all three numbers")
    return passed("it gives the number of every setting")


counted = Card(
    "What does `thp_migration_fail` count? Find the rule that fits all three settings.\n"
    "The other one is easy here: `thp_split_page_failed` counts each refused split of the "
    "picture.\n\n"
    + "\n\n".join(
        "`{}`: passes {}, refused splits {}, `thp_migration_fail` {}.".format(
            words_of(*setting), *numbers_of(setting)
        )
        for setting in SHOWN
    ),
    Choices({letter: words for letter, (words, _) in RULES.items()}),
    judge=judge_counted,
    solution="c",
    hints=(
        "Rule b and the last setting agree. Do they agree in the other two?",
        "In `base` nothing waits for another pass: a refused page is given up at once.",
        "Ten passes and a page that is left make 11.",
    ),
    why="Each pass looks for a free huge page first. It finds none, and that is what "
    "`thp_migration_fail` counts; only then the kernel tries to split. So the pass that splits the "
    "page at last is counted, too: *a success leaves failures behind.*\n\n"
    "What still waits when the ten passes are over is counted once more: 10 + 1 = 11. `base` gives "
    "a refused page up in the first pass, and nothing waits. So a kernel that tries once, and is "
    "refused once, leaves one of each.\n\n"
    f"Here no huge page was free. Lesson {number('migrate_or_split')} has the other case.",
    needs=(start,),
)


# -- the suspects

SUSPECTS = ("reference", "truncated", "nomem", "writeback")
PLACES = ("likeliest", "second", "third", "least likely")
FITS, OUT = "fits", "ruled out"


@cache
def counters_with(name: str) -> dict[str, int]:
    """The counters of the report with this suspect alone to blame: base, no free huge page."""
    knobs: dict[str, object] = {"holder": 0, "trouble": name} if name != "reference" else {}
    return counters_of(make("vfio_map", "base", knobs).run())


def which_fit() -> dict[str, str]:
    """Which suspects fit the report, where each counter went up by one?"""
    return {name: FITS if {*counters_with(name).values()} == {1} else OUT for name in SUSPECTS}


def each_once(answer: dict[str, str]) -> Verdict:
    """A bet can't be wrong, only incomplete."""
    if sorted(answer.values()) != sorted(SUSPECTS):
        raise FormError(f"name each of {', '.join(SUSPECTS)} exactly once")
    return noted()


ranking = Card(
    "Place your bet: which of the four caused the failure in the report?\n"
    "Rank them, the likeliest first. Nothing is judged.",
    dict.fromkeys(PLACES, SUSPECTS),
    judge=each_once,
    why="Further down you see which of them the counters allow.",
    solution=["reference", "nomem", "truncated", "writeback"],
)


# -- the same on a real kernel

real = real_trace("S3_held_base_retfix1.txt")
measured = Card(
    "What one failing pin counted on a real kernel",
    still=lambda: measured_table(real),
    needs=(counted,),
)


# -- who is ruled out


def suspects_tried() -> Frame:
    """What the model counts for each suspect, beside the bet if one is known."""
    bet = {name: [place] for place, name in ranking.stored.items()}
    rows = [
        [*counters_with(name).values(), said, *bet.get(name, [])]
        for name, said in which_fit().items()
    ]
    columns = [*counters_with("reference"), "against the report", *(["your bet"] if bet else [])]
    return frame(rows, labels(SUSPECTS, "suspect"), columns)


ruled_out = Card(
    "Which suspects fit the report, and which are ruled out?\n"
    "In the report both counters were 1. Each suspect is tried alone in the model.",
    dict.fromkeys(SUSPECTS, (FITS, OUT)),
    outcome=which_fit,
    against=lambda name, _: (
        "at which line of the table does the function end, and does it count then?",
        f"{which_fit()[name]}; the table has what the model counts",
    ),
    if_right="the others are left, and these two counters can't tell them apart",
    hints=(
        "Find the line of the table at which each suspect's split ends.",
        "What is the difference between `return` and `goto out`?",
        "After `goto out` the result is counted. After `return` it is not.",
    ),
    why="A page under writeback is sent away before `out`, so the refused split is not counted. "
    "The other three end at `out`, and the pair of counters can't choose between them.\n\n"
    "The patch that followed tries again, but only if a reference was in the way. With the other "
    f"two the pin still fails. Lesson {number('migrate_or_split')} shows how the patch tells them "
    "apart.",
    still=suspects_tried,
    needs=(ranking,),
)


# -- six statements

# Asked before the lessons, answered by what the model does in lesson 04.
QUESTIONS = {
    "users": "A reference count of 514 means that 514 users hold the page.",
    "pinned": "If a huge page can't be split, somebody has pinned it.",
    "free": "If more than 2 MiB are free, a huge page can be had.",
    "ten": "Trying ten times makes success ten times as likely.",
    "errno": "It can matter to a caller whether an error is -EBUSY or -EAGAIN.",
    "locked": "While the kernel has a page locked, others can still take references on it.",
}
pretest = Card(
    "Six statements: true or false?\n"
    "You can't know all of this yet, and nothing is judged here. `-EAGAIN` is the error code for "
    '"not now, try again".',
    dict.fromkeys(QUESTIONS, bool),
    labels=QUESTIONS,
    # What many say at first; lesson 04 has the answers.
    solution={name: name not in ("errno", "locked") for name in QUESTIONS},
    why="Lessons 04 and 11 come back to all six.",
)
