"""Counters and tracepoints: what a kernel tells the outside about itself.

Mirrors mm/vmstat.c and include/trace/events/migrate.h, 6.1-rc1."""

from __future__ import annotations

from mmsim.constants import SHMEM
from mmsim.engine.op import atomic
from mmsim.mm.world import World


@atomic
def count_vm_events(world: World, me: str, *events: tuple[str, int]) -> None:
    """Add to counters of /proc/vmstat.  Kernel: count_vm_event(), count_vm_events()."""
    for counter, n in events:
        world.count(counter, n)


@atomic
def trace_mm_migrate_pages_start(world: World, me: str, mode: int, reason: int) -> None:
    """Tracepoint migrate:mm_migrate_pages_start."""


@atomic
def trace_mm_migrate_pages(
    world: World,
    me: str,
    succeeded: int,
    failed: int,
    thp_succeeded: int,
    thp_failed: int,
    thp_split: int,
    mode: int,
    reason: int,
) -> None:
    """Tracepoint migrate:mm_migrate_pages."""


def nr_shmem_hugepages(world: World) -> int:
    """Huge pages in the page cache of memfds and tmpfs.  Kernel: NR_SHMEM_THPS."""
    return sum(f.is_thp and f.cached and f.kind == SHMEM for f in world.folios.values())


def allocated_pages(world: World) -> int:
    """Pages of all folios: what nr_free_pages lacks."""
    return sum(folio.nr_pages for folio in world.folios.values())
