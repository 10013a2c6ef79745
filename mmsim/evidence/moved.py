"""What moved, from texts that people have: /proc/vmstat twice, a list of counters, lines of ftrace.

Interface: read, delta, Delta, EVIDENCE, PAGES, UNITS

A counter that a text does not have is not known, which is no error: kernels before 5.9 count no
migrations of huge pages, and `grep` leaves most counters out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from mmsim.constants import MIGRATE_COUNTERS, MR_CONTIG_RANGE, MR_LONGTERM_PIN, REASONS
from mmsim.errors import nearest
from mmsim.evidence import ftrace
from mmsim.evidence.pasted import (
    BUDDYINFO,
    FREE_LISTS,
    PAGETYPEINFO,
    SHOWN_MAX,
    VMSTAT,
    ZONEINFO,
    Line,
    Neighbour,
    PasteError,
    kind_of,
    lines_of,
    neighbour,
    wrong,
)

PAGES = ("pgmigrate_success", "pgmigrate_fail")
EVIDENCE = (
    *MIGRATE_COUNTERS,
    "thp_split_page",
    "thp_split_page_failed",
    "thp_split_pmd",
    "cma_alloc_success",
    "cma_alloc_fail",
)
UNITS = tuple(name for name in EVIDENCE if name not in PAGES)

WHOLE = 40
"""A text with more counters than this is a whole /proc/vmstat."""
OLD = "the model's versions are of 2022 and later, so what it says is a comparison"

_COUNTER = re.compile(r"([a-z][a-z0-9_]*)[ :=]+([+-]?\d{1,19})(?: ?#[^0-9]*)?")
_CALL = re.compile(r"\bmm_migrate_pages: (.*)")
_MEANT = re.compile(r"nr_succeeded|nr_failed|mm_migrate_pages:|nr_thp_")
_VALUE = re.compile(r"(\w+)=(\S*)")
# Names that may go back without a new boot: what is there now, and what can be set to 0.
_GAUGES = re.compile(r"nr_.*|workingset_nodes|numa_.*|.*_nodes|balloon_.*|vma_.*")
_EVENTS = re.compile(r"(pg|thp_|compact_|cma_|drop_|allocstall|kswapd_|pswp|slabs_|oom_|unevict).*")
# What is not evidence but could matter: the first that fits comes first.
_MATTERS = (
    "drop_", "compact_", "numa_pages_migrated", "pgdemote", "pgpromote", "numa_", "thp_",
    "nr_isolated", "nr_free_cma", "nr_foll_pin", "htlb_", "unevictable", "oom_", "allocstall",
    "pgscan", "pgsteal", "swap", "pswp",
)  # fmt: skip


class Delta(NamedTuple):
    """What is known.  `given`: counters of EVIDENCE; one that is missing is not known.

    `others`: what else moved, what could matter first.  `reason`: for whom pages were migrated, if
    a trace said so; `also`: the other reasons of that trace.  `notes`: sentences about the text."""

    given: dict[str, int]
    others: dict[str, int]
    reason: str = ""
    also: tuple[Delta, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def moved(self) -> dict[str, int]:
        """The given counters that moved."""
        return {name: n for name, n in self.given.items() if n}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Counters of EVIDENCE that the text says nothing about."""
        return tuple(name for name in EVIDENCE if name not in self.given)


def read(
    before: str, after: str | None = None, names: tuple[str, str] = ("BEFORE", "AFTER")
) -> Delta:
    """What moved, from one text or two; raises PasteError."""
    if after is not None:
        found = []
        for text, name in zip((before, after), names, strict=True):
            with _called(name):
                found.append(_counters(lines_of(text, VMSTAT, name), readings=True))
        return _between(found[0], found[1], names)
    name = names[0]
    with _called(name):
        lines = lines_of(before, VMSTAT, name)
        if "==== trace" in before:
            try:
                return delta({}, ftrace.read(before).delta)
            except ValueError as error:
                raise PasteError(str(error)) from None
        if any(_MEANT.search(line.text) for line in lines):
            return _calls(lines)
        return _listed(_counters(lines), name)


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Put the name of the text before a message about one of its lines."""
    try:
        yield
    except PasteError as error:
        at_line = str(error).startswith(("line ", "after "))
        raise type(error)(f"{name}, {error}" if at_line else str(error)) from None


def delta(before: dict[str, int], after: dict[str, int], notes: tuple[str, ...] = ()) -> Delta:
    """What moved between two states of the counters."""
    moved = {name: n - before.get(name, 0) for name, n in after.items()}
    given = {name: moved[name] for name in EVIDENCE if name in moved}
    others = {name: n for name, n in moved.items() if name not in EVIDENCE and n}
    return Delta(given, dict(sorted(others.items(), key=_importance)), notes=notes)


def _importance(item: tuple[str, int]) -> int:
    """Smaller for what could matter more; names that may be slips of the pen matter most."""
    name = item[0]
    if name.startswith(("thp_migration", "thp_split_page_f", "pgmigrate", "cma_alloc")):
        return -1
    return next((i for i, begins in enumerate(_MATTERS) if name.startswith(begins)), len(_MATTERS))


# -- names with numbers


def _counters(lines: list[Line], *, readings: bool = False) -> dict[str, int]:
    found: dict[str, int] = {}
    first: dict[str, Line] = {}
    for line in lines:
        for part in re.split(r"[,;] (?=[a-z])", line.text):
            match = _COUNTER.fullmatch(part)
            if match is None:
                _refuse(line, part, lines)
            name = match[1]
            if readings and match[2][0] == "+":
                wrong(line, f"{part!r} is a movement and not a reading: give such a list alone")
            if name in found:
                two = f"stands in line {first[name].number} already: give two readings as two files"
                wrong(line, f"{name} {two}, BEFORE and AFTER")
            found[name], first[name] = int(match[2]), line
    return found


def _refuse(line: Line, part: str, lines: list[Line]) -> NoReturn:
    """PasteError for what is no counter."""
    for each in (line, *lines):
        if (kind := kind_of(each)) in (BUDDYINFO, PAGETYPEINFO, ZONEINFO, FREE_LISTS):
            says = "which says what is free and not what moved"
            at = f"line {each.number}"
            raise Neighbour(f"{at}: this looks like {kind}, {says}: mmsim show FILE shows it")
    kind = kind_of(line)
    if said := neighbour([line, *lines]):
        raise Neighbour(said)
    if re.fullmatch(r"[a-z]\w*[ :=]+[+-]?\d[\d.,' ]*", part):
        wrong(line, f"{part[:SHOWN_MAX]!r} is no whole number without points or commas")
    looks = f" (this looks like {kind})" if kind not in ("", VMSTAT) else ""
    wrong(
        line,
        "write a counter and by how much it moved, for instance 'thp_migration_fail +1', "
        f"not {part[:SHOWN_MAX]!r}{looks}",
    )


def _between(before: dict[str, int], after: dict[str, int], names: tuple[str, str]) -> Delta:
    alone = sorted(set(before) ^ set(after))
    if alone:
        which = names[0] if alone[0] in before else names[1]
        cut = "of two kernels, or one of them is cut"
        raise PasteError(f"the texts are {cut}: only {which} has {alone[0]}")
    moved = {name: after[name] - n for name, n in before.items()}
    events = {n: v for n, v in moved.items() if v and _EVENTS.match(n) and not _GAUGES.fullmatch(n)}
    back = next((name for name, n in events.items() if n < 0), None)
    if back:
        went = f"{back} from {before[back]} to {after[back]}"
        if all(n < 0 for n in events.values()):
            raise PasteError(
                f"every counter that moved went back ({went}): "
                f"swap {names[0]} and {names[1]}, unless the machine was started anew in between"
            )
        different = "the texts are from different boots: counters went back"
        raise PasteError(f"{different}, for instance {went}")
    if not set(before) & set(EVIDENCE):
        raise PasteError(f"{names[0]} has no counter of the model; those are {', '.join(EVIDENCE)}")
    old = len(before) > WHOLE and "thp_migration_fail" not in before
    huge = "There are no counters thp_migration_*: the kernel is from before 5.9, or has no huge"
    return delta(before, after, (f"{huge} pages; {OLD}.",) if old else ())


def _listed(moved: dict[str, int], name: str) -> Delta:
    if len(moved) > WHOLE:
        two = "give two of them, from before and from after"
        raise PasteError(f"{name} is a whole /proc/vmstat; {two}")
    found = delta({}, moved)
    if not found.given:
        first = next(iter(moved))
        known = nearest(first, EVIDENCE)
        raise PasteError(f"{name} has no counter of the model: {first!r}{known}")
    for counter, n in found.given.items():
        if n < 0:
            raise PasteError(f"{name}: {counter} went back by {-n}; counters never do")
    return found


# -- the tracepoint mm_migrate_pages, summed up over the calls for each reason


def _calls(lines: list[Line]) -> Delta:
    sums: dict[str, list[int]] = {}
    others = 0
    first: tuple[Line, int] | None = None
    for line in lines:
        if not _MEANT.search(line.text):
            if (match := _COUNTER.fullmatch(line.text)) and match[1] in EVIDENCE:
                wrong(line, "this is a counter, and there is a trace, too: give one of the two")
            others += 1
            continue
        numbers, reason = _call(line)
        if first is None:
            first = line, len(numbers)
        elif len(numbers) != first[1]:
            wrong(line, f"this has other values than line {first[0].number}: give one kernel's")
        total = sums.setdefault(reason, [0] * len(numbers))
        sums[reason] = [a + b for a, b in zip(total, numbers, strict=True)]
    notes = [f"Lines of other events, not read: {others}."] if others else []
    if first and first[1] == 2:
        notes.append(f"The lines are of a kernel before 5.9, without counts of huge pages; {OLD}.")
    found = [
        Delta(dict(zip(MIGRATE_COUNTERS, sums[reason], strict=False)), {}, reason)
        for reason in sorted(sums, key=lambda reason: _first_failures(reason, sums[reason]))
    ]
    return found[0]._replace(also=tuple(found[1:]), notes=tuple(notes))


def _first_failures(reason: str, total: list[int]) -> tuple[bool, int]:
    """Failures first; among them pins, then owners of CMA areas."""
    usual = (REASONS[MR_LONGTERM_PIN], REASONS[MR_CONTIG_RANGE])
    failed = any(total[1:2] + total[3:4])
    return not failed, usual.index(reason) if reason in usual else len(usual)


def _call(line: Line) -> tuple[list[int], str]:
    """The counts of one line, five or (before 5.9) two, and the reason, "" if it is empty."""
    match = _CALL.search(line.text)
    found = _VALUE.findall(match[1]) if match else []
    values = dict(found)
    if match is None or len(found) > len(values) or _VALUE.sub("", match[1]).strip():
        wrong(line, f"{line.text[-SHOWN_MAX:]!r} can't be read as a line of mm_migrate_pages")
    old = not any(key.startswith("nr_thp_") for key in values)
    keys = ftrace.COUNTS[:2] if old else ftrace.COUNTS
    missing = next((key for key in (*keys, "mode", "reason") if key not in values), None)
    if missing:
        wrong(line, f"a line of mm_migrate_pages has no value {missing}")
    for key in keys:
        if not re.fullmatch(r"[0-9]{1,19}", values[key]):
            wrong(line, f"{key} is no number: {values[key][:SHOWN_MAX]!r}")
    reason = values["reason"]
    number = int(reason, 0) if re.fullmatch(r"0x[0-9a-f]{1,4}|[1-9]?[0-9]", reason) else -1
    return [int(values[key]) for key in keys], (
        REASONS[number] if 0 <= number < len(REASONS) else reason
    )
