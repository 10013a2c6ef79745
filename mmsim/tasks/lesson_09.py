"""The tasks of lesson 09: an unseen case, and the post-test."""

from __future__ import annotations

from typing import Any

from mmsim import errno
from mmsim.checks import Verdict, failed, passed, task
from mmsim.lessons import counters_of
from mmsim.practice.benches import workbench
from mmsim.practice.capstone import (
    CAUSES,
    COUNTERS,
    FATES,
    LOOKS,
    outcome,
    seen,
    tells_apart,
    unseen,
)
from mmsim.retrylaw import Retrying, success
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.hosts import fates, host

# -- the four artefacts


@task(
    "09.fate",
    "a dict: seed, and fate: what became of the pin",
    "Were splits refused? Were huge pages split? What is left of pgmigrate_fail?",
    "thp_split_page_failed: refused. pgmigrate_fail below 512: single pieces. 0: everything moved.",
    parts={"seed": int, "fate": tuple(FATES)},
)
def fate(answer: dict[str, Any]) -> Verdict:
    """Judged by running every cause that fits the counters."""
    case = unseen(answer["seed"])
    possible = {outcome(cause, case.kernel, case.huge_pages) for cause in case.fitting}
    if answer["fate"] not in possible:
        said = ", ".join(f"{name} {n}" for name, n in case.counters.items() if n)
        return failed(f"no run of {case.kernel} that ends like this counts {said}")
    others = possible - {answer["fate"]}
    also = f"; the counters allow {', '.join(sorted(others))}, too" if others else ""
    return passed(f"{answer['fate']}{also}")


@task(
    "09.run",
    "a dict: seed, and run: a situation such as vfio_map(...)",
    "Same kernel, same number of huge pages (thps).",
    "Turn targets, stranger, trouble, taken, released until the counters are the same.",
    "Each cause of the table is a setting of these knobs.",
    parts={"seed": int, "run": Situation},
)
def run_(answer: dict[str, Any]) -> Verdict:
    """Judged by running it: the same kernel, the same counters, a pin that fails."""
    case, situation = unseen(answer["seed"]), answer["run"]
    if situation.version.name != case.kernel:
        return failed(f"the case is about {case.kernel}, your run about {situation.version.name}")
    end = situation.run().last
    for name in COUNTERS:
        if end.world.vmstat[name] != case.counters[name]:
            found = end.world.vmstat[name]
            return failed(f"your run ends with {name} {found}, the case with {case.counters[name]}")
    return passed(f"the same counters, and {situation.result(end)}")


@task(
    "09.fitting",
    "a dict: seed, and fitting: a list of causes",
    "Try each cause in the kernel of the case: vfio_map(kernel, thps=..., ...).",
    "Whoever is tried again leaves more than one refusal behind.",
    parts={"seed": int, "fitting": list[str]},
)
def fitting(answer: dict[str, Any]) -> Verdict:
    """Judged by running each cause."""
    case = unseen(answer["seed"])
    unknown = [cause for cause in answer["fitting"] if cause not in CAUSES]
    if unknown:
        return failed(f"there is no cause {unknown[0]!r}; there are: {', '.join(CAUSES)}")
    for cause in answer["fitting"]:
        if cause not in case.fitting:
            return failed(f"{cause} does not fit: {_why_not(cause, case.seed)}")
    missing = [cause for cause in case.fitting if cause not in answer["fitting"]]
    if missing:
        return failed(f"{len(missing)} more would leave the same counters")
    return passed(f"in {case.kernel} these leave the same counters: {', '.join(case.fitting)}")


def _why_not(cause: str, seed: int) -> str:
    case = unseen(seed)
    found = seen(cause, case.kernel, case.huge_pages)
    for name in COUNTERS:
        if found[name] != case.counters[name]:
            return f"{name} would be {found[name]}, not {case.counters[name]}"
    return "the pin succeeds"


@task(
    "09.look",
    'a dict: seed, and look: a list of observations, ["nothing"] if nothing is to be told apart',
    "What differs between the causes that fit? Run two of them and compare.",
    "A split refused for want of memory returns -ENOMEM; one of a truncated page -EBUSY.",
    parts={"seed": int, "look": list[str]},
)
def look(answer: dict[str, Any]) -> Verdict:
    """Judged by what each observation would show of each cause that fits."""
    case = unseen(answer["seed"])
    looks = [] if answer["look"] == ["nothing"] else answer["look"]
    unknown = [name for name in looks if name not in LOOKS]
    if unknown:
        return failed(f"there is no observation {unknown[0]!r}; there are: {', '.join(LOOKS)}")
    all_, mine = tells_apart(LOOKS, case), tells_apart(looks, case)
    if mine != all_:
        left = ", ".join(" and ".join(sorted(pair)) for pair in sorted(all_ - mine, key=sorted))
        return failed(f"{', '.join(looks) or 'nothing'} does not tell apart: {left}")
    pairs = len(case.fitting) * (len(case.fitting) - 1) // 2
    if not pairs:
        return passed("one cause fits, so there is nothing to tell apart")
    rest = (
        f"; {pairs - len(all_)} can't be told apart by any of the four" if pairs > len(all_) else ""
    )
    return passed(f"{len(all_)} of {pairs} pairs of causes are told apart{rest}")


# `parts` can't say it: an empty list is an answer here.


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
    alone = workbench(mappings=0, isolated="no", holders=0).folio().refcount
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
            f"{blocks} such blocks can be free and all be CMA; then the pin gets {pin}",
        ),
        "window": (equal, "both span 18 ticks, and only that counts"),
        "code": (
            codes["v1"] == codes["v2"],
            f"{errno.name(codes['v1'])} in both; others notice the difference",
        ),
        "books": (
            count != 4,
            f"one page, refused 3 times and then split, counts {count}; {moved} moved",
        ),
    }


@task(
    "09.posttest",
    "a dict: statement -> True or False",
    parts=dict.fromkeys(POSTTEST, bool),
)
def posttest(answer: dict[str, bool]) -> Verdict:
    """Six statements, parallel to those of lesson 00; judged by the model."""
    found = _posttest()
    reasons = "\n".join(f"{name}: {true}; {why}" for name, (true, why) in found.items())
    wrong = [name for name, (true, _) in found.items() if answer[name] is not true]
    if wrong:
        right = len(POSTTEST) - len(wrong)
        return failed(f"{right} of {len(POSTTEST)}; look at {', '.join(wrong)}", reasons)
    return passed("all six; the reasons stand below", reasons)
