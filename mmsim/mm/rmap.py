"""Mappings: taken away, replaced by migration entries, put back.

Mirrors mm/rmap.c (try_to_migrate()) and the reverse walk of mm/migrate.c
(remove_migration_ptes()), 6.1-rc1.

Left out: page tables.  A mapping is one of `pmd_maps` or `pte_maps` of the folio and one reference,
whose process it is does not matter."""

from __future__ import annotations

from mmsim.constants import ANON
from mmsim.engine.op import atomic
from mmsim.mm.folio import Folio
from mmsim.mm.world import World


@atomic
def folio_mapped(world: World, me: str, pfn: int) -> bool:
    """Is the folio mapped anywhere?"""
    return world.folio(pfn).mapcount > 0


def page_mapcount(folio: Folio) -> int:
    """Mappings of the first page of a folio: every PMD, but only its own PTEs.

    Kernel: include/linux/mm.h, page_mapcount().  PTE mappings are spread evenly over the pages."""
    return folio.pmd_maps - (-folio.pte_maps // folio.nr_pages)


def _deferred_split_huge_page(world: World, pfn: int) -> None:
    """Queue a huge page that has lost PTE mappings to be split later.  It counts once.

    Kernel: mm/huge_memory.c, deferred_split_huge_page(), which page_remove_rmap() calls for
    anonymous pages only.  Left out: who splits what is queued (the shrinker)."""
    folio = world.folio(pfn)
    if folio.kind != ANON or not folio.is_thp or folio.cached or folio.deferred_split:
        return
    world.count("thp_deferred_split_page")
    world.update(pfn, deferred_split=True)


def set_migration_entries(world: World, pfn: int, defers: bool) -> None:
    """Every mapping becomes a migration entry; `defers`: the folio is queued for a later split."""
    folio = world.folio(pfn)
    if defers:
        _deferred_split_huge_page(world, pfn)
    world.update(
        pfn,
        refcount=folio.refcount - folio.mapcount,
        pmd_maps=0,
        pte_maps=0,
        migration_entries=(folio.pmd_maps, folio.pte_maps),
    )


@atomic
def try_to_migrate(world: World, me: str, pfn: int) -> None:
    """Replace every mapping by a migration entry; each takes a reference with it.

    A PMD is replaced whole, without THP_SPLIT_PMD.  A huge page that loses a PTE is queued for a
    later split; in 6.12 only if other PTEs are left."""
    pte_maps = world.folio(pfn).pte_maps
    defers = pte_maps > 1 if world.env.defers_only_partly else pte_maps > 0
    set_migration_entries(world, pfn, defers)


@atomic
def remove_migration_ptes(world: World, me: str, old: int, new: int) -> None:
    """Turn the migration entries of `old` into mappings of `new` (`old` itself after a failure)."""
    pmd, pte = world.folio(old).migration_entries
    world.update(old, migration_entries=(0, 0))
    folio = world.folio(new)
    world.update(
        new,
        refcount=folio.refcount + pmd + pte,
        pmd_maps=folio.pmd_maps + pmd,
        pte_maps=folio.pte_maps + pte,
    )
