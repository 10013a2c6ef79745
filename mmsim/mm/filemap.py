"""The page cache and the folio lock.

Mirrors mm/filemap.c, mm/truncate.c, mm/vmscan.c (__remove_mapping()), include/linux/pagemap.h,
6.1-rc1.

A file is a tuple of `Extent`s, one after the other; a place in it is (which extent, which page)."""

from __future__ import annotations

from typing import NamedTuple

from mmsim.constants import SHMEM
from mmsim.engine.op import ModelError, atomic, blocking, choice
from mmsim.mm.folio import Extent, Page
from mmsim.mm.page_ref import frozen, frozen_at
from mmsim.mm.world import World, may_fail

Place = tuple[int, int]


class Entry(NamedTuple):
    """What the page cache has at a place of a file: a folio, and where it begins."""

    page: Page
    at: Place


def _locked(world: World, me: str, pfn: int) -> str | None:
    folio = world.folio(pfn)
    if folio.locked_by == me:
        raise ModelError(f"{me!r} waits for its own lock on {folio.name}")
    if folio.locked_by:
        return f"waiting for the lock of {folio.name}, held by {folio.locked_by}"
    return None


@atomic
def folio_trylock(world: World, me: str, pfn: int) -> bool:
    """Take the folio lock if it is free."""
    if world.folio(pfn).locked_by:
        return False
    world.update(pfn, locked_by=me)
    return True


@blocking(_locked)
def folio_lock(world: World, me: str, pfn: int) -> None:
    """Sleep until the folio lock is free, then take it."""
    world.update(pfn, locked_by=me)


@atomic
def folio_unlock(world: World, me: str, pfn: int) -> None:
    """Give the folio lock back."""
    if world.folio(pfn).locked_by != me:
        raise ModelError(f"{me!r} unlocks {world.folio(pfn).name}, which it has not locked")
    world.update(pfn, locked_by="")


def _not_lockable(world: World, me: str, region: str, index: int) -> str | None:
    pfn = world.find(region, index)
    if pfn is None:
        return f"no folio holds {region}[{index}] yet"
    return _locked(world, me, pfn)


@blocking(_not_lockable)
def folio_lock_by_name(world: World, me: str, region: str, index: int) -> int:
    """Look a page up and lock its folio; answers the pfn.

    Kernel: filemap_lock_folio().  Left out: the reference that it takes as well."""
    pfn = world.find(region, index)
    assert pfn is not None
    world.update(pfn, locked_by=me)
    return pfn


@atomic
def folio_test_writeback(world: World, me: str, pfn: int) -> bool:
    """Is the folio being written back?  Testing does not end it.  Kernel: PG_writeback."""
    return world.folio(pfn).writeback


@atomic
def folio_wait_writeback(world: World, me: str, pfn: int) -> None:
    """Sleep until writeback is over.  Left out: who writes."""
    world.update(pfn, writeback=False)


@atomic
def folio_test_dirty(world: World, me: str, pfn: int) -> bool:
    """Was the folio written to?  Kernel: PG_dirty.  Left out: dirty bits of page tables."""
    return world.folio(pfn).dirty


@atomic
def folio_mark_dirty(world: World, me: str, pfn: int) -> None:
    """Somebody wrote to the folio."""
    world.update(pfn, dirty=True)


@atomic
def folio_mapping(world: World, me: str, pfn: int) -> bool:
    """Does the folio still belong to its file?  Kernel: folio->mapping; NULL once truncated."""
    return world.folio(pfn).mapping


def _next_entry(world: World, file: tuple[Extent, ...], start: Place) -> Entry | None:
    """The first folio of the file at or after `start`."""
    for number in range(start[0], len(file)):
        region, pages, first = file[number]
        index = max(start[1], first) if number == start[0] else first
        while index < first + pages:
            pfn = world.find(region, index)
            if pfn is not None:
                folio = world.folio(pfn)
                if folio.cached and folio.kind == SHMEM:
                    return Entry(Page(pfn, folio.nr_pages), (number, folio.index))
            index += 1
    return None


@atomic
def mapping_empty(world: World, me: str, file: tuple[Extent, ...]) -> bool:
    """Does the file have no page in the page cache?"""
    return _next_entry(world, file, (0, 0)) is None


def _entry_frozen(world: World, me: str, file: tuple[Extent, ...], start: Place) -> str | None:
    entry = _next_entry(world, file, start)
    return frozen_at(world, entry and entry.page.pfn)


@blocking(_entry_frozen)
def find_get_entry(world: World, me: str, file: tuple[Extent, ...], start: Place) -> Entry | None:
    """Find the next folio of a file and take a reference on it; None at the end of the file.

    A frozen folio makes the kernel look again: a blocked step here.  Left out: the look whether the
    page cache still has this folio, because lookup and reference are one step."""
    entry = _next_entry(world, file, start)
    if entry is not None:
        world.hold(entry.page.pfn, me)
    return entry


@atomic
def __remove_mapping(world: World, me: str, pfn: int) -> None:
    """A frozen folio leaves the page cache; the references left are those of its holders.

    Kernel: mm/vmscan.c, the end of it.  The freeze before, and the look at PG_dirty, are steps of
    remove_mapping() here."""
    folio = world.folio(pfn)
    del world.where[folio.region, folio.index]
    refs = sum(n for _, n in folio.held)
    world.update(pfn, refcount=refs, cached=False, mapping=False)


@choice(may_fail("filemap_release_folio", "released", "kept"))
def filemap_release_folio(world: World, me: str, choice: str, pfn: int) -> bool:
    """Drop private data of the folio.  shmem folios have none: a failure is injected."""
    return choice == "released"


def _not_yet(world: World, me: str, region: str, index: int, waits: bool = False) -> str | None:
    pfn = world.find(region, index)
    locked = _locked(world, me, pfn) if waits and pfn is not None else None
    return locked or frozen(world, me, region, index)


@blocking(_not_yet)
def truncate_inode_folio(
    world: World, me: str, region: str, index: int, waits: bool = False
) -> None:
    """The folio leaves its file: no page-cache references, no mappings.  Kernel: mm/truncate.c.

    The kernel holds the folio lock here, and `waits` is for whoever has it.  Without `waits` a
    script can build a run that no kernel has.  Left out: taking and giving back the lock."""
    pfn = world.find(region, index)
    if pfn is None:
        return
    folio = world.folio(pfn)
    refs = folio.refcount - folio.cache_refs - folio.mapcount
    del world.where[folio.region, folio.index]
    if refs == 0:
        world.remove(pfn)
    else:
        unmapped = {"pmd_maps": 0, "pte_maps": 0, "migration_entries": (0, 0)}
        world.update(pfn, refcount=refs, mapping=False, cached=False, **unmapped)
