"""Time: how long each step takes, and who moves next when every actor has a CPU of its own.

Interface: Clock, Cost, COSTS, IN_VAIN, COMPACTION

A teaching assumption, not a measurement: one unit is one simple step, such as testing a flag, and a
few steps are longer because they do something for every page.  The ratios are rounded so that three
lengths come near what a kernel under full emulation took (data/kernel-runs/README.md): from the
start of a pin to the first look at the count, from one refused split to the next, without and with
compaction, and moving 512 pieces.  What a unit is in microseconds, nobody knows but the machine;
`mmsim.evidence.timed` fits it for that one.

Nothing in the engine knows of this: a clock is a scheduler like any other.  Left out: caches,
interrupts, cond_resched() after each page, writeback, a CPU shared by two actors, the time that
waking up a sleeper takes."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mmsim.engine.actor import Local
from mmsim.engine.op import Op
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.mm.world import World

IN_VAIN, COMPACTION = 20.0, 40.0
"""What asking for a huge page costs if there is none: the allocator's slow path; and what direct
compaction adds to that, each time."""
SPREAD = 0.5
"""With a seed, a step takes from half to one and a half of its time, evenly drawn."""


class Cost(NamedTuple):
    """Units of a step: once, and for every base page that it works on."""

    once: float = 1.0
    per_page: float = 0.0


SIMPLE = Cost()
COSTS: Mapping[str, Cost] = MappingProxyType(
    {
        "follow_page_mask": Cost(per_page=1.0),  # the kernel pins page by page
        "gup_put_folio": Cost(per_page=0.5),
        "__split_huge_page": Cost(per_page=1.0),
        "folio_migrate_mapping": Cost(per_page=1.0),  # copies the contents
    }
)


def _pages(op: Op, answer: Any, world: World) -> int:
    """Base pages that a step of COSTS worked on."""
    if op.kind.name == "follow_page_mask":
        return answer.pins if answer is not None else 0
    if op.kind.name == "__split_huge_page":
        return len(answer)
    if op.kind.name == "gup_put_folio":
        return int(op.args[1])
    return world.folio(op.args[1]).nr_pages


class Clock:
    """A scheduler: every actor runs on its own CPU, and the one whose time has come moves.

    A step takes effect at its beginning and then occupies its actor's CPU.  An actor that must wait
    goes on at the moment at which it no longer has to.  `at`: (actor, step) -> the time before
    which that step does not begin.  `in_vain`: see IN_VAIN.  `page_weight`: how many base pages a
    page of a smaller huge page stands for.  `seed`: draw each duration (SPREAD); the draws of one
    actor do not depend on the others.  Where the environment has a choice, its first answer is
    taken.

    For the exact kind of scenario (`merge=False`).  Stateful: use a fresh one for each run.
    `times[n]` is when step n of the run began."""

    def __init__(
        self,
        *,
        at: Mapping[tuple[str, str], float] = MappingProxyType({}),
        in_vain: float = IN_VAIN,
        page_weight: int = 1,
        seed: int | None = None,
    ):
        self.at = at
        self.in_vain = in_vain
        self.page_weight = page_weight
        self.seed = seed
        self.now = 0.0
        self.times: list[float] = []
        self._due: dict[str, float] = {}
        self._seen: dict[str, Local] = {}
        self._rngs: dict[str, random.Random] = {}

    def duration(self, op: Op, answer: Hashable, world: World) -> float:
        """Units that a step took which has just given this answer."""
        name = op.kind.name
        if name == "alloc_migration_target" and answer is None:
            return self.in_vain if world.folio(op.args[0]).is_thp else SIMPLE.once
        cost = COSTS.get(name, SIMPLE)
        if not cost.per_page:
            return cost.once
        return cost.once + cost.per_page * _pages(op, answer, world) * self.page_weight

    def __call__(self, scenario: Scenario, state: State) -> Move:
        for actor, local in zip(scenario.actors, state.locals, strict=True):
            if self._seen.get(actor.name) is not local:
                self._arrived(actor.name, local, state.world)
        names = [actor.name for actor in scenario.actors]
        free = [name for name in names if scenario.blocked(state, name) is None]
        if not free:
            raise StopIteration
        name = min(free, key=lambda name: max(self._due[name], self.now))
        self.now = max(self._due[name], self.now)
        self.times.append(self.now)
        return Move(name, scenario.outcomes(state, name)[0])

    def _arrived(self, name: str, local: Local, world: World) -> None:
        """An actor comes to its next step: when does that begin?"""
        before = self._seen.get(name)
        self._seen[name] = local
        busy = 0.0
        if before is not None and before.op is not None:
            busy = self.duration(before.op, local.answer, world) * self._factor(name)
        start = (self.now if before is not None else 0.0) + busy
        step = local.op.kind.name if local.op is not None else ""
        self._due[name] = max(start, self.at.get((name, step), 0.0))

    def _factor(self, name: str) -> float:
        if self.seed is None:
            return 1.0
        rng = self._rngs.setdefault(name, random.Random(f"{self.seed} {name}"))
        return 1.0 + SPREAD * (2.0 * rng.random() - 1.0)
