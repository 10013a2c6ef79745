"""The folio lock, leaving a file, and claiming all references at once."""

import pytest
from small import NR, PFN, do, folio, isolated, memory

from mmsim.engine.op import ModelError
from mmsim.mm.filemap import (
    find_get_entry,
    folio_lock,
    folio_lock_by_name,
    folio_mapping,
    folio_trylock,
    folio_unlock,
    truncate_inode_folio,
)
from mmsim.mm.folio import Extent
from mmsim.mm.page_ref import folio_get, folio_ref_freeze


def guard(world, op, me="me"):
    return op.kind.guard(world, me, *op.args)


def test_a_lock_has_one_holder():
    world = memory(folio())
    assert do(world, folio_trylock(PFN), "a") is True
    assert do(world, folio_trylock(PFN), "b") is False
    assert guard(world, folio_lock(PFN), "b") == "waiting for the lock of A, held by a"
    assert "held by a" in guard(world, folio_lock_by_name("A", 2), "b")
    do(world, folio_unlock(PFN), "a")
    assert guard(world, folio_lock(PFN), "b") is None
    do(world, folio_lock(PFN), "b")
    assert world.folio(PFN).locked_by == "b"


def test_locking_twice_or_unlocking_what_is_not_ours_is_a_bug_of_the_model():
    world = memory(folio())
    do(world, folio_lock(PFN), "a")
    with pytest.raises(ModelError, match="'a' waits for its own lock on A"):
        guard(world, folio_lock(PFN), "a")
    with pytest.raises(ModelError, match="'b' unlocks A, which it has not locked"):
        do(world, folio_unlock(PFN), "b")


def test_truncation_takes_cache_references_and_the_mappings_of_all():
    world = memory(isolated(pmd_maps=3))
    do(world, truncate_inode_folio("A", 1))
    world.check()
    left = world.folio(PFN)
    assert (left.refcount, left.mapcount, left.cached) == (1, 0, False)
    assert do(world, folio_mapping(PFN)) is False
    assert world.find("A", 0) is None
    do(world, truncate_inode_folio("A", 0))  # nothing is left to do
    assert world.folio(PFN) == left


def test_truncation_waits_for_the_lock_if_it_is_told_to():
    """As in the kernel.  Otherwise the search would truncate a page in the middle of its move: its
    references would add up again, and whoever held one would lose it."""
    world = memory(folio(locked_by="somebody"))
    why = "waiting for the lock of A, held by somebody"
    assert guard(world, truncate_inode_folio("A", 0, True)) == why
    assert guard(world, truncate_inode_folio("A", 0)) is None


# -- references claimed all at once


def test_a_freeze_wants_exactly_the_number_it_names_and_stops_whoever_looks_up():
    world = memory(isolated(pmd_maps=0))
    get = folio_get("A", 1, 1)
    assert guard(world, get) is None
    for wrong in (0, NR, NR + 2):
        assert do(world, folio_ref_freeze(PFN, wrong)) is False
    assert do(world, folio_ref_freeze(PFN, NR + 1)) is True
    assert world.folio(PFN).refcount == 0
    world.check()
    file = (Extent("A", NR),)
    for op in (get, truncate_inode_folio("A", 0), find_get_entry(file, (0, 0))):
        assert "A is frozen" in guard(world, op)
    assert do(world, folio_get("B", 0, 1)) is None
