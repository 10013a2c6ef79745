"""Strangers: each does one thing to one folio, and takes it back later.

Interface: stranger, pinner, locker, isolator, truncater

When they move is for a schedule to say, a script (`mmsim.script`) or a search."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.engine.actor import Actor
from mmsim.engine.op import Op, atomic, blocking
from mmsim.mm.filemap import folio_lock_by_name, folio_unlock, truncate_inode_folio
from mmsim.mm.gup import pin, unpin
from mmsim.mm.page_ref import folio_get, folio_put, frozen
from mmsim.mm.swap import isolate, putback_lru_page
from mmsim.mm.world import World


def stranger(name: str, region: str, index: int, refs: int = 1, *, leaves: bool = True) -> Actor:
    """Takes plain references on the folio of a page; drops them later, unless it stays for ever."""

    def path() -> Generator[Op, Any, None]:
        pfn = yield folio_get(region, index, refs, site="holder.get")
        if leaves:
            yield folio_put(pfn, name, refs, site="holder.put")

    return Actor(name, path)


@blocking(frozen)
def pin_by_name(world: World, me: str, region: str, index: int, pins: int) -> int | None:
    """Somebody else's FOLL_PIN, a direct I/O for instance; answers the pfn."""
    pfn = world.find(region, index)
    if pfn is not None:
        pin(world, pfn, me, pins)
    return pfn


@atomic
def unpin_by_pfn(world: World, me: str, pfn: int, pins: int) -> None:
    """The end of somebody else's pin."""
    unpin(world, pfn, me, pins)


def pinner(name: str, region: str, index: int, pins: int = 1, *, leaves: bool = True) -> Actor:
    """Like `stranger`, but with FOLL_PINs."""

    def path() -> Generator[Op, Any, None]:
        pfn = yield pin_by_name(region, index, pins)
        if pfn is not None and leaves:
            yield unpin_by_pfn(pfn, pins)

    return Actor(name, path)


def locker(name: str, region: str, index: int) -> Actor:
    """Holds the folio lock for a while."""

    def path() -> Generator[Op, Any, None]:
        pfn = yield folio_lock_by_name(region, index)
        yield folio_unlock(pfn)

    return Actor(name, path)


@atomic
def isolate_by_name(world: World, me: str, region: str, index: int) -> int | None:
    """Reclaim or compaction takes the folio off its LRU; answers the pfn, None if it could not."""
    pfn = world.find(region, index)
    return pfn if pfn is not None and isolate(world, pfn) else None


def isolator(name: str, region: str, index: int) -> Actor:
    """Isolates the folio for a while."""

    def path() -> Generator[Op, Any, None]:
        pfn = yield isolate_by_name(region, index)
        if pfn is not None:
            yield putback_lru_page(pfn)

    return Actor(name, path)


def truncater(name: str, region: str, index: int, *, waits: bool = False) -> Actor:
    """Takes the folio out of its file; `waits`: for whoever has locked it, as the kernel does."""

    def path() -> Generator[Op, Any, None]:
        yield truncate_inode_folio(region, index, waits)

    return Actor(name, path)
