"""The tasks of lesson 03."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import Any

from mmsim.chance import chance
from mmsim.checks import Verdict, failed, letters, passed, task
from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER
from mmsim.mm.bootmem import boot
from mmsim.mm.fragmentation import extfrag_index, printed, summed
from mmsim.mm.page_alloc import alloc_pages, request, take
from mmsim.scenarios.hosts import REQUESTS, Host, fates, host
from mmsim.views.strips import ORDER, blocks_in_words, cases, free_blocks
from mmsim.views.words import read_fraction

# -- recall

# What earlier lessons have said: the answer, and why.
RECALL = {
    "cache": ("c", "the page cache has one reference for each of its 512 small pages"),
    "cma": ("b", "only what can be moved away again may lie in memory that is lent"),
    "half": ("b", "the kernel compares free CMA with half of what is free"),
}


letters(
    "03.recall",
    RECALL,
    "cache is from lesson 01, the other two are from lesson 02.",
    "cma: the owner wants its memory back. half: there is a comparison with a half.",
    "cache c, and the other two have the same letter.",
)


# -- blocks


@task(
    "03.blocks",
    'a dict: "seed" -> the seed, and each strip -> five numbers, for orders 0 to 4',
    "A block of order n begins at a multiple of 2**n: one of order 2 at page 0, 4, 8 or 12.",
    "Look for the largest blocks first, and count no page twice.",
    "In a the largest free block is pages 0-7; that is one of order 3.",
)
def blocks(answer: dict[str, Any]) -> Verdict:
    """Free blocks of each order in every strip of a seed."""
    for name, held in cases(answer["seed"]).items():
        right, given = free_blocks(held), tuple(answer[name])
        if len(given) != ORDER + 1:
            return failed(f"strip {name}: give five numbers, for orders 0 to {ORDER}")
        for order, (mine, yours) in enumerate(zip(right, given, strict=True)):
            if mine != yours:
                return failed(
                    f"strip {name}, order {order}: the model has {mine}, you have {yours}",
                    f"its free blocks are the pages {blocks_in_words(held)}",
                )
    return passed("all three strips; another seed gives three others")


# -- the least that is enough to spoil all

SMALL_PAGES = 8 * HPAGE_PMD_NR


@task(
    "03.least",
    "the numbers of the pages to hold, for instance [0, 700, 3000]",
    "How many huge pages fit into these 16 MiB, and where does each begin?",
    "A huge page is spoiled by any one of its 512 pages.",
    "list(range(0, 4096, 512)) holds the first page of each.",
)
def least(answer: Collection[int]) -> Verdict:
    """As few held pages as possible, and no huge page; judged by asking for one."""
    wanted = sorted(set(answer))
    outside = [page for page in wanted if page not in range(SMALL_PAGES)]
    if outside:
        return failed(f"there is no page {outside[0]!r}: they are numbered 0 to {SMALL_PAGES - 1}")
    zone = boot(SMALL_PAGES)
    for page in wanted:
        take(zone, page, 0)
    free = f"{len(wanted)} of {SMALL_PAGES:,} pages are held, {zone.nr_free:,} are free"
    pfn = alloc_pages(zone, request(HPAGE_PMD_ORDER))
    if pfn is not None:
        last = pfn + HPAGE_PMD_NR - 1
        return failed(f"{free}, and pages {pfn} to {last} are a huge page: none of yours is there")
    fewest = SMALL_PAGES // HPAGE_PMD_NR
    if len(wanted) > fewest:
        return failed(f"{free}, and no huge page; right, but it can be done with fewer")
    share = 100 * zone.nr_free / SMALL_PAGES
    return passed(f"{free}: {share:.1f} %, and no huge page; with fewer held pages there is one")


# -- the chance


@task(
    "03.chance",
    'a fraction as text, for instance "1/2"',
    "The 4 free pages can be chosen in 70 ways. In how many of them are 0-3 or 4-7 all free?",
    "If 0-3 are to be free, all 4 free pages are used up: that is one way.",
    "Two ways of 70.",
    parts=str,
)
def small_chance(answer: str) -> Verdict:
    """The chance for 8 pages, 4 of them free, and a block of 4."""
    right = chance(8, 4, 2)
    try:
        given = read_fraction(answer)
    except ValueError as error:
        return failed(str(error))
    if given == right:
        return passed(f"2 of the {len(list(combinations(range(8), 4)))} ways: {right}")
    return failed(
        f"{given} is not what counting all ways gives",
        "the ways with a free block: 0-3 free and 4-7 in use, or the other way round",
    )


# -- who gets what

PIECES = {"cma": 25, "used": 60}
"""The host of the second half of the lesson: scattered, with a CMA area that is free."""

_WHY = {
    "huge page, for a process": "no list outside CMA has a block of 2 MiB, and it may borrow",
    "huge page, for a long-term pin": "no list outside CMA has a block of 2 MiB, and what a pin "
    "asks for may not borrow",
    "single page, for a long-term pin": "what a pin asks for may not borrow, but single pages are "
    "free outside CMA",
}


@task(
    "03.requests",
    'a dict: request -> "CMA", "ordinary memory" or "-ENOMEM"',
    "Which of the three may use CMA? Is there a free block of 2 MiB outside CMA?",
    "A process's memory is movable and may lie in CMA; what a pin asks for may not.",
    "Only the first may use CMA, and only the last is small enough for the pieces outside.",
    parts=dict.fromkeys(REQUESTS, ("CMA", "ordinary memory", "-ENOMEM")),
)
def requests(answer: dict[str, str]) -> Verdict:
    """Judged by asking in the model."""
    found = fates(host(**PIECES).zone)
    for what, fate in found.items():
        if answer[what] != fate:
            return failed(f"{what}: {fate}; {_WHY[what]}")
    return passed("a huge page can be had, but only where a pin may not leave it")


@task(
    "03.healthy",
    "host(cma=..., used=...), with knobs of your choice",
    "The index counts all free lists, those of CMA too.",
    "Scatter everything outside CMA, and leave some CMA: scattered=100 and a small cma.",
    "host(cma=1, used=1): 10 MiB of CMA, and 1 % in use outside it.",
    parts=Host,
)
def healthy(answer: Host) -> Verdict:
    """Nearly everything free, extfrag_index healthy, and no huge page for a pin."""
    zone = answer.zone
    share = 100 * zone.nr_free / zone.nr_pages
    index = extfrag_index(summed(zone.lists()), HPAGE_PMD_ORDER)
    got = fates(zone)["huge page, for a long-term pin"]
    told = f"{share:.1f} % free, extfrag_index {printed(index)}, a huge page for the pin: {got}"
    if not got.startswith("-"):
        return failed(f"{told}; the pin should get nothing")
    if index != -1000:
        return failed(f"{told}; the index should say that a request would succeed")
    if share < 90:
        return failed(f"{told}; at least 90 % should be free")
    return passed(told)
