"""The smallest race: one huge page is split while others take a reference and let go.

Floor 4.  Interface: SPLIT_RACE, repeated_split
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim import errno
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.scenario import State
from mmsim.flags import MIGRATE_CMA
from mmsim.knobs import Value, number
from mmsim.mm.folio import ISOLATION, Folio, Page
from mmsim.mm.migrate import try_split_thp
from mmsim.mm.versions import Version
from mmsim.mm.world import World
from mmsim.scenarios.situation import RELEASED, TAKEN, Situation, Spec, visit
from mmsim.scenarios.vfio_map import CMA_PFN
from mmsim.script import Script, stranger
from mmsim.units import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MIGRATE_PASSES

NAME = "A"
STRANGERS_MAX = 3

SPLIT_RACE_KNOBS = (
    number("strangers", 1, 0, STRANGERS_MAX, "how many others take a reference"),
    TAKEN,
    RELEASED,
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


class SplitRace(Situation):
    """Ends with the page split or not; and if not, mapped as before or with its mappings gone."""

    def outcome(self, state: State) -> str:
        """One try: refused at the check leaves it mapped, refused at the freeze does not."""
        local = self.local(state, self.main)
        if not local.finished:
            return "not finished"
        if local.result == 0:
            return "split"
        mapped = any(folio.mapcount for folio in state.world.folios.values())
        return f"failed: not split, {'still mapped' if mapped else 'left unmapped'}"

    def result(self, state: State) -> str:
        """What the last try returned, for people."""
        local = self.local(state, self.main)
        return errno.name(local.result) if local.finished else "not finished"


def _split_race(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
    """A huge page in CMA, mapped once, isolated by whoever is going to split it.

    Left out: everything around the split; a try that was refused is followed by the next at once.
    """
    order, passes = int(knobs["order"]), int(knobs["passes"])
    world = World()
    world.pageblocks[CMA_PFN // HPAGE_PMD_NR] = MIGRATE_CMA
    folio = Folio(
        NAME,
        NAME,
        0,
        order,
        refcount=(1 << order) + 2,
        held=((ISOLATION, 1),),
        pmd_maps=1,
        lru=False,
    )
    world.add(CMA_PFN, folio)

    def split() -> Generator[Op, Any, int]:
        results, _ = yield from repeated_split(Page(CMA_PFN, 1 << order), passes, version)
        return results[-1]

    names = [f"stranger{n or ''}" for n in (0, 2, 3)][: int(knobs["strangers"])]
    leaves = knobs["released"] != "never"
    others = [stranger(name, NAME, 0, leaves=leaves) for name in names]
    script = Script(tuple(cue for name in names for cue in visit(name, NAME, knobs)))
    return SplitRace(
        spec.name,
        version,
        knobs,
        world,
        (Actor("split", split), *others),
        script,
        spec.make,
        merge=merge,
    )


SPLIT_RACE = Spec(
    "split_race",
    "A huge page is split while others take a reference to it and let go",
    SPLIT_RACE_KNOBS,
    _split_race,
)
