"""drop_caches: who is locked and referenced when, what is dropped, and what is left behind."""

import pytest
from small import NR, PFN, folio, memory, run

from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.errno import EINVAL
from mmsim.mm.actors import holder
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
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


def test_pages_of_one_region_are_dropped_one_after_another():
    single = folio("A", 0, dirty=False, pte_maps=0)
    world = memory(*(single._replace(name=f"A[{index}]", index=index) for index in range(3)))
    drop_all = Actor(ME, lambda: drop_caches(((Extent("A", 3),),), BASE, 1))
    assert run(world, drop_all).last.world.folios == {}
