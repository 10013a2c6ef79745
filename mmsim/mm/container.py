"""What VFIO and the IOMMU remember about one guest, and what they are allowed.

Interface: Container, Dma, IommuMap, Limits

A device can reach a page as soon as it stands in the IOMMU's table, so every such page has to be
pinned: `World.check` holds the two against each other.  All numbers are pages.  Left out: several
guests, several IOMMU domains, the permissions of an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mmsim.constants import VFIO_BATCH


class Limits(NamedTuple):
    """What the kernel was told before: never changed by a path.

    `memlock`: RLIMIT_MEMLOCK of the caller; None: it has CAP_IPC_LOCK.  `dma_entries`: the module's
    parameter dma_entry_limit.  `iova_ranges`: first and last page of what the IOMMU can translate;
    the gap is where x86 puts its interrupts.  `batch`: page pointers in the page that
    vfio_batch_init() allocates, smaller only for huge pages that are smaller, too."""

    memlock: int | None = None
    dma_entries: int = 65_535
    iova_ranges: tuple[tuple[int, int], ...] = ((0, 0xFEDFF), (0xFEF00, (1 << 36) - 1))
    batch: int = VFIO_BATCH


class Dma(NamedTuple):
    """One mapping of VFIO, a struct vfio_dma: `pages` from `iova` on are mapped so far."""

    iova: int
    pages: int


class IommuMap(NamedTuple):
    """One run in the IOMMU's table: neighbours for the device and in memory."""

    iova: int
    pfn: int
    pages: int


class Container(NamedTuple):
    """The changing part: VFIO's lock and list, the IOMMU's table, the caller's locked_vm."""

    locked_by: str = ""
    dmas: tuple[Dma, ...] = ()
    maps: tuple[IommuMap, ...] = ()
    locked_vm: int = 0

    def renamed(self, names: Mapping[str, str]) -> Container:
        """The same if actors had other names: old name -> new name."""
        return self._replace(locked_by=names.get(self.locked_by, self.locked_by))
