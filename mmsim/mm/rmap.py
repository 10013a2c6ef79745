"""Mappings: removing them, replacing them by migration entries, putting them back, faulting them
in.

Mirrors mm/rmap.c (try_to_unmap(), try_to_migrate()), the reverse walk
of mm/migrate.c (remove_migration_ptes()) and mm/memory.c (handle_mm_fault()), 6.1-rc1.

Interface: folio_mapped, try_to_migrate, remove_migration_ptes, unmap_folio, remap_page,
handle_mm_fault

Left out: page tables.  A mapping is one of `pmd_maps` or `pte_maps` of the folio and one reference.
"""

from __future__ import annotations

from mmsim.constants import ANON
from mmsim.engine.op import atomic, blocking
from mmsim.errno import EFAULT
from mmsim.mm.world import World


@atomic
def folio_mapped(world: World, me: str, pfn: int) -> bool:
    """Is the folio mapped anywhere?  Kernel: folio_mapped()."""
    return world.folio(pfn).mapcount > 0


def _take_mappings_away(world: World, pfn: int) -> None:
    folio = world.folio(pfn)
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

    Kernel: mm/rmap.c, try_to_migrate().  A PMD is replaced whole, without THP_SPLIT_PMD.
    """
    _take_mappings_away(world, pfn)


@atomic
def remove_migration_ptes(world: World, me: str, old: int, new: int) -> None:
    """Turn the migration entries of `old` into mappings of `new` (the same folio after a failure).

    Kernel: mm/migrate.c, remove_migration_ptes().
    """
    pmd, pte = world.folio(old).migration_entries
    world.update(old, migration_entries=(0, 0))
    folio = world.folio(new)
    world.update(
        new,
        refcount=folio.refcount + pmd + pte,
        pmd_maps=folio.pmd_maps + pmd,
        pte_maps=folio.pte_maps + pte,
    )


@atomic
def unmap_folio(world: World, me: str, pfn: int) -> None:
    """Remove every mapping of a huge page that is about to be split.

    Kernel: mm/huge_memory.c, unmap_folio().  Anonymous mappings become migration entries; those of
    a file are simply gone, to be faulted in again.  Each PMD that had to be split counts."""
    folio = world.folio(pfn)
    world.count("thp_split_pmd", folio.pmd_maps)
    _take_mappings_away(world, pfn)
    if folio.kind != ANON:
        world.update(pfn, migration_entries=(0, 0))


@atomic
def remap_page(world: World, me: str, pfn: int) -> None:
    """Put the mappings of a huge page back that could not be split, as PTEs.

    Kernel: mm/huge_memory.c, remap_page(): does nothing for files.
    """
    folio = world.folio(pfn)
    pmd, pte = folio.migration_entries
    maps = pmd * folio.nr_pages + pte
    world.update(
        pfn,
        refcount=folio.refcount + maps,
        pte_maps=folio.pte_maps + maps,
        migration_entries=(0, 0),
    )


def _fault_waits(world: World, me: str, region: str, index: int) -> str | None:
    pfn = world.find(region, index)
    if pfn is None:
        return None
    folio = world.folio(pfn)
    if folio.locked_by:
        return f"the fault waits for the lock of {folio.name}, held by {folio.locked_by}"
    return f"{folio.name} is frozen" if folio.refcount == 0 else None


@blocking(_fault_waits)
def handle_mm_fault(world: World, me: str, region: str, index: int) -> int:
    """Map the page-cache folio of a page: a huge page by one PMD, a page by one PTE.

    Kernel: mm/memory.c, handle_mm_fault() down to shmem_fault().  Answers 0, or -EFAULT for a page
    that the file no longer has.  Left out: allocating what is missing, the fault's own temporary
    reference while it sleeps for the lock.
    """
    pfn = world.find(region, index)
    if pfn is None or not world.folio(pfn).mapping:
        return -EFAULT
    folio = world.folio(pfn)
    if folio.mapcount:
        return 0  # another thread was quicker
    if folio.is_thp:
        world.update(pfn, refcount=folio.refcount + 1, pmd_maps=folio.pmd_maps + 1)
    else:
        world.update(pfn, refcount=folio.refcount + 1, pte_maps=folio.pte_maps + 1)
    return 0
