"""How a run ended, in a few words that stay the same for the same fate.

Interface: Aim, PINNED, MAPPED, MIGRATED, DROPPED, SPLIT, TAKEN, why_failed, left_behind,
fails, and the names of failures

A failure is told from the world that it leaves behind, not from how it came about: what still lies
in CMA, and what the counters say was refused.  If several things went wrong, this order counts:

1. Nothing failed to move (pgmigrate_fail is 0): the pin fails all the same, by its return value.
2. A huge page is left whole, where the pin gave up.  It had to be split, and that was refused at
   least once: it *could not be split*.  No split was ever refused: there was room for it, but it
   *could not be moved*; or, for a caller that never splits, there was *no memory*.  This comes
   before whatever happened to pieces, for they alone would not have saved the pin.
3. Only pieces are left: a page for each could be had, so one *missed its one pass*.  A single page
   that was never part of a huge one has all passes; it *could not be moved*.

Where the pin gave up: memory is pinned in `chunks`, one after the other, and one that is through
has left CMA.  So it is the first that has something there; those behind it were never tried.  One
thing can't be told from the world: a split that was refused for one huge page counts for the next,
if that could not be moved.  For this, destinations would have to come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmsim import errno
from mmsim.errno import ENOMEM
from mmsim.mm.folio import Folio
from mmsim.mm.world import NONE, ZONE, World

NOT_FINISHED = "not finished"
NOT_SPLIT = "failed: a huge page could not be split"
NOT_MOVED = "failed: a huge page could not be moved"
MISSED = "failed: a piece missed its one pass"
SINGLE = "failed: a single page could not be moved"
NO_MEMORY = "failed: no memory to move it to"
ALL_MOVED = "failed although everything moved"
FAILURES = (NOT_SPLIT, NOT_MOVED, MISSED, SINGLE, NO_MEMORY, ALL_MOVED)

Chunks = tuple[tuple[str, ...], ...]


class Aim(NamedTuple):
    """What the main actor wants: the name of its success, which results are one, in words."""

    word: str
    reached: Callable[[int], bool]
    words: Callable[[int], str]


def _pages(rc: int, what: str) -> str:
    return f"{rc:,} {'page' if rc == 1 else 'pages'} {what}"


PINNED = Aim("pinned", lambda rc: rc > 0, lambda rc: _pages(rc, "pinned"))
MAPPED = Aim("mapped", lambda rc: rc == 0, lambda rc: "0 (mapped for the device)")
MIGRATED = Aim("migrated", lambda rc: rc == 0, errno.name)
TAKEN = Aim("taken back", lambda rc: rc >= 0, lambda rc: f"pfn {rc:#x}")
SPLIT = Aim("split", lambda rc: rc == 0, errno.name)
DROPPED = Aim("done", lambda rc: rc >= 0, lambda rc: _pages(rc, "dropped"))


def why_failed(world: World, rc: int, aim: Aim, chunks: Chunks) -> str:
    """The name of a failure; see above for what counts."""
    if aim is SPLIT:
        return NOT_SPLIT
    if not world.vmstat["pgmigrate_fail"]:
        return ALL_MOVED
    left = _left_behind(world, chunks)
    huge = [folio for folio in left if folio.is_thp]
    if left and not huge:
        if _memory_is_full(world):
            return NO_MEMORY
        return SINGLE if all(folio.name == folio.region for folio in left) else MISSED
    if world.vmstat["thp_split_page_failed"] or any(folio.writeback for folio in huge):
        return NOT_SPLIT
    return NO_MEMORY if aim is MIGRATED and rc == -ENOMEM else NOT_MOVED


def _left_behind(world: World, chunks: Chunks) -> list[Folio]:
    """What the chunk that failed still has in CMA."""
    inside = [folio for pfn, folio in world.folios.items() if world.in_cma(pfn) and folio.name]
    for regions in chunks:
        here = [folio for folio in inside if folio.region in regions]
        if here:
            return here
    return inside


def _memory_is_full(world: World) -> bool:
    """Is there not even a single page for a long-term pin?"""
    if world.env.targets_base == ZONE and world.zone is not None:
        return world.zone.nr_free <= world.zone.nr_free_cma
    return world.env.targets_base == NONE


def fails(outcome: str) -> bool:
    """Is this the name of a failure?"""
    return outcome.startswith("failed")


def left_behind(world: World) -> str:
    """What a failure has left in CMA, in a few words."""
    inside = [folio for pfn, folio in world.folios.items() if folio.name and world.in_cma(pfn)]
    pieces = sum(not folio.is_thp for folio in inside)
    if pieces:
        return f"{pieces} {'piece' if pieces == 1 else 'pieces'} left behind"
    if inside:
        return "still mapped" if all(folio.mapcount for folio in inside) else "left unmapped"
    return ""
