"""Which paths of which versions explain counters that moved, the simplest first.

Interface: explain, Diagnosis, Group, Path

A path is one fate (`diagnose.family`), once or several times, and beside it plain things that
happen to other pages: huge pages moved whole, split at once, further pieces that were busy, single
pages that were moved.  Paths that move the same counters are one group, because nobody can tell
them apart by counters.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmsim.constants import HPAGE_PMD_NR
from mmsim.diagnose.family import ALONE, EVIDENCE, NOTHING, ROOM, STAGES, UNITS, Fate, fates
from mmsim.diagnose.reading import Delta
from mmsim.mm.versions import VERSIONS, get
from mmsim.scenarios.situation import MISSED, PINNED

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
    best: tuple[tuple[int, int], Path, dict[str, tuple[int, int]]] | None = None
    for name in names:
        for fate in fates(name, 1):
            wrong = {c: (n, fate.counters[c]) for c, n in given.items() if fate.counters[c] != n}
            size = (len(wrong), sum(abs(a - b) for a, b in wrong.values()))
            if best is None or size < best[0]:
                best = (size, Path((name,), fate), wrong)
    assert best is not None
    return best[1], best[2]
