"""Mappings and faults: one of another process saves the guest no fault."""

from __future__ import annotations

import pytest
from small import NR, ORDER, PFN, do, folio, isolated, memory, run

from mmsim.constants import ANON
from mmsim.engine.actor import Actor
from mmsim.errno import EFAULT
from mmsim.mm.actors import direct_io, fault, gup_fast, permanent_pin
from mmsim.mm.filemap import folio_lock
from mmsim.mm.folio import Extent, Page
from mmsim.mm.gup import follow_page_mask, is_longterm_pinnable_page, pin_user_pages_remote
from mmsim.mm.rmap import (
    handle_mm_fault,
    page_mapcount,
    remap_page,
    remove_migration_ptes,
    try_to_migrate,
    unmap_folio,
)
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.one_page import repeated_split

ORDERS = pytest.mark.parametrize("order", [0, 2])


def elsewhere(order=ORDER, **fields):
    """A folio that another process has mapped, and the guest has not."""
    kind = int(order > 0)
    maps = {"pmd_maps": kind, "pte_maps": 1 - kind, "other_maps": (kind, 1 - kind)}
    return folio("A", order, **{**maps, **fields})


@ORDERS
def test_the_pinner_faults_although_another_process_maps_the_page(order):
    world = memory(elsewhere(order), in_cma=False)
    assert do(world, follow_page_mask("A", 0, 1)) is None
    assert do(world, handle_mm_fault("A", 0)) == 0
    assert world.folio(PFN).mapcount == 2
    assert do(world, follow_page_mask("A", 0, 1)) is not None
    assert do(world, handle_mm_fault("A", 0)) == 0
    assert world.folio(PFN).mapcount == 2
    world.check()


@ORDERS
@pytest.mark.parametrize("holder", [fault, direct_io, permanent_pin])
def test_every_user_of_the_guests_addresses_faults_for_itself(order, holder):
    after = run(memory(elsewhere(order)), holder("h", "A")).last.world
    assert after.folio(PFN).mapcount == 2


def test_gup_fast_does_not_see_the_page_tables_of_others():
    assert run(memory(elsewhere()), gup_fast("h", "A")).results["h"] is False


@pytest.mark.parametrize("guest", [0, 1])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_move_keeps_apart_whose_mappings_they_are(guest, others):
    maps = {"pmd_maps": guest + others, "other_maps": (others, 0)}
    world = memory(isolated("A", **maps), isolated("B", pmd_maps=0))
    do(world, try_to_migrate(PFN))
    world.check()
    assert world.folio(PFN).guest_waits == bool(guest)
    do(world, remove_migration_ptes(PFN, PFN + NR))
    world.check()
    after = world.folio(PFN + NR)
    assert (after.pmd_maps, after.other_maps) == (guest + others, (others, 0))
    assert after.mapped_by_guest == bool(guest)


def test_a_split_of_a_file_takes_the_mappings_of_all():
    world = memory(isolated("A", pmd_maps=3, other_maps=(2, 0)))
    do(world, unmap_folio(PFN))
    world.check()
    assert world.folio(PFN).other_maps == (0, 0)


@pytest.mark.parametrize(("pmd", "pte", "others"), [(1, 0, (1, 0)), (2, 0, (1, 0)), (1, 3, (0, 2))])
def test_an_anonymous_page_keeps_them_through_a_split(pmd, pte, others):
    whole = isolated("A", kind=ANON, cached=False, pmd_maps=pmd, pte_maps=pte, other_maps=others)
    theirs = others[0] * NR + others[1]
    world = memory(whole)
    do(world, unmap_folio(PFN))
    do(world, remap_page(PFN))
    world.check()
    assert world.folio(PFN).other_maps == (0, theirs)
    actor = Actor("split", lambda: repeated_split(Page(PFN, NR), 1, VERSIONS["v2"]))
    pieces = run(memory(whole), actor).last.world.folios.values()
    assert len(pieces) == NR
    assert sum(sum(piece.other_maps) for piece in pieces) == theirs


@ORDERS
@pytest.mark.parametrize("write", [True, False])
def test_a_write_fault_dirties_and_a_huge_page_mapped_by_a_fault_counts(order, write):
    world = memory(folio("A", order, pmd_maps=0, pte_maps=0, dirty=False), in_cma=False)
    pin = Actor(
        "pin",
        lambda: pin_user_pages_remote((Extent("A", 1 << order),), VERSIONS["v2"], write=write),
    )
    after = run(world, pin).last.world
    assert after.folio(PFN).dirty == write
    assert after.vmstat["thp_file_mapped"] == int(order > 0)


@pytest.mark.parametrize(
    ("pmd", "pte", "first"), [(1, 0, 1), (0, NR, 1), (2, 1, 3), (0, NR + 1, 2)]
)
def test_mappings_of_the_first_page(pmd, pte, first):
    assert page_mapcount(folio("A", pmd_maps=pmd, pte_maps=pte)) == first


# -- ZONE_MOVABLE


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("targets", ["available", "none"])
def test_a_page_in_zone_movable_is_moved_or_refused_like_one_in_cma(version, targets):
    def pinned(world):
        vma = (Extent("A", NR),)
        trace = run(world, Actor("pin", lambda: pin_user_pages_remote(vma, VERSIONS[version])))
        return trace.results["pin"], trace.last.world

    def movable(*folios, **env):
        world = memory(*folios, in_cma=False, **env)
        world.zone_movable = range(PFN, PFN + NR)
        return world

    ends = []
    for make in (memory, movable):
        world = make(folio("A"), targets_huge=targets)
        assert not do(world, is_longterm_pinnable_page(PFN))
        result, after = pinned(world)
        assert after.find("A", 0) != PFN
        ends.append((result, after.vmstat, after.folios))
    assert ends[0] == ends[1]
    assert pinned(memory(folio("A"), in_cma=False, targets_huge=targets))[0] == NR


# -- what a fault does not find, and what it waits for


def test_a_fault_beyond_the_file_fails():
    world = memory(folio())
    assert do(world, handle_mm_fault("A", NR)) == -EFAULT
    assert do(world, handle_mm_fault("B", 0)) == -EFAULT
    world.update(PFN, mapping=False)
    assert do(world, handle_mm_fault("A", 0)) == -EFAULT


def test_a_fault_waits_for_the_lock_and_for_a_frozen_folio():
    world = memory(isolated(pmd_maps=0))
    op = handle_mm_fault("A", 1)
    assert op.kind.guard(world, "me", *op.args) is None
    world.update(PFN, refcount=0)
    assert op.kind.guard(world, "me", *op.args) == "A is frozen: its count is 0"
    world.update(PFN, refcount=NR + 1)
    do(world, folio_lock(PFN), "x")
    assert "held by x" in op.kind.guard(world, "me", *op.args)
