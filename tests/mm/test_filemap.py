"""The folio lock, leaving a file, and who waits for a folio whose references are claimed."""

import pytest
from small import NR, PFN, do, folio, isolated, memory

from mmsim.engine.op import ModelError
from mmsim.mm.filemap import (
    find_get_entry,
    folio_lock,
    folio_lock_by_name,
    folio_unlock,
    truncate_inode_folio,
)
from mmsim.mm.folio import Extent
from mmsim.mm.page_ref import folio_get, folio_ref_freeze


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


def test_truncation_takes_cache_references_and_the_mappings_of_all_and_is_done_once():
    world = memory(isolated(pmd_maps=3))
    do(world, truncate_inode_folio("A", 1))
    world.check()
    left = world.folio(PFN)
    assert (left.refcount, left.mapcount, left.cached) == (1, 0, False)
    do(world, truncate_inode_folio("A", 0))
    assert world.folio(PFN) == left


def test_whoever_looks_a_frozen_folio_up_waits():
    world = memory(isolated(pmd_maps=0))
    file = (Extent("A", NR),)
    lookups = folio_get("A", 1, 1), truncate_inode_folio("A", 0), find_get_entry(file, (0, 0))
    assert not any(guard(world, op) for op in lookups)
    assert do(world, folio_ref_freeze(PFN, NR + 1)) is True
    world.check()
    assert all("A is frozen" in guard(world, op) for op in lookups)
