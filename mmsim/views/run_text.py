"""A run as text: what each step changed, long repetitions folded, the step table, and a summary."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Iterator
from itertools import zip_longest
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from mmsim.amounts import plural
from mmsim.engine import schedule
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Moment, Trace
from mmsim.errno import EFAULT
from mmsim.mm.folio import ISOLATION
from mmsim.mm.world import FIRST_TARGET_PFN, World
from mmsim.scenarios.hosts import GUEST
from mmsim.scenarios.observed import named, pages_in_and_outside_cma, regions
from mmsim.scenarios.situation import (
    DROPPED,
    MAPPED,
    MIGRATED,
    PINNED,
    SPLIT,
    TAKEN_BACK,
    Situation,
)
from mmsim.views.operations import arguments, call
from mmsim.views.words import main_actor, place, result_words, short_name

# -- what a step changed: every value that is another now, whose and which, before and after

FOLIOS_MAX, CHANGES_MAX = 6, 3
"""A step, or a row of folded steps, that touches more folios is told in sums."""


class Change(NamedTuple):
    """One value that is another now: whose and which, before, after."""

    name: str
    old: str
    new: str

    @property
    def implied(self) -> bool:
        """Who holds a reference and which batch it waits in follow from the count and the step."""
        return " held by " in self.name or " batch of " in self.name

    def __str__(self) -> str:
        if self.new == "freed":
            return f"{self.name} freed"
        return f"{self.name} {self.old} → {self.new}" if self.old else f"{self.name} {self.new}"


def _different(name: str, was: dict[str, str], now: dict[str, str]) -> list[Change]:
    """A change for each fact that differs; one that is missing counts as 0."""
    facts = ((what, was.get(what, "0"), now.get(what, "0")) for what in {**was, **now})
    return [Change(name + what, old, new) for what, old, new in facts if old != new]


def _of_folio(world: World, pfn: int) -> dict[str, str]:
    """Everything about a folio that a reader may want to see change, in the order of interest."""
    folio = world.folios[pfn]
    held = dict(folio.held)
    on_list = "active list" if folio.active else "on a list"
    yes = {True: "yes", False: "no"}
    return {
        "place": place(world, pfn),
        "refs": str(folio.refcount) if folio.refcount else "0 (frozen)",
        "mapcount": str(folio.mapcount),
        "pincount": str(folio.pincount),
        "lock": folio.locked_by or "free",
        "LRU": on_list if folio.lru else "isolated" if ISOLATION in held else "off",
        "dirty": yes[bool(folio.dirty)],
        "referenced": yes[bool(folio.referenced)],
        "writeback": yes[bool(folio.writeback)],
        "migration entries": str(sum(folio.migration_entries)),
        "file": "in it" if folio.mapping else "not in it",
        **{f"held by {who}": str(n) for who, n in held.items() if who != ISOLATION},
    }


def _touched(world: World, other: World) -> dict[str, int]:
    """Name -> pfn of every folio of this world that is not the same in the other."""
    return {
        folio.name or f"page at {pfn:#x}": pfn
        for pfn, folio in world.folios.items()
        if other.folios.get(pfn) is not folio and other.folios.get(pfn) != folio
    }


def _of_region(world: World, region: str) -> dict[str, str]:
    folios = [folio for _, folio in named(world, region)]
    inside, outside = pages_in_and_outside_cma(world, region)
    return {
        "pages in CMA": str(inside),
        "pages elsewhere": str(outside),
        "pages mapped": str(sum(folio.nr_pages for folio in folios if folio.mapcount)),
        "pins": str(sum(folio.pincount for folio in folios)),
    }


def _in_sums(before: World, after: World) -> Iterator[Change]:
    for region in dict.fromkeys([*regions(before), *regions(after)]):
        was, now = (len(named(world, region)) for world in (before, after))
        if was == 1 != now:
            yield Change(region, "one huge page", f"{now} pieces")
        yield from _different(f"{region}: ", _of_region(before, region), _of_region(after, region))


def _one_by_one(
    before: World, after: World, old: dict[str, int], new: dict[str, int]
) -> Iterator[Change]:
    for name in {**old, **new}:
        if name in old and name in new:
            facts = _of_folio(before, old[name]), _of_folio(after, new[name])
            yield from _different(f"{short_name(after, new[name])} ", *facts)
        elif name in new and new[name] not in before.folios:
            yield Change(short_name(after, new[name]), "", f"in {place(after, new[name])}")
        elif name in old and old[name] not in after.folios:
            yield Change(short_name(before, old[name]), "held", "freed")


def _of_machine(world: World) -> dict[str, str]:
    """What is about no folio: the counters, VFIO's container, the batches of each CPU."""
    container = world.container
    return {
        **{name: str(n) for name, n in world.vmstat.items()},
        "VFIO's lock": container.locked_by or "free",
        "mappings of VFIO": str(len(container.dmas)),
        "pages the device reaches": str(sum(run.pages for run in container.maps)),
        "locked memory in pages": str(container.locked_vm),
        **{f"{kind} batch of {cpu}": str(len(b)) for (cpu, kind), b in world.batches.items()},
    }


def moved_counters(before: World, after: World) -> list[tuple[str, int, int]]:
    """Counters that differ: name, before, after."""
    return [
        (name, before.vmstat[name], value)
        for name, value in after.vmstat.items()
        if before.vmstat[name] != value
    ]


def changes(moment: Moment) -> list[Change]:
    """What is different here from the state before."""
    before, after = moment.before.world, moment.world
    old, new = _touched(before, after), _touched(after, before)
    many = len({**old, **new}) > FOLIOS_MAX
    found = [*(_in_sums(before, after) if many else _one_by_one(before, after, old, new))]
    return found + _different("", _of_machine(before), _of_machine(after))


def counters(trace: Trace) -> dict[str, int]:
    """Counters that moved over the whole run, and by how much."""
    moved = moved_counters(trace.state(0).world, trace.last.world)
    return {name: new - old for name, old, new in moved}


# -- long runs, folded: the same steps for 510 further pieces are one row

SHORT = 150
"""Runs of up to so many steps are not folded."""
BLOCK_MAX, REPEATS_MIN = 64, 4
# Arguments and fields of answers that say where, not what.
_PLACES = frozenset(("pfn", "index", "nr", "iova", "src", "dst", "old", "new"))


class StepRow(NamedTuple):
    """Steps `start`..`end` of a run (from 0): one step, or `times` blocks of `block` steps.

    `renamed`: the blocks deal with one page after the other, not with the same one again."""

    start: int
    end: int
    block: int = 1
    times: int = 1
    renamed: bool = False

    @property
    def folded(self) -> bool:
        """More than one step?"""
        return self.end - self.start > 1

    @property
    def numbers(self) -> str:
        """Which steps, counted from 1."""
        return f"{self.start + 1}-{self.end}" if self.folded else str(self.end)

    def at(self, trace: Trace) -> Moment:
        """The moment that the row leads to, from the one before it."""
        return trace.at(self.end, since=self.start)

    def says(self, trace: Trace) -> str:
        """The step as a call and its answer, or what is folded here."""
        if not self.folded:
            return call(self.at(trace))
        what = "the same step" if self.block == 1 else f"the same {self.block} steps"
        more = "for {} further pieces" if self.renamed else "{} more times"
        return f"... {what} {more.format(self.times)}"


def _blank(value: Any, is_place: bool = False) -> Hashable:
    """The value without the numbers that say where."""
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", ("",) * len(value))
        pairs = zip(fields, value, strict=True)
        return tuple(_blank(item, field in _PLACES) for field, item in pairs)
    if type(value) is int and (is_place or value >= FIRST_TARGET_PFN):
        return "a place"
    return type(value).__name__, value


def _shape(event: Event) -> Hashable:
    """What an event is apart from the page that it is about: actor, line, step, what was said."""
    op = event.op
    names = [*arguments(op)] + [""] * len(op.args)
    pairs = zip(names, op.args, strict=False)
    args = tuple(_blank(value, name in _PLACES) for name, value in pairs)
    where = len(event.where), event.where[-1:]
    return event.actor, op.kind.name, event.choice, where, args, _blank(event.answer)


def _page(event: Event) -> tuple[Any, ...]:
    """The arguments that say which page the step is about."""
    given = arguments(event.op).items()
    return tuple(value for name, value in given if name in ("pfn", "src", "index"))


def _block(trace: Trace, shapes: list[int], i: int) -> tuple[int, int]:
    """The shortest block that is repeated often enough from `i`, and how often; (0, 0) if none."""
    for block in range(1, BLOCK_MAX + 1):
        first, times = shapes[i : i + block], 1
        while shapes[i + times * block : i + (times + 1) * block] == first:
            times += 1
        one = len({event.actor for event in trace.events[i : i + block]}) == 1
        if times >= REPEATS_MIN and one:
            return block, times
    return 0, 0


_KNOWN: WeakKeyDictionary[Trace, tuple[tuple[int, int], list[StepRow]]] = WeakKeyDictionary()


def fold(trace: Trace, *, short: int = SHORT) -> list[StepRow]:
    """The rows of a run; each step belongs to exactly one.  Remembered: a slider asks each time."""
    known = _KNOWN.get(trace)
    if known is None or known[0] != (len(trace), short):
        known = _KNOWN[trace] = (len(trace), short), _fold(trace, short)
    return known[1]


def _fold(trace: Trace, short: int) -> list[StepRow]:
    n = len(trace)
    if n <= short:
        return [StepRow(i, i + 1) for i in range(n)]
    numbers: dict[Hashable, int] = {}
    shapes = [numbers.setdefault(_shape(event), len(numbers)) for event in trace.events]
    rows: list[StepRow] = []
    i = 0
    while i < n:
        block, times = _block(trace, shapes, i)
        if not block:
            rows.append(StepRow(i, i + 1))
            i += 1
            continue
        # The first and the last block are shown step by step.
        last, end = i + block * (times - 1), i + block * times
        pages = [_page(event) for event in trace.events[i : i + 2 * block]]
        again = any(page and page == pages[j + block] for j, page in enumerate(pages[:block]))
        rows += [StepRow(j, j + 1) for j in range(i, i + block)]
        rows.append(StepRow(i + block, last, block, times - 2, not again))
        rows += [StepRow(j, j + 1) for j in range(last, end)]
        i = end
    return rows


# -- the step table

WIDTH, TABLE_SHORT = 100, 40
ROWS_MAX = 400
"""A longer table shows its first rows and its last ones, three to one."""
MARGIN, OTHERS_MAX = 31, 22
_GAP, _KEEP = "  ", "\u00a0"


def _margin(moment: Moment, width: int) -> list[str]:
    """The first changes, and how many more there are."""
    found = [str(change) for change in changes(moment) if not change.implied]
    more = len(found) - CHANGES_MAX
    lines: list[str] = []
    for text in [*found[:CHANGES_MAX], *([f"and {more} more"] if more > 0 else [])]:
        kept = text.replace(" → ", _KEEP + "→" + _KEEP)
        lines += textwrap.wrap(kept, width, subsequent_indent="  ")
    return [line.replace(_KEEP, " ") for line in lines]


def step_table(trace: Trace) -> str:
    """The run as text: time downwards, a column for each actor, what changed in the margin.

    Repeated blocks are folded.  A table of more than ROWS_MAX rows says what it leaves out of its
    middle."""
    rows, gap = fold(trace, short=TABLE_SHORT), 0
    if len(rows) > ROWS_MAX:
        gap = ROWS_MAX * 3 // 4
        rows = [*rows[:gap], *rows[gap - ROWS_MAX :]]
    said = [row.says(trace) for row in rows]
    numbers, columns, margin = _widths(trace, rows, said)

    def line(number: str, cells: dict[str, str], changed: str = "") -> str:
        """A line of the table; `cells`: what stands in the columns of actors."""
        placed = (cells.get(name, "").ljust(size) for name, size in columns.items())
        return _GAP.join([number.rjust(numbers), *placed, changed]).rstrip()

    out = [line("step", {name: name for name in columns}, "what changed")]
    out.append(_GAP.join("-" * size for size in (numbers, *columns.values(), margin)))
    depth: dict[str, int] = {}
    for event in trace.events:
        depth[event.actor] = min(depth.get(event.actor, 99), len(event.where))
    for number, (row, text) in enumerate(zip(rows, said, strict=True)):
        if gap and number == gap:
            first, last = rows[number - 1].end + 1, row.start
            out.append(f"{'':{numbers}}{_GAP}[steps {first} to {last} are left out]")
        event = trace.events[row.end - 1]
        indent = "" if row.folded else " " * min(len(event.where) - depth[event.actor], 6)
        left = textwrap.wrap(
            text, columns[event.actor], initial_indent=indent, subsequent_indent=indent + "  "
        )
        right = _margin(row.at(trace), margin)
        cells = zip_longest([row.numbers], left, right, fillvalue="")
        out += [line(label, {event.actor: words}, changed) for label, words, changed in cells]
    out.append(line("", {name: _end(trace, name) for name in columns}))
    return "\n".join(out) + "\n"


def _widths(trace: Trace, rows: list[StepRow], said: list[str]) -> tuple[int, dict[str, int], int]:
    """Columns of the step number, of each actor, and of the margin."""
    main, *others = [actor.name for actor in trace.scenario.actors]
    numbers = max([4, *(len(row.numbers) for row in rows)])
    columns = {name: len(name) for name in others}
    for row, text in zip(rows, said, strict=True):
        actor = trace.events[row.end - 1].actor
        if actor != main:
            columns[actor] = min(max(columns[actor], len(text)), OTHERS_MAX)
    left = WIDTH - numbers - len(_GAP) * (len(others) + 2) - sum(columns.values())
    margin = min(MARGIN, max(20, left // 2))
    return numbers, {main: max(left - margin, 20), **columns}, margin


def _end(trace: Trace, actor: str) -> str:
    """What an actor returned."""
    if not trace.scenario.local(trace.last, actor).finished:
        return "not finished"
    words = result_words(trace.scenario, trace.last, actor)
    return words if words == "done" else f"returns {words}"


# -- what came of it


def where_words(world: World, region: str) -> str:
    """Where the pages of a region are: one sentence."""
    folios = named(world, region)
    inside, outside = pages_in_and_outside_cma(world, region)
    if region == GUEST:
        return f"Of the guest's {inside + outside:,} pages {inside:,} lie in CMA."
    if len(folios) == 1:
        pfn, folio = folios[0]
        kind = "Huge page" if folio.is_thp else "Page"
        return f"{kind} {region} is whole and lies in {place(world, pfn)}."
    where = f"all of its {inside + outside} pieces lie in {'CMA' if inside else 'ordinary memory'}"
    if inside and outside:
        where = f"{inside} of its pieces lie in CMA, {outside} in ordinary memory"
    return f"{region} has been split; {where}."


# What a result means for whoever asked: what it was started for, or not.
_STARTS = "The memory is pinned outside CMA, so the virtual machine can start."
_MEANINGS = {
    PINNED: (_STARTS, "The pin fails{but}, so the virtual machine does not start."),
    MAPPED: (_STARTS, "The pin fails{but}, so the virtual machine does not start."),
    DROPPED: ("What nobody needed was dropped.", "Nothing could be dropped."),
    TAKEN_BACK: ("The owner has its memory.", "The owner gets no memory."),
    SPLIT: ("The huge page has been split.", "The huge page could not be split."),
    MIGRATED: (
        "Everything on the list was moved.",
        "Some of it could not be moved: a positive number counts failures.",
    ),
}


def _meaning(trace: Trace) -> str:
    local, scenario = trace.scenario.local(trace.last, main_actor(trace.scenario)), trace.scenario
    if not local.finished:
        return "The run stops before it is decided."
    if not isinstance(scenario, Situation) or scenario.aim not in _MEANINGS:
        return ""
    rc, aim, world = local.result, scenario.aim, trace.last.world
    if aim is MIGRATED and rc < 0:
        return "The migration gave up with an error."
    good, bad = _MEANINGS[aim]
    inside = any(world.in_cma(pfn) for pfn, _ in named(world))
    succeeded = bool(rc) if aim is DROPPED else aim.succeeds(rc)
    but = "" if inside else ", although every page has been moved"
    if rc == -EFAULT:
        but = ", because the file was truncated: the page is no part of it any more"
    return good if succeeded else bad.format(but=but)


def summary(trace: Trace) -> str:
    """The result, the counters that moved, where the pages are now, and what that means."""
    actor = main_actor(trace.scenario)
    ended = {"done": "is done", "not finished": "has not finished"}
    said = _end(trace, actor)
    lines = [f"Result: {actor} {ended.get(said, said)} after {plural(len(trace), 'step')}."]
    moved, world = counters(trace), trace.last.world
    size = max(map(len, moved), default=0)
    lines.append("Counters that moved:" if moved else "No counter moved.")
    lines += [f"  {name:<{size}}  {by:+d}" for name, by in moved.items()]
    lines += [where_words(world, region) for region in sorted(regions(world))]
    return "\n".join(filter(None, [*lines, _meaning(trace)])) + "\n"


# -- a run for a command line and for machines


def heading(situation: Situation) -> str:
    """Which scenario this is, in two lines."""
    version = situation.version
    turned = " ".join(f"{name}={value}" for name, value in situation.knobs.items())
    return f"{situation.name}  version {version.name} ({version.full_title})\nknobs     {turned}"


def as_json(situation: Situation, trace: Trace) -> dict[str, Any]:
    """Everything about a run of this situation, for machines."""
    return {
        "scenario": situation.name,
        "version": situation.version.name,
        "knobs": situation.knobs,
        "schedule": schedule.render(trace.moves),
        "result": situation.result(trace.last),
        "outcome": situation.outcome(trace.last),
        "counters": dict(counters(trace)),
        "steps": [
            {
                "actor": event.actor,
                "step": event.op.kind.name,
                "arguments": [str(argument) for argument in event.op.args],
                "outcome": event.choice,
                "answer": str(event.answer),
                "in": event.where[-1].function,
                "site": event.site,
            }
            for event in trace.events
        ],
    }
