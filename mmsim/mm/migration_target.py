"""Destinations for migration.

Mirrors mm/migrate.c, alloc_migration_target(), 6.1-rc1.

Interface: alloc_migration_target, from_zone, AVAILABLE, NONE, EITHER, ZONE

Who decides whether a destination can be had is part of the world (`World.env`): it can always be
had, never, either way, or the world's zone is asked.  For a long-term pin it never lies in CMA: the
request is made in pin scope and is UNMOVABLE.  Left out: reclaim; the OOM killer."""

from __future__ import annotations

from mmsim.constants import MIGRATE_MOVABLE, MR_LONGTERM_PIN, REASONS
from mmsim.engine.op import choice
from mmsim.mm.compaction import try_to_compact_pages
from mmsim.mm.folio import NEW_PAGE, Folio
from mmsim.mm.page_alloc import alloc_pages, request
from mmsim.mm.world import World

AVAILABLE, NONE, EITHER, ZONE = "available", "none", "either", "zone"


def _policy(world: World, pfn: int) -> str:
    huge = world.folio(pfn).is_thp
    return world.env.targets_huge if huge else world.env.targets_base


def _target_outcomes(world: World, me: str, pfn: int, reason: str) -> tuple[str, ...]:
    policy = _policy(world, pfn)
    return {NONE: ("fail",), EITHER: ("ok", "fail")}.get(policy, ("ok",))


@choice(_target_outcomes)
def alloc_migration_target(
    world: World, me: str, outcome: str, pfn: int, reason: str
) -> int | None:
    """Ask for a folio as large as the one at `pfn`; answers the pfn of a new one, or None.

    `reason`: one of REASONS; a long-term pin asks in pin scope.
    """
    if outcome == "fail":
        return None
    source = world.folio(pfn)
    if _policy(world, pfn) == ZONE:
        pin_scope = reason == REASONS[MR_LONGTERM_PIN]
        target = from_zone(world, source.order, pin_scope=pin_scope)
        if target is None:
            return None
    else:
        target = _from_elsewhere(world, source)
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


def from_zone(world: World, order: int, *, pin_scope: bool) -> int | None:
    """What the allocator finds for a request of user memory, after compaction if that is on.

    Kernel: __alloc_pages() with its slow path."""
    zone = world.own_zone()
    want = request(order, MIGRATE_MOVABLE, pin_scope=pin_scope)
    pfn = alloc_pages(zone, want)
    if pfn is None and world.env.compaction:
        for counter in try_to_compact_pages(zone, want, keep=world.folios.keys()):
            world.count(counter)
        pfn = alloc_pages(zone, want)
    return pfn


def _from_elsewhere(world: World, source: Folio) -> int:
    """A place outside every zone and outside CMA."""
    target = dict(world.env.target_pfns).get(source.name)
    if target is None:
        target = -(-world.target_pfn // source.nr_pages) * source.nr_pages
        world.target_pfn = target + source.nr_pages
    return target
