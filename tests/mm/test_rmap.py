"""Faults: what the file does not have, and what a fault waits for."""

from small import NR, PFN, do, folio, isolated, memory

from mmsim.errno import EFAULT
from mmsim.mm.filemap import folio_lock
from mmsim.mm.rmap import handle_mm_fault


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
