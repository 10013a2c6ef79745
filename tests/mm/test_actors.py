"""Other holders: what each takes, and when it waits; beside a pin: see test_exhaustive."""

import pytest
from small import NR, PFN, do, folio, memory, run, sound

from mmsim.constants import GUP_PIN_COUNTING_BIAS
from mmsim.engine.explore import explore
from mmsim.engine.scenario import Scenario
from mmsim.errno import EFAULT
from mmsim.mm.actors import direct_io, fault, lookup, permanent_pin, pinner, truncater
from mmsim.mm.rmap import try_to_migrate


@pytest.mark.parametrize(
    ("other", "order", "fields", "counts"),
    [
        (lookup("h", "A"), 2, {}, [0, 1, 0]),
        (direct_io("h", "A", pages=2, steps=3), 2, {}, [0, 2, 2, 2, 2, 0]),
        (direct_io("h", "A"), 0, {}, [0, GUP_PIN_COUNTING_BIAS, 0]),
        (direct_io("h", "A"), 2, {"pmd_maps": 0}, [0, 0, 1, 2, 1]),
        (permanent_pin("h", "A", pages=NR), 2, {}, [0, NR]),
        (pinner("h", "A", 0), 2, {}, [0, 1, 0]),
        (pinner("h", "A", 0, 3, leaves=False), 2, {}, [0, 3]),
        (pinner("h", "A", NR), 2, {}, [0, 0]),
        (fault("h", "A"), 2, {}, [0, 0]),
        (fault("h", "A"), 2, {"pmd_maps": 0}, [0, 0, 1, 1, 1, 1, 1]),
    ],
)
def test_references_of_each(other, order, fields, counts):
    trace = run(memory(folio("A", order, **fields)), other)
    found = [trace.state(i).world.folio(PFN).refcount for i in range(len(trace) + 1)]
    assert [count - found[0] for count in found] == counts


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("other", [fault, direct_io, truncater])
def test_in_every_order_of_steps_a_page_is_mapped_once_or_is_gone(other, order):
    """Whoever comes second lets go of it."""
    gone = other is truncater
    second = truncater("b", "A", 0, waits=True) if gone else other("b", "A")
    world = memory(folio("A", order, pmd_maps=0, pte_maps=0))
    found = sound(explore(Scenario("fault", world, (fault("a", "A"), second), merge=True)))
    ends = [state for number, state in found.walk() if number in found.ends]
    left = {
        (made.pmd_maps, made.pte_maps, made.held)
        for state in ends
        for made in state.world.folios.values()
    }
    assert left == (set() if gone else {(1, 0, ()) if order else (0, 1, ())})
    assert {state.locals[0].result for state in ends} == ({0, -EFAULT} if gone else {0})


def test_a_fault_that_slept_while_the_folio_left_its_file_looks_again():
    world = memory(folio(pmd_maps=0))
    trace = run(world, fault("h", "A"), truncater("t", "A", 0), schedule="h*2 t h*5")
    assert trace.results["h"] == -EFAULT


@pytest.mark.parametrize("other", [fault, direct_io, permanent_pin])
def test_a_migration_entry_is_waited_for_without_a_reference(other):
    world = memory(folio())
    do(world, try_to_migrate(PFN))
    scenario = Scenario("one", world, (other("h", "A"),))
    assert "waiting for the migration of A" in scenario.blocked(scenario.initial(), "h")
