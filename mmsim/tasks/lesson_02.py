"""The tasks of lesson 02."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mmsim.checks import Verdict, failed, letters, passed, task
from mmsim.compare.cma_fallback import FREE, FREE_CMA, curves, zone_with
from mmsim.constants import HPAGE_PMD_NR, PAGE_SIZE
from mmsim.datafiles import load_csv
from mmsim.mm.page_alloc import Request, alloc_pages, request
from mmsim.practice.loans import CMA, ORDINARY, Lending
from mmsim.scenarios import boot_guest, make
from mmsim.views.lending import lending_sentence
from mmsim.views.pinsteps import STEPS, places_of

PER_MIB = (1 << 20) // PAGE_SIZE

RECALL = {
    "error": ("a", "the map failed with -ENOMEM: a huge page could neither be moved nor split"),
    "count": ("b", "512 of the page cache and 1 of the mapping"),
    "stays": ("c", "a VFIO pin stays as long as the device is handed to the guest"),
}


letters(
    "02.recall",
    RECALL,
    "All three are in lessons 00 and 01.",
    "count: the page cache has one reference for each small page inside.",
    "error a, count b, and stays is the one that no transfer ends.",
)


# -- who may borrow

BORROWERS: dict[str, Request] = {
    "guest memory": request(9),
    "process memory": request(0),
    "page table": request(0, "UNMOVABLE"),
    "inode": request(0, "RECLAIMABLE"),
    "new place for a pin": request(9, pin_scope=True),
}
_WHY = {
    "guest memory": "a guest's memory can be moved: its page tables are changed to follow",
    "process memory": "a process's memory can be moved, page by page",
    "page table": "other tables hold its physical address and would not find it elsewhere",
    "inode": "thrown away is not moved: who has its address would not find the copy",
    "new place for a pin": "it is about to be pinned, so it will not be movable",
}


@task(
    "02.borrowers",
    'a dict: what -> "yes" or "no"',
    "Ask of each: can the kernel take its content elsewhere later, and nobody notices?",
    "Two of the five can be moved.",
    "Only the memory of guests and of processes.",
    parts=dict.fromkeys(BORROWERS, ("yes", "no")),
)
def borrowers(answer: dict[str, str]) -> Verdict:
    """Judged by the request that the allocator sees."""
    for name, want in BORROWERS.items():
        right = "yes" if want.alloc_cma else "no"
        if answer[name] != right:
            return failed(f"{name}: {right}; {_WHY[name]}")
    return passed("only what can be moved later; the kernel marks such requests __GFP_MOVABLE")


# -- more than half

MOMENTS = {"a": (2000, 1001), "b": (2000, 1000), "c": (2001, 1001), "d": (2001, 1000)}


@task(
    "02.half",
    'a dict: moment -> "CMA" or "ordinary"',
    "Halve the first number; drop the fraction.",
    "Exactly half is not more than half.",
    "Half is 1,000 in all four.",
    parts=dict.fromkeys(MOMENTS, (CMA, ORDINARY)),
)
def half(answer: dict[str, str]) -> Verdict:
    """Judged by a zone with these counts."""
    for name, (free, free_cma) in MOMENTS.items():
        zone = zone_with(free, free_cma)
        pfn = alloc_pages(zone, request(0))
        right = CMA if pfn is not None and zone.pageblock_type(pfn) == CMA else ORDINARY
        if answer[name] != right:
            return failed(
                f"{name}: the model takes the page from {right}",
                f"{free:,} pages free, half of that {free // 2:,}, CMA {free_cma:,}",
            )
    return passed("the comparison is strict, and the half of an odd number is rounded down")


@task(
    "02.one",
    "lending(cma=..., free=...), with settings of your choice",
    "With equally many pageblocks on both sides every other allocation goes to CMA.",
    "CMA must be behind at first, and become more than half with the seventh or the eighth.",
    "lending(cma=42): 13 pageblocks of CMA beside 19 others.",
    parts=Lending,
)
def one(answer: Lending) -> Verdict:
    """Exactly one allocation in CMA, the others granted."""
    said = lending_sentence(answer)
    landed = answer.count(CMA)
    if landed != 1:
        return failed(f"there {landed} of the eight lie in CMA", said)
    if answer.count(ORDINARY) != len(answer.grants) - 1:
        return failed("one lies in CMA, but not all of the eight were granted", said)
    return passed(said)


# -- the measured kernel


@task(
    "02.first",
    "a number of MiB",
    "Before the first page from CMA, all that is populated comes from the other free memory.",
    "The first one comes when what is free has fallen to twice the CMA.",
    "977 - 2 x 256, in MiB.",
)
def first(answer: Any) -> Verdict:
    """Judged by the counts that the measured kernel started from, with a step of tolerance."""
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return failed(f"a number is wanted, not {answer!r}")
    (curve,) = (
        curve
        for curve in curves(load_csv("kernel-runs/s9_cma_fallback.csv")).values()
        if curve.start["kind"] == "anon_4k" and curve.start["cma_area_pages"] == "65536"
    )
    free, lent = int(curve.start[FREE]), int(curve.start[FREE_CMA])
    right = (free - 2 * lent) / PER_MIB
    if not abs(answer - right) <= 5:  # and not a number at all
        after = free / PER_MIB - answer
        return failed(
            f"with {answer:g} MiB populated, {after:,.0f} MiB would be free: "
            f"256 MiB are {'not yet' if answer < right else 'long since'} more than half of that"
        )
    measured = next(
        int(row["mapped_mib"]) for _, row in curve.rows if int(row["pages_from_cma_in_step"])
    )
    return passed(f"the kernel took its first page from CMA in the step to {measured} MiB")


# -- the second road

SECOND: dict[str, Any] = {
    "host": 1024,
    "cma": 25,
    "used": 30,
    "scattered": 100,
    "guest": 64,
    "pin": "none",
}


@task(
    "02.second",
    "one letter, a to d",
    "Which lists have a block of 2 MiB at all?",
    "The allocator prefers lent memory to breaking up or taking over somebody else's.",
    parts=("a", "b", "c", "d"),
)
def second(answer: str) -> Verdict:
    """A wrong answer meets the run."""
    there = boot_guest(**SECOND).landed()
    told = f"the guest's memory: {there}"
    if answer == "b":
        return passed(told)
    why = {
        "a": "ordinary memory has no free block of 2 MiB",
        "c": "single pages are tried only after a huge page could not be had at all",
        "d": "a huge page that can't be had is no error for a memfd; and here it can be had",
    }[answer]
    return failed(why, told)


# -- the pin

PIN: dict[str, Any] = {"guest": 2, "scattered": 0}
_FIRST = {
    "pin": "the kernel pins first, to hold the page while it looks",
    "look": "what is done about a page depends on what the look has found",
    "let go": "a pinned page can't be moved, so the pin is given back before",
    "move": "the second pin is one on the page in its new place",
    "pin again": "the device gets access only to a page that is pinned where it may stay",
}


@task(
    "02.order",
    "a list of six strings",
    "The kernel pins first and looks afterwards.",
    "A pinned page can't be moved, so between the look and the move something has to happen.",
    "pin, look, let go, move, pin again, map.",
)
def order(answer: list[str]) -> Verdict:
    """Judged by the order in which the model takes these steps."""
    if "wait" in answer:
        return failed("nobody waits: there is nobody to wait for")
    if sorted(answer) != sorted(STEPS):
        return failed(f"six of the seven are needed, each once: {', '.join(STEPS)} or wait")
    at = places_of(boot_guest(**PIN).run())
    for before, after in pairwise(answer):
        if at[before] > at[after]:
            return failed(f"{after!r} comes before {before!r}: {_FIRST[after]}")
    return passed(f"in the model these are steps {', '.join(str(at[name]) for name in answer)}")


OWNERS: dict[str, dict[str, object]] = {
    "nobody": {"blocks": 1, "stranger": 0},
    "for good": {"blocks": 1, "stranger": 1, "targets": "available"},
}


@task(
    "02.owner",
    'a dict: who refers to it -> "memory", "-EBUSY" or "-ENOMEM"',
    "The owner moves the guest's page away first, as a pin would.",
    "A page that somebody refers to can't be moved, however often it is tried.",
    "-EBUSY: the memory is there, but in use.",
    parts=dict.fromkeys(OWNERS, ("memory", "-EBUSY", "-ENOMEM")),
)
def owner(answer: dict[str, str]) -> Verdict:
    """Judged by the run of cma_alloc()."""
    for name, knobs in OWNERS.items():
        run = make("cma_alloc", "base", knobs)
        last = run.run().last
        if run.succeeded(last):
            right = "memory"
            why = "the page is moved away, or split and moved in pieces, and the range is free"
        else:
            right = run.result(last)
            times = last.world.vmstat["pgmigrate_fail"] // HPAGE_PMD_NR
            why = f"the page is tried {times} times ten passes and never comes free"
        if answer[name] != right:
            return failed(f"{name}: {right}; {why}")
    return passed(f"{name}: {why}")
