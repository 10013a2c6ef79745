"""The IOMMU's table, and what VFIO keeps besides: its lock, its list of mappings, locked memory.

Mirrors drivers/vfio/vfio_iommu_type1.c and drivers/iommu/iommu.c,
6.1-rc1.  Addresses and sizes are in pages.

Interface: iommu_mutex_lock, iommu_mutex_unlock, vfio_find_dma, vfio_dma_avail,
vfio_iommu_iova_dma_valid, vfio_link_dma, vfio_dma_grow, vfio_unlink_dma, vfio_batch_init,
memlock_allows, vfio_lock_acct, iommu_map, iommu_unmap, pfn_to_folios
"""

from __future__ import annotations

from mmsim.engine.op import ModelError, atomic, blocking, choice
from mmsim.errno import ENOMEM
from mmsim.mm.container import Dma, IommuMap
from mmsim.mm.world import World


def _change(world: World, **fields: object) -> None:
    world.container = world.container._replace(**fields)  # type: ignore[arg-type]


def _locked(world: World, me: str) -> str | None:
    holder = world.container.locked_by
    return f"waiting for VFIO's lock, held by {holder}" if holder else None


@blocking(_locked)
def iommu_mutex_lock(world: World, me: str) -> None:
    """One ioctl at a time.  Kernel: mutex_lock(&iommu->lock)."""
    _change(world, locked_by=me)


@atomic
def iommu_mutex_unlock(world: World, me: str) -> None:
    """The next ioctl may come.  Kernel: mutex_unlock(&iommu->lock)."""
    if world.container.locked_by != me:
        raise ModelError(f"{me!r} unlocks VFIO's lock, which it has not locked")
    _change(world, locked_by="")


@atomic
def vfio_find_dma(world: World, me: str, iova: int, pages: int) -> bool:
    """Is there a mapping that overlaps this range?  Kernel: vfio_find_dma()."""
    return any(
        dma.iova < iova + pages and iova < dma.iova + dma.pages for dma in world.container.dmas
    )


@atomic
def vfio_dma_avail(world: World, me: str) -> bool:
    """May there be one more mapping?  Kernel: iommu->dma_avail."""
    return len(world.container.dmas) < world.env.vfio.dma_entries


@atomic
def vfio_iommu_iova_dma_valid(world: World, me: str, first: int, last: int) -> bool:
    """Can the IOMMU translate all of this range?  Kernel: vfio_iommu_iova_dma_valid()."""
    return any(low <= first and last <= high for low, high in world.env.vfio.iova_ranges)


def _memory(world: World, me: str, *_: object) -> tuple[str, ...]:
    return ("ok", "nomem") if world.env.faults else ("ok",)


@choice(_memory)
def vfio_link_dma(world: World, me: str, outcome: str, iova: int) -> bool:
    """Allocate a mapping and put it on the list, of size 0 so far; False without memory.

    Kernel: kzalloc() and vfio_link_dma() in vfio_dma_do_map()."""
    if outcome == "ok":
        _change(world, dmas=(*world.container.dmas, Dma(iova, 0)))
    return outcome == "ok"


@atomic
def vfio_dma_grow(world: World, me: str, iova: int, pages: int) -> None:
    """The mapping that begins at `iova` has grown.  Kernel: dma->size in vfio_pin_map_dma()."""
    dmas = [
        dma._replace(pages=dma.pages + pages) if dma.iova == iova else dma
        for dma in world.container.dmas
    ]
    _change(world, dmas=tuple(dmas))


@atomic
def vfio_unlink_dma(world: World, me: str, iova: int) -> None:
    """Take a mapping off the list and free it.  Kernel: vfio_unlink_dma() in vfio_remove_dma()."""
    _change(world, dmas=tuple(dma for dma in world.container.dmas if dma.iova != iova))


@choice(_memory)
def vfio_batch_init(world: World, me: str, outcome: str) -> int:
    """A page of page pointers, or one pointer if there is no memory; answers how many.

    Kernel: vfio_batch_init()."""
    return world.env.vfio.batch if outcome == "ok" else 1


@atomic
def memlock_allows(world: World, me: str, pages: int) -> bool:
    """May the caller lock so many pages more?  Kernel: RLIMIT_MEMLOCK in vfio_pin_pages_remote().

    The kernel asks page by page; here it is once for the pages of a folio."""
    limit = world.env.vfio.memlock
    return limit is None or world.container.locked_vm + pages <= limit


@atomic
def vfio_lock_acct(world: World, me: str, pages: int) -> int:
    """Account pages as locked, or take them off; 0 or -ENOMEM.  Kernel: vfio_lock_acct()."""
    locked, limit = world.container.locked_vm + pages, world.env.vfio.memlock
    if pages > 0 and limit is not None and locked > limit:
        return -ENOMEM
    _change(world, locked_vm=locked)
    return 0


@choice(_memory)
def iommu_map(world: World, me: str, outcome: str, pfn: int, iova: int, pages: int) -> int:
    """Let the device reach a run of pages; 0 or a negative errno.  Kernel: vfio_iommu_map()."""
    if outcome != "ok":
        return -ENOMEM
    _change(world, maps=(*world.container.maps, IommuMap(iova, pfn, pages)))
    return 0


@atomic
def iommu_unmap(world: World, me: str, iova: int) -> IommuMap:
    """Take a run out of the IOMMU's table; answers the run, for its pages are to be unpinned.

    Kernel: iommu_iova_to_phys() and iommu_unmap() in vfio_unmap_unpin()."""
    (run,) = (run for run in world.container.maps if run.iova == iova)
    _change(world, maps=tuple(other for other in world.container.maps if other != run))
    return run


@atomic
def pfn_to_folios(
    world: World, me: str, pfn: int, pages: int
) -> tuple[tuple[int, int, int, int], ...]:
    """Whose pages are these?  Answers (pfn and size of a folio, first page in it, pages of it).

    Kernel: pfn_to_page() and compound_head(), page by page.  A pinned folio stays what it is."""
    return tuple(
        (head, world.folio(head).nr_pages, first, n) for head, first, n in world.pieces(pfn, pages)
    )
