"""From counters that moved back to what may have happened.

The answers are not written down by hand.  Small situations were searched in every version, and of
each way to end a shortest run is stored in data/stored_runs.csv (tools/build_stored_runs.py).
Counters are of the whole machine: a path explains a part of what moved, and what is left over
others did, if they can."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mmsim.constants import (
    HPAGE_PMD_NR,
    MR_CONTIG_RANGE,
    MR_LONGTERM_PIN,
    MR_NUMA_MISPLACED,
    REASONS,
)
from mmsim.datafiles import load_csv
from mmsim.engine.trace import Trace
from mmsim.evidence.counters import EVIDENCE, PAGES, UNITS, Delta
from mmsim.evidence.pasted import PasteError
from mmsim.mm.versions import V6_12, VERSIONS, get
from mmsim.mm.world import AVAILABLE, EITHER, NONE
from mmsim.scenarios import Situation, make
from mmsim.scenarios.situation import MISSED, PINNED

# -- the family: every way to end
#
# A stored run is one way to end, told by the counters that it moves, those of real huge pages.

WITHOUT_TARGET, WITH_TARGET = 0, 1
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
SPLIT_FAILED = "thp_split_page_failed"
"""Others move it, too, when reclaim or the queue of later splits meets a page in use: the last
thing to suppose."""
MOVED_BY_OTHERS = ("thp_split_page", "thp_split_pmd", "cma_alloc_success", "cma_alloc_fail")
"""With single pages, what others move all the time: reclaim, munmap, owners of CMA areas, ..."""
MOVED_BY_PATHS_ALONE = tuple(name for name in UNITS if name not in (*MOVED_BY_OTHERS, SPLIT_FAILED))


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
    found = [  # append only: data/stored_runs.csv stores these positions
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


class StoredRun(NamedTuple):
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
def _catalogue() -> tuple[StoredRun, ...]:
    return tuple(
        StoredRun(
            row["version"],
            int(row["setting"]),
            row["outcome"],
            tuple(map(int, row["returns"].split())),
            row["schedule"],
            int(row["steps"]),
            {name: int(row[name]) for name in EVIDENCE},
        )
        for row in load_csv("stored_runs.csv")
    )


@functools.cache
def stored_runs(version: str, stage: int) -> tuple[StoredRun, ...]:
    """Every stored run of this stage's settings that moves a counter, each kind once."""
    mine = [run for run in _catalogue() if run.version == version]
    if not mine:
        raise PasteError(f"no runs of {version} are stored: run tools/build_stored_runs.py")
    return tuple(run for run in mine if run.setting.stage == stage)


# -- which paths explain what moved, the simplest first
#
# A path is one stored run, once or several times, and beside it plain things that happen to other
# pages of the same call: huge pages moved whole, split at once, more pieces that were busy.  What
# is left over was done by others.  Paths that nobody can tell apart by counters are one group.


TIMES_MAX = 50
"""Every number of times up to this is tried; beyond, only the largest that is possible."""
Counters = Mapping[str, int]


class Explanation(NamedTuple):
    """A path: `times` a stored run, in these versions; besides `whole` huge pages moved whole,
    `split` ones split at once and moved, `pieces` more pieces busy in their one pass.

    `others`: what is left over of each counter.  `size`: pages of a huge page."""

    versions: tuple[str, ...]
    run: StoredRun
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
        plain = _plain(self.run.version)
        parts = (
            (self.times, self.run.counters),
            (self.whole, plain.whole),
            (self.split, plain.split),
            (self.pieces, plain.piece),
        )
        return {n: sum(t * self._sized(n, c[n]) for t, c in parts if t) for n in EVIDENCE}

    def _sized(self, name: str, n: int) -> int:
        """A counter for huge pages of `size`; it is linear in that."""
        if name not in PAGES or not self.run.is_huge:
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
        fails = self.split > 0 and not _plain(self.run.version).split_pins
        odd = len({name.replace("success", "fail") if name.startswith("cma") else name
                   for name in self.others})  # fmt: skip
        odd += (self.pieces > 0) + fails + 2 * (self.times > 1)
        return self.others.get(SPLIT_FAILED, 0), odd, self.run.number, self.run.steps


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
    by_number = {run.number: run for run in reversed(stored_runs(version, 1))}
    split = by_number[WITHOUT_TARGET]
    missed = next(
        run
        for run in stored_runs(version, 1)
        if run.outcome == MISSED and all(run.counters[n] == split.counters[n] for n in UNITS)
    )
    piece = {name: n - split.counters[name] for name, n in missed.counters.items()}
    pins = split.outcome == PINNED.outcome
    return _Plain(by_number[WITH_TARGET].counters, split.counters, piece, pins)


# -- one stored run against what is given


def _fit(run: StoredRun, given: Counters, size: int) -> list[Explanation]:
    """This run as few times as possible, with plain things beside it and others, if that moves
    exactly what is given.  Pieces and single pages that were busy look the same: then both."""
    names = UNITS if run.is_huge else EVIDENCE
    moves = {name: run.counters[name] for name in names if run.counters[name]}
    most = min((given[name] // n for name, n in moves.items() if name in given), default=1)
    for times in (*range(1, min(most, TIMES_MAX) + 1), *([most] if most > TIMES_MAX else [])):
        if found := _beside(run, times, given, size):
            return found
    return []


def _beside(run: StoredRun, times: int, given: Counters, size: int) -> list[Explanation]:
    """With what has to happen beside this run so many times; [] if that does not come out even."""
    plain = _plain(run.version)
    rest = {name: given[name] - times * run.counters[name] for name in UNITS if name in given}
    split, whole = rest.get("thp_migration_split", 0), rest.get("thp_migration_success", 0)
    if split < 0 or whole < 0 or (not run.is_huge and (split or whole)):
        return []
    left = {n: by - split * plain.split[n] - whole * plain.whole[n] for n, by in rest.items()}
    if any(n < 0 or (n and name in MOVED_BY_PATHS_ALONE) for name, n in left.items()):
        return []
    path = Explanation((run.version,), run, times, whole, split, size=size)
    pages = {name: given[name] - path.own[name] for name in PAGES if name in given}
    failed = pages.get("pgmigrate_fail", 0)
    if failed < 0 or (failed and not run.is_huge) or (left.get(SPLIT_FAILED) and times > 1):
        return []
    others = {name: n for name, n in (pages | left).items() if n}
    return _with_pieces(path._replace(others=others), given)


def _with_pieces(path: Explanation, given: Counters) -> list[Explanation]:
    """The path as it is, and with more pieces busy instead of others' pages; what can be."""
    own = path.times * path.run.counters["thp_migration_split"] + path.split
    pieces = min(path.others.get("pgmigrate_fail", 0), (path.size - 1) * own)
    piece = _plain(path.run.version).piece
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
    (0, 60, f"a huge page that was truncated counted {SPLIT_FAILED}"),
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
    if given.get("thp_migration_fail") and (not groups or PAGES[1] in left_over(groups)):
        seen = sum(given.get(name, SIZES[0]) for name in PAGES)
        for size in (size for size in SIZES if size <= seen):
            found, at = _search(delta, names, size, rarer=rarer)
            if found and not left_over(found) & {*PAGES} and not found[0].paths[0].pieces:
                groups, stage = found, at
                break
    by_others = _can_be_others(delta)
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
            for run in stored_runs(name, stage):
                if run.is_for(delta.reason):
                    found += _fit(run, delta.given, size)
        without = [path for path in found if SPLIT_FAILED not in path.others]
        if without and not rarer:
            break
    found = found if rarer else without or found
    return _grouped(found, delta.unknown), stage if delta.moved else STAGES[-1]


def left_over(groups: Sequence[Group]) -> set[str]:
    """Counters that the simplest path leaves to others."""
    return set(groups[0].paths[0].others) if groups else set()


def moved_singly(delta: Delta) -> int:
    """Pages that were moved without a huge page; 0 if that is not known, < 0 if it can't be."""
    whole = delta.given.get("thp_migration_success", 0)
    pages = delta.given.get("pgmigrate_success", whole * HPAGE_PMD_NR)
    return 0 if pages in {size * whole for size in SIZES} else pages - whole * HPAGE_PMD_NR


def _can_be_others(delta: Delta) -> bool:
    """Can everything be what others do all the time?  Not if a trace says who it was, and refused
    splits only if it is known that no huge page failed to move."""
    if delta.reason or moved_singly(delta) < 0:
        return False
    theirs = {*MOVED_BY_OTHERS, *PAGES, "thp_migration_success"}
    if delta.given.get("thp_migration_fail") == 0:
        theirs.add(SPLIT_FAILED)
    return bool(delta.moved) and theirs.issuperset(delta.moved)


def _grouped(found: Sequence[Explanation], unknown: Sequence[str]) -> tuple[Group, ...]:
    """By the counters that would tell them apart; of each kind of run the simplest path, in every
    version that has it and returns the same.  A counter that others may have moved, too, tells
    nothing: it may be all theirs, all of the path, or both."""
    shared = {name for path in found for name in path.others if name != SPLIT_FAILED}
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
        alike = (*path.run.kind, *own.values())
        versions = {v for kind, each in kinds.items() if kind[1:] == alike for v in each.versions}
        if path.versions[0] not in versions:
            kind = (path.run.returns, *alike)
            same = kinds.setdefault(kind, path._replace(versions=()))
            kinds[kind] = same._replace(versions=same.versions + path.versions)
    return tuple(
        Group(next(iter(kinds.values())).counters, tuple(kinds.values()))
        for kinds in groups.values()
    )


def _nearest(
    given: Counters, names: Sequence[str]
) -> tuple[Explanation, dict[str, tuple[int, int]]]:
    """The single stored run with the fewest counters that don't fit, and which those are."""
    paths = []
    for name in names:
        for run in stored_runs(name, 1):
            wrong = {c: (n, run.counters[c]) for c, n in given.items() if run.counters[c] != n}
            paths.append((Explanation((name,), run), wrong))
    return min(paths, key=lambda each: (len(each[1]), sum(abs(a - b) for a, b in each[1].values())))
