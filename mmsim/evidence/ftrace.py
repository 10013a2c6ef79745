"""A pin that a real kernel traced, and the same pin in the model, line by line.

Interface: read, real_trace, RealTrace, Line, Unit, situation, align, Row, FOLDER

A file of data/kernel-runs/traces/ says what was there before, what the kernel traced, and what was
there afterwards.  `align` looks for every line of it in a run of the model (see
`mmsim.evidence.tracer`).  Times and page frame numbers are not compared; a pfn only says which huge
page is meant.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

from mmsim import datafiles, errno
from mmsim.engine.trace import Trace
from mmsim.errors import nearest
from mmsim.evidence.kernel_runs import VERSION_OF, measured_version
from mmsim.evidence.tracer import COUNTS, Fields, marks, names, region
from mmsim.mm.versions import get
from mmsim.mm.world import AVAILABLE, NONE, World
from mmsim.scenarios import SCENARIOS, Situation

FOLDER = "kernel-runs/traces/"
TODAY = "kernel-runs/k612/traces/"
"""Files of Linux 6.12: other probes, and a heading that says the set-up instead of the kernel."""
_HEADING = re.compile(r"-- (\w+) ([\w.]+)/(\w+) retfix=([01]) gup=\d+: units before.*")
_HEADING_TODAY = re.compile(
    r"-- (\w+) n=\d+ \w+ ref=(\w+) unit=(\d+) subpage=\d+ nref=(\d+): units before.*"
)
KERNEL_TODAY = ("6.12.117", "unmodified", "1")
_UNIT = r"unit (\d+) pfn (0x[0-9a-f]+) "
_UNIT_BEFORE = re.compile(_UNIT + r"cma ([01]) thp ([01]) dirty [01] map (\d+) .*")
_UNIT_AFTER = re.compile(_UNIT + r"thp ([01]) dirty [01] pages_in_cma (\d+)")
_BUDDY = re.compile(r"buddy\|Node \d+, zone +\w+(?: +\d+)+ *")
_PIN = re.compile(r"pin ret (-?\d+) in [\d.]+ us")
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


class Line(NamedTuple):
    """One line of the kernel's trace: its number in the file, what it is about, its values."""

    number: int
    kind: str
    fields: Fields


class Unit(NamedTuple):
    """2 MiB of the pinned range, before or after: where, one huge page or not, pages in CMA."""

    pfn: int
    fields: Fields


class RealTrace(NamedTuple):
    """One file.  `cut`: how many lines its writer left out at the end."""

    scenario: str
    code: str
    variant: str
    retfix: str
    units_before: tuple[Unit, ...]
    units_after: tuple[Unit, ...]
    vmstat_before: dict[str, int]
    vmstat_after: dict[str, int]
    pin_result: int
    """What the program saw: 0 or a negative errno."""
    lines: tuple[Line, ...]
    cut: int
    unit: int = 0
    """Which 2 MiB the reference is in, and how many references there are."""
    refs: int = 1

    @property
    def today(self) -> bool:
        """Of Linux 6.12?"""
        return (self.code, self.variant, self.retfix) == KERNEL_TODAY

    @property
    def version(self) -> str:
        """The version of the model that behaves like the measured kernel."""
        return VERSION_OF[self.code, self.variant, self.retfix]

    @property
    def delta(self) -> dict[str, int]:
        """What each counter of /proc/vmstat grew by; the whole machine's, not only the pin's."""
        after = self.vmstat_after
        return {n: after[n] - value for n, value in self.vmstat_before.items() if n in after}


def read(text: str) -> RealTrace:
    """Read one trace file; raises ValueError that names the line for anything else."""
    head, mark, tail = text.partition("==== trace\n")
    lines = list(enumerate(head.splitlines(), start=1))
    if not mark:
        raise ValueError(f"after {len(lines)} lines the file ends without '==== trace'")

    def expect(pattern: re.Pattern[str], what: str) -> re.Match[str]:
        number, line = lines[0] if lines else (text[: len(head)].count("\n") + 1, mark.strip())
        match = pattern.fullmatch(line.rstrip())
        if match is None:
            raise ValueError(f"line {number}: expected {what}, found {line[:60]!r}")
        lines.pop(0)
        return match

    def units(pattern: re.Pattern[str], keys: tuple[str, ...]) -> tuple[Unit, ...]:
        found: list[Unit] = []
        while not found or (lines and lines[0][1].startswith("unit ")):
            number, pfn, *values = expect(pattern, "the state of a unit (unit N pfn ...)").groups()
            fields: Fields = dict(zip(keys, map(int, values), strict=True))
            if int(number) != len(found):
                raise ValueError(f"line {lines[0][0] - 1}: not unit {len(found)}, but {number}")
            found.append(Unit(int(pfn, 16), fields))
        return tuple(found)

    def vmstat(when: str) -> dict[str, int]:
        match = expect(re.compile(rf"vmstat {when}: +((?:\w+=-?\d+ ?)+)"), f"'vmstat {when}:'")
        return {name: int(value) for name, value in _VALUE.findall(match[1])}

    buddy = "a line of buddyinfo (buddy|Node ...)"
    today = _HEADING_TODAY.fullmatch(lines[0][1].rstrip()) if lines else None
    if today:
        lines.pop(0)
        kernel, unit, refs = KERNEL_TODAY, int(today[3]), int(today[4])
        scenario = today[1]
    else:
        heading = expect(_HEADING, "the heading (-- SCENARIO CODE/VARIANT retfix=N gup=N: ...)")
        scenario, kernel, unit, refs = heading[1], (heading[2], heading[3], heading[4]), 0, 1
        if kernel not in VERSION_OF:
            raise ValueError(f"line 1: no version of the model behaves like {heading[0][:50]!r}")
    before = units(_UNIT_BEFORE, ("cma", "thp", "map"))
    vmstat_before = vmstat("before")
    expect(_BUDDY, buddy)
    vmstat_after = vmstat("after")
    expect(_BUDDY, buddy)
    after = units(_UNIT_AFTER, ("thp", "pages_in_cma"))
    pin_result = int(expect(_PIN, "what the pin returned (pin ret ...)")[1])
    if lines:
        raise ValueError(f"line {lines[0][0]}: expected '==== trace', found {lines[0][1][:60]!r}")
    traced, cut = _events(tail, head.count("\n") + 2)
    return RealTrace(
        scenario=scenario,
        code=kernel[0],
        variant=kernel[1],
        retfix=kernel[2],
        unit=unit,
        refs=refs,
        units_before=before,
        units_after=after,
        vmstat_before=vmstat_before,
        vmstat_after=vmstat_after,
        pin_result=pin_result,
        lines=traced,
        cut=cut,
    )


def _events(text: str, first: int) -> tuple[tuple[Line, ...], int]:
    found: list[Line] = []
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
        found.append(Line(number, kind, fields))
    return tuple(found), 0


def _value(key: str, text: str) -> int | str:
    if key == "pfn":
        return int(text, 16)
    if key == "mode" or (key == "reason" and not text.isdigit()):
        return text
    return int(text)


def real_trace(name: str) -> RealTrace:
    """Read a file of data/kernel-runs/traces/, for instance "S3_held_base_retfix1.txt", or one of
    Linux 6.12, whose name begins with K612."""
    path = datafiles.path(f"{TODAY if name.startswith('K612_') else FOLDER}{name}")
    try:
        return read(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{name}, {error}") from None


# -- beside the model

# What the measuring program set up, by the name of the measured scenario.
SET_UP: dict[str, dict[str, int | str]] = {
    "S1": {"holder": 0, "targets": AVAILABLE},
    "S2": {"holder": 0, "targets": NONE},
    "S2_noretfix": {"holder": 0, "targets": NONE},
    "S2_real": {"holder": 0, "targets": NONE},
    "S3_held": {"holder": 1, "targets": NONE},
    "S3_held_4": {"holder": 1, "targets": NONE},
    "S3_held_order9ok": {"holder": 1, "targets": AVAILABLE},
    "S3_held_2": {"holder": 1, "targets": NONE},
    "S3_held_8": {"holder": 1, "targets": NONE},
    "S3_held_2_order9ok": {"holder": 1, "targets": AVAILABLE},
    "S3_held_8_order9ok": {"holder": 1, "targets": AVAILABLE},
    "S3_real_held": {"holder": 1, "targets": NONE},
    "S7_pin_clean": {"holder": 0, "targets": NONE},
    "S7_pin_dirty": {"holder": 0, "targets": NONE},
}


class Row(NamedTuple):
    """One thing that was measured, and the same thing in the model; "—" if there is no such thing.

    `position`: the position of the model's run at which it can be seen, -1 if it is not there.
    """

    what: str
    measured: int | str
    model: int | str
    position: int
    agrees: bool


def situation(real: RealTrace) -> Situation:
    """The same set-up in the model, for the kernel that was measured."""
    if real.scenario not in SET_UP:
        raise ValueError(f"no set-up for {real.scenario!r}{nearest(real.scenario, SET_UP)}")
    knobs: dict[str, object] = {"thps": len(real.units_before), **SET_UP[real.scenario]}
    if knobs["holder"]:
        knobs |= {"holder": real.unit + 1, "refs": real.refs}
    version = measured_version(real.code, real.variant, real.retfix) or get(real.version)
    return SCENARIOS["vfio_map"].make(version, knobs)


# -- aligning


Entry = tuple[str, Fields]
# Lines with values that are worth a row each: (kind of the row, its values).
_PARTS = {
    "split": (("ref", ("ref",)), ("map", ("map",)), ("ret", ("ret",))),
    "mm_migrate_pages": (("counted", COUNTS), ("called", ("mode", "reason"))),
}
_OF_A_PASS = ("mm_page_alloc", "thp", "split_ret", "ref", "map", "ret", "loop")


_TODAY_AS = {"target_alloc_failed": ("mm_page_alloc", ""), "split_try": ("ref", "ref")}
"""What a probe of 6.12 tells, in terms of the older one, and the value that it tells it by."""
_NOT_TODAY = ("map", "ret", "return", "gup_longterm", "thp", "loop")


def _parts(kind: str, fields: Fields) -> list[Entry]:
    if kind not in _PARTS:
        return [(kind, fields)]
    return [(part, {key: fields[key] for key in keys}) for part, keys in _PARTS[kind]]


def _measured(real: RealTrace) -> list[Entry]:
    """The lines in the terms of `probe.marks`: rounds count from 1, a unit instead of a pfn."""
    units = {unit.pfn: number for number, unit in enumerate(real.units_before)}
    entries: list[Entry] = []
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


def _modelled(trace: Trace, failed_allocations: bool, today: bool) -> list[tuple[Entry, str, int]]:
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


def _numbered(entries: list[Entry]) -> list[tuple[str, object, int]]:
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


def align(real: RealTrace, trace: Trace) -> list[Row]:
    """Every line of the real trace with the model's line, then what was there afterwards.

    A line stands beside the same line of the same pass; one without such a counterpart makes a row
    that does not agree.  Raises ValueError for a file
    whose trace was cut off: nobody knows what was in the rest.
    """
    if real.cut:
        raise ValueError(
            f"the trace of {real.scenario} {real.variant} can't be aligned: "
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
                rows.append(Row(what, say(*there), say(*here), at, there == here))
            continue
        for there in measured[i1:i2]:
            rows.append(Row(describe(*there, ""), say(*there), "—", -1, False))
        for here, what, at in model[j1:j2]:
            rows.append(Row(what, "—", say(*here), at, False))
    return rows + _afterwards(real, trace)


def _afterwards(real: RealTrace, trace: Trace) -> list[Row]:
    result = trace.results.get(trace.scenario.actors[0].name)
    failed = min(result, 0) if result is not None else None
    agrees = failed == real.pin_result
    model = "not finished" if failed is None else errno.name(failed)
    rows = [Row("what the program saw", errno.name(real.pin_result), model, len(trace), agrees)]
    before, after = trace.state(0).world.vmstat, trace.last.world.vmstat
    for name, value in real.delta.items():
        if name in after:
            grown = after[name] - before[name]
            rows.append(Row(name, value, grown, len(trace), value == grown))
    return rows + _units(real, trace, len(trace))


def _units(real: RealTrace, trace: Trace, position: int) -> list[Row]:
    """The range before the pin or after it, one row for 2 MiB."""
    world: World = trace.state(position).world
    named = names(trace.state(0).world)
    when, units = ("after", real.units_after) if position else ("before", real.units_before)
    rows = []
    for number in range(max(len(units), len(named))):
        measured = units[number].fields if number < len(units) else {}
        model = region(world, named[number]) if number < len(named) else {}
        same = bool(measured) and all(model.get(key) == value for key, value in measured.items())
        name = named[number] if number < len(named) else str(number)
        said = say(when, measured) if measured else "—", say(when, model) if model else "—"
        rows.append(Row(f"{when} the pin: {name}", *said, position, same))
    return rows


# -- in words


def describe(kind: str, fields: Fields, huge: str) -> str:
    """What a line is about."""
    page = f"huge page {huge}" if huge else "a huge page"
    where = f"round {fields.get('round')}, pass {fields.get('pass')}: "
    expected = f" ({fields['expected']} expected)" if "expected" in fields else ""
    return {
        "mm_migrate_pages_start": "migrate_pages() begins",
        "mm_page_alloc": f"{page}: memory for the whole of it",
        "thp": f"{where}unmap_and_move() of {page}",
        "split_ret": f"{page}: split_huge_page_to_list() returns",
        "move_ret": f"{page}: migrate_folio() refuses",
        "ref": f"{huge or page}: references before the split{expected}",
        "map": f"{huge or page}: mappings before the split",
        "ret": f"{huge or page}: the split as the loop sees it",
        "loop": f"{where}end of the pass",
        "counted": "migrate_pages() has counted",
        "called": "migrate_pages() was asked for",
        "return": "migrate_pages() at its end",
        "migrate_ret": "migrate_pages() returns to the pin",
        "gup_longterm": "one round of the pin",
        "pin_ret": "the pin returns",
    }[kind]


def say(kind: str, fields: Fields) -> int | str:
    """What a line says, in at most 50 characters."""

    def code(key: str) -> str:
        return errno.name(int(fields[key]))

    if kind in ("ref", "map"):
        return fields[kind]
    if kind in ("mm_migrate_pages_start", "called"):
        return f"{fields['mode']}, {fields['reason']}"
    if kind == "mm_page_alloc":
        return f"order {fields['order']}: {'found' if fields['found'] else 'none'}"
    if kind == "thp":
        return f"unit {fields['unit']}: {code('rc')}"
    if kind == "pin_ret" and int(fields["ret"]) > 0:
        return f"{fields['ret']} pages"
    if kind in ("ret", "split_ret", "move_ret", "migrate_ret", "pin_ret"):
        return code("ret")
    if kind == "loop" and "rc" in fields:
        return f"{fields['seen']} seen; leaves with {code('rc')}"
    if kind == "loop":
        again = f"retry {fields['thp_retry']} THP, {fields['retry']} small"
        return f"{fields['seen']} seen, {fields['ok']} moved; {again} ({fields['retry_pages']})"
    if kind == "counted":
        pages, failed, huge, huge_failed, split = (fields[key] for key in COUNTS)
        return f"{pages} ok, {failed} failed; THP {huge} ok, {huge_failed} failed, {split} split"
    if kind == "return":
        return f"reason {fields['reason']}, returns {code('return')}"
    if kind == "gup_longterm":
        return f"{fields['pinned']} pinned, check: {code('check_and_migrate')}"
    huge = "huge" if fields["thp"] else "split"
    if kind == "before":
        return f"{huge}, {'in CMA' if fields['cma'] else 'not in CMA'}, mappings {fields['map']}"
    return f"{huge}, {fields['pages_in_cma']} pages in CMA"
