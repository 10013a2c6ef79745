"""Memory of a memfd: faulted in from the zone, by huge pages or single ones.

Floor 3: kernel paths and the atomic step that belongs to them.  Mirrors mm/shmem.c and, for
MAP_POPULATE, mm/gup.c, 6.1-rc6.

Interface: shmem_populate, populate_range, fault_in, shmem_is_huge, SHMEM_ENABLED

A shared mapping is populated by read faults, so nothing in it is dirty.  Left out: swap, memcg,
hole punching, fault-around, mappings that are not aligned to 2 MiB.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.engine.op import Op, at_once, atomic
from mmsim.mm.memory import do_read_fault
from mmsim.mm.swap import lru_add_drain
from mmsim.mm.vmstat import count_vm_events
from mmsim.mm.world import World
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


def shmem_fault(region: str, index: int, huge: bool, order: int) -> Generator[Op, Any, int]:
    """Fault in one page, or the whole huge page around it; returns pages mapped, or -ENOMEM.

    Kernel: shmem_fault().  A huge page that can't be had counts thp_file_fallback, and a single
    page is tried."""
    if huge:
        rc = yield from do_read_fault(region, order, index)
        yield count_vm_events(("thp_file_fallback" if rc else "thp_file_alloc", 1))
        if rc == 0:
            return 1 << order
    rc = yield from do_read_fault(region, 0, index)
    return rc or 1


def fault_in(
    region: str, start: int, pages: int, huge: bool, order: int
) -> Generator[Op, Any, int]:
    """Fault in pages `start` to `start + pages` of a file, at most one huge page's worth of them.

    Returns pages mapped, or -ENOMEM; what is mapped by then stays mapped.  Once a page of the
    stretch is in the file, a huge page has no room any more and is not asked for."""
    index = start
    while index < start + pages:
        mapped = yield from shmem_fault(region, index, huge and index == start, order)
        if mapped < 0:
            return mapped
        index += mapped
    return pages


@atomic
def populate_range(
    world: World, me: str, region: str, index: int, pages: int, huge: bool, order: int
) -> int:
    """All of `fault_in` as one step: a guest of gigabytes is populated while nobody else moves.

    Kernel: mm/gup.c, populate_vma_page_range()."""
    return int(at_once(world, me, fault_in(region, index, pages, huge, order)))


def shmem_populate(
    region: str, pages: int, policy: str, order: int = HPAGE_PMD_ORDER
) -> Generator[Op, Any, int]:
    """Map and populate a file, one huge page's worth in a step; returns pages mapped, or -ENOMEM.

    Kernel: mm_populate(), populate_vma_page_range() over shmem_fault().  Whoever runs out of memory
    keeps what is mapped so far, as MAP_POPULATE does."""
    nr = 1 << order
    for index in range(0, pages, nr):
        huge = shmem_is_huge(policy, index, pages, advised=False, nr=nr)
        here = min(nr, pages - index)
        mapped = yield populate_range(region, index, here, huge and here == nr, order)
        if mapped < 0:
            return int(mapped)
    yield lru_add_drain()
    return pages
