"""Other holders: what each takes, and when it waits; beside a pin: see test_exhaustive."""

import pytest
from small import NR, PFN, do, folio, memory, run

from mmsim.constants import GUP_PIN_COUNTING_BIAS
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import parse, replaying
from mmsim.engine.trace import record
from mmsim.errno import EFAULT
from mmsim.mm.actors import (
    direct_io,
    fault,
    lookup,
    permanent_pin,
    pinner,
    truncater,
)
from mmsim.mm.rmap import try_to_migrate


def refs(trace, pfn=PFN):
    return [trace.state(i).world.folio(pfn).refcount for i in range(len(trace) + 1)]


@pytest.mark.parametrize(
    ("other", "order", "fields", "counts"),
    [
        (lookup("h", "A"), 2, {}, [0, 1, 0]),
        (direct_io("h", "A", pages=2, steps=3), 2, {}, [0, 2, 2, 2, 2, 0]),
        (direct_io("h", "A"), 0, {}, [0, GUP_PIN_COUNTING_BIAS, 0]),
        (permanent_pin("h", "A", pages=NR), 2, {}, [0, NR]),
        (pinner("h", "A", 0), 2, {}, [0, 1, 0]),
        (pinner("h", "A", 0, 3, leaves=False), 2, {}, [0, 3]),
        (pinner("h", "A", NR), 2, {}, [0, 0]),
        (fault("h", "A"), 2, {}, [0, 0]),
        (fault("h", "A"), 2, {"pmd_maps": 0}, [0, 0, 1, 1, 1, 1, 1]),
    ],
)
def test_references_of_each(other, order, fields, counts):
    found = refs(run(memory(folio("A", order, **fields)), other))
    assert [count - found[0] for count in found] == counts


@pytest.mark.parametrize("holder", [fault, direct_io])
@pytest.mark.parametrize("order", [0, 2])
def test_what_is_not_mapped_is_mapped_once(holder, order):
    unmapped = {"pmd_maps": 0} if order else {"pte_maps": 0}
    actors = [holder("one", "A"), fault("two", "A")]
    trace = run(memory(folio("A", order, **unmapped)), *actors)
    assert trace.results["two"] == 0
    made = trace.last.world.folio(PFN)
    assert (made.pmd_maps, made.pte_maps) == ((1, 0) if order else (0, 1))


def test_who_comes_second_to_map_a_page_lets_go_of_it():
    actors = [fault("one", "A"), fault("two", "A")]
    trace = run(memory(folio(pmd_maps=0)), *actors, schedule="one two one*5 two*6")
    made = trace.last.world.folio(PFN)
    assert (made.mapcount, made.refcount) == (1, NR + 1)
    assert trace.results == {"one": 0, "two": 0}


# -- waiting, and who does not wait


def blocked(world, holder, steps=0):
    scenario = Scenario("one", world, (holder,))
    state = record(scenario, replaying(parse(f"h*{steps}" if steps else "", "h"))).last
    return scenario.blocked(state, "h")


def test_a_fault_sleeps_for_the_lock_with_its_reference():
    world = memory(folio(pmd_maps=0, locked_by="a migrator"))
    assert "held by a migrator" in blocked(world, fault("h", "A"), steps=2)
    assert refs(run(world, fault("h", "A"), schedule="h*2"))[-1] == NR + 1


@pytest.mark.parametrize("holder", [fault, direct_io, permanent_pin])
def test_a_migration_entry_is_waited_for_without_a_reference(holder):
    world = memory(folio())
    do(world, try_to_migrate(PFN))
    assert "waiting for the migration of A" in blocked(world, holder("h", "A"))


def test_a_fault_that_slept_while_the_folio_left_its_file_looks_again():
    world = memory(folio(pmd_maps=0))
    trace = run(world, fault("h", "A"), truncater("t", "A", 0), schedule="h*2 t h*5")
    assert trace.results["h"] == -EFAULT
    assert trace.last.world.folios == {}
