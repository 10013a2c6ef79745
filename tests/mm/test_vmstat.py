"""Counters add up; tracepoints leave no trace in the world."""

import pytest
from small import do, folio, memory

from mmsim.mm.vmstat import count_vm_events, trace_mm_migrate_pages, trace_mm_migrate_pages_start


def test_counting():
    world = memory(folio())
    do(world, count_vm_events(("pgmigrate_fail", 512), ("thp_migration_fail", 1)))
    do(world, count_vm_events(("pgmigrate_fail", 1)))
    assert {k: n for k, n in world.vmstat.items() if n} == {
        "pgmigrate_fail": 513,
        "thp_migration_fail": 1,
    }
    with pytest.raises(KeyError):
        world.count("no_such_counter")


def test_tracepoints_change_nothing():
    world = memory(folio())
    before = world.key()
    do(world, trace_mm_migrate_pages_start(2, 7))
    do(world, trace_mm_migrate_pages(512, 0, 1, 0, 0, 2, 7))
    assert world.key() == before
