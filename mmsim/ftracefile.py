"""Reading the files of data/kernel-runs/traces/: what a real kernel traced while it pinned.

Interface: read, real_trace, raw_lines, FOLDER, RealTrace, Line, Unit

A file says what was there before, what the kernel traced, and what was there afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mmsim import datafiles
from mmsim.compare.pins import VERSION_OF
from mmsim.errors import nearest
from mmsim.probe import COUNTS, Fields

FOLDER = "kernel-runs/traces/"
_HEADING = re.compile(r"-- (\w+) ([\w.]+)/(\w+) retfix=([01]) gup=\d+: units before.*")
_UNIT = r"unit (\d+) pfn (0x[0-9a-f]+) "
_UNIT_BEFORE = re.compile(_UNIT + r"cma ([01]) thp ([01]) dirty [01] map (\d+) .*")
_UNIT_AFTER = re.compile(_UNIT + r"thp ([01]) dirty [01] pages_in_cma (\d+)")
_BUDDY = re.compile(r"buddy\|Node \d+, zone +\w+((?: +\d+)+) *")
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
    "migrate_ret": ("ret",),
    "gup_longterm": ("pinned", "check_and_migrate"),
    "pin_ret": ("ret",),
}
_LOOP_GOES_ON = ("retry", "thp_retry", "retry_pages", "ok")
# What compaction does on the way is not part of this pin.
NOT_READ = ("set_migration_pte", "remove_migration_pte")


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
    buddy_before: tuple[int, ...]
    buddy_after: tuple[int, ...]
    pin_errno: int
    lines: tuple[Line, ...]
    cut: int

    @property
    def version(self) -> str:
        """The version of the model that behaves like the measured kernel."""
        return VERSION_OF[self.code, self.variant, self.retfix]

    @property
    def pin_result(self) -> int:
        """What the program saw: 0 or a negative errno."""
        return self.pin_errno

    @property
    def delta(self) -> dict[str, int]:
        """What each counter of /proc/vmstat grew by; the whole machine's, not only the pin's."""
        after = self.vmstat_after
        return {n: after[n] - value for n, value in self.vmstat_before.items() if n in after}


# -- reading


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

    def buddy() -> tuple[int, ...]:
        return tuple(map(int, expect(_BUDDY, "a line of buddyinfo (buddy|Node ...)")[1].split()))

    heading = expect(_HEADING, "the heading (-- SCENARIO CODE/VARIANT retfix=N gup=N: ...)")
    if (heading[2], heading[3], heading[4]) not in VERSION_OF:
        raise ValueError(f"line 1: no version of the model behaves like {heading[0][:50]!r}")
    before = units(_UNIT_BEFORE, ("cma", "thp", "map"))
    vmstat_before, buddy_before = vmstat("before"), buddy()
    vmstat_after, buddy_after = vmstat("after"), buddy()
    after = units(_UNIT_AFTER, ("thp", "pages_in_cma"))
    pin_errno = int(expect(_PIN, "what the pin returned (pin ret ...)")[1])
    if lines:
        raise ValueError(f"line {lines[0][0]}: expected '==== trace', found {lines[0][1][:60]!r}")
    traced, cut = _events(tail, head.count("\n") + 2)
    return RealTrace(
        scenario=heading[1],
        code=heading[2],
        variant=heading[3],
        retfix=heading[4],
        units_before=before,
        units_after=after,
        vmstat_before=vmstat_before,
        vmstat_after=vmstat_after,
        buddy_before=buddy_before,
        buddy_after=buddy_after,
        pin_errno=pin_errno,
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
    """Read a file of data/kernel-runs/traces/, for instance "S3_held_base_retfix1.txt"."""
    path = datafiles.path(f"{FOLDER}{name}")
    try:
        return read(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{name}, {error}") from None


def raw_lines(name: str, numbers: Sequence[int]) -> list[str]:
    """Lines of a trace file as the kernel wrote them, without process, processor and time."""
    text = datafiles.path(f"{FOLDER}{name}").read_text(encoding="utf-8").splitlines()
    return [text[number - 1].split(": ", 1)[1].strip() for number in numbers]
