"""Mapping a guest's memory for a device: VFIO_IOMMU_MAP_DMA.

Mirrors drivers/vfio/vfio_iommu_type1.c and what it needs of drivers/iommu/iommu.c, 6.1-rc1.

All of the range is pinned and mapped, or nothing of it: what fails half-way is taken back.  A huge
page that the pin has moved or split on the way stays moved or split."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any, NamedTuple

from mmsim.constants import PAGE_SIZE
from mmsim.engine.op import ModelError, Op, atomic, blocking, choice
from mmsim.errno import EEXIST, EINVAL, ENOMEM, ENOSPC
from mmsim.mm.folio import Extent, Page
from mmsim.mm.gup import Pin, pin_user_pages_remote, unpin_user_pages_dirty_lock
from mmsim.mm.seams import Version
from mmsim.mm.world import Dma, IommuMap, World, may_fail

VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE = 1, 2
_FLAGS = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE
_WORD = 1 << 64


# -- The IOMMU's table, and what VFIO keeps besides: its lock, its list of mappings, locked memory.


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
    """Is there a mapping that overlaps this range?"""
    return any(
        dma.iova < iova + pages and iova < dma.iova + dma.pages for dma in world.container.dmas
    )


@atomic
def vfio_dma_avail(world: World, me: str) -> bool:
    """May there be one more mapping?  Kernel: iommu->dma_avail."""
    return len(world.container.dmas) < world.env.vfio.dma_entries


@atomic
def vfio_iommu_iova_dma_valid(world: World, me: str, first: int, last: int) -> bool:
    """Can the IOMMU translate all of this range?"""
    return any(low <= first and last <= high for low, high in world.env.vfio.iova_ranges)


@choice(may_fail("vfio_link_dma", "ok", "nomem"))
def vfio_link_dma(world: World, me: str, choice: str, iova: int) -> bool:
    """Allocate a mapping and put it on the list, of size 0 so far; False without memory."""
    if choice == "ok":
        _change(world, dmas=(*world.container.dmas, Dma(iova, 0)))
    return choice == "ok"


@atomic
def vfio_dma_grow(world: World, me: str, iova: int, pages: int) -> None:
    """The mapping that begins at `iova` has grown.  Kernel: dma->size in vfio_pin_map_dma()."""
    dmas = world.container.dmas
    grown = (dma._replace(pages=dma.pages + pages * (dma.iova == iova)) for dma in dmas)
    _change(world, dmas=tuple(grown))


@atomic
def vfio_unlink_dma(world: World, me: str, iova: int) -> None:
    """Take a mapping off the list and free it.  Kernel: vfio_unlink_dma() in vfio_remove_dma()."""
    _change(world, dmas=tuple(dma for dma in world.container.dmas if dma.iova != iova))


@choice(may_fail("vfio_batch_init", "ok", "nomem"))
def vfio_batch_init(world: World, me: str, choice: str) -> int:
    """A page of page pointers, or one pointer if there is no memory; answers how many."""
    return world.env.vfio.batch if choice == "ok" else 1


@atomic
def memlock_allows(world: World, me: str, pages: int) -> bool:
    """May the caller lock so many pages more?  Kernel: RLIMIT_MEMLOCK in vfio_pin_pages_remote().

    The kernel asks page by page, here once for the pages of a folio."""
    limit = world.env.vfio.memlock
    return limit is None or world.container.locked_vm + pages <= limit


@atomic
def vfio_lock_acct(world: World, me: str, pages: int) -> int:
    """Account pages as locked, or take them off; 0 or -ENOMEM."""
    locked, limit = world.container.locked_vm + pages, world.env.vfio.memlock
    if pages > 0 and limit is not None and locked > limit:
        return -ENOMEM
    _change(world, locked_vm=locked)
    return 0


@choice(may_fail("iommu_map", "ok", "nomem"))
def iommu_map(world: World, me: str, choice: str, pfn: int, iova: int, pages: int) -> int:
    """Let the device reach a run of pages; 0 or a negative errno.  Kernel: vfio_iommu_map()."""
    if choice != "ok":
        return -ENOMEM
    _change(world, maps=(*world.container.maps, IommuMap(iova, pfn, pages)))
    return 0


@atomic
def iommu_unmap(world: World, me: str, iova: int) -> IommuMap:
    """Take a run out of the IOMMU's table; answers it.  Kernel: vfio_unmap_unpin()."""
    (run,) = (run for run in world.container.maps if run.iova == iova)
    _change(world, maps=tuple(other for other in world.container.maps if other != run))
    return run


@atomic
def pfn_to_folios(world: World, me: str, pfn: int, pages: int) -> tuple[Pin, ...]:
    """Whose pages are these?  Kernel: pfn_to_page() and compound_head(), page by page."""
    parts = world.parts(pfn, pages)
    return tuple(Pin(Page(head, world.folio(head).nr_pages), n, first) for head, first, n in parts)


# -- the ioctl


class MapDma(NamedTuple):
    """The argument of the ioctl, in bytes; `flags`: the device may read or write.

    `vma` is the memory that lies at `vaddr`.  Where it is shorter than `size`, there is a hole."""

    vma: tuple[Extent, ...]
    size: int
    iova: int = 0
    vaddr: int = 0x7F00_0000_0000
    flags: int = _FLAGS


@dataclasses.dataclass
class Batch:
    """Pages that are pinned and not yet part of a run.  `fresh`: none of them was taken yet."""

    capacity: int
    pins: list[Pin]
    fresh: bool = True


def stretch(vma: tuple[Extent, ...], start: int, pages: int) -> tuple[Extent, ...]:
    """Pages `start` to `start + pages` of a range.  What lies behind its end is a hole."""
    found: list[Extent] = []
    for region, length, first in vma:
        here = min(max(length - start, 0), pages)
        if here:
            found.append(Extent(region, here, first + start))
        start, pages = max(start - length, 0), pages - here
    return (*found, Extent("", pages)) if pages else tuple(found)


def vfio_dma_do_map(map_: MapDma, version: Version) -> Generator[Op, Any, int]:
    """Pin and map a range.  Returns 0; or -EINVAL, -EEXIST, -ENOSPC, -ENOMEM or what gup says.

    Kernel: vfio_iommu_type1_map_dma(), vfio_dma_do_map().  Left out: VFIO_DMA_MAP_FLAG_VADDR (an
    unknown flag here), containers without an IOMMU, dirty tracking, copying the argument."""
    words = map_.size, map_.iova, map_.vaddr
    if not all(0 <= word < _WORD for word in words) or not map_.flags or map_.flags & ~_FLAGS:
        return -EINVAL
    yield iommu_mutex_lock()
    ret = 0
    if not map_.size or any(word % PAGE_SIZE for word in words):
        ret = -EINVAL
    if map_.iova + map_.size > _WORD or map_.vaddr + map_.size > _WORD:
        ret = -EINVAL
    iova, pages = map_.iova // PAGE_SIZE, map_.size // PAGE_SIZE
    write = bool(map_.flags & VFIO_DMA_MAP_FLAG_WRITE)
    if ret == 0:
        found = yield vfio_find_dma(iova, pages)
        ret = -EEXIST if found else 0
    if ret == 0:
        available = yield vfio_dma_avail()
        ret = 0 if available else -ENOSPC
    if ret == 0:
        valid = yield vfio_iommu_iova_dma_valid(iova, iova + pages - 1)
        ret = 0 if valid else -EINVAL
    if ret == 0:
        linked = yield vfio_link_dma(iova)
        ret = 0 if linked else -ENOMEM
    if ret == 0:
        ret = yield from vfio_pin_map_dma(map_.vma, iova, pages, write, version)
    yield iommu_mutex_unlock()
    return ret


def vfio_pin_map_dma(
    vma: tuple[Extent, ...], iova: int, pages: int, write: bool, version: Version
) -> Generator[Op, Any, int]:
    """Pin and map run by run; returns 0, or a negative errno, and then nothing of it is left."""
    capacity = yield vfio_batch_init()
    batch = Batch(capacity, [])
    size = ret = 0
    while size < pages:
        run: list[Pin] = []
        rest = stretch(vma, size, pages - size)
        ret = yield from vfio_pin_pages_remote(rest, write, batch, run, version)
        if ret < 0:
            break
        npage = ret
        ret = yield iommu_map(run[0].pfn, iova + size, npage)
        if ret:
            yield from vfio_unpin_pages_remote(run[0].pfn, npage, write)
            yield vfio_lock_acct(-npage)
            yield from vfio_batch_unpin(batch, write)
            break
        yield vfio_dma_grow(iova, npage)
        size += npage
    if ret:
        yield from vfio_remove_dma(iova, size, write)
    return ret


def vfio_pin_pages_remote(
    vma: tuple[Extent, ...], write: bool, batch: Batch, run: list[Pin], version: Version
) -> Generator[Op, Any, int]:
    """Pin from the start of `vma` on for as long as the pages are neighbours in memory.

    `run` gets them; what was pinned already and is no neighbour stays in `batch`.  Returns how many
    pages, or a negative errno, and then nothing of the run or the batch is pinned.  Left out:
    reserved pages, pages pinned through a mediated device, disable_hugepages."""
    ret = pinned = 0
    npage = sum(extent.pages for extent in vma)
    out = False
    while pinned < npage and not out:
        if not batch.pins:
            batch.fresh = True
            request = stretch(vma, pinned, min(npage - pinned, batch.capacity))
            ret = yield from vaddr_get_pfns(request, write, batch, version)
            out = ret < 0
        while batch.pins and not out:
            found = batch.pins[0]
            if run and found.pfn != run[0].pfn + pinned:
                out, ret = True, 0
                break
            allowed = yield memlock_allows(pinned + found.pins)
            if not allowed:
                out, ret = True, -ENOMEM
                break
            run.append(batch.pins.pop(0))
            batch.fresh = False
            pinned += found.pins
    if ret >= 0:
        ret = yield vfio_lock_acct(pinned)
    if batch.fresh and sum(found.pins for found in batch.pins) == 1:
        # It might be a page without a struct page, which a batch can't keep: pinned again later.
        yield from vfio_batch_unpin(batch, write)
    if ret:
        todo = tuple(run)
        for index, found in enumerate(todo):
            yield from unpin_user_pages_dirty_lock(found, write)
        yield from vfio_batch_unpin(batch, write)
        return int(ret)
    return pinned


def vaddr_get_pfns(
    vma: tuple[Extent, ...], write: bool, batch: Batch, version: Version
) -> Generator[Op, Any, int]:
    """Fill the batch.  Returns the number of pages, or what the pin failed with, unchanged.

    Left out: the mmap lock, memory without struct pages."""
    ret = yield from pin_user_pages_remote(vma, version, batch.pins, write)
    return ret


def vfio_batch_unpin(batch: Batch, write: bool) -> Generator[Op, Any, None]:
    """Let go of what the batch still has."""
    todo = tuple(batch.pins)
    batch.pins.clear()
    for index, found in enumerate(todo):
        yield from unpin_user_pages_dirty_lock(found, write)


def vfio_unpin_pages_remote(pfn: int, npage: int, write: bool) -> Generator[Op, Any, None]:
    """Let go of a run of pages.  Kernel: vfio_unpin_pages_remote(), put_pfn()."""
    folios = yield pfn_to_folios(pfn, npage)
    for index, found in enumerate(folios):
        yield from unpin_user_pages_dirty_lock(found, write)


def vfio_remove_dma(iova: int, size: int, write: bool) -> Generator[Op, Any, None]:
    """Take a mapping back: IOMMU, pins, locked memory, list.

    Left out: unmapping several runs before the IOMMU's cache is flushed."""
    unmapped = 0
    while unmapped < size:
        run = yield iommu_unmap(iova + unmapped)
        yield from vfio_unpin_pages_remote(run.pfn, run.pages, write)
        unmapped += run.pages
    if size:
        yield vfio_lock_acct(-size)
    yield vfio_unlink_dma(iova)
