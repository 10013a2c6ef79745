"""The step table: time downwards, one column per actor, what changed in the margin.

Interface: step_table, cell
"""

from __future__ import annotations

import textwrap
from typing import Any

from mmsim import errno
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Trace
from mmsim.mm.filemap import Entry
from mmsim.mm.page_ref import ME
from mmsim.mm.world import World
from mmsim.views.changes import Change, changes
from mmsim.views.fold import Row, arguments, fold
from mmsim.views.names import result_words, short_name

WIDTH = 100
SHORT = 40
ROWS_MAX = 400
"""A longer table shows its first rows and its last ones, three to one."""
CHANGES_MAX = 3
MARGIN = 31
_GAP = "  "
_KEEP = "\u00a0"
_PFNS = ("pfn", "src", "dst", "old", "new")
_NOT_SHOWN = ("file", "start")  # a whole file and a place in it: the answer says what was found
_FINDING = ("follow_page_mask", "find_get_entry", "mapping_get_entry")
_COUNTING = ("folio_ref_count", "vfio_batch_init")  # answers that are numbers, not pfns
_YES_NO = {True: "yes", False: "no"}


def _argument(name: str, value: Any, before: World, after: World) -> str:
    if name in _PFNS:
        return short_name(before if value in before.folios else after, value)
    return str(value)


def _called(event: Event, before: World, after: World) -> str:
    """The step as a call with names instead of page frame numbers."""
    name = event.op.kind.name
    given = arguments(event.op)
    if name == "count_vm_events":
        return f"{name}({', '.join(f'{what} {n:+d}' for what, n in event.op.args if n)})"
    if name.startswith("trace_"):
        return name
    if "region" in given and "index" in given:
        page = given["region"] if given["index"] == 0 else f"{given['region']}[{given['index']}]"
        pfn = before.find(given["region"], given["index"])
        page = (
            before.folios[pfn].name if pfn is not None and not before.folios[pfn].is_thp else page
        )
        return f"{name}({page})"
    shown = [
        _argument(what, value, before, after)
        for what, value in given.items()
        if what not in _NOT_SHOWN
        and not (what == "refs" and value == 1)
        and not (what == "who" and value in (ME, event.actor))
    ]
    return f"{name}({', '.join(shown)})"


def _answered(event: Event, before: World, after: World) -> str:
    answer: Any = event.answer
    if event.op.kind.name == "can_split_folio":
        return "no" if answer is None else "yes"
    if answer is None:
        return "none" if event.outcome or event.op.kind.name in _FINDING else ""
    if isinstance(answer, bool):
        return _YES_NO[answer]
    if isinstance(answer, int):
        if answer in after.folios and event.op.kind.name not in _COUNTING:
            label = short_name(after, answer)
            return "" if "region" in arguments(event.op) else label.removesuffix(" page")
        return errno.name(answer) if answer < 0 else str(answer)
    if isinstance(answer, Entry):
        return short_name(after, answer.page.pfn)
    if hasattr(answer, "pins"):
        return f"{answer.pins} pinned"
    if event.op.kind.name == "__split_huge_page":
        return f"{len(answer)} pieces"
    if event.op.kind.name == "folio_batch_add":
        return (
            f"moves {', '.join(short_name(after, pfn) for pfn in answer)}" if answer else "queued"
        )
    if event.op.kind.name == "folio_expected_refs":
        return errno.name(answer) if answer < 0 else f"expect {answer}"
    return str(answer)


def cell(trace: Trace, position: int) -> str:
    """The step that led to this position, as a call and its answer."""
    event = trace.events[position - 1]
    before, after = trace.state(position - 1).world, trace.state(position).world
    answer = _answered(event, before, after)
    return _called(event, before, after) + (f" = {answer}" if answer else "")


def _margin(trace: Trace, row: Row, width: int) -> list[str]:
    # Who holds a reference and which batch it waits in follow from the count and the step.
    found = [c for c in changes(trace, row.end, since=row.start) if not _follows(c)]
    lines: list[str] = []
    for change in found[:CHANGES_MAX]:
        text = str(change).replace(" → ", _KEEP + "→" + _KEEP)
        wrapped = textwrap.wrap(text, width, subsequent_indent="  ")
        lines += [line.replace(_KEEP, " ") for line in wrapped]
    more = len(found) - CHANGES_MAX
    return [*lines, f"and {more} more"] if more > 0 else lines


def _follows(change: Change) -> bool:
    return " held by " in change.name or " batch of " in change.name


def _lines(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + "  ") or [
        ""
    ]


def _indent(event: Event, outermost: int) -> str:
    return " " * min(max(0, len(event.where) - outermost), 6)


def _widths(trace: Trace, rows: list[Row], width: int) -> tuple[int, dict[str, int], int]:
    """Columns of the step number, of each actor, and of the margin."""
    names = [actor.name for actor in trace.scenario.actors]
    numbers = max(4, *(len(_numbers(row)) for row in rows)) if rows else 4
    main = names[0]
    longest = {name: len(name) for name in names}
    for row in rows:
        event = trace.events[row.end - 1]
        if event.actor != main:
            longest[event.actor] = max(longest[event.actor], len(cell(trace, row.end)))
    columns = {name: min(longest[name], 22) for name in names[1:]}
    left = width - numbers - len(_GAP) * (len(names) + 1) - sum(columns.values())
    margin = min(MARGIN, max(20, left // 2))
    return numbers, {main: max(left - margin, 20), **columns}, margin


def _numbers(row: Row) -> str:
    return f"{row.start + 1}-{row.end}" if row.folded else str(row.end)


def _shortened(rows: list[Row]) -> tuple[list[Row], int]:
    """At most ROWS_MAX rows, and the number of the first one after the gap (0: there is none)."""
    head = ROWS_MAX * 3 // 4
    if len(rows) <= ROWS_MAX:
        return rows, 0
    return [*rows[:head], *rows[head - ROWS_MAX :]], head


def step_table(trace: Trace, *, width: int = WIDTH, short: int = SHORT) -> str:
    """The run as text: one row per step, repeated blocks folded; no colours.

    A table of more than ROWS_MAX rows says what it leaves out of its middle."""
    rows, gap = _shortened(fold(trace, short=short))
    numbers, columns, margin = _widths(trace, rows, width)
    head = ["step".rjust(numbers), *(name.ljust(columns[name]) for name in columns), "what changed"]
    rule = ["-" * numbers, *("-" * columns[name] for name in columns), "-" * margin]
    out = [_GAP.join(head).rstrip(), _GAP.join(rule)]
    shallow = {
        name: min((len(e.where) for e in trace.events if e.actor == name), default=0)
        for name in columns
    }
    for number, row in enumerate(rows):
        if gap and number == gap:
            first, last = rows[number - 1].end + 1, row.start
            out.append(f"{'':{numbers}}{_GAP}[steps {first} to {last} are left out]")
        event = trace.events[row.end - 1]
        text = f"... {row.words()}" if row.folded else cell(trace, row.end)
        indent = "" if row.folded else _indent(event, shallow[event.actor])
        mine = _lines(text, columns[event.actor], indent)
        right = _margin(trace, row, margin)
        for i in range(max(len(mine), len(right))):
            parts = [(_numbers(row) if i == 0 else "").rjust(numbers)]
            for name, size in columns.items():
                said = mine[i] if name == event.actor and i < len(mine) else ""
                parts.append(said.ljust(size))
            parts.append(right[i] if i < len(right) else "")
            out.append(_GAP.join(parts).rstrip())
    out += _ends(trace, columns, numbers)
    return "\n".join(out) + "\n"


def _ends(trace: Trace, columns: dict[str, int], numbers: int) -> list[str]:
    """A last line with what each actor returned."""
    state = trace.last
    said = {}
    for name in columns:
        if not trace.scenario.local(state, name).finished:
            said[name] = "not finished"
        else:
            words = result_words(trace.scenario, state, name)
            said[name] = words if words == "done" else f"returns {words}"
    cells = [said[name].ljust(size) for name, size in columns.items()]
    return [_GAP.join([" " * numbers, *cells]).rstrip()]
