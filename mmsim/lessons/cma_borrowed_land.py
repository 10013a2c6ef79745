"""Lesson 02: when a guest's memory lands in CMA, and why a long-term pin may not stay there.

Interface: the cards guess, one, first, second, borrowers, order, owner, recall; lending for the
learner, and the names that the text fills in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.constants import (
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_MOVABLE,
    MIGRATE_UNMOVABLE,
    PAGE_SIZE,
)
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.evidence.kernel_runs import FREE, FREE_CMA, FROM_CMA, curves, populate, zone_with
from mmsim.lessons import number
from mmsim.lessons.card import Card, keyed
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed
from mmsim.mm.page_alloc import Request, alloc_pages, request
from mmsim.mm.zone import Zone
from mmsim.scenarios import boot_guest, make
from mmsim.scenarios.host import host
from mmsim.scenarios.situation import Value, one_of, settle
from mmsim.scenarios.situation import number as whole
from mmsim.views import run as text
from mmsim.views.figures import STYLE, Chart, legend, panelled
from mmsim.views.memory import block_map, draw_block_map, map_sentence, map_size
from mmsim.views.run import changes
from mmsim.views.show import Picture
from mmsim.views.svg import (
    BAD,
    BLUE,
    FILLS,
    GREEN,
    INK,
    LEGEND_ROW,
    LINE,
    MUTED,
    SMALL,
    TITLE,
    VERMILION,
    Sign,
    Svg,
    heading,
    panel,
    swatch,
)
from mmsim.views.svg import legend as draw_legend
from mmsim.views.words import call, size_words

if TYPE_CHECKING:
    import pandas as pd


PER_MIB = (1 << 20) // PAGE_SIZE
CMA, ORDINARY, REFUSED = "CMA", "ordinary", "refused"

# -- eight allocations on a small host

HOST_MIB = 64
LENDING_KNOBS = (
    whole("cma", 60, 0, 80, "percent of the host's memory that is CMA"),
    whole("free", 100, 0, 100, "percent of the rest that is free"),
    whole("order", HPAGE_PMD_ORDER, 0, MAX_ORDER - 1, "size of an allocation; 9: a huge page"),
    one_of("movable", "yes", ["yes", "no"], "can its pages be moved later?"),
    one_of("scattered", "no", ["no", "yes"], "does the rest's free memory lie in small pieces?"),
)
GRANTS = 8


class Grant(NamedTuple):
    """One allocation: the pages that were free right before it, and where it landed."""

    free: int
    free_cma: int
    pfn: int | None
    place: str


@dataclasses.dataclass(frozen=True)
class Lending:
    """The knobs, the request that was made eight times, what came of each, and what is left."""

    knobs: Mapping[str, Value]
    want: Request
    grants: tuple[Grant, ...]
    zone: Zone

    def with_(self, **knobs: object) -> Lending:
        """The same with other knobs."""
        return lending(**{**self.knobs, **knobs})

    def count(self, place: str) -> int:
        """How many of the allocations landed there."""
        return sum(grant.place == place for grant in self.grants)


def lending(**given: object) -> Lending:
    """Eight allocations, one after the other, on a host as the knobs (LENDING_KNOBS) describe it.

    Raises KnobError for a knob that does not exist or can't have its value."""
    knobs = settle("lending", LENDING_KNOBS, given)
    scattered = 100 if knobs["scattered"] == "yes" else 0
    used = 100 - int(knobs["free"])
    zone = host(host=HOST_MIB, cma=knobs["cma"], used=used, scattered=scattered).zone
    kind = MIGRATE_MOVABLE if knobs["movable"] == "yes" else MIGRATE_UNMOVABLE
    want = request(int(knobs["order"]), kind)
    return Lending(knobs, want, tuple(_grant(zone, want) for _ in range(GRANTS)), zone)


def _grant(zone: Zone, want: Request) -> Grant:
    free, free_cma = zone.nr_free, zone.nr_free_cma
    pfn = alloc_pages(zone, want)
    if pfn is None:
        return Grant(free, free_cma, None, REFUSED)
    return Grant(free, free_cma, pfn, CMA if zone.pageblock_type(pfn) == MIGRATE_CMA else ORDINARY)


def claim(made: Lending) -> str:
    """How many landed where."""
    movable = "movable" if made.knobs["movable"] == "yes" else "not movable"
    said = [f"{made.count(CMA) or 'none'} in CMA"]
    if made.count(ORDINARY):
        said.append(f"{made.count(ORDINARY)} in ordinary memory")
    if made.count(REFUSED):
        said.append(f"{made.count(REFUSED)} not to be had")
    size = size_words(1 << made.want.order)
    return f"{len(made.grants)} allocations of {size}, {movable}: {', '.join(said)}"


def told(made: Lending) -> str:
    """The picture in words."""
    said, at = [], 1
    for place, grants in groupby(grant.place for grant in made.grants):
        last = at + len(list(grants)) - 1
        said.append(f"{at} to {last} {place}" if last > at else f"{at} {place}")
        at = last + 1
    first = made.grants[0]
    return (
        f"{claim(made)}. In turn: {'; '.join(said)}. Before the first, {size_words(first.free)} of "
        f"{HOST_MIB} MiB are free, {size_words(first.free_cma)} of them CMA."
    )


# -- its picture

WIDTH, HEIGHT, MAP = 1120.0, 432.0, 610.0
ROW, BAR = 33.0, 19.0
COLOURS = {CMA: FILLS["CMA"], ORDINARY: FILLS["MOVABLE"]}


def drawn(made: Lending) -> Picture:
    """The map on the left; on the right one bar for what was free before each allocation."""
    marked = [(grant.pfn, made.want.order) for grant in made.grants if grant.pfn is not None]
    shown = block_map(made.zone, made.want.order, marked=marked, marked_as="the allocations")
    svg = Svg(WIDTH, HEIGHT, claim(made), f"{told(made)} {map_sentence(shown)}")
    svg.text(18, 32, claim(made), WIDTH - 36, size=TITLE, bold=True)
    high, left = HEIGHT - 56, MAP + 34
    panel(svg, 8, 48, MAP + 16, high)
    wide, _ = map_size(shown, MAP, high - 22)
    draw_block_map(svg, 18, 58, max(wide, MAP - 10), high - 22, shown)
    panel(svg, left, 48, WIDTH - 8 - left, high)
    _bars(svg, left + 12, 58, WIDTH - 32 - left, made)
    return Picture(svg.render(), told(made))


def _bars(svg: Svg, x: float, y: float, w: float, made: Lending) -> None:
    heading(svg, x, y + 13, "Free before each allocation", w, "it lands in")
    most = max(grant.free for grant in made.grants) or 1
    for n, grant in enumerate(made.grants):
        at = y + 34 + n * ROW
        base, bad = at + BAR / 2 + 4.5, grant.place == REFUSED
        svg.text(x + 16, base, str(n + 1), 16, bold=True, anchor="end")
        _bar(svg, x + 30, at, (w - 124) * grant.free / most, grant)
        bold, ink = grant.place != ORDINARY, BAD if bad else INK
        svg.text(x + w - 80, base, grant.place, 80, bold=bold, fill=ink)
    signs: list[Sign] = [
        swatch(svg, COLOURS[CMA], "free CMA"),
        swatch(svg, COLOURS[ORDINARY], "other free memory"),
        (lambda x, y: svg.line(x + 4, y - 1, x + 4, y + 13, stroke=INK, stroke_width=2), 8, "half"),
    ]
    top = y + 34 + len(made.grants) * ROW
    draw_legend(svg, x, top + 8, w, signs)
    if not made.want.alloc_cma:
        rule = "What can't be moved later gets no CMA, wherever the line is."
    elif any(grant.place == CMA and grant.free_cma <= grant.free // 2 for grant in made.grants):
        rule = "CMA short of the half line: nothing else of this size was free."
    else:
        rule = "Where CMA reaches beyond the half line, CMA is asked first."
    svg.text(x, top + 14 + 2 * LEGEND_ROW, rule, w, size=SMALL, fill=MUTED)


def _bar(svg: Svg, x: float, y: float, wide: float, grant: Grant) -> None:
    """CMA from the left, the rest behind it, and the line in the middle."""
    if not grant.free:
        svg.text(x, y + BAR / 2 + 4.5, "nothing is free", 160, size=SMALL, fill=MUTED)
        return
    cma = wide * grant.free_cma / grant.free
    for at, size, fill in ((x, cma, COLOURS[CMA]), (x + cma, wide - cma, COLOURS[ORDINARY])):
        if size:
            svg.filled(at, y, size, BAR, fill, stroke=fill.mark)
    for colour, thick in ((LINE, 5), (INK, 2)):
        middle = x + wide / 2
        svg.line(middle, y - 5, middle, y + BAR + 5, stroke=colour, stroke_width=thick)


def play_lending() -> Any:
    """The host's knobs beside the picture."""
    from mmsim.widgets.console import knobs_beside

    return knobs_beside(lending(), LENDING_KNOBS, drawn)


guess = Card(
    "guess",
    "64 MiB are free, 38 of them CMA. Eight huge pages are allocated: where do they land?\n"
    "They are for a guest, whose memory can be moved later. To decide, the kernel compares two "
    "numbers before each allocation: how many pages are free, and how many of those are CMA.",
    {"the_first": (CMA, ORDINARY), "in_CMA": (0, 2, 4, 6, 7, GRANTS)},
    labels={"the_first": "Where does the first one land?", "in_CMA": "How many land in CMA?"},
    outcome=lambda: {"the_first": lending().grants[0].place, "in_CMA": lending().count(CMA)},
    why="The rule stands in `__rmqueue()` (`mm/page_alloc.c`, Linux 6.1): **if the request may "
    "borrow, and more than half of the free pages are CMA, CMA is asked first.** Before the "
    "seventh it is exactly half, and half is not more than half. This is the *first road* into "
    "CMA.\n\n"
    "Otherwise CMA is not asked as long as the request's own lists have a block that is large "
    "enough. So neither kind of memory is used up while the other lies idle. That matters, because "
    "the kernel's own data can't borrow: without ordinary memory it has nothing.\n\n"
    '*A common mistake:* "CMA is reserved, so a guest never gets it", or "a guest gets it only '
    'when nothing else is left". Here 26 MiB of ordinary memory were free from the beginning.',
    still=lambda: drawn(lending()),
    play=play_lending,
)


def one_judged(answer: object) -> Verdict:
    """Exactly one allocation in CMA, the others granted."""
    if not isinstance(answer, Lending):
        raise FormError("the answer should be lesson.lending(cma=..., free=...)")
    if answer.count(CMA) != 1:
        return failed(f"there {answer.count(CMA)} of the eight lie in CMA", told(answer))
    if answer.count(REFUSED):
        return failed("one lies in CMA, but not all of the eight were granted", told(answer))
    return passed(told(answer))


one = Card(
    "one",
    "Find settings so that exactly one of the eight lands in CMA, and seven in ordinary memory.",
    judge=one_judged,
    form="lesson.lending(cma=..., free=...)",
    solution=lending(cma=42),
    hints=(
        "With equally many pageblocks on both sides every other allocation goes to CMA.",
        "CMA must be behind at first, and become more than half with the seventh or the eighth.",
        "lesson.lending(cma=42): 13 pageblocks of CMA beside 19 others.",
    ),
)


# -- a real kernel

FILE, AREAS = "s9_cma_fallback.csv", (64, 256, 512)
EVERY = 16  # one of so many measured steps is drawn


class Course(NamedTuple):
    """A curve in MiB, one number a step: what is populated, what is free, and how much is CMA."""

    populated: list[int]
    free: list[float]
    free_cma: list[float]
    first: int  # how much is populated with the first page from CMA


def _course(rows: list[tuple[int, int, int, int]]) -> Course:
    populated, free, free_cma, taken = (list(column) for column in zip(*rows, strict=True))
    first = populated[next(i for i, n in enumerate(taken) if n)]
    return Course(populated, [n / PER_MIB for n in free], [n / PER_MIB for n in free_cma], first)


@cache
def courses() -> dict[int, tuple[Course, Course]]:
    """MiB of CMA -> single pages populated, as measured and in the model from the same start."""
    found = {}
    for curve in curves(load_csv(f"kernel-runs/{FILE}")).values():
        start = curve.start
        if start["kind"] == "anon_4k":
            zone, measured, modelled = zone_with(int(start[FREE]), int(start[FREE_CMA])), [], []
            for row in (start, *(row for _, row in curve.rows)):
                at, pages = int(row["mapped_mib"]), int(row["pages_in_step"])
                taken = populate(zone, 0 if row is start else pages, huge=False)
                measured.append((at, int(row[FREE]), int(row[FREE_CMA]), int(row[FROM_CMA])))
                modelled.append((at, zone.nr_free, zone.nr_free_cma, taken))
            found[int(start["cma_area_pages"]) // PER_MIB] = _course(measured), _course(modelled)
    return {mib: found[mib] for mib in AREAS}


def apart(measured: Course, model: Course) -> int:
    """The most by which free CMA differs, in pages."""
    pairs = zip(measured.free_cma, model.free_cma, strict=True)
    return round(max(abs(a - b) for a, b in pairs) * PER_MIB)


def populate_chart() -> Chart:
    """Free memory and free CMA while memory is populated, with the line at half of free memory."""
    import matplotlib
    import pandas as pd

    columns = ["first CMA page by, MiB", "in the model", "most pages apart"]
    rows = [
        (kernel.first, model.first, apart(kernel, model)) for kernel, model in courses().values()
    ]
    table = pd.DataFrame(rows, index=pd.Index(AREAS, name="CMA, MiB"), columns=columns)
    begins = ", ".join(f"{mib} MiB by {kernel.first}" for mib, (kernel, _) in courses().items())
    sentence = (
        "Free CMA stays as it is until it is half of free memory; from then on every other page "
        f"comes from there. First page from CMA, with CMA of {begins} MiB populated. "
        f"Free CMA and the model's are at most {table[columns[2]].max():,} pages apart."
    )
    with matplotlib.rc_context(STYLE):
        figure = _figure()
    alt = f"Three panels, one for each CMA size, with falling lines and points on them. {sentence}"
    return Chart(figure, sentence, table, alt)


def _figure() -> Any:
    title = "CMA is left alone until it is half of what is free, and stays at half from then on"
    note = f"data/kernel-runs/{FILE}, single pages, one row in {EVERY} drawn"
    figure, panels = panelled(len(AREAS), title, note)
    handles: list[Any] = []
    look = {"color": "white", "markeredgecolor": VERMILION, "markersize": 5, "label": "measured"}
    for axes, (mib, (kernel, model)) in zip(panels, courses().items(), strict=True):
        x, half = model.populated, [n / 2 for n in model.free]
        handles = axes.plot(x, model.free, "-", color=BLUE, label="free, model")
        handles += axes.plot(x, half, "--", color=INK, linewidth=1.1, label="half of it")
        handles += axes.plot(x, model.free_cma, color=GREEN, linewidth=2.4, label="free CMA, model")
        for side in (kernel.free, kernel.free_cma):
            points = axes.plot(x[::EVERY], side[::EVERY], "o", **look)
        handles += points
        axes.set_title(f"CMA {mib} MiB", fontsize=11, loc="left")
        axes.set_xlabel("populated, MiB", labelpad=1)
        axes.set_xlim(-15, 960)
    panels[0].set_ylim(0, 1020)
    panels[0].set_ylabel("free, MiB")
    legend(figure, handles)
    return figure


def first_judged(answer: int) -> Verdict:
    """Judged by the counts that the measured kernel started from, with a step of tolerance."""
    kernel, _ = courses()[256]
    free = kernel.free[0]
    right = free - 2 * kernel.free_cma[0]
    if abs(answer - right) > 5:
        when = "not yet" if answer < right else "long since"
        return failed(
            f"with {answer} MiB populated, {free - answer:,.0f} MiB would be free: "
            f"256 MiB are {when} more than half of that"
        )
    return passed(f"the kernel took its first page from CMA in the step to {kernel.first} MiB")


first = Card(
    "first",
    "How many MiB are populated when the process gets its first page from CMA?\n"
    "Within 5 MiB is good enough.",
    int,
    form="a whole number of MiB",
    judge=first_judged,
    solution=977 - 2 * 256,
    hints=(
        "Before the first page from CMA, all that is populated comes from the other free memory.",
        "The first one comes when what is free has fallen to twice the CMA.",
        "977 - 2 x 256, in MiB.",
    ),
    why="Points are measured, lines are the model's. From the first page on, every other page "
    "comes from CMA, and free CMA follows the half line. With 512 MiB of CMA it is more than half "
    "from the beginning, so at first every page comes from there.",
    still=populate_chart,
)


# -- the second road

OLD_HOST: dict[str, Any] = {"host": 1024, "cma": 25, "used": 30, "scattered": 100}
SECOND = {
    "a": "ordinary memory has no free block of 2 MiB",
    "c": "single pages are tried only after a huge page could not be had at all",
    "d": "a huge page that can't be had is no error for a memfd; and here it can be had",
}


def second_judged(letter: str) -> Verdict:
    """A wrong answer meets the run."""
    there = f"the guest's memory: {boot_guest(**OLD_HOST, guest=64, pin='none').landed()}"
    return passed(there) if letter == "b" else failed(SECOND[letter], second=there)


second = Card(
    "second",
    "A guest with 32 huge pages starts on the old host. Where does its memory land?",
    Choices(
        a="In ordinary memory, as long as there is any.",
        b="In CMA, all of it.",
        c="In ordinary memory, but in single pages instead of huge ones.",
        d="Nowhere: the guest does not start.",
    ),
    judge=second_judged,
    solution="b",
    hints=(
        "Which lists have a block of 2 MiB at all?",
        "The allocator prefers lent memory to breaking up or taking over somebody else's.",
    ),
    why="When its own lists have no block of the wanted size, a request that may borrow asks CMA "
    "*before* it takes a block of another type, and before anything is moved together to make "
    'room. This is the second road: no comparison with half, only "nothing of this size here". '
    "The picture has the small host in the same state. No bar's CMA reaches the line, and all "
    "eight land in CMA.\n\n"
    "The measured kernel does the same. In 1,059 trials no block of 2 MiB was free outside CMA, "
    "and CMA was 41 to 42 % of free memory; each time all huge pages of a new memfd lay in CMA. "
    "Which of the two roads the machine of the report took, the report does not say.",
    still=lambda: drawn(lending(cma=25, free=60, scattered="yes")),
)


# -- who may borrow

BORROWERS = {
    "guest_memory": ("yes", "a guest's memory can be moved: its page tables are changed to follow"),
    "process_memory": ("yes", "a process's memory can be moved, page by page"),
    "page_table": ("no", "other tables hold its physical address and would not find it elsewhere"),
    "inode": ("no", "thrown away is not moved: who has its address would not find the copy"),
    "place_for_a_pin": ("no", "it is about to be pinned, so it will not be movable"),
}

borrowers = Card(
    "borrowers",
    "Who may borrow? Say of each whether it may be put into CMA.",
    dict.fromkeys(BORROWERS, ("yes", "no")),
    labels={
        "guest_memory": "Memory of a virtual machine, a memfd.",
        "process_memory": "The heap of an ordinary process.",
        "page_table": "A page table; other tables hold its physical address.",
        "inode": "What the kernel knows about a file; others hold its address.",
        "place_for_a_pin": "The place to which a page is moved to be pinned for a long time.",
    },
    judge=keyed(BORROWERS),
    solution={name: may for name, (may, _) in BORROWERS.items()},
    hints=(
        "Ask of each: can the kernel take its content elsewhere later, and nobody notices?",
        "Two of the five can be moved.",
    ),
    why="Only what can be moved later may borrow. The kernel marks such requests `__GFP_MOVABLE`.",
)


# -- the pin

# What the card calls it -> the step of the model, and why nothing of it can come sooner.
STEPS = {
    "pin": ("follow_page_mask", "the kernel pins first, to hold the page while it looks"),
    "look": ("is_longterm_pinnable_page", "what is done depends on what the look has found"),
    "let go": ("gup_put_folio", "a pinned page can't be moved, so the pin is given back before"),
    "move": ("folio_migrate_mapping", "the second pin is one on the page in its new place"),
    "pin again": (
        "follow_page_mask",
        "the device gets only a page that is pinned where it may stay",
    ),
    "map": ("iommu_map", ""),
}
WAIT = "wait"
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


@cache
def pinned() -> Trace:
    """A guest of one huge page, which lies in CMA and is pinned."""
    return boot_guest(guest=2, scattered=0).run()


def places_of(trace: Trace) -> dict[str, int]:
    """Each of STEPS -> the number of its step in the run, from 1 on."""
    names, found = [event.op.kind.name for event in trace.events], dict[str, int]()
    for name, (step, _) in STEPS.items():
        found[name] = names.index(step, found["pin"] if name == "pin again" else 0) + 1
    return found


def order_judged(answer: dict[str, str]) -> Verdict:
    """Judged by the order in which the model takes these steps."""
    steps = list(answer.values())
    if len({*steps}) < len(steps):
        raise FormError("name each step once")
    if WAIT in steps:
        return failed("nobody waits: there is nobody to wait for")
    at = places_of(pinned())
    for before, after in pairwise(steps):
        if at[before] > at[after]:
            return failed(f"{after!r} comes before {before!r}: {STEPS[after][1]}")
    return passed(f"in the model these are steps {', '.join(str(at[name]) for name in steps)}")


def pin_steps() -> pd.DataFrame:
    """Only these steps of the run: the function, its answer, and the first thing it changed."""
    import pandas as pd

    rows = [
        (name, at, call(pinned().at(at)), str(next(iter(changes(pinned().at(at))), "")))
        for name, at in places_of(pinned()).items()
    ]
    columns = ["what happens", "step", "in the model", "what changed"]
    return pd.DataFrame(rows, columns=columns, dtype=object).set_index(columns[0])


order = Card(
    "order",
    "In which order do six of these seven happen to a huge page in CMA? One does not belong.\n"
    "`let go`: the pin is given back. `look`: does the page lie in CMA? `map`: the device gets "
    "access. `move`: the page gets a new place outside CMA. `pin`: the page is pinned. "
    "`pin again`: it is pinned once more. `wait`: the pin waits until the area's owner agrees.",
    dict.fromkeys(PLACES, tuple(sorted([*STEPS, WAIT]))),
    judge=order_judged,
    solution=[*STEPS],
    hints=(
        "The kernel pins first and looks afterwards.",
        "A pinned page can't be moved, so between the look and the move something has to happen.",
        "pin, look, let go, move, pin again, map.",
    ),
    why="The first pin is there only to hold the page while the kernel looks. "
    "`is_longterm_pinnable_page()` says no, the pin is given back, `migrate_pages()` moves the "
    "page, and everything begins again. The new page lies in a pageblock of a third type, "
    "UNMOVABLE, for what can't be moved. Inside a long-term pin a request counts as not movable, "
    "so it can't borrow, and the pageblock it takes is relabelled.\n\n"
    "In Linux 6.1-rc1 the same page is pinned *three* times. A test in "
    "`collect_longterm_unpinnable_pages()`, whether a page could be isolated, is the wrong way "
    "round there. So the first round moves nothing, and before the second one moves the page, the "
    "queues of pages that each processor keeps are emptied. Pins are acquired 1,536 times and "
    "released 1,024 times. The model has the test as it was meant: 1,024 and 512, and no queue is "
    f"emptied. Lesson {number('v2_is_not_the_end')} tells of the bug.",
    still=pin_steps,
)


# -- the promise

OWNERS: dict[str, tuple[str, dict[str, object]]] = {
    "nobody": ("Nobody else refers to the page.", {"holder": 0}),
    "for_good": (
        "Somebody has a reference on it for good, as a long-term pin would.",
        {"holder": 1, "targets": "available"},
    ),
}
MEMORY = "memory"


@cache
def cleared(name: str) -> tuple[Trace, str, str]:
    """The run of cma_alloc(), what the owner gets, and why."""
    situation = make("cma_alloc", "base", {"blocks": 1, **OWNERS[name][1]})
    run = situation.run()
    if situation.succeeded(run.last):
        why = "the page is moved away, or split and moved in pieces, and the range is free"
        return run, MEMORY, why
    times = run.last.world.vmstat["pgmigrate_fail"] // HPAGE_PMD_NR
    why = f"the page is tried {times} times ten passes and never comes free"
    return run, situation.result(run.last), why


def owner_judged(answer: dict[str, str]) -> Verdict:
    """Judged by the run of cma_alloc()."""
    for name in OWNERS:
        _, right, why = cleared(name)
        if answer[name] != right:
            return failed(f"{name}: not {answer[name]}; {why}", second=f"{name}: {right}; {why}")
    return passed(f"{name}: {why}")


owner = Card(
    "owner",
    "What does the owner get?\n"
    "Its memory; or `-EBUSY`, what lies there can't be moved away; or `-ENOMEM`, no memory is free "
    "to move it to. (The kernel's `cma_alloc()` returns NULL instead of a code; this code is what "
    "its last range came to.)",
    dict.fromkeys(OWNERS, (MEMORY, "-EBUSY", "-ENOMEM")),
    labels={name: f"`{name}`: {words}" for name, (words, _) in OWNERS.items()},
    outcome=lambda: {name: cleared(name)[1] for name in OWNERS},
    judge=owner_judged,
    hints=(
        "The owner moves the guest's page away first, as a pin would.",
        "A page that somebody refers to can't be moved, however often it is tried.",
    ),
    still=lambda: text.summary(cleared("for_good")[0]).splitlines(),
)


# -- from lessons 00 and 01

recall = Card(
    "recall",
    "Three questions about lessons 00 and 01, from memory.",
    {
        "error": ("-ENOMEM", "-EBUSY", "-EAGAIN"),
        "count": (1, 513, 514),
        "stays": Choices(a="`drop_caches`", b="the pin of a direct I/O", c="the pin of VFIO"),
    },
    labels={
        "error": "What did the map of the guest's memory return in the report?",
        "count": "A huge page of a memfd, mapped once, no other holder: its reference count?",
        "stays": "Whose reference does *not* end by itself soon?",
    },
    judge=keyed(
        {
            "error": ("-ENOMEM", "a huge page could neither be moved nor split"),
            "count": (513, "512 are the page cache's, 1 is the mapping's"),
            "stays": ("c", "a device keeps its pin as long as it is handed to the guest"),
        }
    ),
    solution={"error": "-ENOMEM", "count": 513, "stays": "c"},
)
