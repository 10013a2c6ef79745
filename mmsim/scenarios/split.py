"""The smallest race: one huge page is split while others take references to it and let go."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_PASSES
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.mm.actors import holder
from mmsim.mm.folio import Page
from mmsim.mm.migrate import try_split_thp
from mmsim.mm.seams import Version
from mmsim.mm.swap import isolate
from mmsim.mm.world import World
from mmsim.scenarios.guests import CMA_PFN, NAMES, guest_memory
from mmsim.scenarios.knobs import Knobs, number, read_span, when_released, when_taken
from mmsim.scenarios.script import Script, come_and_go
from mmsim.scenarios.situation import SPLIT, Setup, scenario

HOLDERS_MAX = 3


def repeated_split(
    page: Page, times: int, version: Version
) -> Generator[Op, Any, tuple[list[int], list[Page]]]:
    """Try to split one huge page up to `times` times; answers the results and the pieces."""
    results: list[int] = []
    pieces: list[Page] = []
    pass_ = 0
    while pass_ < times and 0 not in results:
        from_ = [page]
        ret = yield from try_split_thp(page, from_, [], pieces, version)
        results.append(ret)
        pass_ += 1
    return results, pieces


@scenario(
    number("holders", 1, 0, HOLDERS_MAX, "how many others take a reference"),
    when_taken("when they take it"),
    when_released("when they drop it"),
    number("passes", 1, 1, MIGRATE_PASSES, "how often the split is tried"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of the huge page; 9: 512 pages"),
)
def split_race(version: Version, knobs: Knobs) -> Setup:
    """A huge page is split while others take a reference to it and let go.

    It lies in CMA, mapped once, isolated by whoever is going to split it.  Left out: everything
    around the split; a try that was refused is followed by the next at once."""
    order, passes = knobs["order"], knobs["passes"]
    world = World()
    guest_memory(world, 1, order)
    isolate(world, CMA_PFN)

    def split() -> Generator[Op, Any, int]:
        results, _ = yield from repeated_split(Page(CMA_PFN, 1 << order), passes, version)
        return results[-1]

    names = ("holder", "holder2", "holder3")[: knobs["holders"]]
    leaves = knobs["released"] != "never"
    others = [holder(name, NAMES[0], 0, leaves=leaves) for name in names]
    span = read_span(knobs)
    cues = tuple(cue for name in names for cue in come_and_go(name, NAMES[0], *span))
    return Setup(world, (Actor("split", split), *others), SPLIT, Script(cues))
