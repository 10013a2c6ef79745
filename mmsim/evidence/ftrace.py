"""A pin that a real kernel traced, and the same pin in the model, line by line.

`marks` is what the tracer of the measurements would print about a run of the model: tracepoints and
return probes.  It is read off the events of the main actor: their sites, what the path notes there,
and what was answered.

A file of data/kernel-runs/traces/ says what was there before, what the kernel traced, and what was
there afterwards.  `align` looks for every line of it among the marks of a run.  Times and page
frame numbers are not compared; a pfn only says which huge page is meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from mmsim import datafiles, errno
from mmsim.constants import MODES, REASONS
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Trace
from mmsim.errno import EAGAIN, ENOMEM
from mmsim.errors import nearest
from mmsim.evidence.measured import VERSION_OF, measured_version
from mmsim.mm.folio import extra_pins_of
from mmsim.mm.versions import get
from mmsim.mm.world import AVAILABLE, NONE, World
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.observed import named, pages_in_and_outside_cma

# -- what a tracer would print about a run of the model

Fields = dict[str, int | str]

COUNTS = ("nr_succeeded", "nr_failed", "nr_thp_succeeded", "nr_thp_failed", "nr_thp_split")


class Mark(NamedTuple):
    """One line of the tracer; `position`: where in the run it can be seen; `huge`: about whom."""

    kind: str
    fields: Fields
    position: int
    huge: str = ""


def _huge_pages(world: World) -> list[str]:
    """The huge pages of a world, in the order in which they were made."""
    return [folio.name for _, folio in named(world) if folio.is_thp]


def _region(world: World, name: str) -> Fields:
    """Where the 2 MiB of a huge page are now, as the measuring program saw it from outside."""
    folios = [folio for _, folio in named(world, name)]
    inside, _ = pages_in_and_outside_cma(world, name)
    return {
        "cma": int(inside > 0),
        "thp": int(any(folio.is_thp for folio in folios)),
        "map": sum(folio.mapcount for folio in folios),
        "pages_in_cma": inside,
    }


Steps = Sequence[tuple[int, Event]]
"""The steps of the pin or of the owner, each with its number in the run."""
Printed = Iterator[tuple[int, Mark]]
"""Lines of the tracer, each with the number of the step at which it is printed."""


def marks(trace: Trace) -> list[Mark]:
    """Every line that the tracer of the measurements would print about this run of the model."""
    main = trace.scenario.actors[0].name
    steps = [(at, event) for at, event in enumerate(trace.events) if event.actor == main]
    units = {name: number for number, name in enumerate(_huge_pages(trace.state(0).world))}
    printed = [
        *_calls(steps),
        *_passes(steps),
        *_visits(steps, trace, units),
        *_splits(steps, trace, units),
        *_pin(steps, trace.results.get(main), len(trace)),
    ]
    return [mark for _, mark in sorted(printed, key=lambda each: each[0])]


def _calls(steps: Steps) -> Printed:
    """The tracepoints at the begin and the end of migrate_pages(), and what it returns."""
    for at, event in steps:
        if event.site not in ("migrate.start", "migrate.end"):
            continue
        *counts, mode, reason = event.op.args
        asked: Fields = {"mode": MODES[mode], "reason": REASONS[reason]}
        if event.site == "migrate.start":
            yield at, Mark("mm_migrate_pages_start", asked, at + 1)
            continue
        counted: Fields = dict(zip(COUNTS, counts, strict=True))
        yield at, Mark("mm_migrate_pages", counted | asked, at + 1)
        yield at, Mark("return", {"reason": reason, "return": event.notes["rc"]}, at + 1)
        yield at, Mark("migrate_ret", {"ret": event.notes["rc"]}, at + 1)


def _pass_of(visit: Event) -> tuple[int, int] | None:
    """Round and pass of a visit; None in 6.12, whose tracer tells of no pass."""
    notes = visit.notes
    return None if "batch" in notes else (notes["round_"], notes["pass_"])


def _passes(steps: Steps) -> Printed:
    """What the loop knows when a pass is over: at the first visit of the next, or at its end."""
    now, seen = None, 0
    for at, event in steps:
        if event.site not in ("visit", "migrate.out"):
            continue
        next_ = _pass_of(event) if event.site == "visit" else None
        if now and next_ != now:
            yield at, Mark("loop", _end_of_pass(*now, seen, event.notes), at)
            seen = 0
        now = next_
        seen += now is not None


def _end_of_pass(round_: int, pass_: int, seen: int, notes: Mapping[str, Any]) -> Fields:
    fields: Fields = {"round": round_, "pass": pass_, "seen": seen}
    if notes.get("rc", 0) < 0:
        return fields | {"rc": notes["rc"]}
    keys = ("retry", "thp_retry", "nr_retry_pages", "nr_succeeded")
    return fields | {name: notes[key] for name, key in zip(_LOOP_GOES_ON, keys, strict=True)}


def _visits(steps: Steps, trace: Trace, units: Mapping[str, int]) -> Printed:
    """What becomes of a huge page in a visit: memory for all of it, a refused move, how it ends."""
    huge, now = "", None
    for at, event in steps:
        site = event.site
        if site in ("visit", "move.expect") and "huge" in event.notes:
            folio = trace.state(at).world.folio(event.op.args[0])
            huge = folio.name if folio.is_thp else ""
            now = _pass_of(event)
        if not huge:
            continue
        rc = None
        if site == "move.target":
            order = trace.state(at).world.folio(event.op.args[0]).order
            found = int(event.answer is not None)
            yield at, Mark("mm_page_alloc", {"order": order, "found": found}, at + 1, huge)
            rc = None if found else -ENOMEM
        elif site in ("move.check", "move.freeze") and event.answer is False and not now:
            yield at, Mark("move_ret", {"ret": -EAGAIN}, at + 1, huge)
        elif site == "move.done":
            rc = event.notes["rc"] or None  # a move that went well ends at move.freed
        elif site == "move.freed":
            rc = 0
        if now and rc is not None:
            round_, pass_ = now
            fields: Fields = {"round": round_, "pass": pass_, "unit": units[huge], "rc": rc}
            yield at, Mark("thp", fields, at + 1, huge)


def _splits(steps: Steps, trace: Trace, units: Mapping[str, int]) -> Printed:
    """What a split returns, and the counts of its last look at the huge page."""
    looked_at = 0
    for at, event in steps:
        if event.site in ("split.lock", "split.check"):
            looked_at = at
        elif event.site == "split.unlock":
            folio = trace.state(looked_at).world.folio(event.op.args[0])
            ret = event.notes["ret"]
            yield at, Mark("split_ret", {"ret": ret}, at, folio.name)
            fields: Fields = {
                "unit": units[folio.name],
                "ref": folio.refcount,
                "map": folio.mapcount,
                "expected": extra_pins_of(folio) + folio.mapcount + 1,
                "ret": ret,
            }
            yield at, Mark("split", fields, looked_at, folio.name)


def _pin(steps: Steps, result: int | None, end: int) -> Printed:
    """How many pages each round of a pin pinned, what came of checking them, and the result."""
    pins = any(event.site == "gup.pin" for _, event in steps)
    pinned = checked = 0  # `checked`: the position after the last step that looked at the pinned
    for at, event in steps:
        if event.site not in ("gup.pin", "gup.fault"):
            checked = at + 1 if pinned else 0
            continue
        if checked:
            fields: Fields = {"pinned": pinned, "check_and_migrate": -EAGAIN}
            yield at, Mark("gup_longterm", fields, checked)
            pinned = checked = 0
        pinned += getattr(event.answer, "pins", 0)
    if pins and result is not None:
        if checked:
            fields = {"pinned": pinned, "check_and_migrate": min(result, 0)}
            yield end, Mark("gup_longterm", fields, checked)
        yield end, Mark("pin_ret", {"ret": result}, end)


# -- what a real kernel traced

FOLDER = "kernel-runs/traces/"
FOLDER_6_12 = "kernel-runs/k612/traces/"
"""Files of Linux 6.12: other probes, and a heading that says the set-up instead of the kernel."""
KERNEL_TODAY = ("6.12.117", "unmodified", "1")
_VMSTAT = r"((?:\w+=-?\d+ ?)+)"
_UNIT = r"unit \d+ pfn (0x[0-9a-f]+) "
_BUDDY = (r"buddy\|Node \d+, zone +\w+(?: +\d+)+ *", "a line of buddyinfo (buddy|Node ...)")
# The lines before the trace, one or more of each, and what to say if there is none.
_HEAD = tuple(
    (re.compile(form), what)
    for form, what in (
        (
            r"-- (\w+) (?:([\w.]+)/(\w+) retfix=([01]) gup=\d+"
            r"|n=\d+ \w+ ref=\w+ unit=(\d+) subpage=\d+ nref=(\d+)): units before.*",
            "the heading (-- SCENARIO CODE/VARIANT retfix=N gup=N: ...)",
        ),
        (_UNIT + r"cma ([01]) thp ([01]) dirty [01] map (\d+) .*", "a unit (unit N pfn ...)"),
        (rf"vmstat before: +{_VMSTAT}", "'vmstat before:'"),
        _BUDDY,
        (rf"vmstat after: +{_VMSTAT}", "'vmstat after:'"),
        _BUDDY,
        (_UNIT + r"thp ([01]) dirty [01] pages_in_cma (\d+)", "a unit (unit N pfn ...)"),
        (r"pin ret (-?\d+) in [\d.]+ us", "what the pin returned (pin ret ...)"),
    )
)
_EVENT = re.compile(r" *\S+ +\[\d+\] \S+ +[\d.]+: (\w+): (?:note: (\w+) )?(.*)")
_CUT = re.compile(r"\((\d+) more lines\)")
_VALUE = re.compile(r"(\w+)=(\S+)")

# kind of line -> the numbers it must have
NEEDS = {
    "mm_migrate_pages_start": ("mode", "reason"),
    "mm_page_alloc": ("pfn", "order"),
    "thp": ("round", "pass", "pfn", "rc"),
    "split_ret": ("ret",),
    "split": ("pfn", "ref", "map", "ret"),
    "loop": ("round", "pass", "seen"),
    "mm_migrate_pages": (*COUNTS, "mode", "reason"),
    "migrate_pages": ("reason", "return"),
    "target_alloc_failed": ("ret",),
    "split_try": ("head_ref",),
    "move_ret": ("ret",),
    "migrate_ret": ("ret",),
    "gup_longterm": ("pinned", "check_and_migrate"),
    "pin_ret": ("ret",),
}
_LOOP_GOES_ON = ("retry", "thp_retry", "retry_pages", "ok")
# What compaction does on the way is not part of this pin; the last one is told by pin_ret, too.
NOT_READ = ("set_migration_pte", "remove_migration_pte", "gup_slow_ret")


class TraceLine(NamedTuple):
    """One line of the kernel's trace: its number in the file, what it is about, its values."""

    number: int
    kind: str
    fields: Fields


class Unit(NamedTuple):
    """2 MiB of the pinned range, before or after: where, one huge page or not, pages in CMA."""

    pfn: int
    fields: Fields


class RealTrace(NamedTuple):
    """One file.  `kernel`: a key of VERSION_OF.  `cut`: how many lines its writer left out at the
    end.  `unit`, `refs`: which 2 MiB the reference is in, and how many references there are.
    `pin_result`: what the program saw, 0 or a negative errno."""

    scenario: str
    kernel: tuple[str, str, str]
    unit: int
    refs: int
    units_before: tuple[Unit, ...]
    units_after: tuple[Unit, ...]
    vmstat_before: dict[str, int]
    vmstat_after: dict[str, int]
    pin_result: int
    lines: tuple[TraceLine, ...]
    cut: int

    @property
    def today(self) -> bool:
        """Of Linux 6.12?"""
        return self.kernel == KERNEL_TODAY

    @property
    def version(self) -> str:
        """The version of the model that behaves like the measured kernel."""
        return VERSION_OF[self.kernel]

    @property
    def delta(self) -> dict[str, int]:
        """What each counter of /proc/vmstat grew by; the whole machine's, not only the pin's."""
        after = self.vmstat_after
        return {n: after[n] - value for n, value in self.vmstat_before.items() if n in after}


def read(text: str) -> RealTrace:
    """Read one trace file; raises ValueError that names the line for anything else."""
    head, mark, tail = text.partition("==== trace\n")
    lines = head.splitlines()
    if not mark:
        raise ValueError(f"after {len(lines)} lines the file ends without '==== trace'")
    found: list[list[re.Match[str]]] = []
    at = 0
    for form, what in (*_HEAD, (None, "'==== trace'")):
        here: list[re.Match[str]] = []
        while form and at < len(lines) and (match := form.fullmatch(lines[at].rstrip())):
            here.append(match)
            at += 1
        if not here and (form or at < len(lines)):
            there = [*lines, mark.strip()][at]
            raise ValueError(f"line {at + 1}: expected {what}, found {there[:60]!r}")
        found.append(here)
    headings, before, vmstat_before, _, vmstat_after, _, after, pins, _ = found
    heading = headings[0]
    kernel = (heading[2], heading[3], heading[4]) if heading[2] else KERNEL_TODAY
    if kernel not in VERSION_OF:
        raise ValueError(f"line 1: no version of the model behaves like {heading[0][:50]!r}")
    traced, cut = _events(tail, len(lines) + 2)
    return RealTrace(
        scenario=heading[1],
        kernel=kernel,
        unit=int(heading[5] or 0),
        refs=int(heading[6] or 1),
        units_before=_units_of(before, ("cma", "thp", "map")),
        units_after=_units_of(after, ("thp", "pages_in_cma")),
        vmstat_before={name: int(n) for name, n in _VALUE.findall(vmstat_before[0][1])},
        vmstat_after={name: int(n) for name, n in _VALUE.findall(vmstat_after[0][1])},
        pin_result=int(pins[0][1]),
        lines=traced,
        cut=cut,
    )


def _units_of(matches: list[re.Match[str]], keys: tuple[str, ...]) -> tuple[Unit, ...]:
    return tuple(
        Unit(int(match[1], 16), dict(zip(keys, map(int, match.groups()[1:]), strict=True)))
        for match in matches
    )


def _events(text: str, first: int) -> tuple[tuple[TraceLine, ...], int]:
    found: list[TraceLine] = []
    for number, line in enumerate(text.splitlines(), start=first):
        if match := _CUT.fullmatch(line):
            return tuple(found), int(match[1])
        match = _EVENT.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number}: can't be read as a line of ftrace: {line[:60]!r}")
        kind = match[2] or match[1]
        if kind in NOT_READ:
            continue
        if kind not in NEEDS:
            raise ValueError(f"line {number}: unknown event {kind!r}{nearest(kind, NEEDS)}")
        values = dict(_VALUE.findall(match[3]))
        needs = NEEDS[kind]
        if kind == "loop":
            needs += ("rc",) if "rc" in values else _LOOP_GOES_ON
        try:
            fields = {key: _value(key, values[key]) for key in needs}
        except KeyError as error:
            raise ValueError(f"line {number}: {kind} has no value {error}") from None
        except ValueError as error:
            raise ValueError(f"line {number}: {kind}: {error}") from None
        found.append(TraceLine(number, kind, fields))
    return tuple(found), 0


def _value(key: str, text: str) -> int | str:
    if key == "pfn":
        return int(text, 16)
    if key == "mode" or (key == "reason" and not text.isdigit()):
        return text
    return int(text)


def _text(name: str) -> str:
    folder = FOLDER_6_12 if name.startswith("K612_") else FOLDER
    return datafiles.path(f"{folder}{name}").read_text(encoding="utf-8")


def real_trace(name: str) -> RealTrace:
    """Read a file of data/kernel-runs/traces/, for instance "S3_held_base_retfix1.txt", or one of
    Linux 6.12, whose name begins with K612."""
    try:
        return read(_text(name))
    except ValueError as error:
        raise ValueError(f"{name}, {error}") from None


def raw_lines(name: str, numbers: Sequence[int]) -> list[str]:
    """Lines of a trace file as the kernel wrote them, without process, processor and time."""
    text = _text(name).splitlines()
    return [text[number - 1].split(": ", 1)[1].strip() for number in numbers]


# -- beside the model


class AlignedRow(NamedTuple):
    """One thing that was measured, and the same thing in the model; "—" if there is no such thing.

    `position`: the position of the model's run at which it can be seen, -1 if it is not there.
    """

    what: str
    measured: int | str
    model: int | str
    position: int
    agrees: bool


def situation(real: RealTrace) -> Situation:
    """The same set-up in the model, for the kernel that was measured; ValueError if it can't be.

    The name of the measured scenario says what the measuring program set up."""
    name = real.scenario
    if not re.fullmatch(r"(S1|S2|S3|S7)(_.*)?", name):
        raise ValueError(f"the model has no set-up for {name!r}")
    knobs: dict[str, object] = {"thps": len(real.units_before), "holder": 0}
    knobs["targets"] = AVAILABLE if name == "S1" or "order9ok" in name else NONE
    if "held" in name:
        knobs |= {"holder": real.unit + 1, "refs": real.refs}
    version = measured_version(*real.kernel) or get(real.version)
    return vfio_map(version, **knobs)


# -- aligning


LinePart = tuple[str, Fields]
# Lines with values that are worth a row each: (kind of the row, its values).
_PARTS = {
    "split": (("ref", ("ref",)), ("map", ("map",)), ("ret", ("ret",))),
    "mm_migrate_pages": (("counted", COUNTS), ("called", ("mode", "reason"))),
}
_OF_A_PASS = ("mm_page_alloc", "thp", "split_ret", "ref", "map", "ret", "loop")


_TODAY_AS = {"target_alloc_failed": ("mm_page_alloc", ""), "split_try": ("ref", "ref")}
"""What a probe of 6.12 tells, in terms of the older one, and the value that it tells it by."""
_NOT_TODAY = ("map", "ret", "return", "gup_longterm", "thp", "loop")


def _parts(kind: str, fields: Fields) -> list[LinePart]:
    if kind not in _PARTS:
        return [(kind, fields)]
    return [(part, {key: fields[key] for key in keys}) for part, keys in _PARTS[kind]]


def _measured(real: RealTrace) -> list[LinePart]:
    """The lines in the terms of `marks`: rounds count from 1, a unit instead of a pfn."""
    units = {unit.pfn: number for number, unit in enumerate(real.units_before)}
    entries: list[LinePart] = []
    for line in real.lines:
        fields = dict(line.fields)
        if real.today and line.kind in _TODAY_AS:
            kind, key = _TODAY_AS[line.kind]
            entries.append((kind, {key: fields["head_ref"]} if key else {"order": 9, "found": 0}))
            continue
        if real.today and line.kind == "mm_page_alloc" and not fields["pfn"]:
            continue  # the failure is told by target_alloc_failed, too
        if line.kind == "mm_page_alloc":
            fields["found"] = int(fields.pop("pfn") != 0)
        elif "pfn" in fields:
            fields["unit"] = units.get(int(fields.pop("pfn")), -1)
        if "round" in fields:
            fields["round"] = int(fields["round"]) + 1
        entries += _parts("return" if line.kind == "migrate_pages" else line.kind, fields)
    return entries


def _modelled(
    trace: Trace, failed_allocations: bool, today: bool
) -> list[tuple[LinePart, str, int]]:
    """The model's lines: what, what it is about in words, where."""
    entries = []
    found = marks(trace)
    if today:  # its probe of a split prints when the split begins, the older one when it is over
        found.sort(key=lambda mark: mark.position)
    for mark in found:
        if mark.kind == "mm_page_alloc" and not (mark.fields["found"] or failed_allocations):
            continue
        for kind, fields in _parts(mark.kind, mark.fields):
            if today and kind in _NOT_TODAY:
                continue
            what = describe(kind, {**mark.fields, **fields}, mark.huge)
            entries.append(((kind, fields), what, mark.position))
    return entries


def _numbered(entries: list[LinePart]) -> list[tuple[str, object, int]]:
    """Each line as the n-th of its kind in its pass: no other line may stand beside it."""
    passes, pass_ = list[object](), None
    for kind, fields in reversed(entries):
        pass_ = (fields["round"], fields["pass"]) if "pass" in fields else pass_
        passes.append(pass_ if kind in _OF_A_PASS else None)
    found = Counter[tuple[str, object]]()
    numbered = []
    for (kind, _), where in zip(entries, reversed(passes), strict=True):
        found[kind, where] += 1
        numbered.append((kind, where, found[kind, where]))
    return numbered


def align(real: RealTrace, trace: Trace) -> list[AlignedRow]:
    """Every line of the real trace with the model's line, then what was there afterwards.

    A line stands beside the same line of the same pass; one without such a counterpart makes a row
    that does not agree.  Raises ValueError for a file
    whose trace was cut off: nobody knows what was in the rest.
    """
    if real.cut:
        raise ValueError(
            f"the trace of {real.scenario} {real.kernel[1]} can't be aligned: "
            f"its last {real.cut} lines were left out of the file"
        )
    measured = _measured(real)
    # An injected failure returns before the kernel's tracepoint is reached.
    failed = any(kind == "mm_page_alloc" and not fields["found"] for kind, fields in measured)
    model = _modelled(trace, failed, real.today)
    lines = _numbered(measured), _numbered([entry for entry, _, _ in model])
    rows = _units(real, trace, 0)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
        if tag == "equal":
            for there, (here, what, at) in zip(measured[i1:i2], model[j1:j2], strict=True):
                rows.append(AlignedRow(what, say(*there), say(*here), at, there == here))
            continue
        for there in measured[i1:i2]:
            rows.append(AlignedRow(describe(*there, ""), say(*there), "—", -1, False))
        for here, what, at in model[j1:j2]:
            rows.append(AlignedRow(what, "—", say(*here), at, False))
    return rows + _afterwards(real, trace)


def _afterwards(real: RealTrace, trace: Trace) -> list[AlignedRow]:
    result = trace.results.get(trace.scenario.actors[0].name)
    failed = min(result, 0) if result is not None else None
    agrees = failed == real.pin_result
    model = "not finished" if failed is None else errno.name(failed)
    rows = [
        AlignedRow("what the program saw", errno.name(real.pin_result), model, len(trace), agrees)
    ]
    before, after = trace.state(0).world.vmstat, trace.last.world.vmstat
    for name, value in real.delta.items():
        if name in after:
            grown = after[name] - before[name]
            rows.append(AlignedRow(name, value, grown, len(trace), value == grown))
    return rows + _units(real, trace, len(trace))


def _units(real: RealTrace, trace: Trace, position: int) -> list[AlignedRow]:
    """The range before the pin or after it, one row for 2 MiB."""
    world: World = trace.state(position).world
    huge = _huge_pages(trace.state(0).world)
    when, units = ("after", real.units_after) if position else ("before", real.units_before)
    rows = []
    for number in range(max(len(units), len(huge))):
        measured = units[number].fields if number < len(units) else {}
        model = _region(world, huge[number]) if number < len(huge) else {}
        same = bool(measured) and all(model.get(key) == value for key, value in measured.items())
        name = huge[number] if number < len(huge) else str(number)
        said = say(when, measured) if measured else "—", say(when, model) if model else "—"
        rows.append(AlignedRow(f"{when} the pin: {name}", *said, position, same))
    return rows


# -- in words

# What a line is about, and what it says, in at most 50 characters.
_WORDS = {
    "mm_migrate_pages_start": ("migrate_pages() begins", "{mode}, {reason}"),
    "mm_page_alloc": ("{page}: memory for the whole of it", "order {order}: {found}"),
    "thp": ("{where}: unmap_and_move() of {page}", "unit {unit}: {rc}"),
    "split_ret": ("{page}: split_huge_page_to_list() returns", "{ret}"),
    "move_ret": ("{page}: migrate_folio() refuses", "{ret}"),
    "ref": ("{name}: references before the split{expected}", "{ref}"),
    "map": ("{name}: mappings before the split", "{map}"),
    "ret": ("{name}: the split as the loop sees it", "{ret}"),
    "loop": (
        "{where}: end of the pass",
        "{seen} seen, {ok} moved; retry {thp_retry} THP, {retry} small ({retry_pages})",
    ),
    "loop left": ("{where}: end of the pass", "{seen} seen; leaves with {rc}"),
    "counted": (
        "migrate_pages() has counted",
        "{nr_succeeded} ok, {nr_failed} failed; THP {nr_thp_succeeded} ok, {nr_thp_failed} failed, "
        "{nr_thp_split} split",
    ),
    "called": ("migrate_pages() was asked for", "{mode}, {reason}"),
    "return": ("migrate_pages() at its end", "reason {reason}, returns {return}"),
    "migrate_ret": ("migrate_pages() returns to the pin", "{ret}"),
    "gup_longterm": ("one round of the pin", "{pinned} pinned, check: {check_and_migrate}"),
    "pin_ret": ("the pin returns", "{ret}"),
    "before": ("", "{thp}, {cma}, mappings {map}"),
    "after": ("", "{thp}, {pages_in_cma} pages in CMA"),
}
_CODES = ("rc", "ret", "return", "check_and_migrate")
_YES_NO = {"found": ("found", "none"), "thp": ("huge", "split"), "cma": ("in CMA", "not in CMA")}


def _of(kind: str, fields: Fields) -> tuple[str, str]:
    return _WORDS["loop left" if kind == "loop" and "rc" in fields else kind]


def describe(kind: str, fields: Fields, huge: str) -> str:
    """What a line is about."""
    page = f"huge page {huge}" if huge else "a huge page"
    return _of(kind, fields)[0].format(
        page=page,
        name=huge or page,
        where=f"round {fields.get('round')}, pass {fields.get('pass')}",
        expected=f" ({fields['expected']} expected)" if "expected" in fields else "",
    )


def say(kind: str, fields: Fields) -> int | str:
    """What a line says."""
    if kind in ("ref", "map"):
        return fields[kind]
    if kind == "pin_ret" and int(fields["ret"]) > 0:
        return f"{fields['ret']} pages"
    said = {n: errno.name(int(v)) if n in _CODES else v for n, v in fields.items()}
    said |= {n: yes if fields[n] else no for n, (yes, no) in _YES_NO.items() if n in fields}
    return _of(kind, fields)[1].format(**said)
