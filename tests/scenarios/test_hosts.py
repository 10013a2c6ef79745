"""A host's memory by its knobs, and the guest that is started on it."""

from __future__ import annotations

import pytest

from mmsim.mm.fragmentation import suitable, sum_types
from mmsim.scenarios import boot_guest
from mmsim.scenarios.hosts import host
from mmsim.scenarios.situation import ALL_MOVED, NO_MEMORY, NO_ROOM


@pytest.mark.parametrize("mib", [16, 64, 1024, 4096, 1 << 20])
def test_an_old_host_has_no_huge_page_to_give(mib):
    zone = host(host=mib, cma=25, used=60, scattered=90).zone
    zone.check()
    for used in (0, 1, 30, 60, 99, 100):
        zone = host(host=mib, cma=0, used=used).zone
        assert bool(suitable(sum_types(zone.lists()), 9)) == (used == 0)


FULL = {"host": 16, "cma": 0, "guest": 16, "used": 50}
SINGLE = {"host": 64, "cma": 60, "compaction": "on", "shmem_enabled": "never"}
NOT_COMPACTED = {"compact_stall": 0, "compact_fail": 0}


@pytest.mark.parametrize(
    ("version", "knobs", "outcome", "moved"),
    [
        ("base", {}, ALL_MOVED, {"thp_split_page": 1}),
        ("v3", {"guest": 4}, "mapped", {"thp_split_page": 2, "pgmigrate_success": 1024}),
        ("base", {"scattered": 0}, "mapped", {"thp_migration_success": 4, "thp_split_page": 0}),
        ("base", {"host": 512, "scattered": 96}, ALL_MOVED, {"thp_migration_success": 2}),
        ("base", {"cma": 0, "used": 0}, "mapped", {"pgmigrate_success": 0}),
        ("base", {"pin": "none"}, "populated", {"thp_file_alloc": 4}),
        ("base", {"pin": "none", "cma": 0}, "populated", {"thp_file_fallback": 4}),
        # A movable request may compact: the guest's huge pages are made outside CMA.
        ("base", {"pin": "none", "cma": 0, "compaction": "on"}, "populated", {"thp_file_alloc": 4}),
        # Nothing is compacted for a single page.
        ("v3", {**SINGLE, "guest": 16, "used": 50}, NO_MEMORY, NOT_COMPACTED),
        ("v3", {**SINGLE, "guest": 2, "used": 100}, NO_MEMORY, NOT_COMPACTED),
        ("base", FULL, NO_ROOM, {}),
        ("base", {"host": 16, "used": 100, "cma": 0}, NO_ROOM, {}),  # no free memory at all
        ("v3", {"host": 16, "cma": 80, "used": 100, "guest": 4}, NO_MEMORY, {}),
        ("base", {"shmem_enabled": "never", "guest": 2}, "mapped", {"thp_file_alloc": 0}),
    ],
)
def test_how_a_guest_fares(version, knobs, outcome, moved):
    situation = boot_guest(version, **knobs)
    last = situation.run().last
    last.world.check()
    assert situation.outcome(last) == outcome
    assert {name: last.world.vmstat[name] for name in moved} == moved
