"""The steps of group refcount, as a path over the same atomic operations as the kernel paths.

Interface: steps_path
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.conformance.setup import ORDINARY_PFN, SetupError
from mmsim.constants import LRU_ADD, SHMEM
from mmsim.engine.op import Op, atomic
from mmsim.mm.filemap import folio_lock, folio_unlock
from mmsim.mm.folio import Folio, Page
from mmsim.mm.gup import pin, unpin
from mmsim.mm.huge_memory import split_huge_page_to_list
from mmsim.mm.page_ref import folio_put
from mmsim.mm.rmap import remove_migration_ptes, try_to_migrate, unmap_folio
from mmsim.mm.swap import (
    batch_add,
    folio_isolate_lru,
    lru_add_drain_all,
    putback_lru_page,
)
from mmsim.mm.versions import Version
from mmsim.mm.world import World

ME = "steps"


@atomic
def create(
    world: World, me: str, region: str, order: int, kind: str, pmd: int, pte: int, swap: bool
) -> int:
    """A folio as a write fault leaves it: cached, queued for the LRU, mapped.  Answers its pfn."""
    taken = [pfn + folio.nr_pages for pfn, folio in world.folios.items()]
    pfn = -(-max(taken, default=ORDINARY_PFN) // (1 << order)) * (1 << order)
    folio = Folio(
        region,
        region,
        0,
        order,
        kind,
        cached=kind == SHMEM or swap,
        pmd_maps=pmd,
        pte_maps=pte,
        lru=False,
    )
    world.add(pfn, folio._replace(refcount=folio.cache_refs + folio.mapcount))
    batch_add(world, me, LRU_ADD, pfn)
    return pfn


@atomic
def lookup(world: World, me: str, region: str, index: int) -> Page:
    """The folio of a page."""
    pfn = world.find(region, index)
    if pfn is None:
        raise SetupError(f"no folio {region!r} at this step")
    return Page(pfn, world.folio(pfn).nr_pages)


@atomic
def map_folio(world: World, me: str, pfn: int, pmd: int, pte: int) -> None:
    """Further mappings, each with its reference."""
    folio = world.folio(pfn)
    world.update(
        pfn,
        refcount=folio.refcount + pmd + pte,
        pmd_maps=folio.pmd_maps + pmd,
        pte_maps=folio.pte_maps + pte,
    )


@atomic
def get(world: World, me: str, pfn: int, times: int) -> None:
    """Plain references."""
    world.hold(pfn, me, times)


@atomic
def foll_pin(world: World, me: str, pfn: int, pages: int) -> None:
    """FOLL_PINs; a negative number lets go of them."""
    if pages > 0:
        pin(world, pfn, me, pages)
    else:
        unpin(world, pfn, me, -pages)


def steps_path(steps: list[dict[str, Any]], version: Version) -> Generator[Op, Any, None]:
    """All steps, in order."""
    for number, step in enumerate(steps):
        if step["do"] == "drain_batches":
            yield lru_add_drain_all()
        elif step["do"] == "create":
            order = step["order"]
            pmd, pte = step.get("pmd_maps", int(order > 0)), step.get("pte_maps", int(order == 0))
            kind = step.get("kind", SHMEM)
            yield create(step["folio"], order, kind, pmd, pte, step.get("swap_cache", False))
        else:
            region, _, rest = step["folio"].partition("[")
            page = yield lookup(region, int(rest.rstrip("]") or 0))
            yield from _one(step, page, version)


def _one(step: dict[str, Any], page: Page, version: Version) -> Generator[Op, Any, None]:
    do, times = step["do"], step.get("times", 1)
    if do == "map_pmd":
        yield map_folio(page.pfn, times, 0)
    elif do == "map_pte":
        yield map_folio(page.pfn, 0, times)
    elif do == "get":
        yield get(page.pfn, times)
    elif do == "put":
        yield folio_put(page.pfn, ME, times)
    elif do == "pin":
        yield foll_pin(page.pfn, step.get("pages", 1))
    elif do == "unpin":
        yield foll_pin(page.pfn, -step.get("pages", 1))
    elif do == "isolate":
        yield folio_isolate_lru(page.pfn)
    elif do == "putback":
        yield putback_lru_page(page.pfn)
    elif do == "unmap_for_split" or do == "unmap_all":
        yield unmap_folio(page.pfn)
    elif do == "unmap_for_migration":
        yield try_to_migrate(page.pfn)
    elif do == "restore_mappings":
        yield remove_migration_ptes(page.pfn, page.pfn)
    elif do == "split":
        pieces: list[Page] = []
        yield folio_lock(page.pfn)
        ret = yield from split_huge_page_to_list(page, pieces, version)
        yield folio_unlock(page.pfn)
        if ret:
            raise SetupError(f"the split of {step['folio']} must succeed, but it returns {ret}")
