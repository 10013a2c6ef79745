"""The folio lock: who waits for it, and what is a wrong use of it."""

import pytest
from small import NR, PFN, do, folio, memory

from mmsim.engine.op import ModelError
from mmsim.mm.filemap import folio_lock, folio_lock_by_name, folio_unlock, truncate_inode_folio
from mmsim.mm.page_ref import folio_ref_freeze, folio_ref_unfreeze


def guard(world, op, me="me"):
    return op.kind.guard(world, me, *op.args)


def test_a_lock_is_waited_for_and_a_wrong_use_is_a_bug_of_the_model():
    world = memory(folio())
    do(world, folio_lock(PFN), "a")
    waiting = "waiting for the lock of A, held by a"
    # Otherwise a search would truncate a page in the middle of its move.
    for op in (folio_lock(PFN), folio_lock_by_name("A", 2), truncate_inode_folio("A", 0, True)):
        assert guard(world, op, "b") == waiting
    assert guard(world, truncate_inode_folio("A", 0), "b") is None
    with pytest.raises(ModelError, match="'a' waits for its own lock on A"):
        guard(world, folio_lock(PFN), "a")
    with pytest.raises(ModelError, match="'b' unlocks A, which it has not locked"):
        do(world, folio_unlock(PFN), "b")


def test_truncation_waits_for_claimed_references_and_may_find_nothing():
    world, truncate = memory(folio(pmd_maps=0)), truncate_inode_folio("A", 0)
    do(world, folio_ref_freeze(PFN, NR))
    assert "A is frozen" in guard(world, truncate)
    do(world, folio_ref_unfreeze(PFN))
    for _ in range(2):
        do(world, truncate)
    assert world.folios == {}
