"""Every way that a page can fare, found by searching small situations in every version.

Interface: Setting, Fate, fates, SETTINGS, EVIDENCE, UNITS, STAGES, NOTHING, ROOM, ALONE, PIN

A fate is one way to end, told by the counters that it moves.  Most settings are searched: every
order of the steps of the actors, on huge pages of two pages; of each end the shortest schedule is
kept.  `Fate.counters` are those of real huge pages.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MIGRATE_COUNTERS,
    MR_CONTIG_RANGE,
    MR_LONGTERM_PIN,
    MR_NUMA_MISPLACED,
    REASONS,
)
from mmsim.diagnose.resize import resized
from mmsim.engine.scenario import Move, State
from mmsim.engine.trace import Trace
from mmsim.mm.versions import get
from mmsim.mm.world import AVAILABLE, EITHER, NONE
from mmsim.probe import migrate_returns
from mmsim.scenarios import SCENARIOS, Situation

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
    here: dict[str, object] = {"stranger": 1, "released": "1"}  # the search decides when
    found = [
        Setting(pin, {"stranger": 0}),
        Setting(pin, {"stranger": 0, "targets": AVAILABLE}),
        Setting(pin, {"stranger": 0, "order": 0}),
        Setting(pin, here),
        Setting(pin, {**here, "targets": AVAILABLE}),
        Setting(pin, {**here, "order": 0}),
    ]
    for trouble in ("truncated", "nomem", "writeback"):
        found.append(Setting(pin, {"stranger": 0, "trouble": trouble}, searched=False))
    for reason in (OTHER, NEVER_SPLITS):
        found.append(Setting(pin, {**here, "reason": reason}))
    for thps, stranger in ((2, 1), (2, 2), (3, 3)):
        found.append(Setting(pin, {**here, "thps": thps, "stranger": stranger}))
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
        return (
            self.setting.scenario != "cma_alloc"
            and self.reason == OTHER
            and reason
            not in (
                PIN,
                NEVER_SPLITS,
            )
        )

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
