"""The tasks of lesson 07."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mmsim import errno
from mmsim.books import Books, Claim, judged
from mmsim.checks import Verdict, failed, passed, task
from mmsim.mm.versions import LATEST, Attempt
from mmsim.policy import PolicyError, own_policy
from mmsim.retrylaw import Retrying, still_there
from mmsim.scenarios import lru_batch, vfio_map
from mmsim.tasks_04 import migrate_pages_returns
from mmsim.trials import CASES, STEPS_MAX, others_notice, score

# -- recall

RECALL = {
    "eleven": ("c", "ten refusals are counted as they happen, and what still waits once more"),
    "negative": ("b", "a positive number counts what failed, an error code is negative"),
    "others": ("a", "v1 changed what callers see who had asked for no retry"),
}


@task(
    "07.recall",
    "a dict: question -> one letter",
    "All three are in lesson 04.",
    "Ten passes; what still waits after the last one; what migrate_pages() returns.",
    parts=dict.fromkeys(RECALL, ("a", "b", "c")),
)
def recall(answer: dict[str, str]) -> Verdict:
    """Three questions about lesson 04."""
    for name, (letter, why) in RECALL.items():
        if answer[name] != letter:
            return failed(f"{name} is not {answer[name]!r}: {why}")
    return passed("all three are still there")


# -- claims about the books


def _claimed(claim: Claim, keeps: str, breaks: str) -> tuple[str, str]:
    """("", how the search breaks it) for a claim that tells the two versions apart, or (why not,
    "")."""
    right, wrong = judged(claim, keeps), judged(claim, breaks)
    if right.books is not None:
        return f"not even {keeps} keeps it: {right.schedule} ends with {right.books}", ""
    if wrong.books is None:
        return f"{breaks} keeps it too, in all {wrong.ends} different ways its books can end", ""
    return "", f"{breaks} breaks it with {wrong.schedule}\nand these books: {wrong.books}"


@task(
    "07.count",
    "a function of the books that is True or False, for instance lambda c: c.huge_pages > 0",
    "How often may one huge page be counted as moved or as failed?",
    "Add up thp_migration_success and thp_migration_fail. What can the sum never be more than?",
    "lambda c: c.thp_migration_success + c.thp_migration_fail <= c.huge_pages",
)
def count(claim: Callable[[Books], object]) -> Verdict:
    """A claim that v2 breaks and the repaired version keeps."""
    why, how = _claimed(claim, LATEST.name, "v2")
    return failed(why) if why else passed(f"{LATEST.name} keeps your claim, v2 does not", how)


@task(
    "07.moved",
    "a function of the books that is True or False, for instance lambda c: c.pinned",
    "When is a failed pin an injustice? Look at what is left in CMA.",
    "If no page is left in CMA, the pin has to succeed.",
    "lambda c: c.pinned or c.pages_in_cma > 0",
)
def moved(claim: Callable[[Books], object]) -> Verdict:
    """A claim that v2 breaks and the merged version keeps."""
    why, how = _claimed(claim, "v3", "v2")
    return failed(why) if why else passed("v3 keeps your claim, v2 does not", how)


# -- the hole of the second version

HOLE = {
    "6.1.0": "stranger pin*7 pin:fail pin*13",
    "v1": "stranger pin*7 pin:fail pin*4 pin:released pin:ok pin*3 stranger pin pin:ok pin*4 pin:ok",
}
PINNED = "pinned"


def hole_run(version: str) -> Any:
    """Refused once; then the stranger has gone and a free huge page is there."""
    situation = vfio_map(version, targets="either", released=1, order=9)
    state = situation.initial()
    return situation, state


@task(
    "07.hole",
    "a dict: version -> \"pinned\" or an error code, for instance \"-ENOMEM\"",
    "6.1.0 does not try a second time.",
    "The others move the whole page. What do they return: the count of failures, or 0?",
    "v1 looks at what is left on the list, v3 returns 0 if nothing is; v2 only if something was "
    "split.",
    parts=dict.fromkeys(("6.1.0", "v1", "v2", "v3"), (PINNED, "-ENOMEM", "-EAGAIN", "-EBUSY")),
)
def hole(answer: dict[str, str]) -> Verdict:
    """Judged by playing it in each version."""
    return failed(str(answer))
