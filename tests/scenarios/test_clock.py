"""The clock: whose step comes next when every actor has a CPU of its own."""

from itertools import pairwise

from small import PFN, folio, memory, nop

from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.mm.filemap import folio_lock, folio_unlock
from mmsim.scenarios import timed_hold
from mmsim.scenarios.clock import HOLD_MAX, Clock, split_times


def test_who_waits_goes_on_when_it_can():
    def holds():
        yield folio_lock(PFN)
        yield nop()
        yield nop()
        yield folio_unlock(PFN)

    def waits():
        yield nop()
        yield folio_lock(PFN)
        yield folio_unlock(PFN)

    scenario = Scenario("lock", memory(folio()), (Actor("a", holds), Actor("b", waits)))
    clock = Clock()
    events = zip(clock.times, record(scenario, clock).events, strict=True)
    found = [(time, event.actor, event.op.kind.name) for time, event in events]
    assert (3, "a", "folio_unlock") in found
    assert found[-2:] == [(3, "b", "folio_lock"), (4, "b", "folio_unlock")]


def test_draws_depend_on_the_seed_and_on_nobody_else():
    """Each step takes from half to one and a half of its time."""
    held = {
        seed: split_times(timed_hold("v3", hold=HOLD_MAX, order=1, seed=seed)) for seed in (0, 5, 6)
    }
    assert held[5] != held[6]
    assert held[5] == split_times(timed_hold("v3", hold=HOLD_MAX - 1, order=1, seed=5))
    for (a, b), (c, d) in zip(pairwise(held[0]), pairwise(held[5]), strict=True):
        assert 0.5 * (b - a) <= d - c <= 1.5 * (b - a)
