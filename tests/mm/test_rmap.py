"""Mappings: faulted in, counted, and which loss of one queues a huge page to be split."""

import pytest
from small import NR, PFN, do, folio, isolated, memory, run

from mmsim.constants import ANON
from mmsim.engine.actor import Actor
from mmsim.errno import EFAULT
from mmsim.mm.folio import Extent
from mmsim.mm.gup import is_longterm_pinnable_page, pin_user_pages_remote
from mmsim.mm.huge_memory import unmap_folio
from mmsim.mm.memory import handle_mm_fault
from mmsim.mm.rmap import page_mapcount, try_to_migrate
from mmsim.mm.versions import VERSIONS


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("write", [True, False])
def test_a_write_fault_dirties_and_a_huge_page_mapped_by_a_fault_counts(order, write):
    world = memory(folio("A", order, pmd_maps=0, pte_maps=0, dirty=False), in_cma=False)
    range_ = (Extent("A", 1 << order),)
    pin = Actor("pin", lambda: pin_user_pages_remote(range_, VERSIONS["v2"], write=write))
    after = run(world, pin).last.world
    assert after.folio(PFN).dirty == write
    assert after.vmstat["thp_file_mapped"] == int(order > 0)


@pytest.mark.parametrize(
    ("pmd", "pte", "first"), [(1, 0, 1), (0, NR, 1), (2, 1, 3), (0, NR + 1, 2)]
)
def test_mappings_of_the_first_page(pmd, pte, first):
    assert page_mapcount(folio("A", pmd_maps=pmd, pte_maps=pte)) == first


def test_a_page_in_zone_movable_may_not_stay():
    world = memory(folio("A"), folio("B"), in_cma=False)
    world.zone_movable = range(PFN, PFN + NR)
    may = [do(world, is_longterm_pinnable_page(pfn)) for pfn in (PFN, PFN + NR)]
    assert may == [False, True]


def test_a_fault_beyond_the_file_fails():
    world = memory(folio())
    assert do(world, handle_mm_fault("A", NR)) == -EFAULT
    assert do(world, handle_mm_fault("B", 0)) == -EFAULT
    assert do(world, handle_mm_fault("A", 0)) == 0  # another thread was quicker
    assert world.folio(PFN).mapcount == 1
    world.update(PFN, mapping=False)
    assert do(world, handle_mm_fault("A", 0)) == -EFAULT


@pytest.mark.parametrize("pmd", [0, 1])
@pytest.mark.parametrize("pte", range(4))
def test_in_6_12_a_folio_is_queued_if_other_ptes_are_left_and_before_if_one_is_lost(pte, pmd):
    for take_away in (unmap_folio(PFN), try_to_migrate(PFN)):
        folio = isolated(kind=ANON, cached=False, pmd_maps=pmd, pte_maps=pte)
        world = memory(folio, defers_only_partly=True)
        do(world, take_away)
        assert world.folio(PFN).deferred_split == (pte > 1)
    before = memory(folio)
    do(before, unmap_folio(PFN))
    assert before.folio(PFN).deferred_split == (pmd + pte > 0)
