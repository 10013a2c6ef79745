"""Page faults: the folio of a page is mapped.

Mirrors mm/memory.c, 6.1-rc1.

Left out: page tables; rmap.py says what a mapping is.  do_anonymous_page() and do_read_fault()
allocate a folio and stand in shmem.py, next to what they call."""

from __future__ import annotations

from mmsim.constants import ANON
from mmsim.engine.op import ModelError, atomic, blocking
from mmsim.errno import EFAULT
from mmsim.mm.page_ref import ME, frozen
from mmsim.mm.world import World


def map_folio(world: World, pfn: int) -> None:
    """One more mapping and its reference: a huge page by a PMD, a page by a PTE.

    Kernel: do_set_pmd() and do_set_pte()."""
    folio = world.folio(pfn)
    pmd, pte = int(folio.is_thp), int(not folio.is_thp)
    world.update(
        pfn,
        refcount=folio.refcount + 1,
        pmd_maps=folio.pmd_maps + pmd,
        pte_maps=folio.pte_maps + pte,
    )
    if pmd and folio.kind != ANON:
        world.count("thp_file_mapped")


def fault_waits(world: World, me: str, region: str, index: int, *_: object) -> str | None:
    """Guard: a fault sleeps for the lock of the folio that it finds."""
    pfn = world.find(region, index)
    if pfn is not None and world.folio(pfn).locked_by:
        folio = world.folio(pfn)
        return f"the fault waits for the lock of {folio.name}, held by {folio.locked_by}"
    return frozen(world, me, region, index)


@blocking(fault_waits)
def handle_mm_fault(world: World, me: str, region: str, index: int, write: bool = True) -> int:
    """Map the folio of a page; answers 0, or -EFAULT for a page that the file no longer has.

    Kernel: handle_mm_fault() down to shmem_fault(), and fault_dirty_shared_page() for a write.
    Left out: allocating what is missing, the fault's own temporary reference while it sleeps for
    the lock."""
    pfn = world.find(region, index)
    if pfn is None or not world.folio(pfn).mapping:
        return -EFAULT
    if world.folio(pfn).mapcount:
        return 0  # another thread was quicker
    map_folio(world, pfn)
    if write:
        world.update(pfn, dirty=True)
    return 0


@atomic
def finish_fault(world: World, me: str, pfn: int, who: str = ME) -> bool:
    """Map the folio that a fault of the guest has found; `who`'s reference becomes the mapping's.

    False, and the reference stays, if another thread of the guest was quicker or the folio has left
    its file."""
    folio = world.folio(pfn)
    if folio.mapcount or not folio.mapping:
        return False
    map_folio(world, pfn)
    world.drop(pfn, who or me)
    return True


@blocking(fault_waits)
def map_in_another_process(world: World, me: str, region: str, index: int) -> None:
    """A process that has the file mapped as well touches the page: one mapping more.

    Kernel: do_read_fault() with the folio in the page cache.  Left out: the fault's own reference
    while it sleeps for the folio lock."""
    pfn = world.find(region, index)
    if pfn is None:
        raise ModelError(f"{region} has no page {index} to map")
    map_folio(world, pfn)
