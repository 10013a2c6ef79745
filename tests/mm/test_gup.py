"""The long-term pin: rounds, drains, who may stay, and what is left behind by a failure."""

import pytest
from small import NR, PFN, folio, memory

from mmsim.constants import ACTIVATE, DEACTIVATE_FILE, GUP_PIN_COUNTING_BIAS, LRU_ADD
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import run_to_end
from mmsim.errno import EFAULT, ENOMEM
from mmsim.mm.actors import isolator, stranger
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.swap import batch_add
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Cue, Position, Script, Scripted

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
def test_outside_cma_one_round_is_enough(version):
    results, seen, world = pin(version, memory(folio(), in_cma=False), ("A", NR))
    assert results == (NR,)
    assert (seen.rounds, seen.calls, seen.drains) == (1, 0, 0)
    assert flow(world) == (NR, 0)
    assert pinned(world) == (NR, NR + 1 + NR)


@pytest.mark.parametrize("version", ALL)
def test_from_cma_the_folio_is_moved_and_pinned_again(version):
    results, seen, world = pin(version, memory(folio()), ("A", NR))
    assert results == (NR,)
    assert (seen.rounds, seen.calls, seen.drains) == (2, 1, 0)
    assert flow(world) == (2 * NR, NR)
    assert pinned(world) == (NR, NR + 1 + NR)
    assert not world.in_cma(world.find("A", 0))


@pytest.mark.parametrize("version", ALL)
def test_the_inverted_test_costs_a_round_and_a_drain(version):
    results, seen, world = pin(version, memory(folio()), ("A", NR), inverted=True)
    assert results == (NR,)
    assert (seen.rounds, seen.calls, seen.drains) == (3, 1, 1)
    assert flow(world) == (3 * NR, 2 * NR)


def test_the_inverted_test_leaves_nothing_isolated_after_a_failure():
    cast = [(stranger("s", "A", 0, leaves=False), [Cue("s", "A")])]
    world = memory(folio(), targets_huge="none")
    results, seen, world = pin("base", world, ("A", NR), cast=cast, inverted=True, calls=2)
    assert results == (-ENOMEM, -ENOMEM)
    assert (seen.rounds, seen.calls, seen.drains) == (4, 2, 2)
    assert world.folio(PFN).lru
    assert world.folio(PFN).held == (("s", 1),)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_folio_isolated_by_somebody_else_costs_a_round_and_a_drain_each(rounds):
    cues = [Cue("other", "A"), Cue("other", "A", round_=rounds + 1)]
    cast = [(isolator("other", "A", 0), cues)]
    results, seen, world = pin("v3", memory(folio()), ("A", NR), cast=cast)
    assert results == (NR,)
    assert (seen.rounds, seen.calls, seen.drains) == (rounds + 2, 1, rounds)
    assert flow(world) == ((rounds + 2) * NR, (rounds + 1) * NR)


@pytest.mark.parametrize(
    ("version", "result"),
    [("base", -ENOMEM), ("6.1.0", NR), ("v1", NR), ("v2", NR), ("v3", NR), ("2/2-only", -ENOMEM)],
)
def test_a_split_that_succeeds_at_once(version, result):
    results, _, world = pin(version, memory(folio(), targets_huge="none"), ("A", NR))
    assert results == (result,)
    made = [world.folio(world.find("A", i)) for i in range(NR)]
    assert all(f.order == 0 for f in made)
    assert not any(world.in_cma(world.find("A", i)) for i in range(NR))
    pins = 1 if result > 0 else 0
    assert {f.pincount for f in made} == {pins}
    assert all(f.refcount >= 1 + pins * (GUP_PIN_COUNTING_BIAS + 1) for f in made)


def test_a_failure_leaves_no_pin_and_a_second_call_finds_a_better_state():
    world = memory(folio(), targets_huge="none")
    results, seen, world = pin("base", world, ("A", NR), calls=2)
    assert results == (-ENOMEM, NR)
    assert (seen.rounds, seen.calls) == (2, 1)
    assert flow(world) == (2 * NR, NR)


def test_the_reported_failure():
    """A reference taken before the first check, gone before the second attempt."""
    site = Position.at("site1", 0)
    for version, result in (("base", -ENOMEM), ("v3", NR)):
        cues = [Cue("drop_caches", "A", site), Cue("drop_caches", "A", Position.at("alloc", 1))]
        cast = [(stranger("drop_caches", "A", 0), cues)]
        world = memory(folio(), targets_huge="none")
        results, _, world = pin(version, world, ("A", NR), cast=cast)
        assert results == (result,)
        counted = ("thp_migration_fail", "thp_split_page_failed", "pgmigrate_fail")
        if version == "base":
            assert [world.vmstat[name] for name in counted] == [1, 1, NR]


@pytest.mark.parametrize(
    ("kind", "result", "drains"), [(LRU_ADD, 1, 1), (DEACTIVATE_FILE, -ENOMEM, 0)]
)
def test_only_a_batch_that_clears_the_flag_is_drained(kind, result, drains):
    world = memory(folio("P", 0, lru=kind != LRU_ADD))
    batch_add(world, "another cpu", kind, PFN)
    results, seen, world = pin("v3", world, ("P", 1))
    assert (results, seen.drains) == ((result,), drains)


def test_the_drain_happens_once_in_a_round():
    world = memory(folio("P", 0, lru=False), folio("Q", 0, lru=False))
    batch_add(world, "one", LRU_ADD, PFN)
    batch_add(world, "two", LRU_ADD, PFN + 1)
    results, seen, _ = pin("v3", world, ("P", 1), ("Q", 1))
    assert (results, seen.rounds, seen.drains) == ((2,), 2, 1)


def test_the_touch_of_the_pin_itself_can_defeat_it():
    """A second touch queues the page: one reference more, PG_lru set, so nobody drains it."""
    results, seen, world = pin("v3", memory(folio("P", 0, referenced=True)), ("P", 1))
    assert results == (-ENOMEM,)
    assert (seen.drains, seen.passes) == (0, {(0, 1): 10})
    assert world.batches == {("pin", ACTIVATE): (PFN,)} or world.batches[("pin", ACTIVATE)]


def test_a_pmd_is_touched_without_marking_the_folio():
    _, _, world = pin("v3", memory(folio(dirty=False), in_cma=False), ("A", NR))
    assert not world.folio(PFN).referenced
    assert not world.folio(PFN).dirty
    mapped_by_ptes = memory(folio(dirty=False, pmd_maps=0, pte_maps=NR), in_cma=False)
    _, _, world = pin("v3", mapped_by_ptes, ("A", NR))
    assert world.folio(PFN).dirty


def test_what_is_not_mapped_is_faulted_in():
    world = memory(folio(pmd_maps=0), folio("P", 0, pte_maps=0), in_cma=False)
    results, _, world = pin("v3", world, ("A", NR), ("P", 1))
    assert results == (NR + 1,)
    assert world.folio(PFN).pmd_maps == world.folio(PFN + NR).pte_maps == 1


def test_nothing_there_is_an_error_and_less_than_asked_is_not():
    assert pin("v3", memory(folio(), in_cma=False), ("B", 1))[0] == (-EFAULT,)
    assert pin("v3", memory(folio(), in_cma=False), ("A", NR), ("B", 1))[0] == (NR,)


@pytest.mark.parametrize("pages", [1, NR - 1])
def test_part_of_a_huge_page_moves_all_of_it(pages):
    results, _, world = pin("v3", memory(folio()), ("A", pages))
    assert results == (pages,)
    assert flow(world) == (2 * pages, pages)
    assert pinned(world) == (pages, NR + 1 + pages)
