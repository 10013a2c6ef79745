"""The deferred split queue: who counts thp_deferred_split_page, and how often."""

from __future__ import annotations

import pytest
from small import NR, PFN, do, isolated, memory

from mmsim.constants import ANON, SHMEM
from mmsim.mm.migrate import alloc_migration_target, folio_migrate_mapping
from mmsim.mm.rmap import remap_page, remove_migration_ptes, try_to_migrate, unmap_folio

COUNTER = "thp_deferred_split_page"
MAPS = [(1, 0), (2, 0), (0, NR), (1, NR), (0, 1)]


@pytest.mark.parametrize(("pmd", "pte"), MAPS)
@pytest.mark.parametrize("swap_cache", [False, True])
@pytest.mark.parametrize("kind", [ANON, SHMEM])
def test_a_split_removes_ptes_and_a_move_only_those_there_were(kind, swap_cache, pmd, pte):
    counts = kind == ANON and not swap_cache
    for take_away, put_back, queued in (
        (unmap_folio(PFN), remap_page(PFN), counts),
        (try_to_migrate(PFN), remove_migration_ptes(PFN, PFN), counts and pte > 0),
    ):
        cached = kind == SHMEM or swap_cache
        world = memory(isolated(kind=kind, cached=cached, pmd_maps=pmd, pte_maps=pte))
        for _attempt in range(3):
            do(world, take_away)
            do(world, put_back)
            world.check()
            assert world.folio(PFN).deferred_split == queued
            assert world.vmstat[COUNTER] == int(queued)


@pytest.mark.parametrize("pmd", [0, 1])
@pytest.mark.parametrize("pte", range(4))
def test_in_6_12_a_folio_is_queued_if_other_ptes_are_left(pte, pmd):
    for take_away in (unmap_folio(PFN), try_to_migrate(PFN)):
        folio = isolated(kind=ANON, cached=False, pmd_maps=pmd, pte_maps=pte)
        world = memory(folio, defers_only_partly=True)
        do(world, take_away)
        assert world.folio(PFN).deferred_split == (pte > 1)


def test_the_destination_of_a_move_is_not_queued_and_counts_anew():
    world = memory(isolated(kind=ANON, cached=False, pmd_maps=0, pte_maps=NR))
    here = PFN
    for moves in (1, 2, 3):
        do(world, try_to_migrate(here))
        assert world.vmstat[COUNTER] == moves
        there = do(world, alloc_migration_target(here, "longterm_pin"), outcome="ok")
        do(world, folio_migrate_mapping(here, there))
        do(world, remove_migration_ptes(here, there))
        assert not world.folio(there).deferred_split
        assert world.folio(there).pte_maps == NR
        world.drop(there, "new page")
        world.hold(there, "isolation")
        here = there
