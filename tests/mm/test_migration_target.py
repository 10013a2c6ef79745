"""Destinations: as large as the source, aligned, outside CMA, or refused by the environment."""

import pytest
from small import NR, PFN, do, folio, memory

from mmsim.mm.folio import NEW_PAGE
from mmsim.mm.migrate import alloc_migration_target


@pytest.mark.parametrize(
    ("env", "huge", "base"),
    [
        ({}, ("ok",), ("ok",)),
        ({"targets_huge": "none"}, ("fail",), ("ok",)),
        ({"targets_huge": "either"}, ("ok", "fail"), ("ok",)),
        ({"targets_base": "either"}, ("ok",), ("ok", "fail")),
    ],
)
def test_the_environment_decides_by_size(env, huge, base):
    world = memory(folio(), folio("P", 0), **env)
    outcomes = alloc_migration_target(PFN, "longterm_pin").kind.outcomes
    assert outcomes(world, "me", PFN, "longterm_pin") == huge
    assert outcomes(world, "me", PFN + NR, "longterm_pin") == base


def test_destinations_are_aligned_distinct_and_outside_cma():
    world = memory(folio("P", 0), folio("A"), folio("B"))
    got = [
        do(world, alloc_migration_target(pfn, "longterm_pin"))
        for pfn in (PFN, PFN + NR, PFN + 2 * NR)
    ]
    assert len(set(got)) == 3
    assert [pfn % NR for pfn in got[1:]] == [0, 0]
    assert not any(world.in_cma(pfn) for pfn in got)
    assert world.folio(got[1]).held == ((NEW_PAGE, 1),)
    world.check()


def test_a_refusal_changes_nothing():
    world = memory(folio(), targets_huge="either")
    before = world.key()
    assert do(world, alloc_migration_target(PFN, "longterm_pin"), outcome="fail") is None
    assert world.key() == before


def test_a_destination_can_be_prescribed():
    world = memory(folio(), target_pfns=(("A", 0x900),))
    assert do(world, alloc_migration_target(PFN, "longterm_pin")) == 0x900
