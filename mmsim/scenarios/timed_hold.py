"""One reference that lasts a given time: the time it is held against the length of the retry loop.

Interface: TIMED_HOLD, attempts
"""

from __future__ import annotations

from mmsim.clock import COMPACTION, IN_VAIN, Clock
from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_PASSES
from mmsim.engine.actor import Actor
from mmsim.knobs import Value, number, one_of
from mmsim.mm.actors import stranger
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.versions import Version
from mmsim.mm.world import NONE, Environment, World
from mmsim.scenarios.fates import PINNED
from mmsim.scenarios.guest import NAMES, guest_memory
from mmsim.scenarios.situation import ISOLATION, Situation, Spec
from mmsim.script import Script

HOLD_MAX = 100_000
SEEDS_MAX = 1_000_000
ALLOCATION = {"injected": IN_VAIN, "fragmented": IN_VAIN + COMPACTION}

KNOBS = (
    number("hold", 1_000, 0, HOLD_MAX, "units of time from the start of the pin to the release"),
    one_of("allocation", "injected", tuple(ALLOCATION), "why no huge page is to be had"),
    number("seed", 0, 0, SEEDS_MAX, "0: every step takes its time; else how times are drawn"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of a huge page; 9: 512 pages"),
    ISOLATION,
)


def _timed_hold(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
    """A pin of one huge page in CMA; somebody has a reference on it from the start on.

    The run goes by the clock (mmsim.clock): the pin and the holder each have a CPU of their own.
    No huge page is to be had: the failure is injected by a test, or memory really is fragmented,
    and compaction runs in vain.  With a smaller `order` each page stands for several, so that what
    is done for a whole huge page lasts as long.

    Left out: VFIO around the pin, everything that mmsim.clock leaves out."""
    order = int(knobs["order"])
    world = World(Environment(targets_huge=NONE))
    memory = guest_memory(world, 1, order)
    row = version._replace(passes=int(knobs["passes"]))
    clock = {
        "at": {("holder", "folio_put"): float(knobs["hold"])},
        "in_vain": ALLOCATION[str(knobs["allocation"])],
        "page_weight": 1 << HPAGE_PMD_ORDER - order,
        "seed": int(knobs["seed"]) or None,
    }
    return Situation(
        spec.name,
        version,
        knobs,
        world,
        (
            Actor("pin", lambda: pin_user_pages_remote(memory, row)),
            stranger("holder", NAMES[0], 0),
        ),
        Script(),
        spec.make,
        merge=merge,
        aim=PINNED,
        usual=lambda: Clock(**clock),  # type: ignore[arg-type]
    )


TIMED_HOLD = Spec(
    "timed_hold",
    "A reference that lasts a given time meets a pin whose retries last a given time",
    KNOBS,
    _timed_hold,
)


def attempts(situation: Situation) -> list[float]:
    """When each attempt at a split looked at the references, in units from the start of the pin."""
    clock, state, found = situation.usual(), situation.initial(), list[float]()
    assert isinstance(clock, Clock)
    while True:
        try:
            move = clock(situation, state)
        except StopIteration:
            return found
        state, event = situation.step(state, move, keep=False)
        if event.op.kind.name == "can_split_folio":
            found.append(clock.now)
