"""Pinning user pages, above all for a long time.

Mirrors mm/gup.c, 6.1-rc1, and one function of 6.12.117.

A long-term pin must not stay in CMA.  So the loop is: pin what is there, look for pages that may
not stay, let go of everything, move those pages, and start again."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from mmsim.constants import (
    GUP_PIN_COUNTING_BIAS,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_SYNC,
    MR_LONGTERM_PIN,
)
from mmsim.engine.op import Op, atomic, blocking
from mmsim.errno import EAGAIN, ENOMEM
from mmsim.mm.filemap import folio_lock, folio_mark_dirty, folio_test_dirty, folio_unlock
from mmsim.mm.folio import Extent, Page
from mmsim.mm.memory import handle_mm_fault
from mmsim.mm.migrate import putback_movable_pages
from mmsim.mm.page_ref import folio_expected_ref_count
from mmsim.mm.seams import Version
from mmsim.mm.swap import (
    folio_isolate_lru,
    folio_mark_accessed,
    folio_test_lru,
    lru_add_drain,
    lru_add_drain_all,
)
from mmsim.mm.world import World


class Pin(NamedTuple):
    """Pages of one folio that were pinned together: `pins` of them, from its page `first` on."""

    page: Page
    pins: int
    first: int = 0

    @property
    def pfn(self) -> int:
        """Of the first of them."""
        return self.page.pfn + self.first


def pin(world: World, pfn: int, who: str, pins: int) -> None:
    """FOLL_PIN: 1,024 references for each pin of a page, one each on a large folio."""
    folio = world.folio(pfn)
    world.hold(pfn, f"{who} (pin)", pins if folio.is_thp else pins * GUP_PIN_COUNTING_BIAS)
    world.update(pfn, pincount=folio.pincount + pins)


def unpin(world: World, pfn: int, who: str, pins: int) -> None:
    """Undo `pin`."""
    folio = world.folio(pfn)
    world.update(pfn, pincount=folio.pincount - pins)
    world.drop(pfn, f"{who} (pin)", pins if folio.is_thp else pins * GUP_PIN_COUNTING_BIAS)


def entry_waits(world: World, me: str, region: str, index: int, *_: object) -> str | None:
    """Guard: who meets a migration entry waits, without a reference (migration_entry_wait()).

    From folio_migrate_mapping() on the page cache has the destination, which nobody maps yet.  Who
    meets that goes on to the fault, and sleeps there for its lock."""
    pfn = world.find(region, index)
    if pfn is not None and any(world.folio(pfn).migration_entries):
        return f"waiting for the migration of {world.folio(pfn).name} to end"
    return None


@blocking(entry_waits)
def follow_page_mask(
    world: World, me: str, region: str, index: int, nr: int, write: bool = True
) -> Pin | None:
    """Pin what an address is mapped to, up to `nr` pages of one folio; None if it is not mapped.

    Kernel: follow_page_mask() and try_grab_page() with FOLL_PIN | FOLL_TOUCH, and FOLL_WRITE if
    `write`.  A page mapped by a PTE is marked accessed, and dirty for a write; a PMD is only
    touched.  Left out: whose page table maps it, as any process's does; the kernel pins the
    pages of a huge page one after the other."""
    pfn = world.find(region, index)
    if pfn is None or not world.folio(pfn).mapcount:
        return None
    folio = world.folio(pfn)
    first = index - folio.index
    pins = min(folio.nr_pages - first, nr)
    pin(world, pfn, me, pins)
    world.count("nr_foll_pin_acquired", pins)
    if not folio.pmd_maps:
        world.update(pfn, dirty=folio.dirty or write)
        # One touch for each page of a huge page; after four of them nothing changes any more.
        for _ in range(min(pins, 4)):
            folio_mark_accessed(world, me, pfn)
    return Pin(Page(pfn, folio.nr_pages), pins, first)


@atomic
def gup_put_folio(world: World, me: str, pfn: int, pins: int) -> None:
    """Let go of pinned pages.  Kernel: unpin_user_pages(), gup_put_folio()."""
    unpin(world, pfn, me, pins)
    world.count("nr_foll_pin_released", pins)


@atomic
def is_longterm_pinnable_page(world: World, me: str, pfn: int) -> bool:
    """May this folio stay where it is under a long-term pin?  Not in CMA, not in a pageblock that
    somebody is emptying, and not in ZONE_MOVABLE.

    Kernel: include/linux/mm.h.  Left out: the zero page, device memory."""
    if world.pageblock_type(pfn) in (MIGRATE_CMA, MIGRATE_ISOLATE):
        return False
    return pfn not in world.zone_movable


def __get_user_pages(
    vma: tuple[Extent, ...], pinned: list[Pin], write: bool
) -> Generator[Op, Any, int]:
    """Fault in and pin every page; returns how many, or a negative errno if not even one.

    Left out: signals, follow_hugetlb_page()."""
    nr = 0
    for number, extent in enumerate(vma):
        index = extent.first
        end = extent.first + extent.pages
        while index < end:
            found = yield follow_page_mask(extent.region, index, end - index, write, site="gup.pin")
            if found is None:
                rc = yield handle_mm_fault(extent.region, index, write, site="gup.fault")
                if rc:
                    return nr or int(rc)
                continue
            pinned.append(found)
            index += found.pins
            nr += found.pins
    return nr


def collect_longterm_unpinnable_pages(
    movable_page_list: list[Page], pinned: list[Pin], version: Version
) -> Generator[Op, Any, int]:
    """Isolate the folios that may not stay; returns how many there are, isolated or not.

    From 6.1-rc1 until aa1e6a932ca6 its test of folio_isolate_lru() was inverted."""
    collected = 0
    drain_allow = True
    prev: Page | None = None
    todo = tuple(pinned)
    for index, found in enumerate(todo):
        page = found.page
        if page == prev:
            continue
        prev = page
        pinnable = yield is_longterm_pinnable_page(page.pfn, site="gup.check")
        if pinnable:
            continue
        collected += 1
        lru = yield folio_test_lru(page.pfn)
        if not lru and drain_allow:
            yield lru_add_drain_all()
            drain_allow = False
        isolated = yield folio_isolate_lru(page.pfn)
        # Meant: skip what could not be isolated.  The inverted test skips what could.
        if isolated == version.isolate_inverted:
            continue
        movable_page_list.append(page)
    return collected


def collect_longterm_unpinnable_folios(
    movable_folio_list: list[Page], pinned: list[Pin]
) -> Generator[Op, Any, int]:
    """The same in 6.12: a page in a batch is seen by a reference that nobody explains, and not by
    PG_lru.  This CPU's batches are emptied first, and then those of all.  None keeps a huge page.

    Kernel: mm/gup.c, collect_longterm_unpinnable_folios(), 6.12.117."""
    collected = drained = 0
    prev: Page | None = None
    todo = tuple(pinned)
    for index, found in enumerate(todo):
        folio = found.page
        if folio == prev and folio.is_thp:
            continue
        prev = folio
        pinnable = yield is_longterm_pinnable_page(folio.pfn, site="gup.check")
        if pinnable:
            continue
        collected += 1
        if drained == 0 and not folio.is_thp:
            explained = yield folio_expected_ref_count(folio.pfn, GUP_PIN_COUNTING_BIAS)
            if not explained:
                yield lru_add_drain()
                drained = 1
        if drained == 1 and not folio.is_thp:
            explained = yield folio_expected_ref_count(folio.pfn, GUP_PIN_COUNTING_BIAS)
            if not explained:
                yield lru_add_drain_all()
                drained = 2
        isolated = yield folio_isolate_lru(folio.pfn)
        if isolated:
            movable_folio_list.append(folio)
    return collected


def migrate_longterm_unpinnable_pages(
    movable_page_list: list[Page], pinned: list[Pin], version: Version
) -> Generator[Op, Any, int]:
    """Let go of everything and move the list.  -EAGAIN: pin again.  -ENOMEM: could not be moved.

    Kernel: mm/gup.c, migrate_longterm_unpinnable_pages().  Whatever migrate_pages() returns for a
    failure becomes -ENOMEM, because -EAGAIN means "pin again" to the caller.  Left out:
    device-coherent pages; if one of them can't be moved, the kernel returns -EBUSY."""
    todo = tuple(pinned)
    for index, found in enumerate(todo):
        yield gup_put_folio(found.page.pfn, found.pins, site="gup.unpin")
    rc = -EAGAIN
    if movable_page_list:
        ret = yield from version.migrate_pages(
            movable_page_list, MIGRATE_SYNC, MR_LONGTERM_PIN, version
        )
        if version.gup_fails(ret, not movable_page_list):
            rc = -ENOMEM
    yield from putback_movable_pages(movable_page_list)
    return rc


def check_and_migrate_movable_pages(pinned: list[Pin], version: Version) -> Generator[Op, Any, int]:
    """0: everything may stay.  Otherwise what migrate_longterm_unpinnable_pages() returns."""
    movable_page_list: list[Page] = []
    if version.drains_by_count:
        collected = yield from collect_longterm_unpinnable_folios(movable_page_list, pinned)
    else:
        collected = yield from collect_longterm_unpinnable_pages(movable_page_list, pinned, version)
    if collected == 0:
        return 0
    rc = yield from migrate_longterm_unpinnable_pages(movable_page_list, pinned, version)
    return rc


def pin_user_pages_remote(
    vma: tuple[Extent, ...], version: Version, pages: list[Pin] | None = None, write: bool = True
) -> Generator[Op, Any, int]:
    """Pin user memory with FOLL_LONGTERM; returns pages pinned, or a negative errno.

    `pages`, if given, gets what was pinned, unless that fails.  `write` adds FOLL_WRITE.  Kernel:
    pin_user_pages_remote() down to __gup_longterm_locked(), whose rounds have no limit either."""
    while True:
        pinned: list[Pin] = []
        nr = yield from __get_user_pages(vma, pinned, write)
        if nr <= 0:
            return nr
        rc = yield from check_and_migrate_movable_pages(pinned, version)
        if rc != -EAGAIN:
            if rc == 0 and pages is not None:
                pages += pinned
            return rc or nr


def unpin_user_pages_dirty_lock(found: Pin, make_dirty: bool) -> Generator[Op, Any, None]:
    """Let go of pinned pages that a device may have written to.

    Left out: the pages of a huge page go one after the other."""
    pfn = found.page.pfn
    if make_dirty:
        dirty = yield folio_test_dirty(pfn)
        if not dirty:
            yield folio_lock(pfn)
            yield folio_mark_dirty(pfn)
            yield folio_unlock(pfn)
    yield gup_put_folio(pfn, found.pins)


def pin_user_pages(
    region: str, index: int, pages: int, *, write: bool
) -> Generator[Op, Any, Pin | None]:
    """Pin up to `pages` pages of one folio, for a short time; None if the page does not exist.

    Left out: the way without the page-table lock (gup_fast) that is tried first."""
    while True:
        found = yield follow_page_mask(region, index, pages, write)
        if found is not None:
            return found  # type: ignore[no-any-return]
        rc = yield handle_mm_fault(region, index, write)
        if rc:
            return None
