"""Memory of a memfd, or of no file at all: how a folio comes to be and who refers to it.

Mirrors mm/shmem.c (shmem_get_folio_gfp(), shmem_fallocate()), what mm/memory.c does with a new
folio (do_read_fault(), do_anonymous_page()) and, for MAP_POPULATE, mm/gup.c, 6.1-rc1.

A shared mapping is populated by read faults, so nothing in it is dirty.  A new folio has its name
from the beginning, so that a reader can follow it; whoever schedules a lookup before it is in the
page cache builds a run that no kernel has.  Left out: swap, memcg, hole punching, fault-around,
page tables, mappings that are not aligned to 2 MiB."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import ANON, HPAGE_PMD_ORDER, SHMEM
from mmsim.engine.op import Op, at_once, atomic
from mmsim.errno import ENOMEM
from mmsim.mm.folio import NEW_PAGE, new_folio
from mmsim.mm.memory import finish_fault, map_folio
from mmsim.mm.page_ref import folio_put
from mmsim.mm.swap import folio_add_lru, lru_add_drain
from mmsim.mm.vmstat import count_vm_events
from mmsim.mm.world import World, page_name

SHMEM_ENABLED = ("always", "within_size", "advise", "never", "deny", "force")


def _new(world: World, me: str, region: str, index: int, order: int, kind: str) -> int | None:
    """A new folio; answers its pfn, or None if the world's zone has no such block."""
    pfn = world.from_zone(order, pin_scope=False) if world.zone else world.from_elsewhere(order)
    if pfn is not None:
        name = page_name(region, index) if index else region
        world.add(pfn, new_folio(order, kind, me, name, region, index))
    return pfn


@atomic
def shmem_alloc_and_acct_folio(
    world: World, me: str, region: str, index: int, order: int
) -> int | None:
    """Allocate a folio for a page of a memfd; answers its pfn, or None."""
    return _new(world, me, region, index, order, SHMEM)


@atomic
def shmem_add_to_page_cache(world: World, me: str, pfn: int) -> None:
    """The file has the folio now, with one reference for each base page in it.

    A huge page counts thp_file_alloc."""
    folio = world.folio(pfn)
    world.count("thp_file_alloc", int(folio.is_thp))
    world.update(pfn, refcount=folio.refcount + folio.nr_pages, mapping=True, cached=True)


@atomic
def do_anonymous_page(world: World, me: str, region: str, index: int, order: int) -> int | None:
    """A folio that belongs to no file: allocated and mapped; answers its pfn, or None.

    Kernel: mm/memory.c, do_anonymous_page(); a huge page: do_huge_pmd_anonymous_page()."""
    pfn = _new(world, me, region, index, order, ANON)
    if pfn is None:
        return None
    world.update(pfn, mapping=True)
    map_folio(world, pfn)
    world.drop(pfn, NEW_PAGE)
    return pfn


def shmem_get_folio_gfp(region: str, order: int, index: int = 0) -> Generator[Op, Any, int | None]:
    """A new folio in the page cache; answers its pfn, with one reference for the caller, or None.

    Left out: looking whether there is one already."""
    pfn = yield shmem_alloc_and_acct_folio(region, index, order)
    if pfn is None:
        return None
    yield shmem_add_to_page_cache(pfn)
    yield folio_add_lru(pfn)
    return int(pfn)


def do_read_fault(region: str, order: int, index: int = 0) -> Generator[Op, Any, int]:
    """The first touch of a page of a memfd, as MAP_POPULATE makes it; returns 0 or -ENOMEM."""
    pfn = yield from shmem_get_folio_gfp(region, order, index)
    if pfn is None:
        return -ENOMEM
    mapped = yield finish_fault(pfn, NEW_PAGE)
    if not mapped:
        yield folio_put(pfn, NEW_PAGE, 1)
    return 0


def shmem_fallocate(region: str, order: int) -> Generator[Op, Any, int]:
    """Memory for a file that nobody maps yet; returns 0 or -ENOMEM."""
    pfn = yield from shmem_get_folio_gfp(region, order)
    if pfn is None:
        return -ENOMEM
    yield folio_put(pfn, NEW_PAGE, 1)
    return 0


def populate(region: str, order: int, kind: str, mapped: bool) -> Generator[Op, Any, int]:
    """Fill one page, or one huge page, of a region; returns 0 or -ENOMEM.

    Kernel: what mm_populate() comes to for a region as small as that."""
    rc = 0
    if kind == ANON:
        pfn = yield do_anonymous_page(region, 0, order)
        if pfn is None:
            return -ENOMEM
        yield folio_add_lru(pfn)
    elif mapped:
        rc = yield from do_read_fault(region, order)
    else:
        rc = yield from shmem_fallocate(region, order)
    yield lru_add_drain()
    return rc


# -- a whole file


def shmem_is_huge(
    shmem_huge: str, index: int, file_pages: int, nr: int = 1 << HPAGE_PMD_ORDER
) -> bool:
    """Does a fault at page `index` of a file of so many pages ask for a huge page?

    `shmem_huge`: one of SHMEM_ENABLED.  Left out: MADV_HUGEPAGE, without which "advise" is "never",
    MADV_NOHUGEPAGE, a mount option of its own."""
    if shmem_huge == "within_size":
        return -(-(index + 1) // nr) * nr <= file_pages
    return shmem_huge in ("always", "force")


def populate_at(region: str, index: int, huge: bool, order: int) -> Generator[Op, Any, int]:
    """Fault in one page, or the whole huge page around it; returns pages mapped, or -ENOMEM.

    A huge page that can't be had counts thp_file_fallback, and a single page is tried.  Kernel: the
    choice is made further down, in shmem_get_folio_gfp()."""
    if huge:
        rc = yield from do_read_fault(region, order, index)
        if rc == 0:
            return 1 << order
        yield count_vm_events(("thp_file_fallback", 1))
    rc = yield from do_read_fault(region, 0, index)
    return rc or 1


def fault_in(
    region: str, start: int, pages: int, huge: bool, order: int
) -> Generator[Op, Any, int]:
    """Fault in `pages` pages of a file, at most a huge page's worth; returns them, or -ENOMEM.

    Once a page of the stretch is in the file, a huge page has no room and is not asked for."""
    index = start
    while index < start + pages:
        mapped = yield from populate_at(region, index, huge and index == start, order)
        if mapped < 0:
            return mapped
        index += mapped
    return pages


@atomic
def populate_range(
    world: World, me: str, region: str, index: int, pages: int, huge: bool, order: int
) -> int:
    """All of `fault_in` as one step.  Kernel: mm/gup.c, populate_vma_page_range()."""
    return int(at_once(world, me, fault_in(region, index, pages, huge, order)))


def shmem_populate(
    region: str, pages: int, shmem_huge: str, order: int = HPAGE_PMD_ORDER
) -> Generator[Op, Any, int]:
    """Map and populate a file, one huge page's worth in a step; returns pages mapped, or -ENOMEM.

    Kernel: mm_populate().  After -ENOMEM what is mapped so far stays, as with MAP_POPULATE."""
    nr = 1 << order
    for index in range(0, pages, nr):
        huge = shmem_is_huge(shmem_huge, index, pages, nr)
        here = min(nr, pages - index)
        mapped = yield populate_range(region, index, here, huge and here == nr, order)
        if mapped < 0:
            return int(mapped)
    yield lru_add_drain()
    return pages
