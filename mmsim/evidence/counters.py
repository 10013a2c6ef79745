"""What moved: counters from the texts that people have.

The texts are /proc/vmstat twice, a list of counters, or lines of ftrace.  A counter that a text
does not have is not known, which is no error: kernels before 5.9 count no migrations of huge pages,
and `grep` leaves most counters out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mmsim.constants import MIGRATE_COUNTERS, MR_CONTIG_RANGE, MR_LONGTERM_PIN, REASONS
from mmsim.errors import nearest
from mmsim.evidence.ftrace import COUNTS
from mmsim.evidence.ftrace import read as read_trace
from mmsim.evidence.pasted import (
    QUOTED_MAX,
    VMSTAT,
    KnownText,
    Line,
    PasteError,
    lines_of,
    what_it_is,
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

LISTED_MAX = 40
"""A text with more counters than this is a whole /proc/vmstat."""
OLD_KERNEL = "the model's versions are of 2022 and later, so what it says is a comparison"

_COUNTER = re.compile(r"([a-z][a-z0-9_]*)(?:[ :=]+|,)([+-]?\d{1,19})(?: ?#[^0-9]*)?")
_NEXT = re.compile(r"[,;](?: |$)|(?<=\d) (?=[a-z]\w*[ :=]+[+-]?\d)")
_QUOTES = re.compile(r"(?<!\d)[\"'`*“”‘’{}]+|[\"'`*“”‘’{}]+(?!\d)")  # of JSON, a chat, a web page
_CALL = re.compile(r"\bmm_migrate_pages: (.*?)(?: \*/)?$")
_LOST = re.compile(r"\blost \d+ (?:events|chunks)|entries-written: (\d+)/(?!\1\b)", re.IGNORECASE)
_MEANT = re.compile(r"nr_succeeded|nr_failed|mm_migrate_pages:|nr_thp_|(?<!start: )mode=MIGRATE_")
_VALUE = re.compile(r"(\w+)=(\S*)")
# Names that may go back without a new boot: what is there now, and what can be set to 0.
_GAUGES = re.compile(r"nr_.*|workingset_nodes|numa_.*|.*_nodes|balloon_.*|vma_.*")
_EVENTS = re.compile(r"(pg|thp_|compact_|cma_|drop_|allocstall|kswapd_|pswp|slabs_|oom_|unevict).*")


class Delta(NamedTuple):
    """What is known.  `given`: counters of EVIDENCE; one that is missing is not known.

    `others`: what else moved.  `reason`: for whom pages were migrated, if a trace said so; `also`:
    the other reasons of that trace.  `notes`: sentences about the text.  `version`: that of the
    kernel, if the text says which one it is of."""

    given: dict[str, int]
    others: dict[str, int]
    reason: str = ""
    also: tuple[Delta, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = ""

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
            return _traced(before)
        if any(_MEANT.search(line.text) for line in lines):
            return _calls(lines, lost=bool(_LOST.search(before)))
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
    return Delta(given, others, notes=notes)


# -- a trace with the counters before and after it


def _traced(text: str) -> Delta:
    try:
        real = read_trace(text)
    except ValueError as error:
        raise PasteError(str(error)) from None
    begun = [
        line for line in real.lines if line.kind in ("mm_migrate_pages_start", "mm_migrate_pages")
    ]
    whose = sorted({str(line.fields["reason"]) for line in begun}, key=_usual)
    notes = [f"The trace is of a kernel that is {real.version} here (--kernel names another)."]
    if whose[1:]:
        notes.append(f"The counters also have what was migrated for {', '.join(whose[1:])}.")
    moved = delta({}, real.delta, tuple(notes))
    return moved._replace(reason=whose[0] if whose else "", version=real.version)


# -- names with numbers


def _counters(lines: list[Line], *, readings: bool = False) -> dict[str, int]:
    found: dict[str, int] = {}
    first: dict[str, Line] = {}
    for line in lines:
        for part in filter(None, _NEXT.split(_QUOTES.sub("", line.text))):
            match = _COUNTER.fullmatch(part)
            if match is None:
                if said := what_it_is([line, *lines], (VMSTAT,)):
                    raise KnownText(said)
                wrong(
                    line,
                    "write a counter and by how much it moved, a whole number without points or "
                    f"commas, for instance 'thp_migration_fail +1', not {part[:QUOTED_MAX]!r}",
                )
            name = match[1]
            if readings and match[2][0] == "+":
                wrong(line, f"{part!r} is a movement and not a reading: give such a list alone")
            if name in found:
                two = f"stands in line {first[name].number} already: give two readings as two files"
                wrong(line, f"{name} {two}, BEFORE and AFTER")
            found[name], first[name] = int(match[2]), line
    return found


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
    old = len(before) > LISTED_MAX and "thp_migration_fail" not in before
    huge = "There are no counters thp_migration_*: the kernel is from before 5.9, or has no huge"
    return delta(before, after, (f"{huge} pages; {OLD_KERNEL}.",) if old else ())


def _listed(moved: dict[str, int], name: str) -> Delta:
    if len(moved) > LISTED_MAX:
        two = "give two of them, from before and from after"
        raise PasteError(f"{name} is a whole /proc/vmstat; {two}")
    found = delta({}, moved)
    if not found.given:
        first = next(iter(moved), "")
        known = nearest(first, EVIDENCE)
        raise PasteError(f"{name} has no counter of the model: {first!r}{known}")
    for counter, n in found.given.items():
        if n < 0:
            raise PasteError(f"{name}: {counter} went back by {-n}; counters never do")
    return found


# -- the tracepoint mm_migrate_pages, summed up over the calls for each reason


def _calls(lines: list[Line], *, lost: bool) -> Delta:
    calls = [(line, *_call(line)) for line in lines if _MEANT.search(line.text)]
    others = [line for line in lines if not _MEANT.search(line.text)]
    first, known, _ = calls[0]
    sums: dict[str, Counter[str]] = {}
    for line, numbers, reason in calls:
        if len(numbers) != len(known):
            wrong(line, f"this has other values than line {first.number}: give one kernel's")
        sums.setdefault(reason, Counter()).update(numbers)
    for line in others:
        if (match := _COUNTER.fullmatch(line.text)) and match[1] in EVIDENCE:
            wrong(line, "this is a counter, and there is a trace, too: give one of the two")
    notes = [f"Lines of other events, not read: {len(others)}."] if others else []
    if lost:
        notes.append("The tracer lost events, so there may have been more calls than these.")
    if len(known) == len(PAGES):
        notes.append(
            f"The lines are of a kernel before 5.9, without counts of huge pages; {OLD_KERNEL}."
        )
    found = [Delta(dict(sums[r]), {}, r) for r in sorted(sums, key=lambda r: _rank(r, sums[r]))]
    return found[0]._replace(also=tuple(found[1:]), notes=tuple(notes))


def _rank(reason: str, total: Counter[str]) -> tuple[bool, int]:
    """Failures first."""
    failed = total["pgmigrate_fail"] or total["thp_migration_fail"]
    return not failed, _usual(reason)


def _usual(reason: str) -> int:
    """Pins first, then owners of CMA areas."""
    usual = (REASONS[MR_LONGTERM_PIN], REASONS[MR_CONTIG_RANGE])
    return usual.index(reason) if reason in usual else len(usual)


def _call(line: Line) -> tuple[dict[str, int], str]:
    """What a line counts: five counters or (before 5.9) two; and the reason, "" if it is empty."""
    match = _CALL.search(line.text)
    found = _VALUE.findall(match[1]) if match else []
    values = dict(found)
    if counted := re.match(r"\d+ (?=mm_migrate_pages:)", line.text):
        wrong(line, f"this begins with {counted[0]}: give each call as often as it came, uncounted")
    whole = match and "nr_" not in line.text[: match.start()]
    if not match or not whole or len(found) > len(values) or _VALUE.sub("", match[1]).strip():
        wrong(line, f"{line.text[-QUOTED_MAX:]!r} can't be read as a line of mm_migrate_pages")
    old = not any(key.startswith("nr_thp_") for key in values)
    keys = COUNTS[:2] if old else COUNTS
    missing = next((key for key in (*keys, "mode", "reason") if key not in values), None)
    if missing:
        wrong(line, f"a line of mm_migrate_pages has no value {missing}")
    for key in keys:
        if not re.fullmatch(r"[0-9]{1,19}", values[key]):
            wrong(line, f"{key} is no number: {values[key][:QUOTED_MAX]!r}")
    reason = values["reason"]
    number = int(reason, 0) if re.fullmatch(r"0x[0-9a-f]{1,4}|[1-9]?[0-9]", reason) else -1
    reason = REASONS[number] if 0 <= number < len(REASONS) else reason
    if reason and any(known.startswith(reason) and known != reason for known in REASONS):
        wrong(line, f"the line is cut in its reason, {reason!r}: paste it again")
    return {
        name: int(values[key]) for name, key in zip(MIGRATE_COUNTERS, keys, strict=False)
    }, reason
