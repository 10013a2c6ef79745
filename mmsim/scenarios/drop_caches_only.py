"""One write to drop_caches over one file: what is visited, locked, referenced, dropped.

Interface: DROP_CACHES_ONLY
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.knobs import Value, number, one_of
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent, Folio
from mmsim.mm.versions import Version
from mmsim.mm.world import World
from mmsim.scenarios.fates import DROPPED
from mmsim.scenarios.situation import Situation, Spec
from mmsim.script import Script

FOLIOS_MAX = 40
FIRST_PFN = 0x20000
SOMEBODY = "somebody"

KNOBS = (
    number("folios", 3, 1, FOLIOS_MAX, "folios in the file"),
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "size of each; 0: a page, 9: 512 pages"),
    one_of("dirty", "yes", ["yes", "no"], "were they written to?"),
    one_of("mapped", "yes", ["yes", "no"], "does a process map them?"),
    number("held", 0, 0, FOLIOS_MAX, "which of them somebody else refers to; 0: none"),
    number("locked", 0, 0, FOLIOS_MAX, "which of them somebody else has locked; 0: none"),
)


def _drop_caches_only(
    spec: Spec, version: Version, knobs: dict[str, Value], merge: bool
) -> Situation:
    """A file, and one write of 1 to drop_caches; the same in every version.

    Left out: other files, several writers, what comes after the write.
    """
    nr, order = int(knobs["folios"]), int(knobs["order"])
    for knob in ("held", "locked"):
        if int(knobs[knob]) > nr:
            raise ValueError(f"{knob} is {knobs[knob]}, but there are only {nr} folios (folios)")
    world = World()
    dirty, mapped = knobs["dirty"] == "yes", knobs["mapped"] == "yes"
    names = [f"{'T' if order else 'P'}{number_}" for number_ in range(1, nr + 1)]
    for number_, name in enumerate(names):
        pfn = FIRST_PFN + number_ * HPAGE_PMD_NR
        folio = Folio(name, name, 0, order, dirty=dirty)
        if mapped:
            folio = folio._replace(pmd_maps=int(order > 0), pte_maps=int(order == 0))
        world.add(pfn, folio._replace(refcount=folio.cache_refs + folio.mapcount))
        if number_ + 1 == int(knobs["held"]):
            world.hold(pfn, SOMEBODY)
        if number_ + 1 == int(knobs["locked"]):
            world.update(pfn, locked_by=SOMEBODY)
    file = tuple(Extent(name, 1 << order) for name in names)

    def path() -> Generator[Op, Any, int]:
        dropped = yield from drop_caches((file,))
        return dropped

    return Situation(
        spec.name,
        version,
        knobs,
        world,
        (Actor("drop_caches", path),),
        Script(),
        spec.make,
        merge=merge,
        aim=DROPPED,
    )


DROP_CACHES_ONLY = Spec(
    "drop_caches_only",
    "One write to drop_caches over one file: who is visited, locked, referenced, dropped",
    KNOBS,
    _drop_caches_only,
)
