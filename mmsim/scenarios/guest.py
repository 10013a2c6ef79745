"""A guest's memory: huge pages of a memfd that lie in CMA, in a world without or with a zone.

Interface: guest_memory, huge_page, host_with_zone, CMA_PFN, NAMES, ZONES
"""

from __future__ import annotations

from mmsim.constants import HPAGE_PMD_NR, MIGRATE_CMA
from mmsim.engine.op import ModelError
from mmsim.mm.folio import Extent, Folio
from mmsim.mm.world import Environment, World
from mmsim.mm.zone import boot

# Where the measured kernel had its first huge page; the next ones follow below.
CMA_PFN = 0x3F800
NAMES = "ABCDEFGH"

HOST_PAGES, HOST_CMA_PAGES = 1 << 16, 3 << 14
"""256 MiB, of which 192 MiB are a CMA area: more than half, so that a guest is put there."""
ZONES = {
    "pinned": {"used": 0.5, "scattered": 1.0},
    "movable": {"used": 0.5, "scattered": 1.0, "movable": True},
    "whole": {"used": 0.5},
}
"""What is free outside CMA: single pages among others that can't or can move, or whole blocks."""


def host_with_zone(env: Environment, kind: str) -> World:
    """A world whose allocator is a zone; `kind` is one of ZONES."""
    return World(env, boot(HOST_PAGES, HOST_CMA_PAGES, **ZONES[kind]))  # type: ignore[arg-type]


def huge_page(name: str, order: int, **fields: object) -> Folio:
    """A huge page, or with order 0 a single one, as a guest leaves it: mapped once.

    `fields` that are not as a guest leaves them; the count follows."""
    folio = Folio(name, name, 0, order, pmd_maps=int(order > 0), pte_maps=int(order == 0))
    folio = folio._replace(**fields)  # type: ignore[arg-type]
    return folio._replace(refcount=folio.cache_refs + folio.mapcount)


def guest_memory(world: World, thps: int, order: int, **fields: object) -> tuple[Extent, ...]:
    """Put huge pages into CMA, each mapped once; returns the memory as a user sees it.

    `fields` of the folios that are not as a guest leaves them."""
    for number, name in enumerate(NAMES[:thps]):
        if world.zone is None:
            pfn: int | None = CMA_PFN - number * HPAGE_PMD_NR
            world.pageblocks[CMA_PFN // HPAGE_PMD_NR - number] = MIGRATE_CMA
        else:
            pfn = world.from_zone(order, pin_scope=False)
        if pfn is None or not world.in_cma(pfn):
            raise ModelError(f"the host puts huge page {name} outside CMA")
        world.add(pfn, huge_page(name, order, **fields))
    return tuple(Extent(name, 1 << order) for name in NAMES[:thps])
