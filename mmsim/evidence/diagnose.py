"""From counters that moved back to what may have happened.

Interface: diagnose, explain, read, load, delta, Delta, Diagnosis, Group, Path, DiagnoseError,
fates, Fate, EVIDENCE, UNITS, next_counters, signs, hints

The answers are not written down anywhere: small situations are searched in every version, and each
way to end, a *fate*, is compared with what is given.
"""

from __future__ import annotations

import functools
import re
import sys
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from mmsim import errno
from mmsim.constants import (
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    MIGRATE_COUNTERS,
    MR_CONTIG_RANGE,
    MR_LONGTERM_PIN,
    MR_NUMA_MISPLACED,
    REASONS,
    REPORTED,
)
from mmsim.engine.actor import Local
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.trace import Trace, record
from mmsim.errors import nearest
from mmsim.evidence import ftrace
from mmsim.evidence.tracer import COUNTS, marks, migrate_returns
from mmsim.mm.versions import VERSIONS, get
from mmsim.mm.world import AVAILABLE, EITHER, NONE
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.scenarios.situation import MISSED, NOT_MOVED, NOT_SPLIT, PINNED, SINGLE

NOTHING, ROOM, ALONE = 0, 1, 2
"""Numbers of the settings in which nothing is the matter: no destination for the whole page, a
destination for it, a single page."""
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
PIN, OTHER, NEVER_SPLITS = (
    REASONS[n] for n in (MR_LONGTERM_PIN, MR_CONTIG_RANGE, MR_NUMA_MISPLACED)
)
"""Reasons to migrate, one of each kind: `OTHER` stands for all that are neither of the two."""
SMALL = 1
"""Order of the huge pages that are searched: two pages each."""


# -- what moved: from two texts of /proc/vmstat, a list of counters, or lines of ftrace


BYTES_MAX = 1_000_000
WHOLE = 40
"""A text with more counters than this is a whole /proc/vmstat."""

_COUNTER = re.compile(r"([a-z][a-z0-9_]*)\s+(-?\d{1,19})")
_MOVED = re.compile(r"([a-z][a-z0-9_]*)[\s:=]+([+-]?\d{1,19})")
_CALL = re.compile(r"mm_migrate_pages: (.*)")
_VALUE = re.compile(r"(\w+)=(\S+)")


class DiagnoseError(ValueError):
    """A text that can't be used; the message is one sentence."""


class Delta(NamedTuple):
    """What is known.  `given`: counters of EVIDENCE; one that is missing is not known.

    `others`: what else moved, and is not looked at.  `reason`: for whom pages were migrated, if a
    trace said so."""

    given: dict[str, int]
    others: dict[str, int]
    reason: str = ""

    @property
    def moved(self) -> dict[str, int]:
        """The given counters that moved."""
        return {name: n for name, n in self.given.items() if n}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Counters of EVIDENCE that the text says nothing about."""
        return tuple(name for name in EVIDENCE if name not in self.given)


def load(name: str) -> str:
    """The text of a file, or of standard input for "-"; raises DiagnoseError."""
    told = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with open(name, "rb") as file:
                content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise DiagnoseError(f"{name} can't be read: {error.strerror}") from None
    _check_size(content, told, "bytes")
    if b"\0" in content:
        raise DiagnoseError(f"{told} is not a text but a binary file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DiagnoseError(f"{told} is not UTF-8 text (byte {error.start})") from None


def _check_size(content: str | bytes, name: str, what: str) -> None:
    if len(content) > BYTES_MAX:
        usual = "a /proc/vmstat has about 5,000"
        raise DiagnoseError(f"{name} has more than {BYTES_MAX:,} {what}; {usual}")


def read(
    before: str, after: str | None = None, names: tuple[str, str] = ("BEFORE", "AFTER")
) -> Delta:
    """What moved, from one text or two; raises DiagnoseError."""
    name = names[0]
    _check_size(before, name, "characters")
    lines = _lines(before, name)
    if after is not None:
        _check_size(after, names[1], "characters")
        more = _lines(after, names[1])
        return _between(_vmstat(lines, name), _vmstat(more, names[1]), names)
    if "==== trace" in before:
        try:
            return _sorted(ftrace.read(before).delta)
        except ValueError as error:
            raise DiagnoseError(f"{name}, {error}") from None
    calls = [match[1] for _, line in lines if (match := _CALL.search(line))]
    return _calls(calls, name) if calls else _listed(lines, name)


def delta(before: dict[str, int], after: dict[str, int]) -> Delta:
    """What moved between two states of the counters."""
    return _sorted({name: n - before.get(name, 0) for name, n in after.items()})


def _lines(text: str, name: str) -> list[tuple[int, str]]:
    """(number, line) of the lines that say something."""
    numbered = enumerate(text.splitlines(), start=1)
    stripped = ((number, line.partition("#")[0].strip()) for number, line in numbered)
    found = [(number, line) for number, line in stripped if line]
    if not found:
        raise DiagnoseError(f"{name} is empty")
    return found


def _sorted(moved: dict[str, int]) -> Delta:
    given = {name: moved[name] for name in EVIDENCE if name in moved}
    return Delta(given, {n: v for n, v in moved.items() if n not in EVIDENCE and v})


def _vmstat(lines: list[tuple[int, str]], name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, line in lines:
        match = _COUNTER.fullmatch(line)
        if match is None:
            raise DiagnoseError(
                f"{name} is no text of /proc/vmstat: line {number} is no name and number, "
                f"but {line[:40]!r}"
            )
        found[match[1]] = int(match[2])
    missing = next((counter for counter in REPORTED if counter not in found), None)
    if missing:
        why = "it is cut off, or from a kernel without huge pages"
        raise DiagnoseError(f"{name} has no counter {missing}: {why}")
    return found


def _between(before: dict[str, int], after: dict[str, int], names: tuple[str, str]) -> Delta:
    alone = sorted(set(before) ^ set(after))
    if alone:
        which = names[0] if alone[0] in before else names[1]
        raise DiagnoseError(f"the texts are from different kernels: only {which} has {alone[0]}")
    moved = {name: after[name] - n for name, n in before.items()}
    events = {name: n for name, n in moved.items() if n and not name.startswith("nr_")}
    back = next((name for name, n in events.items() if n < 0), None)
    if back:
        went = f"{back} from {before[back]} to {after[back]}"
        if all(n < 0 for n in events.values()):
            raise DiagnoseError(
                f"every counter that moved went back ({went}): "
                f"swap {names[0]} and {names[1]}, unless the machine was started anew in between"
            )
        different = "the texts are from different boots: counters went back"
        raise DiagnoseError(f"{different}, for instance {went}")
    return _sorted(moved)


def _listed(lines: list[tuple[int, str]], name: str) -> Delta:
    moved: dict[str, int] = {}
    for number, line in lines:
        match = _MOVED.fullmatch(line)
        if match is None:
            raise DiagnoseError(
                f"{name}, line {number}: write a counter and by how much it moved, "
                f"for instance 'thp_migration_fail +1', not {line[:40]!r}"
            )
        counter, value = match.groups()
        if counter in moved:
            raise DiagnoseError(f"{name}, line {number}: {counter} stands there twice")
        moved[counter] = int(value)
    if len(moved) > WHOLE:
        two = "give two of them, from before and from after"
        raise DiagnoseError(f"{name} is a whole /proc/vmstat; {two}")
    found = _sorted(moved)
    if not found.given:
        first = next(iter(moved))
        known = nearest(first, EVIDENCE)
        raise DiagnoseError(f"{name} has no counter of the model: {first!r}{known}")
    for counter, n in found.given.items():
        if n < 0:
            raise DiagnoseError(f"{name}: {counter} went back by {-n}; counters never do")
    return found


def _calls(calls: list[str], name: str) -> Delta:
    """The tracepoint mm_migrate_pages, summed up over the calls for one reason."""
    sums: dict[str, dict[str, int]] = {}
    for call in calls:
        values = dict(_VALUE.findall(call))
        missing = [key for key in (*COUNTS, "reason") if key not in values]
        if missing:
            raise DiagnoseError(f"{name}: a line of mm_migrate_pages has no value {missing[0]}")
        total = sums.setdefault(values["reason"], dict.fromkeys(MIGRATE_COUNTERS, 0))
        for counter, key in zip(MIGRATE_COUNTERS, COUNTS, strict=True):
            if not values[key].isdigit():
                raise DiagnoseError(f"{name}: {key} is no number: {values[key]!r}")
            total[counter] += int(values[key])
    reason = PIN if PIN in sums else next(iter(sums))
    others = {f"mm_migrate_pages calls for {r}": sum(t.values()) for r, t in sums.items()}
    others.pop(f"mm_migrate_pages calls for {reason}")
    return Delta(sums[reason], others, reason)


# -- the same run with larger pages
#
# A search over huge pages of two pages is quick, and a run that it found is carried over: whoever
# interrupted the main actor does so at the same place of its path, and the environment answers the
# same.  A place is the step that comes next, its site, the visit (page and pass), and how often the
# actor has been there.  Left out: pieces that small pages don't have; they run through undisturbed.


Place = tuple[Hashable, int]


def _where(local: Local, visit: Hashable) -> Hashable:
    """The step that comes next, its site, and the visit that it belongs to."""
    if local.op is None:
        return "finished"
    op = local.op
    by_name = bool(op.args) and isinstance(op.args[0], str)  # its place in the file
    return (op.kind.name, op.site, op.args[:2] if by_name else (), visit)


class _Places:
    """Where the main actor is, counted."""

    def __init__(self, scenario: Situation) -> None:
        self.scenario = scenario
        self.seen: Counter[Hashable] = Counter()
        self.local: Local | None = None
        self.visit: Hashable = ()
        self.now: Place = ("", 0)

    def at(self, state: State) -> Place:
        local = self.scenario.local(state, self.scenario.main)
        if local is not self.local:
            self.local = local
            op = local.op
            if op is not None and op.site == "visit":
                self.visit = (op.args[0], op.told["round_"], op.told["pass_"])
            elif op is not None and op.site == "migrate.out":
                self.visit = ()
            where = _where(local, self.visit)
            self.seen[where] += 1
            self.now = (where, self.seen[where])
        return self.now


def _told(
    small: Situation, moves: tuple[Move, ...]
) -> tuple[list[tuple[Place, Move]], dict[Place, str]]:
    """Who interrupts where, and what the environment answers where it has a choice."""
    visits: list[tuple[Place, Move]] = []
    answers: dict[Place, str] = {}
    places, state = _Places(small), small.initial()
    for move in moves:
        place = places.at(state)
        if move.actor != small.main:
            visits.append((place, move))
        elif move.outcome:
            answers[place] = move.outcome
        state, _ = small.step(state, move)
    return visits, answers


def resized(small: Situation, moves: tuple[Move, ...], large: Situation) -> Trace:
    """The run of `large` that goes as `moves` go in `small`, to its end."""
    visits, answers = _told(small, moves)
    places = _Places(large)

    def choose(scenario: Scenario, state: State) -> Move:
        place = places.at(state)
        finished = scenario.local(state, large.main).finished
        if visits and (visits[0][0] == place or finished):
            return visits.pop(0)[1]
        if finished:
            raise StopIteration
        return scenario.plain(state, Move(large.main, answers.get(place, _first(scenario, state))))

    def _first(scenario: Scenario, state: State) -> str:
        return scenario.outcomes(state, large.main)[0]

    return record(large, choose)


# -- the family: every way that a page can fare, found by searching small situations
#
# A fate is one way to end, told by the counters that it moves.  Most settings are searched: every
# order of the steps of the actors, on huge pages of two pages; of each end the shortest schedule is
# kept.  `Fate.counters` are those of real huge pages.


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
        return SCENARIOS[self.scenario].make(get(version), knobs, merge=merge)


def _settings() -> tuple[Setting, ...]:
    pin, owner = "vfio_map", "cma_alloc"
    here: dict[str, object] = {"holder": 1, "released": "1"}  # the search decides when
    found = [
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


class Fate:
    """One way to end in one version: the setting, a shortest schedule, the counters that moved."""

    def __init__(
        self, version: str, number: int, moves: tuple[Move, ...], end: State, outcome: str
    ) -> None:
        self.version = version
        self.outcome = outcome
        self.number = number
        self.setting = SETTINGS[number]
        self.moves = moves
        self._small = {name: end.world.vmstat[name] for name in EVIDENCE}

    @property
    def units(self) -> dict[str, int]:
        """Counters that are the same for huge pages of every size."""
        return {name: self._small[name] for name in UNITS}

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

    @functools.cached_property
    def counters(self) -> dict[str, int]:
        """All of EVIDENCE, for huge pages of 512 pages.

        Page counters are linear in the size of the pages, so two sizes are enough."""
        more = self.trace(SMALL + 1).last.world.vmstat
        steps = (1 << HPAGE_PMD_ORDER - SMALL) - 1
        return {
            name: small + (more[name] - small) * steps if name in PAGES else small
            for name, small in self._small.items()
        }

    @functools.cached_property
    def returns(self) -> tuple[int, ...]:
        """What each call of migrate_pages() returned."""
        return migrate_returns(self.trace())

    def situation(self, order: int = SMALL) -> Situation:
        """The situation that the schedule is for, with huge pages of this order."""
        return self.setting.situation(self.version, order)

    def trace(self, order: int = SMALL) -> Trace:
        """The run, with huge pages of this order."""
        if not self.setting.searched:
            return self.situation(order).run()
        return resized(self.situation(), self.moves, self.situation(order))


@functools.cache
def fates(version: str, stage: int) -> tuple[Fate, ...]:
    """Every fate of this stage's settings that moves a counter, each kind once."""
    found: dict[tuple[object, ...], Fate] = {}
    for number, setting in enumerate(SETTINGS):
        if setting.stage != stage:
            continue
        for moves, end, outcome in _ends(version, setting):
            fate = Fate(version, number, moves, end, outcome)
            if any(fate._small.values()):
                found.setdefault((*fate.kind, *fate._small.values()), fate)
    return tuple(found.values())


def _ends(version: str, setting: Setting) -> list[tuple[tuple[Move, ...], State, str]]:
    situation = setting.situation(version, SMALL, merge=setting.searched)
    if not setting.searched:
        trace = situation.run()
        return [(tuple(trace.moves), trace.last, situation.outcome(trace.last))]
    explored = situation.explore()
    ends = []
    for number in explored.ends:
        moves = tuple(explored.schedule_to(number))
        state = situation.initial()
        for move in moves:
            state, _ = situation.step(state, move)
        ends.append((moves, state, situation.outcome(state)))
    return ends


# -- which paths explain what moved, the simplest first
#
# A path is one fate, once or several times, and beside it plain things that happen to other pages:
# huge pages moved whole, split at once, more pieces that were busy, single pages that were moved.
# Paths that move the same counters are one group, because nobody can tell them apart by counters.


TIMES_MAX = 50
"""Every number of times up to this is tried; beyond, only the largest that is possible."""
Counters = Mapping[str, int]


class Path(NamedTuple):
    """`times` a fate, in these versions; besides `whole` huge pages moved whole, `split` ones split
    at once and moved, `pieces` more pieces busy in their one pass, `singles` single pages moved.

    `owners`: requests to CMA areas that moved counters too and are not part of it."""

    versions: tuple[str, ...]
    fate: Fate
    times: int = 1
    whole: int = 0
    split: int = 0
    pieces: int = 0
    singles: int = 0
    owners: int = 0

    @property
    def beside(self) -> tuple[int, int, int, int, int, int]:
        """Everything but the fate."""
        return self[2:]

    @property
    def counters(self) -> dict[str, int]:
        """All counters of EVIDENCE that this path moves."""
        plain = _plain(self.fate.version)
        return {
            name: self.times * self.fate.counters[name]
            + self.whole * plain.whole[name]
            + self.split * plain.split[name]
            + self.pieces * plain.piece[name]
            + self.singles * plain.single[name]
            for name in EVIDENCE
        }

    @property
    def rank(self) -> tuple[int, int, int]:
        """Smaller is simpler: fewer things that had to happen, then the plainer situation."""
        fails = self.split > 0 and not _plain(self.fate.version).split_pins
        odd = (self.singles > 0) + (self.pieces > 0) + (self.owners > 0) + fails
        odd += 2 * (self.times > 1)
        return odd, self.fate.number, len(self.fate.moves)


class Group(NamedTuple):
    """Paths with the same counters."""

    counters: dict[str, int]
    paths: tuple[Path, ...]


class Diagnosis(NamedTuple):
    """The answer.  `groups`, simplest first; none: no path of the model explains what moved.

    `nearest`, if there are none: the path that comes nearest, with what it gets wrong.
    `complete`: rarer situations were searched, too."""

    delta: Delta
    versions: tuple[str, ...]
    groups: tuple[Group, ...]
    nearest: tuple[Path, dict[str, tuple[int, int]]] | None
    complete: bool

    @property
    def explained(self) -> bool:
        """Is there a path?  Also if nothing moved: then there is nothing to explain."""
        return bool(self.groups) or not self.delta.moved


class _Plain(NamedTuple):
    """What one page adds to the counters when nothing is the matter with it."""

    whole: Counters
    split: Counters
    piece: Counters
    single: Counters
    split_pins: bool


@functools.cache
def _plain(version: str) -> _Plain:
    by_number = {fate.number: fate for fate in reversed(fates(version, 1))}
    whole, single = by_number[ROOM].counters, by_number[ALONE].counters
    split = by_number[NOTHING]
    missed = next(
        fate for fate in fates(version, 1) if fate.outcome == MISSED and fate.units == split.units
    )
    piece = {name: n - split.counters[name] for name, n in missed.counters.items()}
    return _Plain(whole, split.counters, piece, single, split.outcome == PINNED.word)


# -- one fate against what is given


def _fit(fate: Fate, given: Counters) -> Path | None:
    """This fate, as few times as possible, with plain things beside it, if that moves exactly what
    is given."""
    moves = fate.units if fate.is_huge else fate.counters
    most = min((n // moves[name] for name, n in given.items() if moves.get(name)), default=1)
    for times in (*range(1, min(most, TIMES_MAX) + 1), *([most] if most > TIMES_MAX else [])):
        path = _beside(fate, times, given)
        if path is not None:
            return path
    return None


def _beside(fate: Fate, times: int, given: Counters) -> Path | None:
    """What has to happen beside so many times this fate; None if that does not come out even."""
    plain = _plain(fate.version)
    rest = {name: n - times * fate.units[name] for name, n in given.items() if name in UNITS}
    split, whole = rest.get("thp_migration_split", 0), rest.get("thp_migration_success", 0)
    if not fate.is_huge and (split or whole):
        return None
    if any(n != split * plain.split[c] + whole * plain.whole[c] for c, n in rest.items()):
        return None
    path = Path((fate.version,), fate, times, whole, split)
    # Only now pages: finding their counters takes a run.
    pages = {name: n - path.counters[name] for name, n in given.items() if name not in UNITS}
    pieces, singles = pages.get("pgmigrate_fail", 0), 0
    if "pgmigrate_success" in pages:
        singles = pages["pgmigrate_success"] - pieces * plain.piece["pgmigrate_success"]
    can_miss = times * fate.units["thp_migration_split"] + split
    if not 0 <= pieces <= (HPAGE_PMD_NR - 1) * can_miss or singles < 0:
        return None
    return path._replace(pieces=pieces, singles=singles)


def _fits(fate: Fate, given: Counters) -> list[Path]:
    """The path of this fate, if there is one.

    Other owners of CMA memory come and go: what they count is no reason against a path."""
    owners = {name: n for name, n in given.items() if name.startswith("cma_")}
    if any(fate.units[name] for name in owners):
        path = _fit(fate, given)
        return [path] if path else []
    path = _fit(fate, {name: n for name, n in given.items() if name not in owners})
    return [path._replace(owners=sum(owners.values()))] if path else []


# -- all of them


def explain(delta: Delta, version: str | None = None, *, rarer: bool = False) -> Diagnosis:
    """Which paths explain this; raises ValueError for a version that does not exist.

    Without a version every version is tried.  The settings of the family are searched in stages:
    later ones only if no earlier one explains everything, or if `rarer` situations are asked for.
    """
    names = tuple(VERSIONS) if version is None else (get(version).name,)
    found: list[Path] = []
    for stage in STAGES:
        for name in names:
            for fate in fates(name, stage):
                if fate.is_for(delta.reason):
                    found += _fits(fate, delta.given)
        if found and not rarer:
            break
    groups = _grouped(found) if delta.moved else ()
    nearest = None if groups or not delta.moved else _nearest(delta.given, names)
    return Diagnosis(delta, names, groups, nearest, stage == STAGES[-1])


def _grouped(found: Sequence[Path]) -> tuple[Group, ...]:
    """By their counters; of each kind of fate the simplest path, in every version that has it and
    returns the same."""
    groups: dict[tuple[int, ...], dict[tuple[object, ...], Path]] = {}
    for path in sorted(found, key=lambda path: path.rank):
        kinds = groups.setdefault(tuple(path.counters.values()), {})
        versions = {version for each in kinds.values() for version in each.versions
                    if each.fate.kind == path.fate.kind}  # fmt: skip
        if path.versions[0] not in versions:
            kind = (*path.fate.kind, path.fate.returns)
            same = kinds.setdefault(kind, path._replace(versions=()))
            kinds[kind] = same._replace(versions=same.versions + path.versions)
    return tuple(
        Group(dict(zip(EVIDENCE, counters, strict=True)), tuple(kinds.values()))
        for counters, kinds in groups.items()
    )


def _nearest(given: Counters, names: Sequence[str]) -> tuple[Path, dict[str, tuple[int, int]]]:
    """The single fate with the fewest counters that don't fit, and which those are."""
    paths = []
    for name in names:
        for fate in fates(name, 1):
            wrong = {c: (n, fate.counters[c]) for c, n in given.items() if fate.counters[c] != n}
            paths.append((Path((name,), fate), wrong))
    return min(paths, key=lambda each: (len(each[1]), sum(abs(a - b) for a, b in each[1].values())))


def diagnose(
    before: str, after: str | None = None, kernel: str | None = None, *, rarer: bool = False
) -> Diagnosis:
    """Which paths explain what moved between two texts of /proc/vmstat, or a list of counters.

    `kernel`: a version or policy of the model; all versions if there is none.  `rarer`: search
    rarer situations even if others explain everything.  Raises ValueError, in one sentence, for a
    text or a name that can't be used."""
    return explain(read(before, after), kernel, rarer=rarer)


# -- what to look at next
#
# The differences are found, not known: the counters that paths would move, and what return probes
# and tracepoints would show of their runs in the model.


_PROBES = {
    "split_ret": ("ret", "return probe on split_huge_page_to_list()"),
    "return": ("return", "return probe on migrate_pages()"),
}
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


def _seen(path: Path) -> dict[str, str]:
    found = {"tracepoint mm_migrate_pages, field reason": path.fate.reason}
    for mark in marks(path.fate.trace()):
        if mark.kind in _PROBES:
            field, name = _PROBES[mark.kind]
            said = errno.name(int(mark.fields[field]))
            found[name] = (
                said if name not in found or said in found[name] else f"{found[name]}, {said}"
            )
    return found


def hints(diagnosis: Diagnosis) -> list[str]:
    """Sentences about the simplest group: where to look, and what ran at the same time."""
    if not diagnosis.groups:
        return []
    first = diagnosis.groups[0].paths[0]
    others = diagnosis.delta.others
    found = [f"look for {hint}" for hint in [_HINTS.get(first.fate.outcome)] if hint]
    if found and others.get("drop_pagecache"):
        found.append(
            f"drop_pagecache moved by {others['drop_pagecache']}: drop_caches ran, and in the "
            "model it has such a reference for a while (mmsim run pin_versus)"
        )
    if first.singles and any(others.get(name) for name in ("compact_stall", "compact_success")):
        found.append("compaction ran; it moves single pages, and pgmigrate_success counts them too")
    return found
