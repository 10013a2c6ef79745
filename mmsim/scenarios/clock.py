"""How long each step takes, and who moves next when every actor has a CPU of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any

from mmsim.constants import HPAGE_PMD_ORDER
from mmsim.engine.actor import Actor, Local
from mmsim.engine.op import Op
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.trace import record
from mmsim.mm.actors import holder
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.seams import Version
from mmsim.mm.world import NONE, Environment, World
from mmsim.scenarios.guests import NAMES, guest_memory
from mmsim.scenarios.knobs import ISOLATION_KNOB, PASSES_KNOB, Knobs, number, one_of
from mmsim.scenarios.situation import PINNED, Setup, Situation, scenario

IN_VAIN, COMPACTION = 20.0, 40.0
"""What asking for a huge page costs if there is none: the allocator's slow path; and what direct
compaction adds to that, each time."""
SPREAD = 0.5
"""With a seed, a step takes from half to one and a half of its time, evenly drawn."""


LONGER: dict[str, Callable[[Op, Any, World], float]] = {
    # the kernel pins page by page
    "follow_page_mask": lambda op, answer, world: answer.pins if answer is not None else 0,
    "gup_put_folio": lambda op, answer, world: 0.5 * op.args[1],
    "__split_huge_page": lambda op, answer, world: len(answer),
    # copies the contents
    "folio_migrate_mapping": lambda op, answer, world: world.folio(op.args[1]).nr_pages,
}
"""What some steps take for the base pages that they work on.  Besides, each step takes 1."""


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
        if name == "alloc_migration_target" and answer is None and world.folio(op.args[0]).is_thp:
            return self.in_vain
        longer = LONGER[name](op, answer, world) if name in LONGER else 0
        return 1.0 + longer * self.page_weight

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
        return Move(name, scenario.choices(state, name)[0])

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


# -- timed_hold


HOLD_MAX = 100_000
SEEDS_MAX = 1_000_000
ALLOCATION = {"injected": IN_VAIN, "fragmented": IN_VAIN + COMPACTION}


@scenario(
    number("hold", 1_000, 0, HOLD_MAX, "units of time from the start of the pin to the release"),
    one_of("allocation", "injected", tuple(ALLOCATION), "why no huge page is to be had"),
    number("seed", 0, 0, SEEDS_MAX, "0: every step takes its time; else how times are drawn"),
    PASSES_KNOB,
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of a huge page; 9: 512 pages"),
    ISOLATION_KNOB,
)
def timed_hold(version: Version, knobs: Knobs) -> Setup:
    """A reference that lasts a given time meets a pin whose retries last a given time.

    Somebody has a reference on one huge page in CMA from the start of the pin on.  The run goes by
    the clock: the pin and the holder each have a CPU of their own.  No huge page is to be had: the
    failure is injected by a test, or memory really is fragmented, and compaction runs in vain.
    With a smaller `order` each page stands for several, so that what is done for a whole huge page
    lasts as long.

    Left out: VFIO around the pin, and other holders."""
    order = knobs["order"]
    world = World(Environment(targets_huge=NONE))
    memory = guest_memory(world, 1, order)
    return Setup(
        world,
        (
            Actor("pin", lambda: pin_user_pages_remote(memory, version)),
            holder("holder", NAMES[0], 0),
        ),
        PINNED,
        usual=lambda: Clock(
            at={("holder", "folio_put"): float(knobs["hold"])},
            in_vain=ALLOCATION[knobs["allocation"]],
            page_weight=1 << HPAGE_PMD_ORDER - order,
            seed=knobs["seed"] or None,
        ),
    )


def split_times(situation: Situation) -> list[float]:
    """When each try to split looked at the references, in units from the start of the pin."""
    clock = situation.usual()
    assert isinstance(clock, Clock)
    events = record(situation, clock).events
    timed = zip(clock.times, events, strict=True)
    return [time for time, event in timed if event.op.kind.name == "can_split_folio"]
