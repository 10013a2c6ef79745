"""The page cache and the folio lock.

Floor 2: atomic operations.  Mirrors mm/filemap.c, mm/truncate.c, include/linux/pagemap.h, 6.1-rc1.

Interface: folio_trylock, folio_lock, folio_unlock, folio_lock_by_name, folio_test_writeback,
folio_wait_writeback, folio_mapping, filemap_release_folio, truncate_inode_folio
"""

from __future__ import annotations

from mmsim.engine.op import ModelError, atomic, blocking, choice
from mmsim.mm.page_ref import frozen
from mmsim.mm.world import World


def _locked(world: World, me: str, pfn: int) -> str | None:
    folio = world.folio(pfn)
    if folio.locked_by == me:
        raise ModelError(f"{me!r} waits for its own lock on {folio.name}")
    return (
        f"waiting for the lock of {folio.name}, held by {folio.locked_by}"
        if folio.locked_by
        else None
    )


@atomic
def folio_trylock(world: World, me: str, pfn: int) -> bool:
    """Take the folio lock if it is free.  Kernel: folio_trylock()."""
    if world.folio(pfn).locked_by:
        return False
    world.update(pfn, locked_by=me)
    return True


@blocking(_locked)
def folio_lock(world: World, me: str, pfn: int) -> None:
    """Sleep until the folio lock is free, then take it.  Kernel: folio_lock()."""
    world.update(pfn, locked_by=me)


@atomic
def folio_unlock(world: World, me: str, pfn: int) -> None:
    """Give the folio lock back.  Kernel: folio_unlock()."""
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
    """Look a page up and lock its folio; answers the pfn.  Kernel: filemap_lock_folio()."""
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
    """Sleep until writeback is over.  Kernel: folio_wait_writeback().  Left out: who writes."""
    world.update(pfn, writeback=False)


@atomic
def folio_mapping(world: World, me: str, pfn: int) -> bool:
    """Does the folio still belong to its file?  Kernel: folio->mapping; NULL once truncated."""
    return world.folio(pfn).mapping


def _release_outcomes(world: World, me: str, pfn: int) -> tuple[str, ...]:
    return ("released", "kept") if world.env.faults else ("released",)


@choice(_release_outcomes)
def filemap_release_folio(world: World, me: str, outcome: str, pfn: int) -> bool:
    """Drop private data of the folio, if any.  Kernel: filemap_release_folio().

    Left out: PG_private itself.  shmem folios have none; a failure is injected.
    """
    return outcome == "released"


@blocking(frozen)
def truncate_inode_folio(world: World, me: str, region: str, index: int) -> None:
    """The folio leaves its file: no page-cache references, no mappings.  Kernel: mm/truncate.c.

    Left out: the folio lock that the kernel holds here; whoever schedules this step between two
    steps of a lock holder builds a run that no kernel has."""
    pfn = world.find(region, index)
    if pfn is None:
        return
    folio = world.folio(pfn)
    refs = folio.refcount - folio.cache_refs - folio.mapcount
    del world.where[folio.region, folio.index]
    if refs == 0:
        world.remove(pfn)
    else:
        world.update(
            pfn,
            refcount=refs,
            mapping=False,
            cached=False,
            pmd_maps=0,
            pte_maps=0,
            migration_entries=(0, 0),
        )
