"""Destinations for migration.

Floor 2: atomic operations.  Mirrors mm/migrate.c, alloc_migration_target(), 6.1-rc1.

Interface: alloc_migration_target

Whether a destination can be had is the environment's business (`World.env`): always, never, or
either, as a choice of whoever schedules.  It never lies in CMA, because a long-term pin asks for
UNMOVABLE memory.  Left out so far: the allocator itself, compaction, reclaim."""

from __future__ import annotations

from mmsim.engine.op import choice
from mmsim.mm.folio import NEW_PAGE, Folio
from mmsim.mm.world import World

AVAILABLE, NONE, EITHER = "available", "none", "either"


def _target_outcomes(world: World, me: str, pfn: int) -> tuple[str, ...]:
    huge = world.folio(pfn).is_thp
    policy = world.env.targets_huge if huge else world.env.targets_base
    return {AVAILABLE: ("ok",), NONE: ("fail",), EITHER: ("ok", "fail")}[policy]


@choice(_target_outcomes)
def alloc_migration_target(world: World, me: str, outcome: str, pfn: int) -> int | None:
    """Ask for a folio as large as the one at `pfn`; answers the pfn of a new one, or None."""
    if outcome == "fail":
        return None
    source = world.folio(pfn)
    target = dict(world.env.target_pfns).get(source.name)
    if target is None:
        target = -(-world.target_pfn // source.nr_pages) * source.nr_pages
        world.target_pfn = target + source.nr_pages
    world.add(
        target,
        Folio(
            name="",
            region="",
            index=0,
            order=source.order,
            kind=source.kind,
            held=((NEW_PAGE, 1),),
            mapping=False,
            cached=False,
            lru=False,
            dirty=False,
        ),
    )
    return target
