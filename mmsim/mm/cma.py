"""The owner of a CMA area takes memory back.

Mirrors mm/cma.c, and from mm/page_alloc.c, mm/page_isolation.c and mm/compaction.c what
alloc_contig_range() needs, 6.1-rc6.

Whoever was lent memory there has to move.  A page that can't be moved, for instance because a
device has it pinned, makes its whole range useless to the owner."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from mmsim.constants import ANON, MIGRATE_CMA, MIGRATE_ISOLATE, MIGRATE_SYNC, MR_CONTIG_RANGE
from mmsim.engine.op import Op, atomic
from mmsim.errno import EBUSY, ENOMEM
from mmsim.mm.folio import Page
from mmsim.mm.migrate import putback_movable_pages
from mmsim.mm.page_alloc import look_at_pageblock, move_freepages, split_free_page, take_block
from mmsim.mm.rmap import page_mapcount
from mmsim.mm.seams import Version
from mmsim.mm.swap import folio_isolate_lru, lru_cache_disable, lru_cache_enable
from mmsim.mm.vmstat import count_vm_events
from mmsim.mm.world import World
from mmsim.mm.zone import Zone

COMPACT_CLUSTER_MAX = 32
ALLOC_CONTIG_TRIES = 5


class Area(NamedTuple):
    """A CMA area: first pfn and number of pages, both multiples of a pageblock."""

    base: int
    pages: int


def _set_type(zone: Zone, start: int, end: int, migratetype: str) -> None:
    """Relabel pageblocks and move what is free in them to the lists of the new type."""
    size = 1 << zone.pageblock_order
    for block in range(start, end, size):
        split_free_page(zone, block)
        zone.types[block >> zone.pageblock_order] = migratetype
        free, _ = look_at_pageblock(zone, block)
        move_freepages(zone, free, migratetype)


@atomic
def start_isolate_page_range(world: World, me: str, start: int, end: int) -> None:
    """Nothing more is handed out from these pageblocks.  Kernel: mm/page_isolation.c.

    CMA pageblocks are always accepted; others are not asked for here."""
    _set_type(world.own_zone(), start, end, MIGRATE_ISOLATE)


@atomic
def undo_isolate_page_range(world: World, me: str, start: int, end: int) -> None:
    """The pageblocks are CMA again.  Kernel: mm/page_isolation.c."""
    _set_type(world.own_zone(), start, end, MIGRATE_CMA)


@atomic
def next_migratable(
    world: World, me: str, pfn: int, end: int, skips_pte_mapped: bool = True
) -> Page | None:
    """The next folio from `pfn` on that isolate_migratepages_block() would isolate for the owner.

    It has to be on an LRU.  In no file and no swap cache, with more references than its first page
    has mappings, it looks pinned and is passed over: that spares anonymous huge pages mapped by
    PTEs, too, unless all mappings are counted as in 6.12 (`skips_pte_mapped` False)."""
    for at in sorted(at for at in world.folios if pfn <= at < end):
        folio = world.folio(at)
        page_mapping = folio.cached if folio.kind == ANON else folio.mapping
        maps = page_mapcount(folio) if skips_pte_mapped else folio.mapcount
        looks_pinned = not page_mapping and folio.refcount > maps
        if folio.lru and not looks_pinned:
            return Page(at, folio.nr_pages)
    return None


@atomic
def test_pages_isolated(world: World, me: str, start: int, end: int) -> bool:
    """Is every page of the range free?  Kernel: mm/page_isolation.c."""
    return all(held is None for _, _, held in world.own_zone().blocks(start, end))


@atomic
def isolate_freepages_range(world: World, me: str, start: int, end: int) -> None:
    """Take a free range off the lists; it belongs to the caller.

    Kernel: mm/compaction.c, isolate_freepages_range()."""
    zone = world.own_zone()
    for block in range(start, end, 1 << zone.pageblock_order):
        split_free_page(zone, block)
    for pfn, order, _ in zone.blocks(start, end):
        take_block(zone, pfn, order, movable=False)


def isolate_migratepages_range(
    pfn: int, end: int, migratepages: list[Page], version: Version
) -> Generator[Op, Any, int]:
    """Isolate up to 32 pages, or one huge page, the last one first; returns where to go on.

    Kernel: mm/compaction.c, isolate_migratepages_range()."""
    nr_isolated = 0
    while nr_isolated < COMPACT_CLUSTER_MAX:
        page = yield next_migratable(pfn, end, version.owner_skips_pte_mapped)
        if page is None:
            return end
        isolated = yield folio_isolate_lru(page.pfn)
        pfn = page.pfn + page.nr
        if isolated:
            migratepages.insert(0, page)
            nr_isolated += page.nr
    return pfn


def __alloc_contig_migrate_range(start: int, end: int, version: Version) -> Generator[Op, Any, int]:
    """Move every folio out of the range: at most five calls of migrate_pages() for each lot.

    Kernel: mm/page_alloc.c.  It stops at -ENOMEM, but any other failure is worth another try: that
    is how a caller of migrate_pages() notices which error it got.  Left out: reclaim of clean
    pages."""
    migratepages: list[Page] = []
    pfn, tries, rc = start, 0, 0
    yield lru_cache_disable()
    while pfn < end or migratepages:
        if not migratepages:
            pfn = yield from isolate_migratepages_range(pfn, end, migratepages, version)
            tries = 0
        else:
            tries += 1
        if tries == ALLOC_CONTIG_TRIES:
            rc = -EBUSY
            break
        # Nobody looks whether anything was isolated: an empty list is "migrated" as well.
        rc = yield from version.migrate_pages(migratepages, MIGRATE_SYNC, MR_CONTIG_RANGE, version)
        if rc == -ENOMEM:
            break
    yield lru_cache_enable()
    if rc < 0:
        yield from putback_movable_pages(migratepages)
        return rc
    return 0


def alloc_contig_range(start: int, end: int, version: Version) -> Generator[Op, Any, int]:
    """Make a range of pageblocks free and take it.  Returns 0, -EBUSY or -ENOMEM.

    Kernel: mm/page_alloc.c, alloc_contig_range()."""
    yield start_isolate_page_range(start, end)
    rc = yield from __alloc_contig_migrate_range(start, end, version)
    if rc in (0, -EBUSY):
        # A page that could not be moved may have been freed meanwhile: look, don't believe.
        empty = yield test_pages_isolated(start, end)
        rc = 0 if empty else -EBUSY
        if empty:
            yield isolate_freepages_range(start, end)
    yield undo_isolate_page_range(start, end)
    return rc


def cma_alloc(
    area: Area, count: int, align_order: int, version: Version, results: list[int] | None = None
) -> Generator[Op, Any, int]:
    """Take `count` pages from an area, aligned; returns the first pfn, or a negative errno.  The
    kernel's returns the first page, or NULL.

    One range after the other is tried while the answer is -EBUSY; any other error ends it.  The
    result of each range is appended to `results`, if given.  Left out: the area's bitmap, that is,
    what other owners took before."""
    start, rc = area.base, -ENOMEM
    while start + count <= area.base + area.pages:
        rc = yield from alloc_contig_range(start, start + count, version)
        if results is not None:
            results.append(rc)
        if rc == 0:
            yield count_vm_events(("cma_alloc_success", 1))
            return start
        if rc != -EBUSY:
            break
        start += 1 << align_order
    yield count_vm_events(("cma_alloc_fail", 1))
    return rc
