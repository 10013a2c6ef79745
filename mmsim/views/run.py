"""A run as text: the step table, and a summary of what came of it."""

from __future__ import annotations

import textwrap

from mmsim.engine.trace import Moment, Trace
from mmsim.mm.world import World
from mmsim.scenarios.host import GUEST
from mmsim.scenarios.situation import (
    DROPPED,
    MAPPED,
    MIGRATED,
    PINNED,
    SPLIT,
    TAKEN_BACK,
    Situation,
)
from mmsim.views.changes import changes, counters, few, follows, named, pieces, regions
from mmsim.views.fold import Row, fold
from mmsim.views.operations import call
from mmsim.views.words import main_actor, place, plural, result_words

# -- the step table

WIDTH, TABLE_SHORT = 100, 40
ROWS_MAX = 400
"""A longer table shows its first rows and its last ones, three to one."""
MARGIN = 31
_GAP, _KEEP = "  ", "\u00a0"


def _margin(moment: Moment, width: int) -> list[str]:
    lines: list[str] = []
    for text in few([change for change in changes(moment) if not follows(change)]):
        kept = text.replace(" → ", _KEEP + "→" + _KEEP)
        lines += textwrap.wrap(kept, width, subsequent_indent="  ")
    return [line.replace(_KEEP, " ") for line in lines]


def step_table(trace: Trace, *, width: int = WIDTH, short: int = TABLE_SHORT) -> str:
    """The run as text: time downwards, a column for each actor, what changed in the margin.

    Repeated blocks are folded.  A table of more than ROWS_MAX rows says what it leaves out of its
    middle."""
    rows, gap = fold(trace, short=short), ROWS_MAX * 3 // 4
    if len(rows) > ROWS_MAX:
        rows = [*rows[:gap], *rows[gap - ROWS_MAX :]]
    else:
        gap = 0
    moments = [row.at(trace) for row in rows]
    said = [
        f"... {row.words()}" if row.folded else call(moment)
        for row, moment in zip(rows, moments, strict=True)
    ]
    numbers, columns, margin = _widths(trace, rows, said, width)
    head = ["step".rjust(numbers), *(name.ljust(columns[name]) for name in columns), "what changed"]
    out = [_GAP.join(head).rstrip()]
    out.append(_GAP.join(["-" * numbers, *("-" * columns[name] for name in columns), "-" * margin]))
    depth: dict[str, int] = {}
    for event in trace.events:
        depth[event.actor] = min(depth.get(event.actor, 99), len(event.where))
    for number, (row, moment, text) in enumerate(zip(rows, moments, said, strict=True)):
        if gap and number == gap:
            first, last = rows[number - 1].end + 1, row.start
            out.append(f"{'':{numbers}}{_GAP}[steps {first} to {last} are left out]")
        event = trace.events[row.end - 1]
        indent = "" if row.folded else " " * min(len(event.where) - depth[event.actor], 6)
        left = textwrap.wrap(
            text, columns[event.actor], initial_indent=indent, subsequent_indent=indent + "  "
        )
        right = _margin(moment, margin)
        for i in range(max(len(left), len(right), 1)):
            parts = [(row.numbers if i == 0 else "").rjust(numbers)]
            for name, size in columns.items():
                mine = name == event.actor and i < len(left)
                parts.append((left[i] if mine else "").ljust(size))
            out.append(_GAP.join([*parts, right[i] if i < len(right) else ""]).rstrip())
    ends = (_end(trace, name).ljust(size) for name, size in columns.items())
    out.append(_GAP.join([" " * numbers, *ends]).rstrip())
    return "\n".join(out) + "\n"


def _widths(
    trace: Trace, rows: list[Row], said: list[str], width: int
) -> tuple[int, dict[str, int], int]:
    """Columns of the step number, of each actor, and of the margin."""
    main, *others = [actor.name for actor in trace.scenario.actors]
    numbers = max([4, *(len(row.numbers) for row in rows)])
    columns = {name: len(name) for name in others}
    for row, text in zip(rows, said, strict=True):
        actor = trace.events[row.end - 1].actor
        if actor != main:
            columns[actor] = min(max(columns[actor], len(text)), 22)
    left = width - numbers - len(_GAP) * (len(others) + 2) - sum(columns.values())
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
    folios = [(pfn, folio) for pfn, folio in named(world) if folio.region == region]
    if region == GUEST:
        found = sum(folio.nr_pages for pfn, folio in folios if world.in_cma(pfn))
        return f"Of the guest's {sum(f.nr_pages for _, f in folios):,} pages {found:,} lie in CMA."
    if len(folios) == 1:
        pfn, folio = folios[0]
        kind = "Huge page" if folio.is_thp else "Page"
        return f"{kind} {region} is whole and lies in {place(world, pfn)}."
    inside, outside = pieces(world, region)
    if inside and outside:
        where = f"{inside} of its pieces lie in CMA, {outside} in ordinary memory"
    else:
        all_ = "CMA" if inside else "ordinary memory"
        where = f"all of its {inside + outside} pieces lie in {all_}"
    return f"{region} has been split; {where}."


# What a result means for whoever asked: what it was started for, or not.
_MEANINGS = {
    TAKEN_BACK: ("The owner has its memory.", "The owner gets no memory."),
    SPLIT: ("The huge page has been split.", "The huge page could not be split."),
    MIGRATED: (
        "Everything on the list was moved.",
        "Some of it could not be moved: a positive number counts failures.",
    ),
}


def _meaning(trace: Trace) -> str:
    local = trace.scenario.local(trace.last, main_actor(trace.scenario))
    if not local.finished:
        return "The run stops before it is decided."
    if not isinstance(trace.scenario, Situation):
        return ""
    rc, aim = local.result, trace.scenario.aim
    if aim in (PINNED, MAPPED):
        if aim.reached(rc):
            return "The memory is pinned outside CMA, so the virtual machine can start."
        world = trace.last.world
        inside = any(world.in_cma(pfn) for pfn, _ in named(world))
        but = "" if inside else ", although every page has been moved"
        return f"The pin fails{but}, so the virtual machine does not start."
    if aim is DROPPED:
        return "What nobody needed was dropped." if rc else "Nothing could be dropped."
    if aim is MIGRATED and rc < 0:
        return "The migration gave up with an error."
    good, bad = _MEANINGS.get(aim, ("", ""))
    return good if aim.reached(rc) else bad


def summary(trace: Trace) -> str:
    """The result, the counters that moved, where the pages are now, and what that means."""
    actor = main_actor(trace.scenario)
    ended = {"done": "is done", "not finished": "has not finished"}
    said = _end(trace, actor)
    lines = [f"Result: {actor} {ended.get(said, said)} after {plural(len(trace), 'step')}."]
    moved = counters(trace)
    size = max((len(name) for name, _ in moved), default=0)
    lines.append("Counters that moved:" if moved else "No counter moved.")
    lines += [f"  {name:<{size}}  {delta:+d}" for name, delta in moved]
    world = trace.last.world
    lines += [where_words(world, region) for region in sorted(regions(world))]
    return "\n".join(filter(None, [*lines, _meaning(trace)])) + "\n"
