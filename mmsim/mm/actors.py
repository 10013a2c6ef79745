"""Everybody else who takes a reference on a folio: actors to put beside a pin.

Mirrors mm/gup.c, mm/shmem.c, mm/memory.c, mm/filemap.c, mm/swap.c, 6.1-rc1.

    page fault of another thread or vCPU            fault
    fault-around of a neighbouring fault            fault_around
    speculation of GUP-fast                         gup_fast
    O_DIRECT, vhost, AIO on guest memory            direct_io
    mincore, MADV_*, move_pages, page_idle, DAMON   lookup
    reclaim, compaction, khugepaged                 isolator
    per-CPU batches, drop_caches over single pages  undrained_batch
    RDMA, io_uring, another device                  permanent_pin

Each function answers an `Actor`: its name, and the page it goes for.  How long a reference lasts is
how many steps the others take meanwhile; only `direct_io` has steps of its own in between.  The
last section has holders on cue: each does one thing to one folio, and takes it back later."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Concatenate, ParamSpec

from mmsim.engine.actor import Actor
from mmsim.engine.op import Op, atomic, blocking
from mmsim.errno import EFAULT
from mmsim.mm.drop_caches import deactivate_file_folio
from mmsim.mm.filemap import (
    folio_lock,
    folio_lock_by_name,
    folio_mapping,
    folio_trylock,
    folio_unlock,
    mapping_get_entry,
    truncate_inode_folio,
)
from mmsim.mm.gup import Pin, entry_waits, follow_page_mask, gup_put_folio, pin, unpin
from mmsim.mm.page_ref import ME, folio_get, folio_put, frozen
from mmsim.mm.rmap import handle_mm_fault
from mmsim.mm.shmem import finish_fault
from mmsim.mm.swap import isolate, putback_lru_page
from mmsim.mm.world import World

P = ParamSpec("P")


def as_actor(
    path: Callable[P, Generator[Op, Any, Any]],
) -> Callable[Concatenate[str, P], Actor]:
    """What a path does, as a function that answers an `Actor`: its name comes first."""

    def make(name: str, /, *args: P.args, **kwargs: P.kwargs) -> Actor:
        return Actor(name, lambda: path(*args, **kwargs))

    make.__name__, make.__doc__ = path.__name__, path.__doc__
    return make


# -- pins


@atomic
def io_in_flight(world: World, me: str) -> None:
    """The device is at work: nothing changes."""


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


# -- a reference that turns out to be wrong


def _mapped_page(world: World, region: str, index: int) -> int | None:
    """The pfn of the page that the guest's page tables map here."""
    pfn = world.find(region, index)
    if pfn is None or not world.folio(pfn).mapped_by_guest:
        return None
    return pfn + index - world.folio(pfn).index


@atomic
def gup_read_entry(world: World, me: str, region: str, index: int) -> int | None:
    """Read a page-table entry without any lock; answers the pfn of the page it maps."""
    return _mapped_page(world, region, index)


@atomic
def folio_try_get(world: World, me: str, page: int) -> int | None:
    """Take a reference on whatever folio this page belongs to now; answers where it begins.

    None if the page is free or its folio is frozen.  Kernel: folio_try_get(), try_get_folio()."""
    head = world.head(page)
    if head is None or world.folio(head).refcount == 0:
        return None
    world.hold(head, me)
    return head


@atomic
def gup_entry_unchanged(world: World, me: str, region: str, index: int, page: int) -> bool:
    """Does the entry still map this page?  Otherwise the reference is on the wrong folio."""
    return page == _mapped_page(world, region, index)


@as_actor
def gup_fast(region: str, index: int = 0) -> Generator[Op, Any, bool]:
    """GUP without locks: read the entry, take a reference, read the entry again, let go.

    The result tells whether the second look found the same.  Left out: what the caller does with
    the page; interrupts are off from the first look to the last, which stops nobody here."""
    page = yield gup_read_entry(region, index)
    if page is None:
        return False
    head = yield folio_try_get(page)
    if head is None:
        return False
    same = yield gup_entry_unchanged(region, index, page)
    yield folio_put(head, ME, 1)
    return bool(same)


# -- faults


@blocking(entry_waits)
def touch(world: World, me: str, region: str, index: int) -> bool:
    """A processor of the guest uses an address: is it mapped?"""
    return _mapped_page(world, region, index) is not None


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
        pfn = yield mapping_get_entry(region, index)
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


@atomic
def next_uptodate_page(world: World, me: str, region: str, index: int) -> int | None:
    """Take a reference on a folio of the page cache, unless it is locked or frozen.

    Kernel: mm/filemap.c, next_uptodate_page()."""
    pfn = world.find(region, index)
    if pfn is None or world.folio(pfn).locked_by or not world.folio(pfn).refcount:
        return None
    world.hold(pfn, me)
    return pfn


@as_actor
def fault_around(region: str, index: int = 0) -> Generator[Op, Any, bool]:
    """A fault on a neighbour maps this page as well, if that costs nothing: never waits for a lock.

    The result tells whether it came as far as mapping.  Kernel: mm/filemap.c, filemap_map_pages().
    """
    pfn = yield next_uptodate_page(region, index)
    if pfn is None:
        return False
    locked = yield folio_trylock(pfn)
    if not locked:
        yield folio_put(pfn, ME, 1)
        return False
    done = yield finish_fault(pfn)
    yield folio_unlock(pfn)
    if not done:
        yield folio_put(pfn, ME, 1)
    return bool(done)


# -- look-ups, and what they leave behind


@as_actor
def lookup(region: str, index: int = 0) -> Generator[Op, Any, None]:
    """Finds a page in the page cache, looks at it, lets go."""
    pfn = yield mapping_get_entry(region, index)
    if pfn is not None:
        yield folio_put(pfn, ME, 1)


@as_actor
def undrained_batch(region: str, index: int = 0) -> Generator[Op, Any, None]:
    """Leaves a single page in the deactivate_file batch of a CPU that nobody drains.

    PG_lru stays set, so a long-term pin does not see why it should drain.  A huge page leaves
    nothing behind: it empties the batch.  Left out: the folios that would fill the batch."""
    pfn = yield mapping_get_entry(region, index)
    if pfn is not None:
        yield from deactivate_file_folio(pfn)
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
    """Somebody else's FOLL_PIN, a direct I/O for instance; answers the pfn."""
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
