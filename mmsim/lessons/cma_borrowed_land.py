"""Lesson 02: when a guest's memory lands in CMA, and why a long-term pin may not stay there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from mmsim.constants import (
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    MIGRATE_CMA,
    MIGRATE_MOVABLE,
    MIGRATE_UNMOVABLE,
    PAGE_SIZE,
)
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.evidence.kernel_runs import FREE_CMA_COLUMN, FREE_COLUMN, FROM_CMA_COLUMN
from mmsim.lessons.card import Card, in_order, quiz, widget
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.mm.boot import boot
from mmsim.mm.page_alloc import get_page_from_freelist, request
from mmsim.scenarios import boot_guest, cma_alloc
from mmsim.scenarios.knobs import number as whole
from mmsim.scenarios.knobs import one_of, settle
from mmsim.views import svg as draw
from mmsim.views.charts import Axis, Bar, Plot, Style, bars, dot_sign, line_sign
from mmsim.views.ledger import ledger_of
from mmsim.views.memory import block_map, draw_block_map, map_sentence, map_size
from mmsim.views.show import Shown
from mmsim.views.svg import Picture
from mmsim.views.tables import Frame, frame, labels

PER_MIB = (1 << 20) // PAGE_SIZE
CMA, ORDINARY, REFUSED = "CMA", "ordinary", "refused"

# -- what was measured

FILE, MODEL = "kernel-runs/s9_cma_fallback.csv", "lessons/populate_cma256.csv"
GUEST, SINGLE = "shmem_thp", "anon_4k"  # what is populated: a memfd's huge pages, or single pages


class Step(NamedTuple):
    """A step of a curve, in MiB: what is populated by then, what is free, how much of it is CMA,
    and what came from CMA in this step."""

    populated: int
    free: float
    free_cma: float
    from_cma: float


@cache
def curve(file: str, **wanted: str) -> list[Step]:
    """The steps of a curve, measured or computed."""
    return [
        Step(
            int(row["mapped_mib"]),
            *(int(row[n]) / PER_MIB for n in (FREE_COLUMN, FREE_CMA_COLUMN, FROM_CMA_COLUMN)),
        )
        for row in load_csv(file, **wanted)
    ]


def measured(cma: int, kind: str = SINGLE) -> list[Step]:
    """What a kernel with so many MiB of CMA did."""
    return curve(FILE, boot=f"s9_{kind}_cma{cma}")


def first_from_cma(steps: list[Step]) -> int:
    """How much is populated with the first page from CMA."""
    return next(step.populated for step in steps if step.from_cma)


# MiB of CMA and the step -> what the table calls it; a step has two huge pages
MACHINES = {
    (64, 0): "1, at the start",
    (256, 0): "2, at the start",
    (256, 100): "2, with 400 MiB filled",
    (512, 0): "3, at the start",
}


@Shown
def evidence() -> Frame:
    """Where the next two huge pages of a memfd came from, on three machines."""
    rows = []
    for cma, step in MACHINES:
        (_, free, area, _), after = measured(cma, GUEST)[step : step + 2]
        place = "CMA" if after.from_cma else "ordinary memory"
        rows.append((f"{free:.0f} MiB", f"{area:.0f} MiB, {100 * area / free:.0f} %", place))
    columns = ["free", "of it CMA", "the next two huge pages came from"]
    return frame(rows, labels(MACHINES.values(), "machine"), columns)


# -- eight allocations on a small host

HOST_BLOCKS, GRANTS = 32, 8
LENDING_KNOBS = (
    whole("cma", 19, 0, 26, f"pageblocks of CMA, of {HOST_BLOCKS}"),
    one_of("movable", "yes", ["yes", "no"], "can the memory be moved later?"),
    one_of("old", "no", ["no", "yes"], "has the host been in use for weeks?"),
)


@Shown
def small() -> Picture:
    """The pageblocks of the small host, and their types."""
    blocks = block_map(boot(HOST_BLOCKS * HPAGE_PMD_NR, 19 * HPAGE_PMD_NR))
    words, (wide, high) = map_sentence(blocks), map_size(blocks, 640, 250)
    svg = draw.Svg(wide + 24, high + 24, words, words)
    draw_block_map(svg.inside(12, 12, wide), high, blocks)
    return Picture(svg.render(), words)


class Grant(NamedTuple):
    """One allocation: the pages that were free right before it, and where it landed."""

    free: int
    free_cma: int
    place: str


def lending(**given: object) -> list[Grant]:
    """Eight huge pages, one after the other, on a host as the knobs (LENDING_KNOBS) describe it.

    In an old host 40 % of the memory outside CMA is in use, and what is free there is scattered.
    Raises KnobError for a knob that does not exist or can't have its value."""
    knobs = settle("lending", LENDING_KNOBS, given)
    used, scattered = (0.4, 1.0) if knobs["old"] == "yes" else (0.0, 0.0)
    size, area = (n * HPAGE_PMD_NR for n in (HOST_BLOCKS, int(knobs["cma"])))
    zone = boot(size, area, used=used, scattered=scattered, movable=True)
    kind = MIGRATE_MOVABLE if knobs["movable"] == "yes" else MIGRATE_UNMOVABLE
    grants = []
    for _ in range(GRANTS):
        free, free_cma = zone.nr_free, zone.nr_free_cma
        pfn = get_page_from_freelist(zone, request(HPAGE_PMD_ORDER, kind))
        place = REFUSED if pfn is None else ORDINARY
        if pfn is not None and zone.pageblock_type(pfn) == MIGRATE_CMA:
            place = CMA
        grants.append(Grant(free, free_cma, place))
    return grants


def in_cma(**knobs: object) -> int:
    """How many of the eight allocations land there."""
    return sum(grant.place == CMA for grant in lending(**knobs))


def landed(**knobs: object) -> str:
    """How many landed where."""
    found = Counter(grant.place for grant in lending(**knobs))
    words = [f"{found[CMA] or 'none'} in CMA"]
    words += [f"{found[ORDINARY]} outside"] * (found[ORDINARY] > 0)
    words += [f"{found[REFUSED]} refused"] * (found[REFUSED] > 0)
    movable = "not movable" if knobs.get("movable") == "no" else "movable"
    return f"{GRANTS} huge pages, {movable}: {', '.join(words)}"


FILLS = {"free CMA": draw.FILLS["CMA"], "other free memory": draw.FILLS["MOVABLE"]}


def lending_picture(**knobs: object) -> Picture:
    """A bar for what was free before each allocation, CMA from the left, and where it landed."""
    rows = {
        f"{n}": Bar(dict(zip(FILLS, (cma, free - cma), strict=True)), free, place, line=0.5)
        for n, (free, cma, place) in enumerate(lending(**knobs), start=1)
    }
    return bars(landed(**knobs), rows, FILLS, left=46, wide=440, line="half")


guess = Card(
    "32 pageblocks are free, 19 of them CMA. Eight huge pages are allocated: where do they land?\n"
    "Each takes one pageblock. They are for a guest, so the memory can be moved later. Before each "
    "allocation the kernel looks at what is still free. If *more than a certain share* of it is "
    "CMA, CMA is asked first. The share is a simple one. Machines 2 and 3 of the table show which.",
    {"the_first": (CMA, ORDINARY), "in_CMA": (0, 2, 4, 6, 7, GRANTS)},
    labels={"the_first": "Where does the first one land?", "in_CMA": "How many land in CMA?"},
    hints=(
        "With 44 % of CMA machine 2 did not ask it, and with 52 % machine 3 did.",
        "The share is a half. Note before each allocation how much is free, and how much CMA.",
        "13 of 26 is half, and half is not more than half.",
    ),
    outcome=lambda: {"the_first": lending()[0].place, "in_CMA": in_cma()},
    why="The rule stands in `__rmqueue()` (`mm/page_alloc.c`, Linux 6.1). **If a request may "
    "borrow, and more than half of the free pages are CMA, CMA is asked first.** The short line "
    "marks half of each bar. Before the seventh it is 13 of 26, which is not more than half. This "
    "is the *first road* into CMA.\n\n"
    "So neither kind of memory is used up while the other lies idle. The kernel's own data can't "
    "borrow, and would have nothing without ordinary memory.\n\n"
    '*A common mistake:* "a guest gets CMA only when nothing else is left". Here 13 ordinary '
    "pageblocks were free from the beginning.",
    still=lending_picture,
    play=widget("Console", lending_picture, LENDING_KNOBS[:2]),
)

one = Card(
    "With how many pageblocks of CMA, of the 32, does exactly one of the eight land there?\n"
    "Work it out with the rule before you touch a slider.",
    int,
    judge=lambda cma: (passed if in_cma(cma=cma) == 1 else failed)(landed(cma=cma)),
    solution=13,
    hints=(
        "CMA must not be more than half at first. When is the least of ordinary memory left?",
        "Before the eighth allocation 25 pageblocks are free.",
        "13 is more than half of 25, but not of 26.",
    ),
    why="With 13, the eighth allocation finds 25 free pageblocks, 13 of them CMA: more than half, "
    "for the first time. With 14 that is so at the sixth already, and at the eighth again.",
)


# -- a real kernel


def populate_chart() -> list[Any]:
    """Free memory and free CMA while memory is populated, with the line at half of free memory."""
    kernel, model = measured(256), curve(MODEL)
    apart = max(abs(a.free_cma - b.free_cma) for a, b in zip(kernel, model, strict=True))
    sentence = (
        "Free CMA stays as it is until it is more than half of free memory. From then on every "
        "other page comes from there."
    )
    rows = [(first_from_cma(kernel), first_from_cma(model), f"{apart:.1f}")]
    columns = ["measured, MiB", "model, MiB", "largest difference of free CMA, MiB"]
    table = frame(rows, labels(["CMA 256 MiB"], "first page from CMA by"), columns)
    claim = "CMA is left alone until it is more than half of what is free"
    svg = draw.Svg(640, 420, claim, f"{claim}. {sentence}")
    svg.headline(14, 28, 612, claim)
    across = Axis("the process has, MiB", 1000, range(0, 1001, 200))
    up = Axis("free, MiB", 1000, range(0, 1001, 250))
    plot = Plot(svg, 66, 66, 552, 270, across=across, up=up)
    signs = [dot_sign(svg, "circle", draw.PAPER, "measured")]

    def line(words: str, style: Style, height: Callable[[Step], float]) -> None:
        plot.line([(step.populated, height(step)) for step in model], style)
        signs.append(line_sign(svg, style, words))

    line("free, model", {"stroke": draw.BLUE, "stroke_width": 1.6}, lambda step: step.free)
    line("half of it", {"stroke_dasharray": "6 4"}, lambda step: step.free / 2)
    free_cma: Style = {"stroke": draw.GREEN, "stroke_width": 2.8}
    line("free CMA, model", free_cma, lambda step: step.free_cma)
    for step in kernel[::8]:
        plot.dot(step.populated, step.free, "circle", draw.PAPER)
        plot.dot(step.populated, step.free_cma, "circle", draw.PAPER)
    svg.legend(66, 380, 552, signs)
    svg.note(14, 411, f"data/{FILE}, single pages, every 8th row drawn", 612)
    return [Picture(svg.render(), sentence), table]


def judge_first(answer: int) -> Verdict:
    """Judged by the counts that the measured kernel started from, with a step of tolerance."""
    kernel = measured(256)
    left = kernel[0].free - answer
    if abs(left - 2 * kernel[0].free_cma) <= 5:
        end = first_from_cma(kernel)
        return passed(f"the kernel did so in the step of 4 MiB that ended at {end} MiB")
    when = "not yet" if left > 2 * kernel[0].free_cma else "long since"
    return failed(
        f"with {answer} MiB in use, {left:,.0f} MiB would be free: "
        f"256 MiB are {when} more than half of that"
    )


first = Card(
    "How many MiB does the process have when it gets its first page from CMA?\n"
    "This time 977 MiB are free at the start, 256 MiB of them CMA. Within 5 MiB is good enough.",
    int,
    form="a whole number of MiB",
    judge=judge_first,
    solution=977 - 2 * 256,
    hints=(
        "Before its first page from CMA, all that the process gets is ordinary memory.",
        "The first one comes when what is free has fallen to twice the CMA.",
        "977 - 2 x 256, in MiB.",
    ),
    why="Points are measured, lines are the model's. From the first page on, every other page "
    "comes from CMA, and free CMA follows the half line. The model knows only where the machine "
    "started, and stays within 1 MiB of it all the way.",
    still=populate_chart,
)


# -- the second road

OLD: dict[str, Any] = {"cma": 8, "old": "yes"}
AGAINST = {
    "a": "ordinary memory has no free block of 2 MiB",
    "c": "single pages are tried only after a huge page could not be had at all",
    "d": "a huge page can be had",
}

second = Card(
    "A guest asks the old host for eight huge pages. Where do they land?\n"
    "The rule that you know says nothing of blocks that are missing. So make a guess.",
    Choices(
        a="In ordinary memory, as long as there is any.",
        b="In CMA, all of them.",
        c="In ordinary memory, but as single pages.",
        d="Nowhere: the guest does not start.",
    ),
    judge=lambda letter: (
        passed(landed(**OLD)) if letter == "b" else failed(AGAINST[letter], second=landed(**OLD))
    ),
    solution="b",
    hints=(
        "Which lists have a block of 2 MiB at all?",
        "The allocator prefers lent memory to breaking up or taking over somebody else's.",
    ),
    why="When the lists of ordinary movable memory have no block of the wanted size, a request "
    "that may borrow asks CMA. It does so *before* it takes a block of another type. This is the "
    '*second road*: no comparison with half, only "nothing of this size here". No bar\'s CMA '
    "reaches the line.\n\n"
    "The measured kernel does the same. In 1,059 trials no block of 2 MiB was free outside CMA, "
    "and CMA was 41 to 42 % of free memory. Each time all huge pages of a new memfd lay in CMA. "
    "The reporter wrote of the first road only.",
    still=lambda: lending_picture(**OLD),
    play=widget("Console", lending_picture, LENDING_KNOBS, **OLD),
)


# -- the pin

# What the card calls it -> the step of the model, and why nothing of it can come sooner.
STEPS = {
    "pin": ("follow_page_mask", "the kernel pins first, to hold the page while it looks"),
    "look": ("is_longterm_pinnable_page", "what is done depends on what the look has found"),
    "let go": ("gup_put_folio", "its references are more than a move expects"),
    "move": ("folio_migrate_mapping", "the second pin is one on the page in its new place"),
    "pin again": ("follow_page_mask", "the device gets only a page that is pinned outside CMA"),
    "map": ("iommu_map", "nothing comes twice"),
}


@cache
def pinned() -> Trace:
    """A guest of one huge page, which lies in CMA and is pinned."""
    return boot_guest(guest=2, scattered=0).run()


PINNED = (
    "The guest pins each of the 512 small pages, and on a huge page a pin adds 1: "
    "512 + 1 + 512 = 1,025. Before it lets go, the kernel isolates the page for the move: 1 more."
)


def pin_steps() -> Frame:
    """The six steps: the function of each, and the page's references after it."""
    names = [event.op.kind.name for event in pinned().events]
    rows, at = [], 0
    for name in STEPS:
        at = names.index(STEPS[name][0], at) + 1
        ledger = ledger_of(pinned().state(at).world, "guest")
        assert ledger is not None
        held = ", ".join(f"{row.holder} {row.refs}" for row in ledger.rows)
        rows.append((f"{STEPS[name][0]}()", ledger.folio.refcount, held))
    return frame(rows, labels(STEPS, "step"), ["in the source", "count after it", "references"])


order = in_order(
    "In which order do six of these seven happen to a huge page in CMA? One does not belong.\n"
    "`let go`: the pin is given back. `look`: does the page lie in CMA? `map`: the device gets "
    "access. `move`: the page gets a new place outside CMA. `pin`: the page is pinned. "
    "`pin again`: it is pinned once more. `wait`: the pin waits until the area's owner agrees.",
    {name: why for name, (_, why) in STEPS.items()},
    {"wait": "nobody waits: there is nobody to wait for"},
    "so it is in the model, and in the kernel",
    hints=(
        "The kernel pins first and looks afterwards.",
        "A pinned page can't be moved, so between the look and the move something has to happen.",
        "pin, look, let go, move, pin again, map.",
    ),
    why="The first pin only holds the page while the kernel looks. With it the count would be 512 "
    "higher than a move expects, so it must go first: that is the rule of lesson 01. While the "
    "page moves, its mapping is taken away. From `move` on, the counts are those of the new page. "
    "After the move the mapping is put back, and the new page's first reference is dropped.\n\n"
    "Inside a long-term pin a request for memory counts as not movable. So the new place is asked "
    "for outside CMA.",
    still=lambda: [PINNED, pin_steps()],
)


# -- the promise


def owner_gets() -> str:
    """The owner's memory, or the code that cma_alloc() comes to inside."""
    situation = cma_alloc(blocks=1, holder=1, targets="available")
    last = situation.run().last
    return "memory" if situation.succeeded(last) else situation.result(last)


owner = Card(
    "Somebody has a long-term reference on that huge page. How does the owner's request end?\n"
    "Free memory to move to is at hand.",
    {"inside": ("memory", "-ENOMEM", "-EBUSY"), "driver": ("memory", "the same code", "NULL")},
    labels={
        "inside": "How does the attempt inside `cma_alloc()` end?",
        "driver": "What does the driver get from it?",
    },
    outcome=lambda: {"inside": owner_gets(), "driver": "NULL"},
    why="The kernel tries the page in several calls of `migrate_pages()`, and it never comes free. "
    "But `cma_alloc()` returns a pointer, so the driver sees no code.\n\n"
    "So why not pin the page where it is, if a move is slow and can fail? Nobody would notice when "
    "the guest starts. Much later the driver asks for its area, `cma_alloc()` tries every range "
    "around the page, and the camera does not work. The error has moved from the guest, which "
    "could be told at once, to somebody who can't help it.",
)


# -- from lessons 00 and 01

recall = quiz(
    "Three questions about lessons 00 and 01, from memory.",
    {
        "error": (
            "What did `VFIO_IOMMU_MAP_DMA` return in the report?",
            ("-ENOMEM", "-EBUSY", "-EAGAIN"),
            "-ENOMEM",
            "a huge page could neither be moved nor split",
        ),
        "count": (
            "A huge page of a memfd, mapped once, nobody else: its reference count?",
            (1, 513, 514),
            513,
            "512 are the page cache's, 1 is the mapping's",
        ),
        "stays": (
            "Whose reference does *not* end by itself soon?",
            Choices(a="`drop_caches`", b="the pin of a debugger", c="the pin of VFIO"),
            "c",
            "a device keeps its pin as long as the guest has it",
        ),
    },
    "you remember lessons 00 and 01",
)
