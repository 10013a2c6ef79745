"""Lesson 03: much memory is free, and no huge page can be had; the numbers that hide it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MAX_ORDER, MIGRATE_CMA
from mmsim.datafiles import load_csv
from mmsim.errno import ENOMEM
from mmsim.errno import name as errno_name
from mmsim.lessons.card import Card, Pick, quiz, seeded, widget
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed
from mmsim.mm.boot import boot
from mmsim.mm.fragmentation import PIN_SCOPE_TYPES, extfrag_index, format_index, suitable, sum_types
from mmsim.mm.page_alloc import get_page_from_freelist, request, take_block
from mmsim.mm.untouched import pattern
from mmsim.scenarios.hosts import HOST_KNOBS, host
from mmsim.scenarios.knobs import number as whole
from mmsim.scenarios.knobs import one_of
from mmsim.views.memory import indices_table, machine, memory, proc_text
from mmsim.views.svg import Picture
from mmsim.views.tables import Frame, frame, labels

# -- a host after long use

WORN, LENT = {"cma": 0, "used": 60}, {"cma": 25, "used": 60}
TIDY = {**WORN, "scattered": 0}
KNOBS = (
    one_of("host", "1024", ["16", "64", "1024", "4096", "1048576"], "the host's memory in MiB"),
    *(knob for knob in HOST_KNOBS if knob.name in ("cma", "used", "scattered")),
    whole("seed", 1, 0, 99, "where the pages in use lie"),
    whole("order", HPAGE_PMD_ORDER, 0, MAX_ORDER - 1, "the order that is asked about"),
)


def host_picture(order: int = HPAGE_PMD_ORDER, **knobs: object) -> Picture:
    """The memory of a host, and the order that the picture asks about."""
    return memory(host(**knobs).zone, order)


worn = Card(
    "A host of 1 GiB that has been in use for weeks",
    still=lambda: host_picture(**WORN),
    play=widget("Console", host_picture, KNOBS, **WORN),
)


# -- blocks of the buddy allocator

ORDERS = tuple(f"order_{n}" for n in range(5))


def free_blocks(held: Collection[int]) -> tuple[dict[str, int], str]:
    """Of 16 pages with these in use: the free blocks of each order, and the pages of each."""
    found = pattern(len(ORDERS) - 1, [(page, 0) for page in held])
    ends = [(b.offset, b.offset + (1 << b.order) - 1) for b in found.blocks if b.held is None]
    where = ", ".join(f"{a}-{z}" if a < z else str(a) for a, z in ends)
    return dict(zip(ORDERS, found.free, strict=False)), where


def blocks_card(question: str, held: Collection[int], *more: str) -> Card:
    """A card that asks for the free blocks of the strip in which these pages are in use."""
    counts, where = free_blocks(held)

    def judge(given: dict[str, int]) -> Verdict:
        if given == counts:
            return passed(f"the free blocks are {where}")
        free, mine = (sum(c[o] << n for n, o in enumerate(ORDERS)) for c in (counts, given))
        why = "these are not the largest blocks that begin where they may"
        if mine != free:
            why = f"the strip has {free} free pages, your blocks have {mine}"
        return failed(why, second=f"the free blocks are {where}")

    return Card(
        question,
        dict.fromkeys(ORDERS, int),
        judge=judge,
        solution=counts,
        hints=(
            "A block of order n begins at a multiple of 2 to the power of n.",
            "Look for the largest blocks first, and count no page twice.",
            *more,
        ),
    )


EXAMPLE, MINE = (0, 10, 15), (3, 4, 8, 10)
blocks = blocks_card(
    "How many free blocks of orders 0, 1, 2, 3 and 4 has your strip?\n"
    f"For the example they are {', '.join(map(str, free_blocks(EXAMPLE)[0].values()))}.",
    MINE,
    "The largest free block is pages 12-15; that is one of order 2.",
)


# -- the least that is enough to spoil all

SMALL_PAGES = 8 * HPAGE_PMD_NR


def judge_least(answer: Collection[int]) -> Verdict:
    """As few pages in use as possible, and no huge page; judged by asking for one."""
    wanted = sorted(set(answer))
    outside = [page for page in wanted if page not in range(SMALL_PAGES)]
    if outside:
        raise FormError(f"there is no page {outside[0]!r}: they have numbers 0 to 4095")
    zone = boot(SMALL_PAGES)
    for page in wanted:
        take_block(zone, page, 0)
    share = 100 * zone.nr_free / SMALL_PAGES
    free = f"{len(wanted)} of {SMALL_PAGES:,} pages are in use, {zone.nr_free:,} are free"
    pfn = get_page_from_freelist(zone, request(HPAGE_PMD_ORDER))
    if pfn is not None:
        last = pfn + HPAGE_PMD_NR - 1
        return failed(f"{free}, and pages {pfn} to {last} are a huge page: none of yours is there")
    if len(wanted) > SMALL_PAGES // HPAGE_PMD_NR:
        return failed(f"{free}, and no huge page; right, but it can be done with fewer")
    return passed(f"{free}: {share:.1f} %, and no huge page")


least = Card(
    "Put as few pages in use as you can, and leave no place for a huge page. Which ones?\n"
    "16 MiB of memory have 4,096 pages, numbered from 0, all of them free. The model puts those "
    "in use that you name, and then asks for a huge page.",
    judge=judge_least,
    form="[0, 700, 3000]",
    solution=list(range(0, SMALL_PAGES, HPAGE_PMD_NR)),
    hints=(
        "How many huge pages fit into these 16 MiB, and where does each begin?",
        "A huge page is spoiled by any one of its 512 pages.",
        "list(range(0, 4096, 512)) puts the first page of each in use.",
    ),
    why="A huge page can begin only at a multiple of 512, so there are eight places for one. A "
    "single page in use spoils its place, any of the 512, and no page can spoil two. So eight are "
    "needed, and eight are enough.\n\n"
    "The host at the top is spoiled in this way: each of its pageblocks has pages in use. It has "
    "no block of 2 MiB even with `used` at 1.",
)


# -- who gets what

REQUESTS = {
    "process_huge": ("huge page, for a process", request(HPAGE_PMD_ORDER)),
    "pin_huge": ("huge page, for a long-term pin", request(HPAGE_PMD_ORDER, pin_scope=True)),
    "pin_single": ("single page, for a long-term pin", request(0, pin_scope=True)),
}
WHY = {
    "process_huge": "no list outside CMA has a block of 2 MiB, and this request may borrow",
    "pin_huge": "no list outside CMA has a block of 2 MiB, and what a pin asks for may not borrow",
    "pin_single": "a pin may not borrow, but single pages are free outside CMA",
}


@cache
def served() -> dict[str, str]:
    """Where each request gets its memory on the host with CMA, if it comes alone."""
    found = {}
    for part, (_, want) in REQUESTS.items():
        zone = host(**LENT).zone
        pfn = get_page_from_freelist(zone, want)
        if pfn is None:
            found[part] = errno_name(-ENOMEM)
        else:
            found[part] = "CMA" if zone.pageblock_type(pfn) == MIGRATE_CMA else "ordinary memory"
    return found


requests = Card(
    "Where does each of three requests get its memory from?\n"
    "Each is made by itself. A process's memory can be moved later. `-ENOMEM` means from nowhere.",
    dict.fromkeys(REQUESTS, ("CMA", "ordinary memory", "-ENOMEM")),
    labels={part: f"A {words}." for part, (words, _) in REQUESTS.items()},
    outcome=served,
    against=lambda part, _: (WHY[part], f"{served()[part]}; {WHY[part]}"),
    if_right="a huge page can be had, but only where a pin may not leave it",
    hints=(
        "Which of the three may use CMA? Is there a free block of 2 MiB outside CMA?",
        "What can be moved later may lie in CMA; what a pin asks for may not.",
        "Only the first may use CMA, and only the last is small enough for the pieces outside.",
    ),
    why="CMA has 128 blocks of 2 MiB here, joined to 64 blocks of 4 MiB. The first request takes "
    "the *second road* of lesson 02. CMA is only 46 % of what is free, but nothing outside CMA is "
    "large enough.\n\n"
    "So on a host whose ordinary memory is in pieces, *all* huge pages of guests land in CMA. To "
    "leave it whole, they need free blocks outside CMA. The lack of such blocks brought them "
    "there, and because of the same lack they can leave only in pieces.",
    still=lambda: host_picture(**LENT),
    play=widget("Console", host_picture, KNOBS, **LENT),
)


# -- the kernel's numbers

HOSTS = {
    "scattered": ("The host at the top: no CMA, scattered.", WORN),
    "together": ("The same, with `scattered` at 0.", TIDY),
    "with_CMA": ("The host with CMA.", LENT),
}


def indices() -> Frame:
    """Blocks, and the kernel's number, for the host with CMA, and those of a pin."""
    table = indices_table(host(**LENT).zone.lists(), HPAGE_PMD_ORDER).iloc[[0, 2]]
    return table.set_axis(["the kernel's", "without CMA, as for a pin"], axis=1)


index = Card(
    "What does `extfrag_index` say of each host, for order 9?",
    dict.fromkeys(HOSTS, ("0.000", "0.998", "-1.000")),
    labels={name: words for name, (words, _) in HOSTS.items()},
    outcome=lambda: {
        name: format_index(extfrag_index(sum_types(host(**knobs).zone.lists()), HPAGE_PMD_ORDER))
        for name, (_, knobs) in HOSTS.items()
    },
    hints=("The index counts all free lists. Which host has a block of order 9 in any of them?",),
    why="The table is about the host with CMA. The kernel's number sums up all lists, CMA "
    'included. So it says "would succeed" as soon as CMA has a single large block. Yet a pin may '
    "use none of these blocks.\n\n"
    "The column on the right is the model's own, no number of a kernel. It leaves CMA out, as does "
    "a request that is made inside a long-term pin. `/proc/buddyinfo` sums up all lists, too. "
    "`/proc/pagetypeinfo` has them one by one: look there.",
    still=indices,
)


# -- a real kernel

BOOT = "b8_s10_pinned"
# snapshot -> what had been done by then
STAGES = {"0_start": "just booted", "4_order9_outside_cma_used_up": "in pieces"}


def counts_at(snapshot: str) -> list[object]:
    """Free memory, blocks of 2 MiB, and the kernel's number for order 9 at a moment."""

    def rows(file: str, **wanted: str) -> list[dict[str, str]]:
        return load_csv(f"kernel-runs/s10_{file}.csv", boot=BOOT, snapshot=snapshot, **wanted)

    lists: dict[str, list[int]] = {}
    for row in rows("pagetypeinfo"):
        lists.setdefault(row["migratetype"].upper(), []).append(int(row["free_blocks"]))
    (count,) = rows("snapshots")
    (kernels,) = rows("extfrag", index="extfrag_index", order=str(HPAGE_PMD_ORDER))
    outside = int(count["nr_free_pages_4k"]) - int(count["nr_free_cma_4k"])
    return [
        f"{outside >> 8} MiB",
        suitable(sum_types(lists, PIN_SCOPE_TYPES), HPAGE_PMD_ORDER),
        suitable(lists[MIGRATE_CMA], HPAGE_PMD_ORDER),
        kernels["value"],
    ]


measured = Card(
    "What the kernel counted before and after its memory fell to pieces",
    still=lambda: frame(
        [*map(counts_at, STAGES)],
        labels(STAGES.values(), "moment"),
        ["free outside CMA", "blocks of 2 MiB there", "in CMA", "extfrag_index"],
    ),
    why="In pieces, 350 MiB are free outside CMA, and not one block of 2 MiB is among them. Yet "
    "`extfrag_index` says that a request would succeed, as at the start.",
    needs=(index,),
)
FRAGMENTED = "s10_s2_real_fragmentation_pins"
RELEASED = {"code": "oct22", "variant": "base", "retfix": "1"}  # the rows of `6.1.0`
KINDS = {
    "can't be moved": ((BOOT,), "S2_real"),
    "can't be moved; somebody refers to the huge page": ((BOOT,), "S3_real_held"),
    "can be moved": (("b9_s10_movable_second", "b9_s10_movable_third"), "S2_real"),
}


def pins_table() -> Frame:
    """Pins of huge pages in CMA on machines in pieces, and what became of them."""
    rows, counted = [], ("thp_before", "d_thp_migration_success", "d_thp_split_page")
    for boots, scenario in KINDS.values():
        there = load_csv(f"kernel-runs/{FRAGMENTED}.csv", scenario=scenario, **RELEASED)
        pinned = [row for row in there if row["boot"] in boots]
        sums = [sum(int(row[name]) for row in pinned) for name in counted]
        rows.append([len(pinned), *sums, sum(row["pin_errno"] != "0" for row in pinned)])
    columns = ["pins", "huge pages", "moved whole", "split", "failed pins"]
    return frame(rows, labels(KINDS, "the pages in between"), columns)


def outcome_of_24() -> dict[str, object]:
    """What became of the first row's huge pages and pins."""
    _, huge, whole, split, lost = pins_table().iloc[0].tolist()
    return {"huge_pages": {whole: "whole", split: "split"}.get(huge, "stay"), "failed_pins": lost}


pins = Card(
    "Six guests of four huge pages were pinned, one after the other. What became of the pages?\n"
    "All 24 huge pages lay in CMA. The pages in between could not be moved, and nobody else "
    "referred to the guests' memory.",
    {
        "huge_pages": Choices(
            whole="moved whole", split="split and moved in pieces", stay="stayed in CMA"
        ),
        "failed_pins": (0, 3, 6),
    },
    labels={
        "huge_pages": "What happened to the huge pages?",
        "failed_pins": "How many of the six pins failed?",
    },
    outcome=outcome_of_24,
    why="No block of 2 MiB was free outside CMA, so no huge page could move whole. Single pages "
    "were, so all pieces found room. A pin does not mind pieces, if all of them have left CMA.\n\n"
    "In the second row somebody referred to the huge page for as long as the pin tried. It could "
    "not be split, and the pin failed. In the third row the pages in between could be moved. Then "
    "*compaction*, the kernel's moving of pages to make room, gave whole blocks.",
    still=pins_table,
    needs=(index,),
)


# -- the same in the model

VERSIONS = ("6.1.0", "base")
# What the model says of a guest of one huge page on the host with CMA; it takes some seconds.
MODEL = "lessons/guest_on_worn_host.csv"


def guest_table() -> Frame:
    """What became of its pin, in each version, and of the measured ones."""
    pinned = [
        row
        for file in ("s2_order9_alloc_fails", FRAGMENTED)
        for row in load_csv(f"kernel-runs/{file}.csv")
        if row["scenario"].startswith("S2") and row["alloc_mode"] in ("inject", "frag_pinned")
    ]
    rows = []
    for version, split, moved, code in (row.values() for row in load_csv(MODEL)):
        wanted = {**RELEASED, "retfix": "1" if version == "6.1.0" else "0"}
        real = [row["pin_errno"] for row in pinned if wanted.items() <= row.items()]
        failures = f"{sum(result != '0' for result in real)} of {len(real)} failed"
        result = "succeeds" if code == "0" else errno_name(int(code))
        rows.append((int(split), int(moved), result, failures))
    columns = ["thp_split_page", "pgmigrate_success", "the pin", "measured pins, no holder"]
    return frame(rows, labels(VERSIONS, "version"), columns)


guest = Card(
    "One huge page in CMA, no free block outside: what comes of its pin in `base`?\n"
    "Nobody else has a reference on the page.",
    {"moved": (0, 1, 511, HPAGE_PMD_NR), "ends": ("succeeds", "-ENOMEM")},
    labels={"moved": "How many of its 512 pieces leave CMA?", "ends": "How does the pin end?"},
    outcome=lambda: dict(zip(("moved", "ends"), [*guest_table().iloc[1]][1:3], strict=True)),
    hints=("Lesson 00 had a pin of `base` without a holder. What moved, and what was returned?",),
    why="Both kernels split the huge page and move all 512 pieces out of CMA. Only what is "
    "returned differs. Both note a failure when the huge page finds no place. `6.1.0` drops this "
    "note once all pieces have moved. `base` keeps it, as in lesson 00. So more than 500 MiB are "
    "free here, and the answer is `-ENOMEM`.\n\n"
    "Of the 27 measured pins, 6 are those of the last card. For the other 21, and for the one of "
    "`base`, the search for a free block was made to fail.",
    still=guest_table,
    needs=(pins,),
)


# -- the learner's own machine


def example() -> Picture:
    """What a host of the model would print, drawn."""
    pasted = machine(proc_text(host(**LENT).zone))
    return Picture(pasted.svg, pasted.sentence)


yours = Card(
    "What does your own machine say?",
    still=example,
    play=widget("paste"),
    needs=(index,),
)


# -- from lessons 01 and 02

recall = quiz(
    "Three questions about lessons 01 and 02, from memory.",
    {
        "cache": (
            "How many references does the page cache have on a huge page?",
            (1, 2, 512),
            512,
            "the page cache has one reference for each of the 512 small pages",
        ),
        "lent": (
            "Which request may be served from CMA?",
            Choices(a="any", b="one for memory that can be moved later", c="only one for a pin"),
            "b",
            "only what can be moved away again may lie in memory that is lent",
        ),
        "half": (
            "When does such a request go to CMA *first*?",
            Choices(
                a="whenever CMA has a free page",
                b="when more than half of the free memory is CMA",
                c="only when nothing else is free",
            ),
            "b",
            "the kernel compares free CMA with half of what is free",
        ),
    },
    "you remember lessons 01 and 02",
)


# -- more strips


@seeded
def practise(pick: Pick) -> Card:
    """Another strip."""
    held = {pick(range(16)) for _ in range(pick(range(2, 7)))}
    drawn = "".join("#" if page in held else "." for page in range(16))
    question = (
        "How many free blocks of orders 0, 1, 2, 3 and 4 has this strip?\n"
        f"Sixteen pages, in fours: `{' '.join(drawn[at : at + 4] for at in range(0, 16, 4))}`. "
        "`#` is in use, `.` is free."
    )
    return blocks_card(question, held)
