"""drop_caches: who is locked and referenced when, what is dropped, and what is left behind."""

import pytest
from small import NR, PFN, folio, memory, run

from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.errno import EINVAL
from mmsim.mm.actors import holder
from mmsim.mm.drop_caches import drop_caches, remove_mapping
from mmsim.mm.folio import Extent, Page
from mmsim.mm.versions import BASE

ME = "drop_caches"


def file_of(world):
    return tuple(Extent(f.region, f.nr_pages) for f in world.folios.values())


def dropping(world, value=1):
    return Actor(ME, lambda: drop_caches((file_of(world),), BASE, value))


def drop(world, *others, schedule=""):
    return run(world, dropping(world), *others, schedule=schedule)


def thps(n, **fields):
    return memory(*[folio(f"T{i}", **fields) for i in range(n)])


def columns(trace, pfn):
    """(step, change of the reference count, locked, on an LRU) of a folio, step by step."""
    rows = []
    for position, event in enumerate(trace.events, start=1):
        before, after = (trace.state(position - i).world.folios.get(pfn) for i in (1, 0))
        change = (after.refcount if after else 0) - before.refcount
        flags = (bool(after.locked_by), after.lru) if after else None
        rows.append((event.op.kind.name, change, flags))
        if after is None:
            break
    return rows


# -- the eleven steps


LOCKED, FREE, CLAIMED = (True, True), (False, True), (False, False)


@pytest.mark.parametrize("maps", [0, 1])
def test_the_events_of_one_dirty_huge_page(maps):
    """The table of the specification, row by row: what happens, change of ref, lock, PG_lru."""
    trace = drop(thps(1, pmd_maps=maps))
    assert columns(trace, PFN) == [
        ("mapping_empty", 0, FREE),
        ("find_get_entry", +1, FREE),  # 1
        ("folio_trylock", 0, LOCKED),  # 2
        ("folio_mapping", 0, LOCKED),  # 3
        ("folio_test_writeback", 0, LOCKED),
        ("find_get_entry", 0, LOCKED),  # 4: the walk goes on, and finds nothing more
        ("folio_test_dirty", 0, LOCKED),  # 5
        ("folio_unlock", 0, FREE),  # 6
        ("folio_batch_add", +1, FREE),  # 7
        ("folio_test_clear_lru", 0, CLAIMED),  # 8
        ("lru_deactivate_file_fn", 0, FREE),
        ("folios_put", -1, FREE),
        ("lru_add_drain", 0, FREE),  # 10
        ("folio_put", -1, FREE),
        ("cond_resched", 0, FREE),  # 11
        ("find_get_entry", 0, FREE),
        ("count_vm_events", 0, FREE),
    ]


# -- what is passed over, and what is dropped


def test_a_reference_taken_after_the_count_was_read_saves_the_folio():
    world = thps(1, dirty=False, pmd_maps=0)
    names = [e.op.kind.name for e in drop(world).events]
    before = names.index("folio_ref_freeze")
    late = holder("s", "T0", 0)
    schedule = f"drop_caches*{before} s drop_caches*11 s"
    trace = drop(world, late, schedule=schedule)
    assert trace.results[ME] == 0
    assert trace.last.world.folio(PFN).refcount == NR


@pytest.mark.parametrize(
    ("step", "change"), [("folio_ref_freeze", "dirty"), ("folio_test_dirty", "writeback")]
)
def test_what_is_written_to_or_back_meanwhile_is_kept_and_deactivated(step, change):
    """The second look at PG_dirty: somebody pinned, wrote, and was gone before the freeze."""
    world = thps(1, dirty=False, pmd_maps=0)
    scenario = Scenario(ME, world, (dropping(world),))
    state, steps = scenario.initial(), []
    while moves := scenario.moves(state):
        steps.append(scenario.local(state, ME).op.kind.name)
        if steps[-1] == step:
            state.world.update(PFN, **{change: True})
        state, _ = scenario.step(state, moves[0], keep=False)
        state.world.check()
    assert state.world.folio(PFN).refcount == NR
    assert state.world.folio(PFN).cached
    assert steps.count("folio_batch_add") == 1


@pytest.mark.parametrize(("value", "result"), [(4, 0), (0, -EINVAL), (5, -EINVAL), (-1, -EINVAL)])
def test_values_that_drop_nothing(value, result):
    world = thps(1, dirty=False, pmd_maps=0)
    trace = run(world, dropping(world, value))
    assert trace.results[ME] == result
    assert trace.last.world.folios


@pytest.mark.parametrize("why", ["dirty", "writeback"])
def test_what_has_to_be_written_first_is_kept(why):
    found = drop(thps(1, **{"dirty": False, "pmd_maps": 0, why: True}))
    assert found.last.world.folio(PFN).cached


def test_pages_of_one_region_are_dropped_one_after_another():
    single = folio("A", 0, dirty=False, pte_maps=0)
    world = memory(*(single._replace(name=f"A[{index}]", index=index) for index in range(3)))
    drop_all = Actor(ME, lambda: drop_caches(((Extent("A", 3),),), BASE, 1))
    assert run(world, drop_all).last.world.folios == {}


# -- a batch on its way to the lists


@pytest.mark.parametrize(("dirty", "others", "dropped"), [(0, 0, NR), (1, 0, 0), (0, 1, 0)])
def test_a_folio_is_taken_out_of_its_file_if_it_is_clean_and_nobody_else_has_it(
    dirty, others, dropped
):
    held = (("me", 1), *[("other", 1)] * others)
    world = thps(1, dirty=bool(dirty), pmd_maps=0, held=held)
    trace = run(world, Actor("me", lambda: remove_mapping(Page(PFN, NR))))
    assert trace.results["me"] == dropped
    assert trace.last.world.folio(PFN).cached == (not dropped)
