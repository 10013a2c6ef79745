"""Mappings go and come back: after a move, the split of a file, the split of anonymous memory."""

from small import NR, PFN, do, folio, isolated, memory

from mmsim.constants import ANON
from mmsim.errno import EFAULT
from mmsim.mm.filemap import folio_lock
from mmsim.mm.rmap import (
    folio_mapped,
    handle_mm_fault,
    remap_page,
    remove_migration_ptes,
    try_to_migrate,
    unmap_folio,
)


def counts(world, pfn=PFN):
    world.check()
    made = world.folio(pfn)
    return made.refcount, made.pmd_maps, made.pte_maps


def test_a_migration_takes_mappings_and_gives_them_back():
    world = memory(isolated(pmd_maps=2, pte_maps=3))
    assert do(world, folio_mapped(PFN)) is True
    do(world, try_to_migrate(PFN))
    assert do(world, folio_mapped(PFN)) is False
    assert counts(world) == (NR + 1, 0, 0)
    do(world, remove_migration_ptes(PFN, PFN))
    assert counts(world) == (NR + 1 + 5, 2, 3)
    assert world.vmstat["thp_split_pmd"] == 0


def test_the_mappings_of_a_file_are_zapped():
    world = memory(isolated(pmd_maps=2, pte_maps=1))
    do(world, unmap_folio(PFN))
    assert counts(world) == (NR + 1, 0, 0)
    assert world.vmstat["thp_split_pmd"] == 2
    do(world, remap_page(PFN))
    assert counts(world) == (NR + 1, 0, 0)


def test_anonymous_mappings_come_back_as_ptes():
    world = memory(isolated(kind=ANON, cached=False, pmd_maps=1, pte_maps=2))
    do(world, unmap_folio(PFN))
    assert counts(world) == (1, 0, 0)
    do(world, remap_page(PFN))
    assert counts(world) == (1 + NR + 2, 0, NR + 2)
    assert world.vmstat["thp_split_pmd"] == 1


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
    assert op.kind.guard(world, "me", *op.args) == "A is frozen"
    world.update(PFN, refcount=NR + 1)
    do(world, folio_lock(PFN), "x")
    assert "held by x" in op.kind.guard(world, "me", *op.args)
