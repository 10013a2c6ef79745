"""LRU lists and the batches in front of them: who holds a reference, and until when."""

from small import PFN, do, folio, isolated, memory

from mmsim.constants import ACTIVATE, DEACTIVATE_FILE, LRU_ADD, MOVING
from mmsim.mm.swap import (
    folio_batch_add,
    folio_batch_add_and_move,
    folio_isolate_lru,
    folio_test_clear_lru,
    folios_put,
    lru_add_drain,
    lru_add_drain_all,
    lru_cache_disable,
    lru_cache_enable,
    lru_deactivate_file_fn,
    putback_lru_page,
)


def pages(n, **fields):
    return memory(*[folio(f"P{i}", 0, **fields) for i in range(n)])


def refs(world):
    world.check()
    return [made.refcount for made in world.folios.values()]


def test_what_each_batch_does_when_it_is_moved():
    mapped = {"active": True, "referenced": True}
    world = memory(
        folio("P0", 0, **mapped),
        folio("P1", 0, **mapped, pte_maps=0),
        folio("P2", 0, **{**mapped, "active": False}),
        folio("P3", 0, **mapped),
    )
    kinds = (LRU_ADD, DEACTIVATE_FILE, ACTIVATE, DEACTIVATE_FILE)
    for i, kind in enumerate(kinds):
        folio_batch_add_and_move(world, "cpu", kind, PFN + i)
    do(world, lru_add_drain(), "cpu")
    flags = [(made.active, made.referenced) for made in world.folios.values()]
    # The last is mapped: somebody uses it, so it is not deactivated.
    assert flags == [(True, True), (False, False), (True, True), (True, True)]


def test_a_batch_is_moved_when_its_last_place_is_taken():
    world = memory(*[folio(f"P{i}", 0) for i in range(3)], pagevec_size=3)
    answers = [do(world, folio_batch_add(DEACTIVATE_FILE, PFN + i), "cpu") for i in range(3)]
    assert answers == [(), (), (PFN, PFN + 1, PFN + 2)]
    assert world.batches == {("cpu", MOVING): (PFN, PFN + 1, PFN + 2)}


def test_while_batches_are_disabled_nothing_waits_in_one():
    world = pages(3)
    folio_batch_add_and_move(world, "other", DEACTIVATE_FILE, PFN + 2)
    for op in (lru_cache_disable(), lru_cache_disable(), lru_cache_enable()):
        do(world, op)
        folio_batch_add_and_move(world, "cpu", DEACTIVATE_FILE, PFN)
        assert not world.batches
    do(world, lru_cache_enable())
    folio_batch_add_and_move(world, "cpu", DEACTIVATE_FILE, PFN)
    assert world.batches == {("cpu", DEACTIVATE_FILE): (PFN,)}


def test_a_batch_that_is_being_moved_is_waited_for():
    world = memory(*[folio(f"P{i}", 0, active=True, pte_maps=0) for i in range(2)], pagevec_size=2)
    for i in range(2):
        do(world, folio_batch_add(DEACTIVATE_FILE, PFN + i), "one")
    guard = lru_add_drain_all().kind.guard
    assert guard(world, "two") == "waiting for one to be through with its batch"
    assert [do(world, folio_test_clear_lru(PFN)) for _ in range(2)] == [True, False]
    assert not do(world, folio_isolate_lru(PFN))
    do(world, lru_deactivate_file_fn(PFN))
    assert (world.folio(PFN).lru, world.folio(PFN).active) == (True, False)
    do(world, folios_put(DEACTIVATE_FILE), "one")
    assert guard(world, "two") is None
    assert refs(world) == [1, 1]
    assert not do(world, folio_isolate_lru(PFN + 9))
    assert do(world, folio_isolate_lru(PFN))


def test_putting_back_goes_through_this_cpus_batch():
    world = memory(isolated("P", 0), isolated("A"))
    do(world, putback_lru_page(PFN), "cpu")
    assert world.batches == {("cpu", LRU_ADD): (PFN,)}
    assert refs(world) == [3, 6]
    do(world, putback_lru_page(PFN + 4), "cpu")
    assert refs(world) == [2, 5]
    assert all(made.lru for made in world.folios.values())
