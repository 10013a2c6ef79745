"""The tasks of lesson 07."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from fractions import Fraction

from mmsim import errno
from mmsim.checks import ANSWERED, FormError, Verdict, failed, letters, passed, task
from mmsim.engine.trace import Trace
from mmsim.evidence.tracer import migrate_returns
from mmsim.mm.versions import HUGE_PAGE, LATEST, PIECE, SINGLE_PAGE, Attempt
from mmsim.policy import PolicyError, limited, own_policy
from mmsim.practice.books import Books, Claim, judged
from mmsim.practice.trials import CASES, STEPS_MAX, others_notice, score
from mmsim.retrylaw import Retrying, still_there
from mmsim.scenarios import lru_batch, vfio_map
from mmsim.views.words import read_fraction

# -- recall

RECALL = {
    "eleven": ("c", "ten refusals are counted as they happen, and what still waits once more"),
    "negative": ("b", "a positive number counts what failed, an error code is negative"),
    "others": ("a", "v1 changed what callers see who had asked for no retry"),
}


letters(
    "07.recall",
    RECALL,
    "All three are in lesson 04.",
    "Ten passes; what still waits after the last one; what migrate_pages() returns.",
)


LINE_MAX = 90
UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")

# -- claims about the books


def counted_once(found: Books) -> bool:
    """What the search of lesson 07 is about: no huge page is counted as moved and as failed."""
    return found.thp_migration_success + found.thp_migration_fail <= found.huge_pages


def _claimed(claim: Claim, keeps: str, breaks: str, known: Claim | None = None) -> Verdict:
    """Does a claim tell two versions apart?  `known`: also tell the shortest run that breaks it."""
    said: dict[Books, object] = {}

    def noted(found: Books) -> object:
        said[found] = claim(found)
        return said[found] is None or said[found]  # go on: perhaps it answers for others

    right, wrong = judged(noted, keeps), judged(noted, breaks)
    if set(said.values()) == {None}:
        return UNTOUCHED
    for found, answer in said.items():
        if not isinstance(answer, bool):
            return failed(f"your claim returns {answer!r:.40}, not True or False, for {found}")
    if right.books is not None:
        return failed(f"not even {keeps} keeps it: {right.schedule} ends with {right.books}")
    if wrong.books is None:
        ends = f"in all {wrong.ends} different ways its books can end"
        return failed(f"{breaks} keeps it too, {ends}")
    told = [f"{breaks} breaks it with {wrong.schedule}", f"and these books: {wrong.books}"]
    shortest = judged(known, breaks) if known is not None else wrong
    if shortest.schedule != wrong.schedule:
        told.append(f"the shortest run with one page as moved and as failed: {shortest.schedule}")
        told.append(f"and these books: {shortest.books}")
    lines = "\n".join(textwrap.fill(line, LINE_MAX, subsequent_indent="  ") for line in told)
    return passed(f"{keeps} keeps your claim, {breaks} does not", lines)


@task(
    "07.count",
    "a function of the books that is True or False, for instance lambda c: c.huge_pages > 0",
    "How often may one huge page be counted as moved or as failed?",
    "Add up thp_migration_success and thp_migration_fail. What can the sum never be more than?",
    "lambda c: c.thp_migration_success + c.thp_migration_fail <= c.huge_pages",
)
def count(claim: Callable[[Books], object]) -> Verdict:
    """A claim that v2 breaks and the repaired version keeps."""
    return _claimed(claim, LATEST.name, "v2", counted_once)


@task(
    "07.moved",
    "a function of the books that is True or False, for instance lambda c: c.pinned",
    "When is a failed pin an injustice? Look at what is left in CMA.",
    "If no page is left in CMA, the pin has to succeed.",
    "lambda c: c.pinned or c.pages_in_cma > 0",
)
def moved(claim: Callable[[Books], object]) -> Verdict:
    """A claim that v2 breaks and the merged version keeps."""
    return _claimed(claim, "v3", "v2")


# -- the hole of the second version

PINNED = "pinned"
HOLE_VERSIONS = ("6.1.0", "v1", "v2", "v3")
_NOT_ZERO = "the refusal was counted. Does anything make the count 0 before it is returned?"
HOLE_ASKS = {
    "6.1.0": "does it come to a second try?",
    "v1": "what does its pin look at: a number, or what is left on the list?",
    "v2": _NOT_ZERO,
    "v3": _NOT_ZERO,
}


def pin_in_words(result: int) -> str:
    """What a pin returned, as the answers say it."""
    return PINNED if result > 0 else errno.name(result)


@task(
    "07.hole",
    'a dict: version -> "pinned" or an error code, for instance "-ENOMEM"',
    "6.1.0 does not try a second time.",
    "The others move the whole page. What does migrate_pages() return: the count, or 0?",
    "v1's pin looks at what is left on the list. v3 returns 0 if nothing is left, v2 only if "
    "something was split.",
    parts=dict.fromkeys(HOLE_VERSIONS, (PINNED, "-ENOMEM", "-EAGAIN", "-EBUSY")),
)
def hole(answer: dict[str, str]) -> Verdict:
    """Judged by running each version."""
    for version in HOLE_VERSIONS:
        run = vfio_map(version, targets="late", released=1).run()
        found = pin_in_words(run.results["pin"])
        if answer[version] != found and "07.hole" not in ANSWERED:
            return failed(f"{version}: not {answer[version]!r}; {HOLE_ASKS[version]}")
        if answer[version] != found:
            moved_ = run.last.world.vmstat["pgmigrate_success"]
            rc = errno.name(migrate_returns(run)[-1])
            return failed(
                f"{version}: {moved_} pages have moved, migrate_pages() returns {rc}, and the pin "
                f"comes to {found}"
            )
    return passed("v2 alone moves everything and lets the pin fail")


# -- the retry law

LAW_HOLD, LAW = 4, Retrying(passes=3, gap=2)
IN_ONE = "And how likely is it that the reference is kept through one of them?"


@task(
    "07.law",
    'a fraction as text, for instance "1/2"',
    "It has to be kept through every tick between the first pass and the last.",
    "Three passes, two ticks apart: from the first to the last it is four ticks.",
    "In each tick it is kept with the probability 3/4.",
    parts=str,
)
def law(answer: str) -> Verdict:
    """How likely is it that all three passes meet the holder, given that the first did?"""
    exact = still_there(Fraction(1, LAW_HOLD), LAW.window)
    try:
        given = read_fraction(answer)
    except ValueError as error:
        raise FormError(str(error)) from None
    if given == 1 - exact:
        return failed(f"{given} is the chance that a later pass finds it gone; asked for the other")
    if given != exact and "07.law" not in ANSWERED:
        return failed(f"not {given}; how many ticks is it from the first pass to the last?", IN_ONE)
    if given != exact:
        ticks = f"{LAW.passes} passes, {LAW.gap} ticks apart, span {LAW.window} ticks"
        return failed(f"{given} is {float(given):.3f}; {ticks}, each survived with 3/4")
    return passed(f"(3/4) to the power {LAW.window} is {exact}, about {float(exact):.2f}")


# -- another holder

REMEDIES = ("v2", "subpage_retry", "wait", "drain")


def tries_to_move(run: Trace) -> int:
    """How often a run of `lru_batch` tries to move the page that is in the batch, its first."""
    pfn = min(run.state(0).world.folios)
    return sum(e.op.kind.name == "folio_expected_refs" and e.op.args[0] == pfn for e in run.events)


@task(
    "07.batch",
    "a dict: what is tried -> True if the pin then succeeds",
    "Whose reference is it, and what would make it go?",
    "Neither trying again nor waiting empties a batch of another CPU.",
    parts=dict.fromkeys(REMEDIES, bool),
)
def batch(answer: dict[str, bool]) -> Verdict:
    """Judged by running each on the page in the batch."""
    for name in REMEDIES:
        run = lru_batch(name).run()
        helps = run.results["pin"] > 0
        if answer[name] is not helps and "07.batch" not in ANSWERED:
            return failed(f"{name}: what has to happen before the batch lets go, and does it here?")
        if answer[name] is not helps:
            tries, result = tries_to_move(run), pin_in_words(run.results["pin"])
            return failed(f"{name}: {tries} tries for the page in the batch, and {result}")
    return passed("nobody lets go of it by himself; somebody has to empty the batch")


@task(
    "07.flag",
    "one letter",
    "Compare the two runs: in which one does the pin empty the batches, and before what?",
    "collect_longterm_unpinnable_pages() drains if a page is not on an LRU list.",
    parts=("a", "b", "c"),
)
def flag(answer: str) -> Verdict:
    """Why the pin empties the batches in one run and not in the other."""
    if answer == "a":
        result = pin_in_words(lru_batch("drain").run().results["pin"])
        return failed(
            f"with `drain` the same page comes to {result!r}: a drain empties every batch"
        )
    if answer == "b":
        world = lru_batch().initial().world
        holders = ", ".join(who for who, _ in world.folios[min(world.folios)].held)
        return failed(f"before the first step the {holders} already refers to the page")
    return passed("PG_lru is all that this pin looks at before it drains, if it isolates as meant")


# -- a policy of one's own


FIRST = [
    Attempt(what, "-EAGAIN", "longterm_pin", 1, "try again")
    for what in (HUGE_PAGE, PIECE, SINGLE_PAGE)
]


@task(
    "07.policy",
    "a function of an attempt that returns one of the four decisions",
    "What helps against the batch? When is it enough to do that?",
    "First ask attempt.pin_is_busy, so that nobody else notices.",
    'drain after the first try (attempt.tries == 1); for the rest attempt.usual, or "wait" for a '
    "few tries.",
)
def policy(decide: Callable[[Attempt], str]) -> Verdict:
    """Better than the last version where something can be won, and no burden elsewhere."""
    try:
        row = own_policy(decide)
        if all(limited("policy", decide, attempt) is None for attempt in FIRST):
            return UNTOUCHED
        if notice := others_notice(row):
            return failed(f"callers who pin nothing notice it: {', '.join(notice)}")
        for name, case in CASES.items():
            mine, without = score(row, name), score(LATEST, name)
            if not case.winnable and mine.steps > STEPS_MAX:
                return failed(f"{name}: {mine.steps} steps until it gives up; at most {STEPS_MAX}")
            if case.winnable and mine.odds <= without.odds:
                yours, usual = (f"{float(100 * each.odds):.1f} %" for each in (mine, without))
                told = "worse" if mine.odds < without.odds else "not better yet"
                told = f"yours {yours}, {LATEST.name} {usual}: {told}"
                return failed(f"{name} ({case.what}): {told}")
    except PolicyError as error:
        return failed(str(error))
    return passed("better in every case that can be won, and nobody else notices")
