"""LRU lists and the per-CPU batches in front of them.

Mirrors mm/swap.c, mm/vmscan.c (folio_isolate_lru(), folio_putback_lru()), 6.1-rc1.

A batch belongs to a CPU and holds one reference on each folio in it.  In the model every actor has
a CPU of its own.  Most steps move a batch to the lists in one go; drop_caches does it step by step
(deactivate_file_folio()), and until it is through, its batch is MOVING and the others'
lru_add_drain_all() waits.  Left out: which list a folio is on, PG_reclaim, unevictable folios,
lazyfree and mlock batches."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import ACTIVATE, DEACTIVATE_FILE, LRU_ADD, MOVING
from mmsim.engine.op import Op, atomic, blocking
from mmsim.mm.folio import ISOLATION
from mmsim.mm.world import World


def folio_batch_add_and_move(world: World, cpu: str, kind: str, pfn: int) -> None:
    """Queue a folio; a full batch, or a large folio, is moved to the lists at once."""
    if _queue(world, cpu, kind, pfn):
        folio_batch_move_lru(world, cpu, kind)


def _queue(world: World, cpu: str, kind: str, pfn: int) -> bool:
    """Take a batch's reference and queue the folio; answers whether the batch has to be moved."""
    world.hold(pfn, f"{kind} batch")
    waiting = world.batches[cpu, kind] = (*world.batches.get((cpu, kind), ()), pfn)
    at_once = world.folio(pfn).is_thp or world.lru_disable_count > 0
    return at_once or len(waiting) >= world.env.pagevec_size


def folio_batch_move_lru(world: World, cpu: str, kind: str) -> None:
    """Move all of a batch to the lists, as lru_add_fn() and its relatives do it."""
    for pfn in world.batches.pop((cpu, kind), ()):
        folio = world.folio(pfn)
        if kind == LRU_ADD:
            world.update(pfn, lru=True)
        elif folio.lru and kind == ACTIVATE:
            world.update(pfn, active=True)
        elif folio.lru and kind == DEACTIVATE_FILE:
            _deactivate_file(world, pfn)
        world.drop(pfn, f"{kind} batch")


def _deactivate_file(world: World, pfn: int) -> None:
    if not world.folio(pfn).mapcount:  # what somebody maps is in use and stays where it is
        world.update(pfn, active=False, referenced=False)


def lru_add_drain_cpu(world: World, cpu: str) -> None:
    """Move everything in one CPU's batches to the lists."""
    for kind in (LRU_ADD, DEACTIVATE_FILE, ACTIVATE):
        folio_batch_move_lru(world, cpu, kind)


@atomic
def folio_add_lru(world: World, me: str, pfn: int) -> None:
    """Queue a folio for the LRU on this CPU."""
    folio_batch_add_and_move(world, me, LRU_ADD, pfn)


@atomic
def lru_add_drain(world: World, me: str) -> None:
    """Empty this CPU's batches."""
    lru_add_drain_cpu(world, me)


def _moving(world: World, me: str) -> str | None:
    cpus = [cpu for cpu, kind in world.batches if kind == MOVING]
    return f"waiting for {cpus[0]} to be through with its batch" if cpus else None


def __lru_add_drain_all(world: World) -> None:
    """Empty the batches of every CPU that has one."""
    for cpu in sorted({cpu for cpu, _ in world.batches}):
        lru_add_drain_cpu(world, cpu)


@blocking(_moving)
def lru_add_drain_all(world: World, me: str) -> None:
    """Empty every CPU's batches."""
    __lru_add_drain_all(world)


@blocking(_moving)
def lru_cache_disable(world: World, me: str) -> None:
    """Empty every CPU's batches; until lru_cache_enable() nothing waits in one."""
    world.lru_disable_count += 1
    __lru_add_drain_all(world)


@atomic
def lru_cache_enable(world: World, me: str) -> None:
    """Batches are used again."""
    world.lru_disable_count -= 1


@atomic
def folio_test_lru(world: World, me: str, pfn: int) -> bool:
    """PG_lru: on a list, and not isolated or waiting to be added."""
    return world.folio(pfn).lru


def isolate(world: World, pfn: int) -> bool:
    """Take a folio off its LRU and hold a reference on it; False if it is on none, or freed.

    Kernel: get_page_unless_zero() and folio_test_clear_lru(), which fail for a page just freed."""
    if pfn not in world.folios or not world.folio(pfn).lru:
        return False
    world.update(pfn, lru=False)
    world.hold(pfn, ISOLATION)
    return True


@atomic
def folio_isolate_lru(world: World, me: str, pfn: int) -> bool:
    """Isolate a folio; True if that was possible.  Kernel: mm/vmscan.c, folio_isolate_lru().

    The kernel's answers 0 for a success and -EBUSY, so a test without "!" reads the wrong way."""
    return isolate(world, pfn)


@atomic
def putback_lru_page(world: World, me: str, pfn: int) -> None:
    """Undo an isolation: queue the folio for the LRU, drop the isolation's reference."""
    folio_batch_add_and_move(world, me, LRU_ADD, pfn)
    world.drop(pfn, ISOLATION)


def folio_mark_accessed(world: World, me: str, pfn: int) -> None:
    """First touch: referenced.  Second: to the active list, through this CPU's batch."""
    folio = world.folio(pfn)
    if not folio.referenced:
        world.update(pfn, referenced=True)
    elif not folio.active:
        world.update(pfn, referenced=False)
        if folio.lru:
            folio_batch_add_and_move(world, me, ACTIVATE, pfn)


# -- a batch that is moved to the lists step by step


@atomic
def folio_batch_add(world: World, me: str, kind: str, pfn: int) -> tuple[int, ...]:
    """Queue a folio in this CPU's batch; answers the folios that the caller has to move now.

    All of the batch if it is full or the folio is large.  The kernel's answers how much room is
    left, and folio_batch_add_and_move() decides: one step here.  The rest of that is
    folio_batch_move_lru(), told step by step in deactivate_file_folio()."""
    if not _queue(world, me, kind, pfn):
        return ()
    moving = world.batches[me, MOVING] = world.batches.pop((me, kind))
    return moving


@atomic
def folio_test_clear_lru(world: World, me: str, pfn: int) -> bool:
    """Claim a folio that is on a list; nobody can isolate it then."""
    lru = world.folio(pfn).lru
    world.update(pfn, lru=False)
    return lru


@atomic
def lru_deactivate_file_fn(world: World, me: str, pfn: int) -> None:
    """To the inactive list unless somebody maps it; PG_lru is set again."""
    _deactivate_file(world, pfn)
    world.update(pfn, lru=True)


@atomic
def folios_put(world: World, me: str, kind: str) -> None:
    """The batch that was moved drops its references."""
    for pfn in world.batches.pop((me, MOVING)):
        world.drop(pfn, f"{kind} batch")


def deactivate_file_folio(pfn: int, checks_lru: bool) -> Generator[Op, Any, None]:
    """Queue a folio for the inactive list.  A large one goes there at once; a single page waits in
    this CPU's batch, with a reference, until the batch is full or somebody drains.

    `checks_lru`: what is on no list is passed over at once, as in 6.12.  Kernel: also
    folio_batch_move_lru().  Left out: unevictable folios."""
    if checks_lru:
        lru = yield folio_test_lru(pfn)
        if not lru:
            return
    moving = yield folio_batch_add(DEACTIVATE_FILE, pfn)
    if not moving:
        return
    for index, each in enumerate(moving):
        lru = yield folio_test_clear_lru(each)
        if lru:
            yield lru_deactivate_file_fn(each)
    yield folios_put(DEACTIVATE_FILE)
