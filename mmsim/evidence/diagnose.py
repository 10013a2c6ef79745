"""From counters that moved back to what may have happened.

Interface: read, delta, Delta, EVIDENCE, PAGES, UNITS; explain, Diagnosis, Group, Explanation,
fates, Fate, Setting, SETTINGS, next_counters, signs, hints, ran

The texts are those that people have: /proc/vmstat twice, a list of counters, lines of ftrace.

The answers are not written down by hand.  Small situations were searched in every version, and each
way to end, a *fate*, is stored in data/fates.csv (tools/build_fates.py).  Counters are of the whole
machine: a path explains a part of what moved, and what is left over others did, if they can."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

from mmsim import errno
from mmsim.constants import (
    HPAGE_PMD_NR,
    MIGRATE_COUNTERS,
    MR_CONTIG_RANGE,
    MR_LONGTERM_PIN,
    MR_NUMA_MISPLACED,
    REASONS,
)
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.errors import nearest
from mmsim.evidence.ftrace import COUNTS
from mmsim.evidence.ftrace import read as read_trace
from mmsim.evidence.pasted import (
    SHOWN_MAX,
    VMSTAT,
    Line,
    Neighbour,
    PasteError,
    lines_of,
    neighbour,
    wrong,
)
from mmsim.mm.versions import V6_12, VERSIONS, get
from mmsim.mm.world import AVAILABLE, EITHER, NONE
from mmsim.scenarios import Situation, make
from mmsim.scenarios.situation import MISSED, NOT_MOVED, NOT_SPLIT, PINNED, SINGLE

# -- what moved
#
# A counter that a text does not have is not known, which is no error: kernels before 5.9 count no
# migrations of huge pages, and `grep` leaves most counters out.

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
                if said := neighbour([line, *lines], (VMSTAT,)):
                    raise Neighbour(said)
                wrong(
                    line,
                    "write a counter and by how much it moved, a whole number without points or "
                    f"commas, for instance 'thp_migration_fail +1', not {part[:SHOWN_MAX]!r}",
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
    old = len(before) > WHOLE and "thp_migration_fail" not in before
    huge = "There are no counters thp_migration_*: the kernel is from before 5.9, or has no huge"
    return delta(before, after, (f"{huge} pages; {OLD}.",) if old else ())


def _listed(moved: dict[str, int], name: str) -> Delta:
    if len(moved) > WHOLE:
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
        notes.append(f"The lines are of a kernel before 5.9, without counts of huge pages; {OLD}.")
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
        wrong(line, f"{line.text[-SHOWN_MAX:]!r} can't be read as a line of mm_migrate_pages")
    old = not any(key.startswith("nr_thp_") for key in values)
    keys = COUNTS[:2] if old else COUNTS
    missing = next((key for key in (*keys, "mode", "reason") if key not in values), None)
    if missing:
        wrong(line, f"a line of mm_migrate_pages has no value {missing}")
    for key in keys:
        if not re.fullmatch(r"[0-9]{1,19}", values[key]):
            wrong(line, f"{key} is no number: {values[key][:SHOWN_MAX]!r}")
    reason = values["reason"]
    number = int(reason, 0) if re.fullmatch(r"0x[0-9a-f]{1,4}|[1-9]?[0-9]", reason) else -1
    reason = REASONS[number] if 0 <= number < len(REASONS) else reason
    if reason and any(known.startswith(reason) and known != reason for known in REASONS):
        wrong(line, f"the line is cut in its reason, {reason!r}: paste it again")
    return {
        name: int(values[key]) for name, key in zip(MIGRATE_COUNTERS, keys, strict=False)
    }, reason


# -- the family: every way that a page can fare
#
# A fate is one way to end, told by the counters that it moves, those of real huge pages.

NO_TARGET, TARGET = 0, 1
"""Positions in SETTINGS of a pin that nothing hinders: without and with a free huge page to move
to."""
PIN, OTHER, NEVER_SPLITS = (
    REASONS[n] for n in (MR_LONGTERM_PIN, MR_CONTIG_RANGE, MR_NUMA_MISPLACED)
)
"""Reasons to migrate, one of each kind: `OTHER` stands for all that are neither of the two."""
SEARCHED_ORDER = 1
"""Order of the huge pages that are searched: two pages each."""
SIZES = (8192, 2048, 1024, 256)
"""Pages of a huge page where it has not 512: pages of 64 KiB, of 16 KiB, and rarer kernels."""
REFUSED = "thp_split_page_failed"
"""Others move it, too, when reclaim or the queue of later splits meets a page in use: the last
thing to suppose."""
SOFT = ("thp_split_page", "thp_split_pmd", "cma_alloc_success", "cma_alloc_fail")
"""With single pages, what others move all the time: reclaim, munmap, owners of CMA areas, ..."""
HARD = tuple(name for name in UNITS if name not in (*SOFT, REFUSED))


class Setting(NamedTuple):
    """A situation of the family.  Not `searched`: only the run that its knobs describe counts."""

    scenario: str
    knobs: Mapping[str, object]
    searched: bool = True
    stage: int = 1

    def situation(self, version: str, order: int, *, merge: bool = False) -> Situation:
        """The situation in this version, with huge pages of this order."""
        knobs = dict(self.knobs)
        if self.scenario == "vfio_map":
            knobs.setdefault("targets", NONE)
            knobs.setdefault("order", order)
        return make(self.scenario, version, knobs, merge=merge)


def _settings() -> tuple[Setting, ...]:
    pin, owner = "vfio_map", "cma_alloc"
    here: dict[str, object] = {"holder": 1, "released": "1"}  # the search decides when
    found = [  # append only: data/fates.csv stores these positions
        Setting(pin, {"holder": 0}),
        Setting(pin, {"holder": 0, "targets": AVAILABLE}),
        Setting(pin, {"holder": 0, "order": 0}),
        Setting(pin, here),
        Setting(pin, {**here, "targets": AVAILABLE}),
        Setting(pin, {**here, "order": 0}),
    ]
    for trouble in ("truncated", "nomem", "writeback"):
        found.append(Setting(pin, {"holder": 0, "trouble": trouble}, searched=False))
    for reason in (OTHER, NEVER_SPLITS):
        found.append(Setting(pin, {**here, "reason": reason}))
        found.append(Setting(pin, {**here, "reason": reason, "order": 0}))
    for thps, holder in ((2, 1), (2, 2), (3, 3)):
        found.append(Setting(pin, {**here, "thps": thps, "holder": holder}))
    for blocks, targets in ((1, NONE), (2, NONE), (1, AVAILABLE)):
        found.append(Setting(owner, {"blocks": blocks, "targets": targets}, searched=False))
    for reason in (OTHER, NEVER_SPLITS):
        found.append(Setting(pin, {**here, "reason": reason, "targets": AVAILABLE}, stage=2))
    found.append(Setting(pin, {**here, "targets": EITHER}, stage=3))
    return tuple(found)


SETTINGS = _settings()
STAGES = tuple(sorted({setting.stage for setting in SETTINGS}))


class Fate(NamedTuple):
    """One way to end in one version: the setting, a shortest schedule, the counters that moved.

    `returns`: what each call of migrate_pages() returned.  `steps`: moves of the schedule."""

    version: str
    number: int
    outcome: str
    returns: tuple[int, ...]
    schedule: str
    steps: int
    counters: Mapping[str, int]

    @property
    def setting(self) -> Setting:
        """Where it was found."""
        return SETTINGS[self.number]

    @property
    def units(self) -> dict[str, int]:
        """Counters that are the same for huge pages of every size."""
        return {name: self.counters[name] for name in UNITS}

    @property
    def reason(self) -> str:
        """For whom pages are migrated."""
        if self.setting.scenario == "cma_alloc":
            return OTHER
        return str(self.setting.knobs.get("reason", PIN))

    def is_for(self, reason: str) -> bool:
        """Can this happen to pages that are migrated for this reason?  "" is any reason."""
        if reason in ("", self.reason):
            return True
        other = self.reason == OTHER and reason not in (PIN, NEVER_SPLITS)
        return other and self.setting.scenario != "cma_alloc"

    @property
    def is_huge(self) -> bool:
        """Is a huge page part of it?"""
        return self.setting.knobs.get("order") != 0

    @property
    def kind(self) -> tuple[object, ...]:
        """What is the matter and for whom; how many pages there are beside does not count."""
        knobs = self.setting.knobs
        trouble = knobs.get("trouble", "none")
        return (self.setting.scenario, self.reason, trouble, self.is_huge, self.outcome)

    def situation(self) -> Situation:
        """The situation that the schedule is for."""
        return self.setting.situation(self.version, SEARCHED_ORDER)

    def trace(self) -> Trace:
        """The run, with huge pages of two pages."""
        return _run(self.version, self.number, self.schedule)


@functools.lru_cache(maxsize=64)
def _run(version: str, number: int, schedule: str) -> Trace:
    situation = SETTINGS[number].situation(version, SEARCHED_ORDER)
    return situation.replay(schedule) if schedule else situation.run()


@functools.cache
def _catalogue() -> tuple[Fate, ...]:
    return tuple(
        Fate(
            row["version"],
            int(row["setting"]),
            row["outcome"],
            tuple(map(int, row["returns"].split())),
            row["schedule"],
            int(row["steps"]),
            {name: int(row[name]) for name in EVIDENCE},
        )
        for row in load_csv("fates.csv")
    )


@functools.cache
def fates(version: str, stage: int) -> tuple[Fate, ...]:
    """Every fate of this stage's settings that moves a counter, each kind once."""
    mine = [fate for fate in _catalogue() if fate.version == version]
    if not mine:
        raise PasteError(f"no fates of {version} are stored: run tools/build_fates.py")
    return tuple(fate for fate in mine if fate.setting.stage == stage)


# -- which paths explain what moved, the simplest first
#
# A path is one fate, once or several times, and beside it plain things that happen to other pages
# of the same call: huge pages moved whole, split at once, more pieces that were busy.  What is left
# over was done by others.  Paths that nobody can tell apart by counters are one group.


TIMES_MAX = 50
"""Every number of times up to this is tried; beyond, only the largest that is possible."""
Counters = Mapping[str, int]


class Explanation(NamedTuple):
    """A path: `times` a fate, in these versions; besides `whole` huge pages moved whole, `split`
    ones split at once and moved, `pieces` more pieces busy in their one pass.

    `others`: what is left over of each counter.  `size`: pages of a huge page."""

    versions: tuple[str, ...]
    fate: Fate
    times: int = 1
    whole: int = 0
    split: int = 0
    pieces: int = 0
    others: Counters = MappingProxyType({})
    size: int = HPAGE_PMD_NR

    @property
    def singles(self) -> int:
        """Single pages that others moved."""
        return self.others.get(PAGES[0], 0)

    @property
    def own(self) -> dict[str, int]:
        """All counters of EVIDENCE that this path moves, without others."""
        plain = _plain(self.fate.version)
        parts = (
            (self.times, self.fate.counters),
            (self.whole, plain.whole),
            (self.split, plain.split),
            (self.pieces, plain.piece),
        )
        return {n: sum(t * self._sized(n, c[n]) for t, c in parts if t) for n in EVIDENCE}

    def _sized(self, name: str, n: int) -> int:
        """A counter for huge pages of `size`; it is linear in that."""
        if name not in PAGES or not self.fate.is_huge:
            return n
        return n + round(n / HPAGE_PMD_NR) * (self.size - HPAGE_PMD_NR)

    @property
    def counters(self) -> dict[str, int]:
        """All counters of EVIDENCE, with what others moved."""
        return {name: n + self.others.get(name, 0) for name, n in self.own.items()}

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Smaller is simpler: nothing that only others' refused splits account for, fewer things
        that had to happen, the plainer situation.

        What it must invent, counters that were not given, comes in between (`_grouped`)."""
        fails = self.split > 0 and not _plain(self.fate.version).split_pins
        odd = len({name.replace("success", "fail") if name.startswith("cma") else name
                   for name in self.others})  # fmt: skip
        odd += (self.pieces > 0) + fails + 2 * (self.times > 1)
        return self.others.get(REFUSED, 0), odd, self.fate.number, self.fate.steps


class Group(NamedTuple):
    """Paths that counters can't tell apart."""

    counters: dict[str, int]
    paths: tuple[Explanation, ...]


class Diagnosis(NamedTuple):
    """The answer.  `groups`, simplest first; none: no path of the model explains what moved.

    `by_others`: everything is what others do all the time, and nothing speaks of a failed pin.
    `nearest`, if there is no answer: the path that comes nearest, with what it gets wrong.
    `complete`: rarer situations were searched, too.  `also`: for the other reasons of a trace."""

    delta: Delta
    versions: tuple[str, ...]
    groups: tuple[Group, ...]
    by_others: bool
    nearest: tuple[Explanation, dict[str, tuple[int, int]]] | None
    complete: bool
    also: tuple[Diagnosis, ...] = ()

    @property
    def explained(self) -> bool:
        """Is there an answer?  Also if nothing moved: then there is nothing to explain."""
        here = bool(self.groups) or self.by_others or not self.delta.moved
        return here and all(each.explained for each in self.also)


class _Plain(NamedTuple):
    """What one page adds to the counters when nothing is the matter with it."""

    whole: Counters
    split: Counters
    piece: Counters
    split_pins: bool


@functools.cache
def _plain(version: str) -> _Plain:
    by_number = {fate.number: fate for fate in reversed(fates(version, 1))}
    split = by_number[NO_TARGET]
    missed = next(
        fate
        for fate in fates(version, 1)
        if fate.outcome == MISSED and all(fate.counters[n] == split.counters[n] for n in UNITS)
    )
    piece = {name: n - split.counters[name] for name, n in missed.counters.items()}
    pins = split.outcome == PINNED.outcome
    return _Plain(by_number[TARGET].counters, split.counters, piece, pins)


# -- one fate against what is given


def _fit(fate: Fate, given: Counters, size: int) -> list[Explanation]:
    """This fate, as few times as possible, with plain things beside it and others, if that moves
    exactly what is given.  Pieces and single pages that were busy look the same: then both."""
    names = UNITS if fate.is_huge else EVIDENCE
    moves = {name: fate.counters[name] for name in names if fate.counters[name]}
    most = min((given[name] // n for name, n in moves.items() if name in given), default=1)
    for times in (*range(1, min(most, TIMES_MAX) + 1), *([most] if most > TIMES_MAX else [])):
        if found := _beside(fate, times, given, size):
            return found
    return []


def _beside(fate: Fate, times: int, given: Counters, size: int) -> list[Explanation]:
    """With what has to happen beside so many times this fate; [] if that does not come out even."""
    plain = _plain(fate.version)
    rest = {name: given[name] - times * fate.counters[name] for name in UNITS if name in given}
    split, whole = rest.get("thp_migration_split", 0), rest.get("thp_migration_success", 0)
    if split < 0 or whole < 0 or (not fate.is_huge and (split or whole)):
        return []
    left = {n: by - split * plain.split[n] - whole * plain.whole[n] for n, by in rest.items()}
    if any(n < 0 or (n and name in HARD) for name, n in left.items()):
        return []
    path = Explanation((fate.version,), fate, times, whole, split, size=size)
    pages = {name: given[name] - path.own[name] for name in PAGES if name in given}
    failed = pages.get("pgmigrate_fail", 0)
    if failed < 0 or (failed and not fate.is_huge) or (left.get(REFUSED) and times > 1):
        return []
    others = {name: n for name, n in (pages | left).items() if n}
    return _with_pieces(path._replace(others=others), given)


def _with_pieces(path: Explanation, given: Counters) -> list[Explanation]:
    """The path as it is, and with more pieces busy instead of others' pages; what can be."""
    own = path.times * path.fate.counters["thp_migration_split"] + path.split
    pieces = min(path.others.get("pgmigrate_fail", 0), (path.size - 1) * own)
    piece = _plain(path.fate.version).piece
    others = {n: path.others.get(n, 0) - pieces * piece[n] for n in given}
    if pieces <= 0 or min(others.values()) < 0:
        return [path] if min(path.others.values(), default=0) >= 0 else []
    busy = path._replace(pieces=pieces, others={n: v for n, v in others.items() if v})
    exact = "pgmigrate_success" not in busy.others
    return [busy] if exact or path.singles < 0 else [path, busy]


# -- all of them


# What differs inside 6.12.y, by the titles of its changes: first and last patch level, and what.
_LEVELS = (
    (14, 35, "a page in CMA that could not be isolated was pinned where it was"),
    (
        0,
        48,
        "a pin empties the batches for a page that is off its LRU, not for a reference too many",
    ),
    (49, 110, "each pin of a single page in CMA emptied the batches of all CPUs"),
    (0, 60, f"a huge page that was truncated counted {REFUSED}"),
)


def patch_level(kernel: str) -> tuple[str, str]:
    """The version for the name of a kernel, and how a patch level of 6.12 differs from it.

    Only 6.12.117 was read and measured; `6.12.36` for instance is searched as `6.12`."""
    match = re.fullmatch(r"6\.12\.(\d{1,3})(?:-.*)?", kernel)
    if match is None:
        return kernel, ""
    level = int(match[1])
    differs = "; ".join(what for first, last, what in _LEVELS if first <= level <= last)
    return V6_12.name, f"6.12.{level} differs from the row {V6_12.name}: {differs}." * bool(differs)


def explain(
    delta: Delta, versions: str | Iterable[str] | None = None, *, rarer: bool = False
) -> Diagnosis:
    """Which paths explain this; raises ValueError for a version that does not exist.

    `versions`: the family that is searched, one name or several, or a patch level of 6.12; by
    default the version that the text is of, or every one.  Its settings come in stages: later ones
    only if no earlier one explains everything, or if `rarer` situations are asked for."""
    if isinstance(versions, str):
        name, differs = patch_level(versions)
        versions = (name,)
        delta = delta._replace(notes=(*delta.notes, *filter(None, (differs,))))
    elif versions is None:
        versions = (delta.version,) if delta.version else VERSIONS
    names = tuple(get(version).name for version in versions)
    given = delta.given
    groups, stage = _search(delta, names, HPAGE_PMD_NR, rarer=rarer)
    if given.get("thp_migration_fail") and (not groups or PAGES[1] in _left_over(groups)):
        seen = sum(given.get(name, SIZES[0]) for name in PAGES)
        for size in (size for size in SIZES if size <= seen):
            found, at = _search(delta, names, size, rarer=rarer)
            if found and not _left_over(found) & {*PAGES} and not found[0].paths[0].pieces:
                groups, stage = found, at
                break
    by_others = _by_others(delta)
    if by_others and all(name.startswith("cma_") for name in delta.moved):
        groups = ()  # what nobody counted is not invented
    nearest = None if groups or by_others or not delta.moved else _nearest(given, names)
    also = tuple(explain(each, names, rarer=rarer) for each in delta.also)
    return Diagnosis(delta, names, groups, by_others, nearest, stage == STAGES[-1], also)


def _search(
    delta: Delta, names: Sequence[str], size: int, *, rarer: bool
) -> tuple[tuple[Group, ...], int]:
    found: list[Explanation] = []
    without: list[Explanation] = []
    for stage in STAGES if delta.moved else ():
        for name in names:
            for fate in fates(name, stage):
                if fate.is_for(delta.reason):
                    found += _fit(fate, delta.given, size)
        without = [path for path in found if REFUSED not in path.others]
        if without and not rarer:
            break
    found = found if rarer else without or found
    return _grouped(found, delta.unknown), stage if delta.moved else STAGES[-1]


def _left_over(groups: Sequence[Group]) -> set[str]:
    return set(groups[0].paths[0].others) if groups else set()


def moved_singly(delta: Delta) -> int:
    """Pages that were moved without a huge page; 0 if that is not known, < 0 if it can't be."""
    whole = delta.given.get("thp_migration_success", 0)
    pages = delta.given.get("pgmigrate_success", whole * HPAGE_PMD_NR)
    return 0 if pages in {size * whole for size in SIZES} else pages - whole * HPAGE_PMD_NR


def _by_others(delta: Delta) -> bool:
    """Can everything be what others do all the time?  Not if a trace says who it was, and refused
    splits only if it is known that no huge page failed to move."""
    if delta.reason or moved_singly(delta) < 0:
        return False
    theirs = {*SOFT, *PAGES, "thp_migration_success"}
    if delta.given.get("thp_migration_fail") == 0:
        theirs.add(REFUSED)
    return bool(delta.moved) and theirs.issuperset(delta.moved)


def _grouped(found: Sequence[Explanation], unknown: Sequence[str]) -> tuple[Group, ...]:
    """By the counters that would tell them apart; of each kind of fate the simplest path, in every
    version that has it and returns the same.  A counter that others may have moved, too, tells
    nothing: it may be all theirs, all of the path, or both."""
    shared = {name for path in found for name in path.others if name != REFUSED}
    if any(path.pieces for path in found):
        shared |= {*PAGES}
    groups: dict[tuple[int | None, ...], dict[tuple[object, ...], Explanation]] = {}
    ranked = []
    for path in found:
        own, (refused, odd, *plainer) = path.own, path.rank
        invented = sum(own[name] != 0 for name in unknown)
        ranked.append(((refused, odd, invented, *plainer), own, path))
    for _, own, path in sorted(ranked, key=lambda each: each[0]):
        key = tuple(None if name in shared else n for name, n in own.items())
        kinds = groups.setdefault(key, {})
        alike = (*path.fate.kind, *own.values())
        versions = {v for kind, each in kinds.items() if kind[1:] == alike for v in each.versions}
        if path.versions[0] not in versions:
            kind = (path.fate.returns, *alike)
            same = kinds.setdefault(kind, path._replace(versions=()))
            kinds[kind] = same._replace(versions=same.versions + path.versions)
    return tuple(
        Group(next(iter(kinds.values())).counters, tuple(kinds.values()))
        for kinds in groups.values()
    )


def _nearest(
    given: Counters, names: Sequence[str]
) -> tuple[Explanation, dict[str, tuple[int, int]]]:
    """The single fate with the fewest counters that don't fit, and which those are."""
    paths = []
    for name in names:
        for fate in fates(name, 1):
            wrong = {c: (n, fate.counters[c]) for c, n in given.items() if fate.counters[c] != n}
            paths.append((Explanation((name,), fate), wrong))
    return min(paths, key=lambda each: (len(each[1]), sum(abs(a - b) for a, b in each[1].values())))


# -- what to look at next
#
# The differences are found, not known: the counters that paths would move, and what return probes
# and tracepoints would show of their runs in the model.


_REFERENCE = (
    "who refers to the page: the trace events page_ref (CONFIG_DEBUG_PAGE_REF), and what else ran "
    "at that time"
)
_HINTS = {
    NOT_SPLIT: _REFERENCE,
    NOT_MOVED: _REFERENCE,
    SINGLE: f"{_REFERENCE}; a page that waits in a per-CPU batch looks the same",
    MISSED: "which single pages are left in CMA: their lock or a reference was taken in passing",
}


def next_counters(groups: Sequence[Group], unknown: Sequence[str]) -> dict[str, list[int]]:
    """Counters that were not given and would differ: name -> its value in each group."""
    found = {name: [group.counters[name] for group in groups] for name in EVIDENCE}
    return {name: n for name, n in found.items() if name in unknown and len(set(n)) > 1}


def signs(group: Group) -> dict[str, list[str]]:
    """What is to be seen of the paths of a group and differs: where -> what, path by path."""
    seen = [_seen(path) for path in group.paths]
    where = dict.fromkeys(name for each in seen for name in each)
    rows = {name: [each.get(name, "not called") for each in seen] for name in where}
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def _seen(path: Explanation) -> dict[str, str]:
    splits = [e.notes["ret"] for e in path.fate.trace().events if e.site == "split.unlock"]
    probes = {"split_huge_page_to_list": splits, "migrate_pages": path.fate.returns}
    found = {"tracepoint mm_migrate_pages, field reason": path.fate.reason}
    for function, codes in probes.items():
        if codes:
            said = ", ".join(dict.fromkeys(map(errno.name, codes)))
            found[f"return probe on {function}()"] = said
    return found


# What else ran, as a counter of others says, and what it does to the counters of pages.
_RAN = {
    "compact_daemon_": "compaction ran (kcompactd)",
    "compact_stall": "compaction ran for somebody who asked for memory",
    "compact_": "compaction ran",
    "numa_pages_migrated": "NUMA balancing moved pages",
    "pgdemote": "memory was demoted to another node",
    "pgpromote": "memory was promoted to another node",
}


def ran(delta: Delta) -> list[str]:
    """What else moves pages and ran, in words."""
    found = {
        next((says for begins, says in _RAN.items() if name.startswith(begins)), "")
        for name, n in delta.others.items()
        if n > 0
    }
    if len(found & set(list(_RAN.values())[:3])) > 1:
        found.discard(_RAN["compact_"])
    return [says for says in _RAN.values() if says in found]


def hints(diagnosis: Diagnosis) -> list[str]:
    """Sentences about the simplest group: where to look, and what ran at the same time."""
    delta, groups = diagnosis.delta, diagnosis.groups
    found = []
    if groups and not diagnosis.by_others:
        first = groups[0].paths[0]
        found = [f"look for {hint}" for hint in [_HINTS.get(first.fate.outcome)] if hint]
        if found and delta.others.get("drop_pagecache"):
            found.append(
                f"drop_pagecache moved by {delta.others['drop_pagecache']}: drop_caches ran, and "
                "in the model it has such a reference for a while (mmsim run pin_versus)"
            )
        if first.fate.reason == PIN and -errno.ENOMEM in first.fate.returns:
            found.append(
                "a map that fails with -ENOMEM and moves none of these counters met another limit: "
                "RLIMIT_MEMLOCK, or vfio_iommu_type1.dma_entry_limit mappings"
            )
    if diagnosis.by_others or _left_over(groups) & {*PAGES}:
        found += [
            f"{says}; it moves single pages, and pgmigrate_* count them" for says in ran(delta)
        ]
    if delta.given.get(REFUSED) and (diagnosis.by_others or REFUSED in _left_over(groups)):
        found.append(
            "reclaim and the queue of later splits try splits, too, and count refused ones"
        )
    if diagnosis.by_others and delta.given.get("cma_alloc_fail"):
        found.append(
            "the kernel log says of each failed request what it returned: -16 (pages were tried, "
            "one stayed busy) or -12 (no free run long enough, or no memory for a page to move to)"
        )
    elif diagnosis.by_others and delta.given.get("pgmigrate_fail"):
        found.append("the trace event mm_migrate_pages tells for whom pages were migrated")
    return found
