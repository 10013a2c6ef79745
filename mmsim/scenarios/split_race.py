"""The smallest race: one huge page is split while others take a reference and let go.

Floor 4.  Interface: SPLIT_RACE, repeated_split
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.knobs import Value, moment, number, read_span
from mmsim.mm.folio import Page
from mmsim.mm.migrate import try_split_thp
from mmsim.mm.swap import isolate
from mmsim.mm.versions import Version
from mmsim.mm.world import World
from mmsim.scenarios.fates import SPLIT
from mmsim.scenarios.guest import CMA_PFN, NAMES, guest_memory
from mmsim.scenarios.situation import Situation, Spec
from mmsim.script import Script, stranger, visit
from mmsim.units import HPAGE_PMD_ORDER, MIGRATE_PASSES

STRANGERS_MAX = 3

SPLIT_RACE_KNOBS = (
    number("strangers", 1, 0, STRANGERS_MAX, "how many others take a reference"),
    moment("taken", "start", ["start"], "when they take it"),
    moment("released", "never", ["never"], "when they drop it"),
    number("passes", 1, 1, MIGRATE_PASSES, "how often the split is tried"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of the huge page; 9: 512 pages"),
)


def repeated_split(
    page: Page, times: int, version: Version
) -> Generator[Op, Any, tuple[list[int], list[Page]]]:
    """Try to split one huge page up to `times` times; answers the results and the pieces."""
    results: list[int] = []
    pieces: list[Page] = []
    pass_ = 0
    while pass_ < times and 0 not in results:
        from_ = [page]
        ret = yield from try_split_thp(page, from_, pieces, version)
        results.append(ret)
        pass_ += 1
    return results, pieces


def _split_race(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
    """A huge page in CMA, mapped once, isolated by whoever is going to split it.

    Left out: everything around the split; a try that was refused is followed by the next at once.
    """
    order, passes = int(knobs["order"]), int(knobs["passes"])
    world = World()
    guest_memory(world, 1, order)
    isolate(world, CMA_PFN)

    def split() -> Generator[Op, Any, int]:
        results, _ = yield from repeated_split(Page(CMA_PFN, 1 << order), passes, version)
        return results[-1]

    names = ("stranger", "stranger2", "stranger3")[: int(knobs["strangers"])]
    leaves = knobs["released"] != "never"
    others = [stranger(name, NAMES[0], 0, leaves=leaves) for name in names]
    span = read_span(SPLIT_RACE_KNOBS, knobs["taken"], knobs["released"])
    return Situation(
        spec.name,
        version,
        knobs,
        world,
        (Actor("split", split), *others),
        Script(tuple(cue for name in names for cue in visit(name, NAMES[0], *span))),
        spec.make,
        merge=merge,
        aim=SPLIT,
    )


SPLIT_RACE = Spec(
    "split_race",
    "A huge page is split while others take a reference to it and let go",
    SPLIT_RACE_KNOBS,
    _split_race,
)
