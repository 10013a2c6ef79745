"""Memory of a memfd: faulted in from the zone, by huge pages or single ones.

Floor 3: kernel paths and the atomic steps that belong to them.  Mirrors mm/shmem.c and, for
MAP_POPULATE, mm/gup.c, 6.1-rc6.

Interface: shmem_populate, shmem_is_huge, SHMEM_ENABLED

A shared mapping is populated by read faults, so nothing in it is dirty.  Left out: swap, memcg,
hole punching, fault-around, mappings that are not aligned to 2 MiB.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.engine.op import Op, atomic
from mmsim.errno import ENOMEM
from mmsim.mm.folio import Folio
from mmsim.mm.migration_target import from_zone
from mmsim.mm.rmap import handle_mm_fault
from mmsim.mm.swap import folio_add_lru, lru_add_drain
from mmsim.mm.vmstat import count_vm_events
from mmsim.mm.world import World, page_name
from mmsim.units import HPAGE_PMD_ORDER

SHMEM_ENABLED = ("always", "within_size", "advise", "never", "deny", "force")


def shmem_is_huge(
    policy: str, index: int, file_pages: int, *, advised: bool, nr: int = 1 << HPAGE_PMD_ORDER
) -> bool:
    """Does a fault at page `index` of a file of so many pages ask for a huge page?

    `policy`: one of SHMEM_ENABLED.  `advised`: the mapping has MADV_HUGEPAGE.  Kernel:
    mm/shmem.c, shmem_is_huge().  Left out: MADV_NOHUGEPAGE, a mount option of its own."""
    if policy in ("force", "deny"):
        return policy == "force"
    if policy == "within_size" and -(-(index + 1) // nr) * nr <= file_pages:
        return True
    return policy == "always" or (policy in ("within_size", "advise") and advised)


@atomic
def shmem_alloc_and_add_folio(
    world: World, me: str, region: str, index: int, order: int
) -> int | None:
    """A new folio in the file's page cache, locked by nobody; None if there is no memory.

    Kernel: shmem_alloc_and_acct_folio(), shmem_add_to_page_cache().  The caller's reference becomes
    the mapping's."""
    pfn = from_zone(world, order, pin_scope=False)
    if pfn is None:
        return None
    name = region if order else page_name(region, index)
    folio = Folio(name, region, index, order, held=((me, 1),), lru=False, dirty=False)
    world.add(pfn, folio._replace(refcount=1 + folio.cache_refs))
    return pfn


@atomic
def folio_put_caller(world: World, me: str, pfn: int) -> None:
    """The fault's own reference goes.  Kernel: the mapping takes it over in finish_fault()."""
    world.drop(pfn, me)


def shmem_fault(region: str, index: int, huge: bool, order: int) -> Generator[Op, Any, int]:
    """Fault in one page, or the whole huge page around it; returns pages mapped, or -ENOMEM.

    Kernel: shmem_fault(), shmem_get_folio_gfp(), finish_fault().  A huge page that can't be had
    counts thp_file_fallback, and a single page is tried."""
    pfn, size = None, order
    if huge:
        pfn = yield shmem_alloc_and_add_folio(region, index, order)
        event = "thp_file_fallback" if pfn is None else "thp_file_alloc"
        yield count_vm_events((event, 1))
    if pfn is None:
        size = 0
        pfn = yield shmem_alloc_and_add_folio(region, index, 0)
    if pfn is None:
        return -ENOMEM
    yield folio_add_lru(pfn)
    yield handle_mm_fault(region, index)
    yield folio_put_caller(pfn)
    if size:
        yield count_vm_events(("thp_file_mapped", 1))
    return 1 << size


def shmem_populate(
    files: tuple[str, ...], policy: str, order: int = HPAGE_PMD_ORDER
) -> Generator[Op, Any, int]:
    """Map and populate files of one huge page's size each; returns pages mapped, or -ENOMEM.

    Kernel: mm_populate(), populate_vma_page_range() over shmem_fault().  Whoever runs out of memory
    keeps what is mapped so far, as MAP_POPULATE does."""
    total = 0
    nr = 1 << order
    for number, region in enumerate(files):
        index = 0
        while index < nr:
            huge = shmem_is_huge(policy, index, nr, advised=False, nr=nr)
            mapped = yield from shmem_fault(region, index, huge and index == 0, order)
            if mapped < 0:
                return mapped
            index += mapped
            total += mapped
        yield lru_add_drain()
    return total
