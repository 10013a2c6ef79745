"""The long-term pin: rounds, drains, who may stay, and what is left behind by a failure."""

import pytest
from small import NR, PFN, folio, memory

from mmsim.constants import LRU_ADD
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import run_to_end
from mmsim.errno import EFAULT
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.swap import batch_add
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Script, Scripted

ALL = tuple(VERSIONS)
ACQUIRED, RELEASED = "nr_foll_pin_acquired", "nr_foll_pin_released"


def pin(version, world, *vma, cast=(), inverted=False, calls=1, **script):
    """Pin; answer the results, the scheduler with its counts, and the world."""
    row = VERSIONS[version]._replace(isolate_inverted=inverted)
    extents = tuple(Extent(region, pages) for region, pages in vma)

    def path():
        results = []
        while len(results) < calls:
            result = yield from pin_user_pages_remote(extents, row)
            results.append(result)
        return tuple(results)

    cues = tuple(cue for _, cues in cast for cue in cues)
    scenario = Scenario("pin", world, (Actor("pin", path), *(actor for actor, _ in cast)))
    scheduler = Scripted("pin", Script(cues, **script))
    state = run_to_end(scenario, scheduler)
    state.world.check()
    return scenario.results(state)["pin"], scheduler, state.world


def pinned(world, name="A"):
    made = world.folio(world.find(name, 0))
    return made.pincount, made.refcount


def flow(world):
    return world.vmstat[ACQUIRED], world.vmstat[RELEASED]


@pytest.mark.parametrize("version", ALL)
def test_from_cma_the_folio_is_moved_and_pinned_again(version):
    results, seen, world = pin(version, memory(folio()), ("A", NR))
    assert results == (NR,)
    assert (seen.rounds, seen.calls, seen.drains) == (2, 1, 0)
    assert flow(world) == (2 * NR, NR)
    assert pinned(world) == (NR, NR + 1 + NR)
    assert not world.in_cma(world.find("A", 0))


def test_a_pmd_is_touched_without_marking_the_folio():
    _, _, world = pin("v3", memory(folio(dirty=False), in_cma=False), ("A", NR))
    assert not world.folio(PFN).referenced
    assert not world.folio(PFN).dirty
    mapped_by_ptes = memory(folio(dirty=False, pmd_maps=0, pte_maps=NR), in_cma=False)
    _, _, world = pin("v3", mapped_by_ptes, ("A", NR))
    assert world.folio(PFN).dirty


def test_nothing_there_is_an_error_and_less_than_asked_is_not():
    assert pin("v3", memory(folio(), in_cma=False), ("B", 1))[0] == (-EFAULT,)
    assert pin("v3", memory(folio(), in_cma=False), ("A", NR), ("B", 1))[0] == (NR,)


@pytest.mark.parametrize("pages", [1, NR - 1])
def test_part_of_a_huge_page_moves_all_of_it(pages):
    results, _, world = pin("v3", memory(folio()), ("A", pages))
    assert results == (pages,)
    assert flow(world) == (2 * pages, pages)
    assert pinned(world) == (pages, NR + 1 + pages)


def test_the_drain_happens_once_in_a_round():
    world = memory(folio("P", 0, lru=False), folio("Q", 0, lru=False))
    batch_add(world, "one", LRU_ADD, PFN)
    batch_add(world, "two", LRU_ADD, PFN + 1)
    results, seen, _ = pin("v3", world, ("P", 1), ("Q", 1))
    assert (results, seen.rounds, seen.drains) == ((2,), 2, 1)
