"""drop_caches: what happens between two of its steps, what it refuses, and a region of pages."""

import pytest
from small import NR, PFN, folio, memory, run

from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.errno import EINVAL
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
from mmsim.mm.versions import BASE

ME = "drop_caches"
CLEAN = {"dirty": False, "pmd_maps": 0, "pte_maps": 0}


def dropping(pages=NR, value=1):
    """Whoever writes `value`, with one file of pages of A."""
    return Actor(ME, lambda: drop_caches(((Extent("A", pages),),), BASE, value))


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("folio_ref_freeze", lambda world: world.hold(PFN, "s")),
        ("folio_ref_count", lambda world: world.hold(PFN, "s")),
        # The second look at PG_dirty: somebody pinned, wrote, and was gone before the freeze.
        ("folio_ref_freeze", lambda world: world.update(PFN, dirty=True)),
        ("folio_test_dirty", lambda world: world.update(PFN, writeback=True)),
    ],
)
def test_what_somebody_uses_meanwhile_is_kept_and_deactivated(step, change):
    scenario = Scenario(ME, memory(folio(**CLEAN)), (dropping(),))
    state, steps = scenario.initial(), []
    while moves := scenario.moves(state):
        steps.append(scenario.local(state, ME).op.kind.name)
        if steps[-1] == step:
            change(state.world)
        state, _ = scenario.step(state, moves[0], keep=False)
        state.world.check()
    kept = state.world.folio(PFN)
    assert (kept.refcount, kept.cached) == (NR + len(kept.held), True)
    assert steps.count("folio_batch_add") == 1
    assert steps.count("folio_ref_freeze") == (step == "folio_ref_freeze")


@pytest.mark.parametrize(("value", "result"), [(4, 0), (0, -EINVAL), (5, -EINVAL), (-1, -EINVAL)])
def test_values_that_drop_nothing(value, result):
    trace = run(memory(folio(**CLEAN)), dropping(value=value))
    assert trace.results[ME] == result
    assert trace.last.world.folios


def test_pages_of_one_region_are_dropped_one_after_another():
    single = folio("A", 0, **CLEAN)
    world = memory(*(single._replace(name=f"A[{index}]", index=index) for index in range(3)))
    assert run(world, dropping(pages=3)).last.world.folios == {}
