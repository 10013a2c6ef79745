"""Situations without a pin: other parts of the kernel take the same pages.

cma_alloc         the owner of a CMA area takes memory back while somebody holds a huge page in it
drop_caches_only  one write to drop_caches over one file"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MIGRATE_PASSES
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.errors import UserError
from mmsim.mm import cma
from mmsim.mm.actors import holder
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
from mmsim.mm.page_alloc import take
from mmsim.mm.seams import Version
from mmsim.mm.world import AVAILABLE, EITHER, NONE, Environment, World
from mmsim.mm.zone import boot
from mmsim.scenarios.host import CMA_PFN, NAMES, as_left
from mmsim.scenarios.script import Script, visit
from mmsim.scenarios.situation import (
    DROPPED,
    TAKEN_BACK,
    Knobs,
    Setup,
    check_number,
    moment,
    number,
    one_of,
    read_span,
    scenario,
)

# -- cma_alloc

BLOCKS_MAX = 64

CMA_ALLOC_KNOBS = (
    number("blocks", 2, 1, BLOCKS_MAX, "size of the area, in pageblocks of 2 MiB"),
    number("wanted", 1, 1, BLOCKS_MAX, "how many pageblocks in a row its owner asks for"),
    number("thps", 1, 0, len(NAMES), "huge pages of a guest: A in the first pageblock, and so on"),
    number("holder", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    moment("released", "never", ["never"], "when the holder leaves, in the first call"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER], "may a free huge page be had elsewhere?"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
)


@scenario(*CMA_ALLOC_KNOBS)
def cma_alloc(version: Version, knobs: Knobs) -> Setup:
    """The owner of a CMA area takes memory back while somebody refers to a huge page in it.

    The area is free but for huge pages at its beginning.  The result is the first pfn of what the
    owner gets.  Ranges are tried pageblock by pageblock.  Left out: other owners; a request of
    single pages, for which a kernel slides page by page."""
    blocks, wanted, thps = int(knobs["blocks"]), int(knobs["wanted"]), int(knobs["thps"])
    which = int(knobs["holder"])
    for knob in ("wanted", "thps"):
        if int(knobs[knob]) > blocks:
            raise UserError(f"{knob} is {knobs[knob]}, but the area has {blocks} pageblocks")
    check_number(knobs, "holder", "thps", "huge pages")
    area = cma.Area(CMA_PFN, blocks * HPAGE_PMD_NR)
    zone = boot(area.pages, area.pages, start=area.base)
    world = World(Environment(targets_huge=str(knobs["targets"])), zone)
    for nth, region in enumerate(NAMES[:thps]):
        pfn = area.base + nth * HPAGE_PMD_NR
        take(zone, pfn, HPAGE_PMD_ORDER)
        world.add(pfn, as_left(region, HPAGE_PMD_ORDER))

    def path() -> Generator[Op, Any, int]:
        return cma.cma_alloc(area, wanted * HPAGE_PMD_NR, HPAGE_PMD_ORDER, version, [])

    owner = Actor("owner", path)
    if not which:
        return Setup(world, (owner,), TAKEN_BACK)
    name = NAMES[which - 1]
    _, end = read_span(knobs)
    other = holder("holder", name, 0, leaves=end is not None)
    return Setup(world, (owner, other), TAKEN_BACK, Script(visit("holder", name, None, end)))


# -- drop_caches_only

FOLIOS_MAX = 40
FILE_PFN = 0x20000
SOMEBODY = "somebody"

DROP_CACHES_KNOBS = (
    number("folios", 3, 1, FOLIOS_MAX, "folios in the file"),
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "size of each; 0: a page, 9: 512 pages"),
    one_of("dirty", "yes", ["yes", "no"], "were they written to?"),
    one_of("mapped", "yes", ["yes", "no"], "does a process map them?"),
    number("held", 0, 0, FOLIOS_MAX, "which of them somebody else refers to; 0: none"),
    number("locked", 0, 0, FOLIOS_MAX, "which of them somebody else has locked; 0: none"),
)


@scenario(*DROP_CACHES_KNOBS)
def drop_caches_only(version: Version, knobs: Knobs) -> Setup:
    """One write to drop_caches over one file: who is visited, locked, referenced, dropped.

    The value written is 1.  It is the same in every version but 6.12.  Left out: other files,
    several writers, what comes after the write."""
    check_number(knobs, "held", "folios", "folios")
    check_number(knobs, "locked", "folios", "folios")
    nr, order = int(knobs["folios"]), int(knobs["order"])
    world = World()
    fields: dict[str, object] = {"dirty": knobs["dirty"] == "yes"}
    if knobs["mapped"] == "no":
        fields |= {"pmd_maps": 0, "pte_maps": 0}
    names = [f"{'T' if order else 'P'}{number_}" for number_ in range(1, nr + 1)]
    for number_, name in enumerate(names):
        world.add(FILE_PFN + number_ * HPAGE_PMD_NR, as_left(name, order, **fields))
    if which := int(knobs["held"]):
        world.hold(FILE_PFN + (which - 1) * HPAGE_PMD_NR, SOMEBODY)
    if which := int(knobs["locked"]):
        world.update(FILE_PFN + (which - 1) * HPAGE_PMD_NR, locked_by=SOMEBODY)
    file = tuple(Extent(name, 1 << order) for name in names)
    return Setup(world, (Actor("drop_caches", lambda: drop_caches((file,), version)),), DROPPED)
