"""A guest's memory is mapped for a device while others touch the same pages.

Interface: PIN_VERSUS, SMALL, AGAINST
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_PASSES, PAGE_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.knobs import Value, moment, number, one_of, read_span, some_of, words_of
from mmsim.mm import actors as holders
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
from mmsim.mm.versions import Version
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import AVAILABLE, EITHER, NONE, ZONE, Environment, Limits, World
from mmsim.scenarios.fates import MAPPED
from mmsim.scenarios.guest import NAMES, ZONES, guest_memory, host_with_zone
from mmsim.scenarios.situation import ISOLATION, Situation, Spec
from mmsim.scenarios.visits import Visits
from mmsim.script import Script

PIN, DROP_CACHES = "pin", "drop_caches"
SMALL: dict[str, Value] = {"order": 1, "passes": 2}
"""Every order of the steps of the pin and one drop_caches: 5,940 states in base, 7,773 in v3, for a
button.  For a slider: with at most one interruption (`preemptions_max=1`) 1,619 and 2,120, or
against a look-up 239 and 381.  Ten passes: 14,757 in v3; pages of four: 30,606 and 36,210."""

_HOLDERS: dict[str, Callable[..., Actor]] = {
    "direct_io": holders.direct_io,
    "gup_fast": holders.gup_fast,
    "fault": holders.fault,
    "fault_around": holders.fault_around,
    "lookup": holders.lookup,
    "undrained_batch": holders.undrained_batch,
    "permanent_pin": holders.permanent_pin,
}
AGAINST = (DROP_CACHES, *_HOLDERS)

KNOBS = (
    number("thps", 1, 1, len(NAMES), "huge pages in the guest's memory, all in CMA"),
    some_of(
        "against", DROP_CACHES, AGAINST, "who else touches them; a word twice: two", each_max=2
    ),
    number("on", 1, 1, len(NAMES), "which huge page the others go for; drop_caches takes them all"),
    moment("taken", "start", ["start"], "when the others come, in the run without a schedule"),
    moment("released", "1", ["never"], "when they leave, in the run without a schedule"),
    number("drops", 1, 1, 3, "how often drop_caches is written to"),
    number("io_steps", 2, 0, 20, "how many steps the I/O of direct_io takes"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER, ZONE], "may a free huge page be had?"),
    one_of("zone", "pinned", tuple(ZONES), "targets=zone: what is free outside CMA"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of a huge page; 9: 512 pages"),
    ISOLATION,
)


def _dropping(name: str, file: tuple[Extent, ...], times: int) -> Actor:
    def path() -> Generator[Op, Any, None]:
        for number_ in range(times):
            yield from drop_caches((file,))

    return Actor(name, path)


def _visitors(memory: tuple[Extent, ...], knobs: dict[str, Value]) -> list[Actor]:
    """The others, in the order of AGAINST; the second of a kind has a 2 in its name."""
    region = NAMES[int(knobs["on"]) - 1]
    found: list[Actor] = []
    for word in words_of(knobs["against"]):
        name = f"{word}_2" if word in [actor.name for actor in found] else word
        if word == DROP_CACHES:
            found.append(_dropping(name, memory, int(knobs["drops"])))
        elif word == "direct_io":
            found.append(holders.direct_io(name, region, steps=int(knobs["io_steps"])))
        else:
            found.append(_HOLDERS[word](name, region))
    return found


def _pin_versus(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
    """VFIO maps huge pages, one after the other; any set of others touches them meanwhile.

    A batch of VFIO has room for 512 page pointers: one huge page, also where a smaller `order`
    makes it fewer pages.  So each call of migrate_pages() has one huge page on its list.

    Left out: other files, which drop_caches would walk as well (they make its reference window
    longer), memory that the guest has not written to, the guest's own page tables.  The run without
    a schedule brings the others in at `taken`, until each has a reference, and lets them go on at
    `released`; the search and `replay` ask neither."""
    order, thps, on = int(knobs["order"]), int(knobs["thps"]), int(knobs["on"])
    targets = str(knobs["targets"])
    if on > thps:
        raise ValueError(f"on is {on}, but there are only {thps} huge pages (thps)")
    if targets == ZONE and order != HPAGE_PMD_ORDER:
        raise ValueError(f"targets=zone needs order={HPAGE_PMD_ORDER}, the zone's pageblocks")
    base = ZONE if targets == ZONE else AVAILABLE
    env = Environment(targets, base, compaction=True, vfio=Limits(batch=1 << order))
    world = host_with_zone(env, str(knobs["zone"])) if targets == ZONE else World(env)
    memory = guest_memory(world, thps, order)
    version = version._replace(passes=int(knobs["passes"]))
    map_ = MapDma(memory, (thps << order) * PAGE_SIZE)
    others = _visitors(memory, knobs)
    taken, released = read_span(KNOBS, knobs["taken"], knobs["released"])
    taken, released = (at and at._replace(call=on - 1) for at in (taken, released))
    names = tuple(actor.name for actor in others)
    return Situation(
        spec.name,
        version,
        knobs,
        world,
        (Actor(PIN, lambda: vfio_dma_do_map(map_, version)), *others),
        Script(),
        spec.make,
        merge=merge,
        aim=MAPPED,
        chunks=tuple((extent.region,) for extent in memory),
        usual=lambda: Visits(PIN, names, NAMES[on - 1], taken, released),
    )


PIN_VERSUS = Spec(
    "pin_versus",
    "VFIO maps a guest's huge pages while drop_caches and others touch them",
    KNOBS,
    _pin_versus,
    searched={"order": 1},
)
