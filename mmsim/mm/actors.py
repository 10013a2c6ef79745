"""Everybody else who takes a reference on a folio: actors to put beside a pin.

Mirrors mm/gup.c, mm/memory.c, mm/filemap.c, 6.1-rc1.

    page fault of another thread or vCPU            fault
    O_DIRECT, vhost, AIO on guest memory            direct_io
    RDMA, io_uring, another device                  permanent_pin
    mincore, MADV_*, move_pages, page_idle, DAMON   lookup
    anybody, on cue                                 holder, pinner, locker, isolator, truncater

Each function answers an `Actor`: its name, and the page it goes for.  How long a reference lasts is
how many steps the others take meanwhile; only `direct_io` has steps of its own in between.

Left out: GUP-fast, and the fault-around of a neighbouring fault: both are short, like `lookup`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Concatenate, ParamSpec

from mmsim.engine.actor import Actor
from mmsim.engine.op import Op, atomic, blocking
from mmsim.errno import EFAULT
from mmsim.mm.filemap import (
    folio_lock,
    folio_lock_by_name,
    folio_mapping,
    folio_unlock,
    truncate_inode_folio,
)
from mmsim.mm.gup import entry_waits, gup_put_folio, pin, pin_user_pages, unpin
from mmsim.mm.memory import finish_fault
from mmsim.mm.page_ref import ME, folio_get, folio_put, frozen
from mmsim.mm.swap import isolate, putback_lru_page
from mmsim.mm.world import World

P = ParamSpec("P")


def as_actor(path: Callable[P, Generator[Op, Any, Any]]) -> Callable[Concatenate[str, P], Actor]:
    """What a path does, as a function that answers an `Actor`: its name comes first."""

    def make(name: str, /, *args: P.args, **kwargs: P.kwargs) -> Actor:
        return Actor(name, lambda: path(*args, **kwargs))

    make.__name__, make.__doc__ = path.__name__, path.__doc__
    return make


# -- pins


@atomic
def io_in_flight(world: World, me: str) -> None:
    """The device is at work: nothing changes."""


@as_actor
def direct_io(
    region: str, index: int = 0, pages: int = 1, steps: int = 0
) -> Generator[Op, Any, None]:
    """An O_DIRECT write out of user memory: FOLL_PIN, `steps` steps of I/O, unpinned.

    Unlike a long-term pin it may stay in CMA: it is short.  Left out: the block layer, and that
    after a read into memory the pages are marked dirty."""
    found = yield from pin_user_pages(region, index, pages, write=False)
    if found is None:
        return
    for step in range(steps):
        yield io_in_flight()
    yield gup_put_folio(found.page.pfn, found.pins)


@as_actor
def permanent_pin(region: str, index: int = 0, pages: int = 1) -> Generator[Op, Any, None]:
    """A pin that nobody ends: of another device, or short in name only.

    Left out: that a well-behaved long-term pin moves the page out of CMA first."""
    yield from pin_user_pages(region, index, pages, write=True)


# -- faults and look-ups


@blocking(entry_waits)
def touch(world: World, me: str, region: str, index: int) -> bool:
    """A processor of the guest uses an address: is it mapped?"""
    pfn = world.find(region, index)
    return pfn is not None and world.folio(pfn).mapcount > 0


@as_actor
def fault(region: str, index: int = 0) -> Generator[Op, Any, int]:
    """A thread of the guest uses a page.  If it is not mapped, because a split that failed at its
    freeze took the mappings away: take a reference, *sleep for the folio lock*, map, unlock.

    Meant for the time after such a failure: the sleeper's reference makes the next split fail, too.
    Result: 0, or -EFAULT if the file has no such page.  Left out: allocating what is missing."""
    mapped = yield touch(region, index)
    if mapped:
        return 0
    while True:
        pfn = yield folio_get(region, index, 1)
        if pfn is None:
            return -EFAULT
        yield folio_lock(pfn)
        mapping = yield folio_mapping(pfn)
        if mapping:
            break
        yield folio_unlock(pfn)  # moved or truncated while we slept: look again
        yield folio_put(pfn, ME, 1)
    done = yield finish_fault(pfn)
    yield folio_unlock(pfn)
    if not done:
        yield folio_put(pfn, ME, 1)
    return 0


@as_actor
def lookup(region: str, index: int = 0) -> Generator[Op, Any, None]:
    """Finds a page in the page cache, looks at it, lets go."""
    pfn = yield folio_get(region, index, 1)
    if pfn is not None:
        yield folio_put(pfn, ME, 1)


# -- holders on cue


@as_actor
def holder(
    region: str, index: int, refs: int = 1, *, leaves: bool = True
) -> Generator[Op, Any, None]:
    """Takes plain references on the folio of a page; drops them later, unless it stays for ever."""
    pfn = yield folio_get(region, index, refs, site="holder.get")
    if pfn is not None and leaves:
        yield folio_put(pfn, ME, refs, site="holder.put")


@blocking(frozen)
def pin_by_name(world: World, me: str, region: str, index: int, pins: int) -> int | None:
    """Somebody else's FOLL_PIN, a direct I/O for instance; answers the pfn.

    Unlike follow_page_mask() it asks for no mapping, and nr_foll_pin_acquired stays."""
    pfn = world.find(region, index)
    if pfn is not None:
        pin(world, pfn, me, pins)
    return pfn


@atomic
def unpin_by_pfn(world: World, me: str, pfn: int, pins: int) -> None:
    """The end of somebody else's pin."""
    unpin(world, pfn, me, pins)


@as_actor
def pinner(
    region: str, index: int, pins: int = 1, *, leaves: bool = True
) -> Generator[Op, Any, None]:
    """Like `holder`, but with FOLL_PINs."""
    pfn = yield pin_by_name(region, index, pins)
    if pfn is not None and leaves:
        yield unpin_by_pfn(pfn, pins)


@as_actor
def locker(region: str, index: int) -> Generator[Op, Any, None]:
    """Holds the folio lock for a while."""
    pfn = yield folio_lock_by_name(region, index)
    yield folio_unlock(pfn)


@atomic
def isolate_by_name(world: World, me: str, region: str, index: int) -> int | None:
    """Reclaim or compaction takes the folio off its LRU; answers the pfn, None if it could not."""
    pfn = world.find(region, index)
    return pfn if pfn is not None and isolate(world, pfn) else None


@as_actor
def isolator(region: str, index: int) -> Generator[Op, Any, None]:
    """Isolates the folio for a while."""
    pfn = yield isolate_by_name(region, index)
    if pfn is not None:
        yield putback_lru_page(pfn)


@as_actor
def truncater(region: str, index: int, *, waits: bool = False) -> Generator[Op, Any, None]:
    """Takes the folio out of its file; `waits`: for whoever has locked it, as the kernel does."""
    yield truncate_inode_folio(region, index, waits)
