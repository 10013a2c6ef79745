"""The tasks of lesson 00."""

from __future__ import annotations

from mmsim.checks import ANSWERED, Verdict, failed, passed, task
from mmsim.lessons import counters_of
from mmsim.practice.suspects import SUSPECTS, suspect

# Concept questions: asked before the lessons, answered by what the model does in lesson 04.
QUESTIONS = {
    "users": "A reference count of 514 means that 514 users hold the page.",
    "pinned": "If a huge page can't be split, somebody has pinned it.",
    "free": "If more than 2 MiB are free, a huge page can be had.",
    "ten": "Trying ten times makes success ten times as likely.",
    "errno": "It can matter to a caller whether an error is -EBUSY or -EAGAIN.",
    "counter": "A failure counter can go up by more than one for a single huge page.",
}

AGAIN = "Judge once more; a second wrong answer is told what the model counts."


@task(
    "00.ranking",
    "a list of the four suspects' names, the likeliest first",
    parts=tuple[str, ...],
)
def ranking(answer: tuple[str, ...]) -> Verdict:
    """A bet; it can't be wrong, only incomplete."""
    if sorted(answer) != sorted(SUSPECTS):
        return failed(f"name each of {', '.join(SUSPECTS)} exactly once")
    return passed("your bet is noted; further down you will see which of them the counters allow")


@task(
    "00.ruled_out",
    "a dict: suspect -> True if the two counters rule it out",
    "thp_split_page_failed counts refused attempts, but not those refused at the very entry.",
    "Which of the four is looked at before the split has really begun?",
    "A page under writeback is turned away at the entry: no split event is counted.",
    parts=dict.fromkeys(SUSPECTS, bool),
)
def ruled_out(answer: dict[str, bool]) -> Verdict:
    """Judged by running each suspect in the model."""
    for name in SUSPECTS:
        found = counters_of(suspect(name).run())
        impossible = set(found.values()) != {1}
        if answer[name] is not impossible:
            if "00.ruled_out" not in ANSWERED:
                return failed(f"{name}: would it be turned away at the entry, or inside?", AGAIN)
            told = ", ".join(f"{counter} {n}" for counter, n in found.items())
            fits = "does not fit" if impossible else "fits"
            return failed(f"with {name!r} the model counts {told}, which {fits} the report")
    return passed(
        "one suspect is out, three are left, and these two counters can't tell them apart"
    )


@task("00.pretest", "a dict: question -> True or False", parts=dict.fromkeys(QUESTIONS, bool))
def pretest(answer: dict[str, bool]) -> Verdict:
    """Noted, not judged."""
    return passed(f"{len(QUESTIONS)} answers noted; lesson 04 comes back to them")
