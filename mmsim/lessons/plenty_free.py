"""Lesson 03: much memory is free, and no huge page can be had; the numbers that hide it.

Interface: the cards guess, blocks, least, lot, requests, numbers, healthy, measured, pins,
guest, recall, yours; and the names that the text fills in."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import cache
from types import GenericAlias
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MAX_ORDER, MIGRATE_CMA
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.fragmentation import PIN_SCOPE_TYPES, extfrag_index, printed, suitable, summed
from mmsim.lessons.card import Card, checked, keyed
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed
from mmsim.mm.page_alloc import alloc_pages, request, take
from mmsim.mm.zone import Zone, boot
from mmsim.scenarios import boot_guest
from mmsim.scenarios.host import HOST_KNOBS, REQUESTS, Host, fates, host, proc_text
from mmsim.scenarios.situation import Value, one_of
from mmsim.scenarios.situation import number as whole
from mmsim.views.memory import indices_table, machine, memory
from mmsim.views.run import summary
from mmsim.views.show import Picture

if TYPE_CHECKING:
    import pandas as pd

# -- a host after long use

WORN, LENT = {"cma": 0, "used": 60}, {"cma": 25, "used": 60}
KNOBS = (
    one_of("host", "1024", ["16", "64", "1024", "4096", "1048576"], "the host's memory in MiB"),
    *(knob for knob in HOST_KNOBS if knob.name in ("cma", "used", "scattered")),
    whole("seed", 1, 0, 99, "where the pages in use lie"),
    whole("order", HPAGE_PMD_ORDER, 0, MAX_ORDER - 1, "the order that is asked about"),
)


class Asked(NamedTuple):
    """A host, and the order that its picture asks about."""

    host: Host
    order: int = HPAGE_PMD_ORDER

    @property
    def knobs(self) -> Mapping[str, Value]:
        """Those of the host, and the order."""
        return {**self.host.knobs, "order": self.order}

    def with_(self, order: object = None, **knobs: object) -> Asked:
        """Another host, or another order."""
        return Asked(self.host.with_(**knobs), self.order if order is None else int(str(order)))


def drawn(asked: Asked) -> Picture:
    """The host's memory, and what three requests would get from it."""
    seen = memory(asked.host.zone, asked.order)
    got = "; ".join(f"{what}: {fate}" for what, fate in fates(asked.host.zone).items())
    return Picture(seen.svg, f"{seen.sentence} What each request alone would get: {got}.")


def play_host() -> Any:
    """The knobs beside the picture."""
    from mmsim.widgets.console import knobs_beside

    return knobs_beside(Asked(host(**WORN)), KNOBS, drawn)


def huge_blocks(zone: Zone) -> int:
    """Blocks of 2 MiB to be had."""
    return suitable(summed(zone.lists()), HPAGE_PMD_ORDER)


def supply(zone: Zone) -> dict[str, int | str]:
    """Blocks of 2 MiB, and whether a process gets a huge page."""
    fate = fates(zone)["huge page, for a process"]
    return {"blocks": huge_blocks(zone), "huge_page": fate if fate[0] == "-" else "granted"}


guess = Card(
    "guess",
    "A host has 1 GiB, and 40 % of it is free. How many blocks of 2 MiB are free?\n"
    "The host has been running for weeks, and its free pages are scattered. Some stretches of "
    "2 MiB are full. In all the others, pages in use and free pages lie mixed. There is no CMA. "
    "(If all that is free lay together, it would be 204 blocks.)",
    {"blocks": (0, 20, 102, 204), "huge_page": ("granted", "-ENOMEM")},
    labels={
        "blocks": "How many blocks of 2 MiB are free?",
        "huge_page": "A process asks for a huge page. What does it get?",
    },
    outcome=lambda: supply(host(**WORN).zone),
    why="More than 100,000 pages are free, and no 512 of them lie together. It is the same with "
    "`used` at 1. With `scattered` at 0 there are 198 blocks, from the same 40 %. How much is "
    "free, and in what pieces, are two different things.\n\n"
    "Nothing seems to be wrong with this host. Single pages can always be had, and a process that "
    "does not get its huge page gets small ones instead. The largest free blocks have 32 KiB: "
    "eight aligned free pages in a row still happen by chance, 59 times here. Sixteen did not.\n\n"
    '*A common mistake:* "gigabytes are free, so 2 MiB can be had." What counts is whether 512 '
    "aligned neighbours are free *at the same time*.",
    still=lambda: drawn(Asked(host(**WORN))),
    play=play_host,
)


# -- blocks of the buddy allocator

COUNTS = GenericAlias(tuple, (int,) * 5)
FREE = {
    "example": ((3, 3, 1, 0, 0), "1, 2-3, 4-7, 8-9, 11, 12-13, 14"),
    "a": ((1, 2, 0, 1, 0), "0-7, 10-11, 12, 14-15"),
    "b": ((4, 2, 1, 0, 0), "0-1, 2, 5, 6-7, 9, 11, 12-15"),
}
"""Strip of 16 pages -> its free blocks of orders 0 to 4, and by their pages."""


def blocks_judged(answer: dict[str, tuple[int, ...]]) -> Verdict:
    """Each count against the buddy allocator's."""
    for name, given in answer.items():
        counts, where = FREE[name]
        free, mine = (sum(n << order for order, n in enumerate(c)) for c in (counts, given))
        if given != counts:
            why = f"strip {name}: these are not the largest blocks that begin where they may"
            if mine != free:
                why = f"strip {name} has {free} free pages, your blocks have {mine}"
            return failed(why, second=f"strip {name}: the free blocks are {where}")
    return passed(f"a: {FREE['a'][1]}; b: {FREE['b'][1]}")


blocks = Card(
    "blocks",
    "Count the free blocks of orders 0 to 4 in strips a and b.\n"
    "Five numbers for each strip, in brackets. For the strip above they are "
    f"`{FREE['example'][0]}`.",
    {"a": COUNTS, "b": COUNTS},
    judge=blocks_judged,
    solution={name: FREE[name][0] for name in ("a", "b")},
    hints=(
        "A block of order n begins at a multiple of 2 to the power of n.",
        "Look for the largest blocks first, and count no page twice.",
        "In a the largest free block is pages 0-7; that is one of order 3.",
    ),
)


# -- the least that is enough to spoil all

SMALL_PAGES = 8 * HPAGE_PMD_NR


def least_judged(answer: Collection[int]) -> Verdict:
    """As few held pages as possible, and no huge page; judged by asking for one."""
    wanted = sorted(set(answer))
    outside = [page for page in wanted if page not in range(SMALL_PAGES)]
    if outside:
        raise FormError(f"there is no page {outside[0]!r}: they have numbers 0 to 4095")
    zone = boot(SMALL_PAGES)
    for page in wanted:
        take(zone, page, 0)
    share = 100 * zone.nr_free / SMALL_PAGES
    free = f"{len(wanted)} of {SMALL_PAGES:,} pages are held, {zone.nr_free:,} are free"
    pfn = alloc_pages(zone, request(HPAGE_PMD_ORDER))
    if pfn is not None:
        last = pfn + HPAGE_PMD_NR - 1
        return failed(f"{free}, and pages {pfn} to {last} are a huge page: none of yours is there")
    if len(wanted) > SMALL_PAGES // HPAGE_PMD_NR:
        return failed(f"{free}, and no huge page; right, but it can be done with fewer")
    return passed(f"{free}: {share:.1f} %, and no huge page; with fewer held pages there is one")


least = Card(
    "least",
    "Which pages do you hold so that no huge page can be had, and as few as possible?\n"
    "16 MiB of memory have 4,096 pages, numbered from 0, all of them free. The model holds those "
    "that you name and asks for a huge page.",
    judge=least_judged,
    form="[0, 700, 3000]",
    solution=list(range(0, SMALL_PAGES, HPAGE_PMD_NR)),
    hints=(
        "How many huge pages fit into these 16 MiB, and where does each begin?",
        "A huge page is spoiled by any one of its 512 pages.",
        "list(range(0, 4096, 512)) holds the first page of each.",
    ),
)


# -- chance

GIBIBYTE = 1 << 18
SHARES = {"40 %": 40, "75 %": 75, "90 %": 90, "99 %": 99}


def chance(pages: int, free: int, order: int) -> float:
    """The chance of a free block of `order` if `free` of `pages` pages are free, by lot.

    By inclusion and exclusion: add the chances that one given block is free, subtract those that
    two are, because they were added twice, and so on.  Only if few free blocks are to be expected
    do these terms stay small enough for floating point."""
    size, blocks = 1 << order, pages // (1 << order)
    all_free, found = 1.0, 0.0
    for number in range(1, blocks + 1):
        for taken in range((number - 1) * size, number * size):
            all_free *= (free - taken) / (pages - taken)
        if not all_free:
            break
        found -= (-1) ** number * math.comb(blocks, number) * all_free
    return found


def likely(share: float) -> float:
    """The chance of a free huge page in 1 GiB of which `share` percent are free."""
    return chance(GIBIBYTE, round(GIBIBYTE * share / 100), HPAGE_PMD_ORDER)


def share_table() -> pd.DataFrame:
    """The chance of a free huge page in 1 GiB."""
    import pandas as pd

    shares = (40, 75, 90, 98, 98.7, 99)
    index = pd.Index([f"{share} %" for share in shares], name="free, by lot")
    chances = [f"{likely(share):.2g}" for share in shares]
    return pd.DataFrame({"chance of a free block of 2 MiB": chances}, index=index, dtype=object)


lot = Card(
    "lot",
    "1 GiB, its free pages drawn by lot. From where on is a free block of 2 MiB likelier than "
    "not?\nSay how many of the pages must be free.",
    tuple(SHARES),
    outcome=lambda: next(words for words, share in SHARES.items() if likely(share) > 0.5),
    why="So one can't wait for luck. The even chance comes a little above 98.7 %. At 40 % the "
    "chance has 201 zeros behind the point.\n\n"
    "Real memory does not look as if drawn by lot. Pages that can't be moved are kept together, in "
    "pageblocks of another type. And *compaction* moves pages to make room. Where a few pages in "
    "each pageblock can't be moved, neither helps.",
    still=share_table,
)


# -- who gets what

PARTS = dict(zip(("process_huge", "pin_huge", "pin_single"), REQUESTS, strict=True))
WHY = {
    "process_huge": "no list outside CMA has a block of 2 MiB, and this request may borrow",
    "pin_huge": "no list outside CMA has a block of 2 MiB, and what a pin asks for may not borrow",
    "pin_single": "a pin may not borrow, but single pages are free outside CMA",
}


@cache
def got() -> dict[str, str]:
    """What each request gets from the host with CMA."""
    found = fates(host(**LENT).zone)
    return {part: found[name] for part, name in PARTS.items()}


requests = Card(
    "requests",
    "Where does each of three requests get its memory from?\n"
    "Each is made by itself. `-ENOMEM` means from nowhere.",
    dict.fromkeys(PARTS, ("CMA", "ordinary memory", "-ENOMEM")),
    labels={part: f"A {name}." for part, name in PARTS.items()},
    outcome=got,
    judge=checked(
        got,
        lambda part, _: WHY[part],
        lambda part: f"{got()[part]}; {WHY[part]}",
        "a huge page can be had, but only where a pin may not leave it",
    ),
    hints=(
        "Which of the three may use CMA? Is there a free block of 2 MiB outside CMA?",
        "A process's memory is movable and may lie in CMA; what a pin asks for may not.",
        "Only the first may use CMA, and only the last is small enough for the pieces outside.",
    ),
    why="Does the half rule of lesson 02 decide the first one? No: CMA is only 46 % of what is "
    "free. But `__rmqueue()` (Linux 6.1) looks into CMA as soon as the request's own lists have no "
    "block that is large enough. It does so before it takes a block of another type. This is the "
    "second road of lesson 02. When ordinary memory is in pieces, *all* huge pages of guests land "
    "in CMA.\n\n"
    "And then they can't leave it *whole*. For that a pin needs free huge pages outside CMA, and "
    "there are none unless compaction makes some. That is why they lie in CMA.",
    still=lambda: drawn(Asked(host(**LENT))),
)


# -- three numbers


def index_of(knobs: dict[str, int]) -> pd.DataFrame:
    """The kernel's numbers for a host, and those of a pin."""
    return indices_table(host(**knobs).zone.lists(), HPAGE_PMD_ORDER)


numbers = Card(
    "numbers",
    "What they say of the host without CMA",
    still=lambda: index_of(WORN),
    needs=(guess,),
)


def healthy_judged(answer: dict[str, int]) -> Verdict:
    """Nearly everything free, extfrag_index healthy, and no huge page for a pin."""
    zone = host(**answer).zone
    share = 100 * zone.nr_free / zone.nr_pages
    index = extfrag_index(summed(zone.lists()), HPAGE_PMD_ORDER)
    fate = fates(zone)["huge page, for a long-term pin"]
    told = f"{share:.1f} % free, extfrag_index {printed(index)}, a huge page for the pin: {fate}"
    if not fate.startswith("-"):
        return failed(f"{told}; the pin should get nothing")
    if index != -1000:
        return failed(f"{told}; the index should say that a request would succeed")
    if share < 90:
        return failed(f"{told}; at least 90 % should be free")
    return passed(told)


healthy = Card(
    "healthy",
    "Build a host that looks healthy, and has no huge page for a long-term pin.\n"
    "At least 90 % of it is free, and its `extfrag_index` for order 9 is -1.000: a request would "
    "succeed. Choose `cma` and `used`, each from 0 to 100; `scattered` stays at 100.",
    {"cma": int, "used": int},
    judge=healthy_judged,
    solution={"cma": 1, "used": 1},
    hints=(
        "The index counts all free lists, those of CMA too.",
        "Everything outside CMA is scattered: one page of each pageblock in use is enough.",
        "cma=1, used=1: 10 MiB of CMA, and 1 % in use outside it.",
    ),
    why="The table is about the host with 25 % CMA. The kernel's numbers sum up all lists, CMA "
    "included. That makes two traps:\n\n"
    '`extfrag_index` says -1.000, "would succeed", as soon as CMA has a single block that is large '
    "enough. And `unusable_index` looks half good, 0.544, as if the other half of free memory "
    "could be used. By the pin, nothing of it can.\n\n"
    "`/proc/buddyinfo` sums up in the same way. `/proc/pagetypeinfo` has the lists one by one; "
    "look there.",
    still=lambda: index_of(LENT),
)


# -- a real kernel

BOOT = "b8_s10_pinned"
# snapshot -> what had been done by then
STAGES = {
    "0_start": "just booted",
    "1_filled_with_4k_anon": "filled with 4 KiB pages",
    "2_cma_given_back": "CMA freed",
    "3_odd_pfns_freed_even_held": "every other page freed",
    "4_order9_outside_cma_used_up": "order 9 used up",
}


def stage(snapshot: str) -> dict[str, int | str]:
    """Free pages, blocks of 2 MiB, and the kernel's numbers for order 9 at a moment."""

    def rows(file: str) -> list[dict[str, str]]:
        there = load_csv(f"kernel-runs/s10_{file}.csv")
        return [row for row in there if (row["boot"], row["snapshot"]) == (BOOT, snapshot)]

    lists: dict[str, list[int]] = {}
    for row in rows("pagetypeinfo"):
        lists.setdefault(row["migratetype"].upper(), []).append(int(row["free_blocks"]))
    (count,) = rows("snapshots")
    said = {r["index"]: r["value"] for r in rows("extfrag") if r["order"] == str(HPAGE_PMD_ORDER)}
    return {
        "free pages": int(count["nr_free_pages_4k"]),
        "free in CMA": int(count["nr_free_cma_4k"]),
        "2 MiB outside CMA": suitable(summed(lists, PIN_SCOPE_TYPES), HPAGE_PMD_ORDER),
        "2 MiB in CMA": suitable(lists[MIGRATE_CMA], HPAGE_PMD_ORDER),
        **{name: said[name] for name in ("unusable_index", "extfrag_index")},
    }


def pieces_table() -> pd.DataFrame:
    """All moments."""
    import pandas as pd

    index = pd.Index(list(STAGES.values()), name="moment")
    return pd.DataFrame(list(map(stage, STAGES)), index=index, dtype=object)


measured = Card(
    "measured",
    "What the kernel counted while its memory fell to pieces",
    still=pieces_table,
    needs=(healthy,),
    why="At the end 351 MiB are free outside CMA, and none of it in a block of 2 MiB. "
    "`unusable_index` has gone from 0.008 to 0.583; `extfrag_index` is -1.000 all the time.",
)
KINDS = {
    "can't be moved": ((BOOT,), "S2_real"),
    "can't be moved; a temporary reference on the huge page": ((BOOT,), "S3_real_held"),
    "can be moved": (("b9_s10_movable_second", "b9_s10_movable_third"), "S2_real"),
}


def pins_table() -> pd.DataFrame:
    """Pins of huge pages on machines in pieces: where they lay, what became of them."""
    import pandas as pd

    there = load_csv("kernel-runs/s10_s2_real_fragmentation_pins.csv")
    rows = []
    for boots, scenario in KINDS.values():
        found = [r for r in there if r["boot"] in boots and r["scenario"] == scenario]
        sums = {name: sum(int(r[name]) for r in found) for name in (
            "thp_before", "cma_pages_before", "d_thp_migration_success", "d_thp_split_page",
        )}  # fmt: skip
        sums["cma_pages_before"] >>= HPAGE_PMD_ORDER
        rows.append([len(found), *sums.values(), sum(r["pin_errno"] != "0" for r in found)])
    columns = ["pins", "huge pages", "of them in CMA", "moved whole", "split", "failed pins"]
    index = pd.Index(list(KINDS), name="the pages in between", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


pins = Card(
    "pins",
    "On this machine 144 huge pages of a memfd were pinned. What became of them?\n"
    "They were filled as for a guest, and pinned four at a time. The pages in between could not "
    "be moved. Nobody held a temporary reference.",
    dict.fromkeys(("moved_whole", "split", "failed_pins"), (0, 36, 72, 144)),
    labels={
        "moved_whole": "How many huge pages moved whole?",
        "split": "How many were split?",
        "failed_pins": "How many of the 36 pins failed?",
    },
    outcome=lambda: dict(zip(
        ("moved_whole", "split", "failed_pins"), pins_table().iloc[0, 3:].tolist(), strict=True,
    )),
    why="All huge pages lay in CMA: the second road again. Where the pages in between could not be "
    "moved, no huge page moved whole. All were split, and their pieces found room. One temporary "
    "reference that stays on a page that has to be split, and the pin fails (6 of 6). Where the "
    "pages in between could be moved, compaction made room, and nothing was split.",
    still=pins_table,
    needs=(healthy,),
)  # fmt: skip


# -- a guest on such a host


@cache
def guest_run() -> Trace:
    """A guest of four huge pages on the host with CMA."""
    return boot_guest("base", host=1024, guest=8, **LENT).run()


guest = Card(
    "guest",
    "What came of the guest's pin",
    still=lambda: summary(guest_run()).splitlines(),
    needs=(requests,),
    why="More than 500 MiB are free, and the pin returns `-ENOMEM`. With `scattered=0` the same "
    "guest never gets into CMA, and the pin has nothing to do.",
)


# -- from lessons 01 and 02

recall = Card(
    "recall",
    "Three questions about lessons 01 and 02, from memory.",
    {
        "cache": (1, 2, 512),
        "lent": Choices(
            a="any request",
            b="one for memory that can be moved later",
            c="only one for a long-term pin",
        ),
        "half": Choices(
            a="whenever CMA has a free page",
            b="when more than half of the free memory is CMA",
            c="only when nothing else is free",
        ),
    },
    labels={
        "cache": "How many references does the page cache have on a huge page?",
        "lent": "Which request may be served from CMA?",
        "half": "When does such a request go to CMA *first*?",
    },
    judge=keyed(
        {
            "cache": (512, "the page cache has one reference for each of its 512 small pages"),
            "lent": ("b", "only what can be moved away again may lie in memory that is lent"),
            "half": ("b", "the kernel compares free CMA with half of what is free"),
        }
    ),
    solution={"cache": 512, "lent": "b", "half": "b"},
)


# -- the learner's own machine


def example() -> list[Any]:
    """What a host of the model would print, drawn."""
    seen = machine(proc_text(host(**LENT).zone))
    return [Picture(seen.svg, seen.sentence), seen.sentence, seen.table]


def play_paste() -> Any:
    """A place to paste a text."""
    from mmsim.widgets import paste

    return paste()


yours = Card(
    "yours",
    "What does your own machine say?",
    still=example,
    play=play_paste,
    needs=(healthy,),
)
