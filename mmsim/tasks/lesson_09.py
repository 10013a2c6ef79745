"""The tasks of lesson 09: an unseen case, and the post-test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mmsim import errno
from mmsim.checks import ANSWERED, Verdict, failed, passed, task
from mmsim.evidence.tracer import names
from mmsim.lessons import counters_of, ran
from mmsim.practice.capstone import (
    CAUSES,
    COUNTERS,
    FATES,
    HANDED,
    LOOKS,
    Case,
    looks_needed,
    seen,
    tells_apart,
    unseen,
)
from mmsim.retrylaw import Retrying, success
from mmsim.scenarios import vfio_map
from mmsim.scenarios.hosts import fates, host
from mmsim.scenarios.page_life import folio_of, page_with

# -- the four artefacts

RIGHT: set[tuple[int, str]] = set()
"""Seed and part: a right answer was handed in."""
WRONG: dict[tuple[int, str], list[Any]] = {}
"""Seed and part -> the different answers that were wrong."""
TRIES = 3
NOTHING = ["nothing"]


def settled(part: str, seed: int) -> str:
    """The name under which `after=` finds that nothing about this part is given away any more."""
    return f"09.{part} of case {seed}, rightly or three times"


def about_a_case(
    part: str,
) -> Callable[[Callable[[Case, Any], Verdict]], Callable[[dict[str, Any]], Verdict]]:
    """A judge of one part of a case: what is handed in is kept, and the reply names the case."""

    def wrapped(judge: Callable[[Case, Any], Verdict]) -> Callable[[dict[str, Any]], Verdict]:
        @functools.wraps(judge)
        def judged(answer: dict[str, Any]) -> Verdict:
            case = unseen(answer["seed"])
            verdict = judge(case, answer[part])
            about = case.seed, part
            wrong = WRONG.setdefault(about, [])
            if verdict.state == "passed":
                RIGHT.add(about)
            elif answer[part] not in wrong:
                wrong.append(answer[part])
            if verdict.state == "passed" or about not in RIGHT:
                HANDED.setdefault(case.seed, {})[part] = answer[part]
            if about in RIGHT or len(wrong) >= TRIES:
                ANSWERED.add(settled(part, case.seed))
            return verdict._replace(why=f"case {case.seed}: {verdict.why}")

        return judged

    return wrapped


@task(
    "09.fate",
    "a dict: seed, and fate: what became of the pin",
    "Were splits refused? Were huge pages split? What is left of pgmigrate_fail?",
    "thp_split_page_failed: refused. It stays at 0 if a split is turned away at its entry, or "
    "none is tried. pgmigrate_fail below 512: single pieces. 0: everything moved.",
    parts={"seed": int, "fate": tuple(FATES)},
)
@about_a_case("fate")
def fate(case: Case, answer: str) -> Verdict:
    """Judged by running every cause that fits the counters."""
    if answer not in case.fates:
        said = ", ".join(f"{name} {n}" for name, n in case.counters.items() if n)
        return failed(f"no run of {case.kernel} that ends like this counts {said}")
    others = case.fates - {answer}
    also = f"; the counters allow {', '.join(sorted(others))}, too" if others else ""
    return passed(f"{answer}{also}")


@task(
    "09.run",
    "a dict: seed, and run: a situation such as vfio_map(...)",
    "Same kernel, same number of huge pages (thps).",
    "Try the knobs of one cause after the other, and compare the counters.",
    "case_table(case, vfio_map(...)) has the counters of the case and of your run side by side.",
    parts={"seed": int, "run": object},
)
@about_a_case("run")
def run_(case: Case, answer: Any) -> Verdict:
    """Judged by running it: kernel, number of huge pages, a pin that fails, counters."""
    mine = ran(answer)
    if mine is None:
        kind = type(answer).__name__
        return failed(f"run should be a situation such as vfio_map(...), not of type {kind}")
    situation, trace = mine
    version, pages = situation.version.name, len(names(trace.state(0).world))
    if version != case.kernel:
        return failed(f"it is about {case.kernel}, your run about {version}")
    if pages != case.huge_pages:
        return failed(f"{case.huge_pages} huge pages lay in CMA, in your run {pages}: set thps")
    if "pin" not in trace.results:
        return failed("your run has no pin that ends: leave reason and schedule as they are")
    for name in COUNTERS:
        if (found := trace.last.world.vmstat[name]) != case.counters[name]:
            return failed(f"your run ends with {name} {found}, the case with {case.counters[name]}")
    if trace.results["pin"] >= 0:
        return failed("the same counters, but in your run the pin succeeds")
    return passed(f"the same counters, and {situation.result(trace.last)}")


@task(
    "09.fitting",
    "a dict: seed, and fitting: a list of causes",
    "Try each cause in the kernel of the case: case_table(case, vfio_map(...)).",
    "From v1 on a reference is tried again, and leaves more than one refusal behind; base and "
    "6.1.0 leave at the first one.",
    parts={"seed": int, "fitting": list[str]},
)
@about_a_case("fitting")
def fitting(case: Case, answer: list[str]) -> Verdict:
    """Judged by running each cause."""
    unknown = [cause for cause in answer if cause not in CAUSES]
    if unknown:
        return failed(f"there is no cause {unknown[0]!r}; there are: {', '.join(CAUSES)}")
    for cause in answer:
        if cause not in case.fitting:
            return failed(f"{cause} does not fit: {_why_not(cause, case)}")
    missing = [cause for cause in case.fitting if cause not in answer]
    if missing:
        return failed(f"{len(missing)} more would leave the same counters")
    return passed(f"in {case.kernel} these leave the same counters: {', '.join(case.fitting)}")


def _why_not(cause: str, case: Case) -> str:
    found = seen(cause, case.kernel, case.huge_pages)
    for name in COUNTERS:
        if found[name] != case.counters[name]:
            return f"{name} would be {found[name]}, not {case.counters[name]}"
    return "the pin succeeds"


@task(
    "09.look",
    'a dict: seed, and look: a list of observations, ["nothing"] if nothing is to be told apart',
    "For each cause that fits: what would be seen? from mmsim import show_trace; "
    "show_trace(vfio_map(...).run()) has every step.",
    "A split that lacks memory returns -ENOMEM; one of a page that was cut out, -EBUSY. It is not "
    "called at all if a huge page is free.",
    "A holder adds a reference to the expected ones; a page that was cut out has lost those of its "
    "file, and is freed in the end; a lack of memory changes none.",
    parts={"seed": int, "look": list[str]},
)
@about_a_case("look")
def look(case: Case, answer: list[str]) -> Verdict:
    """Judged by what each observation would show of each cause that fits."""
    looks = [] if answer == NOTHING else answer
    unknown = [name for name in looks if name not in LOOKS]
    if unknown:
        return failed(f"there is no observation {unknown[0]!r}; there are: {', '.join(LOOKS)}")
    all_, mine = tells_apart(LOOKS, case), tells_apart(looks, case)
    if mine != all_:
        why = f"{', '.join(looks) or 'nothing'} does not tell apart what others would"
        if settled("fitting", case.seed) not in ANSWERED:
            return failed(f"{why}; solve 3. first, or try it three times, to be told which causes")
        left = ", ".join(" and ".join(sorted(pair)) for pair in sorted(all_ - mine, key=sorted))
        return failed(f"{why}: {left}")
    if len(set(looks)) > looks_needed(case):
        return failed("as much can be told with fewer: which are really needed?")
    if not looks:
        return passed("one cause fits, so there is nothing to tell apart")
    pairs = len(case.fitting) * (len(case.fitting) - 1) // 2
    rest = f"; {pairs - len(all_)} by none of the four" if pairs > len(all_) else ""
    return passed(f"{len(all_)} of {pairs} pairs of causes are told apart{rest}")


# -- the post-test

POSTTEST = {
    "sum": "A huge page in the page cache that nobody maps has no references.",
    "refused": "A split that is refused shows that somebody holds one reference too many.",
    "room": "If free memory has a block of 2 MiB, a long-term pin can have a huge page.",
    "window": "Ten passes 2 ticks apart outlast a holder as often as three passes 9 ticks apart.",
    "code": "A long-term pin returns the same, whether migrate_pages() returns -EBUSY or -ENOMEM.",
    "books": "thp_migration_fail 4 means that four huge pages could not be moved.",
}


def _posttest() -> dict[str, tuple[bool, str]]:
    """What the model says to each statement."""
    alone = folio_of(page_with(mappings=0, isolated="no", holders=0).run()).refcount
    truncated = counters_of(vfio_map("base", stranger=0, trouble="truncated").run())
    crowded = host(cma=60, used=50).zone
    pin = fates(crowded)["huge page, for a long-term pin"]
    blocks = sum(counts[9] + counts[10] for counts in crowded.blocks_by_type().values())
    equal = success(Retrying(10, 2), 20) == success(Retrying(3, 9), 20)
    codes = {
        v: vfio_map(v, stranger=0, trouble="truncated").run().results["pin"] for v in ("v1", "v2")
    }
    rescued = vfio_map("v2", released=3).run()
    count = counters_of(rescued)["thp_migration_fail"]
    moved = rescued.last.world.vmstat["pgmigrate_success"]
    return {
        "sum": (alone == 0, f"the page cache alone has {alone}, one for each small page"),
        "refused": (
            set(truncated.values()) != {1},
            "a page that was cut out of its file is refused as well, and counted the same",
        ),
        "room": (
            not pin.startswith("-"),
            f"on host(cma=60, used=50) {blocks} such blocks are free, all CMA; the pin gets {pin}",
        ),
        "window": (equal, "both span 18 ticks, and only that counts"),
        "code": (
            codes["v1"] == codes["v2"],
            f"{errno.name(codes['v1'])} in both; others notice the difference",
        ),
        "books": (
            count != 4,
            f"in v2 one page, refused 3 times and then split, counts {count}, and {moved} moved",
        ),
    }


@task(
    "09.posttest",
    "a dict: statement -> True or False",
    "They are about lessons 01, 04, 03, 07, 06 and 07, in this order.",
    "Look for one counterexample: who else refers to a page, what else refuses a split, what else "
    "can a free block be, how often is one page counted?",
    "Two of the six are true.",
    parts=dict.fromkeys(POSTTEST, bool),
)
def posttest(answer: dict[str, bool]) -> Verdict:
    """Six statements, parallel to those of lesson 00; judged by the model."""
    found = _posttest()
    wrong = [name for name, (true, _) in found.items() if answer[name] is not true]
    if wrong:
        right = len(POSTTEST) - len(wrong)
        return failed(f"{wrong[0]}: {found[wrong[0]][1]} ({right} of {len(POSTTEST)} are right)")
    reasons = "\n".join(f"{name}: {true}; {why}" for name, (true, why) in found.items())
    return passed("all six; the reasons stand below", reasons)
