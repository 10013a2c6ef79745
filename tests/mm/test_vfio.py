"""VFIO_IOMMU_MAP_DMA: runs, batches, the limit on locked memory; a failure leaves nothing."""

import itertools
import random

import pytest
from coin import coin
from small import NR, PFN, folio, memory, run, sound, states_of

from mmsim.constants import MIGRATE_CMA
from mmsim.constants import PAGE_SIZE as PAGE
from mmsim.engine.actor import Actor
from mmsim.engine.explore import explore
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.errno import EEXIST, EFAULT, EINVAL, ENOMEM, ENOSPC
from mmsim.mm import actors
from mmsim.mm.actors import holder
from mmsim.mm.folio import Extent
from mmsim.mm.versions import VERSIONS
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import Container, Dma, Environment, IommuMap, Limits, World
from mmsim.scenarios.script import Script


def request(world, **fields):
    """All of the world's memory, in the order in which it was made."""
    extents = tuple(Extent(f.region, f.nr_pages) for f in world.folios.values())
    fields.setdefault("size", sum(e.pages for e in extents) * PAGE)
    return MapDma(extents, **fields)


def map_dma(world, *requests, **script):
    """Map; answer the results, the world, and the trace."""

    def path():
        results = []
        for _index, each in enumerate(requests or (request(world),)):
            result = yield from vfio_dma_do_map(each, VERSIONS["v3"])
            results.append(result)
        return tuple(results)

    trace = run(world, Actor("vfio", path), script=Script(**script))
    return trace.results["vfio"], trace.last.world, trace


def runs(trace):
    """Every iommu_map that worked: (first page, pages)."""
    return [e.op.args[1:] for e in trace.events if e.op.kind.name == "iommu_map" and e.answer == 0]


def nothing_left(world):
    assert world.container == Container()
    assert "vfio (pin)" not in [name for f in world.folios.values() for name, _ in f.held]


def flow(world):
    return world.vmstat["nr_foll_pin_acquired"], world.vmstat["nr_foll_pin_released"]


def at(*places, **env):
    """Huge pages of four pages at PFN + place."""
    world = World(Environment(**env))
    for place, name in zip(places, "ABCDEFGH", strict=False):
        world.add(PFN + place, folio(name))
    return world


# -- runs and batches


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((0,), [(0, 4)]),
        ((0, 4), [(0, 8)]),
        ((0, 8), [(0, 4), (4, 4)]),
        ((4, 0), [(0, 4), (4, 4)]),
        ((0, 4, 16), [(0, 8), (8, 4)]),
        ((0, 8, 12, 16, 32), [(0, 4), (4, 12), (16, 4)]),
    ],
)
@pytest.mark.parametrize("batch", [1, 3, 4, 8, 512])
def test_a_run_is_as_long_as_the_pages_are_neighbours(places, expected, batch):
    """Whatever the batches are: they only say how many pages are pinned at once."""
    world = at(*places, vfio=Limits(batch=batch))
    results, after, trace = map_dma(world)
    assert results == (0,)
    assert runs(trace) == expected
    assert after.container.dmas == (Dma(0, 4 * len(places)),)
    assert after.container.locked_vm == 4 * len(places)
    assert {f.pincount for f in after.folios.values()} == {4}
    maps = [(run.iova, run.pfn - PFN) for run in after.container.maps]
    assert [places[iova // 4] for iova, _ in maps] == [place for _, place in maps]


@pytest.mark.parametrize(("batch", "asked"), [(512, [12]), (8, [8, 4]), (5, [5, 5, 2])])
def test_a_batch_is_one_call_of_the_pin(batch, asked):
    """`asked`: pages pinned in each call; a call ends with looking for pages that may not stay."""
    _, after, trace = map_dma(at(0, 4, 8, vfio=Limits(batch=batch)))
    names = [(e.op.kind.name, e.answer) for e in trace.events]
    calls = [0]
    for (name, answer), (following, _) in itertools.pairwise(names):
        calls[-1] += answer.pins if name == "follow_page_mask" else 0
        if name == "is_longterm_pinnable_page" and following == "memlock_allows":
            calls.append(0)
    assert calls == [*asked, 0]
    assert flow(after) == (12, 0)


@pytest.mark.parametrize(("batch", "flows"), [(512, (5, 0)), (4, (6, 1))])
def test_a_single_page_that_ends_a_run_is_pinned_twice(batch, flows):
    """A batch cannot keep a lone page that may have no struct page; the kernel asks again.

    In one batch it came together with the others."""
    world = at(0, vfio=Limits(batch=batch))
    world.add(PFN + 64, folio("P", 0))
    results, after, trace = map_dma(world)
    assert (results, runs(trace), flow(after)) == ((0,), [(0, 4), (4, 1)], flows)


# -- the limit on locked memory


@pytest.mark.parametrize("limit", range(14))
def test_the_limit_is_counted_by_the_page(limit):
    world = at(0, 4, 16, vfio=Limits(memlock=limit))
    results, after, trace = map_dma(world)
    if limit >= 12:
        assert results == (0,)
        assert after.container.locked_vm == 12
    else:
        assert results == (-ENOMEM,)
        assert flow(after)[0] == flow(after)[1]
        assert runs(trace) == ([(0, 8)] if limit >= 8 else [])
        nothing_left(after)


def test_the_limit_ends_the_pin_where_it_is_reached():
    """In the first batch, not when all batches are pinned."""
    results, after, _ = map_dma(at(0, 4, 8, vfio=Limits(memlock=3, batch=4)))
    assert (results, flow(after)) == ((-ENOMEM,), (4, 4))


def test_the_limit_counts_what_was_mapped_before():
    size = NR * PAGE
    halves = [MapDma((Extent("AB"[i], NR),), size, iova=i * size) for i in range(2)]
    results, after, _ = map_dma(at(0, 4, vfio=Limits(memlock=6)), *halves)
    assert results == (0, -ENOMEM)
    assert after.container.locked_vm == NR
    assert after.container.maps == (IommuMap(0, PFN, NR),)
    assert [f.pincount for f in after.folios.values()] == [NR, 0]


# -- arguments


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        *[({"size": size}, -EINVAL) for size in (0, PAGE + 1, PAGE - 1, -PAGE, 1 << 64)],
        *[({"iova": iova}, -EINVAL) for iova in (1, 1 << 64, 0xFEE00000, 1 << 48)],
        *[({"iova": iova}, 0) for iova in (0xFEDFF000, 0xFEF00000, (1 << 48) - PAGE)],
        *[({"flags": flags}, -EINVAL) for flags in (0, 4, 3 | 8)],
        *[({"flags": flags}, 0) for flags in (1, 2)],
        ({"vaddr": 17}, -EINVAL),
        ({"vaddr": (1 << 64) - PAGE}, 0),
        ({"size": 2 * PAGE, "iova": (1 << 64) - PAGE}, -EINVAL),
        ({"size": 2 * PAGE, "vaddr": (1 << 64) - PAGE}, -EINVAL),
        ({"size": 2 * PAGE, "iova": 0xFEDFF000}, -EINVAL),
    ],
    ids=str,
)
def test_arguments(fields, expected):
    world = at(0)
    results, after, _ = map_dma(world, request(world, **{"size": PAGE, **fields}))
    assert results == (expected,)
    if expected:
        nothing_left(after)
        assert flow(after) == (0, 0)
    else:
        assert sum(run.pages for run in after.container.maps) == 1


@pytest.mark.parametrize(
    ("iova", "pages", "expected"),
    [(0, 2, 0), (2, 1, -EEXIST), (3, 1, -EEXIST), (5, 1, -EEXIST), (6, 1, 0), (1, 8, -EEXIST)],
)
def test_a_range_is_mapped_once(iova, pages, expected):
    world = at(0, 4, 8)
    first = MapDma((Extent("A", 4),), 4 * PAGE, iova=2 * PAGE)
    second = MapDma((Extent("B", 4), Extent("C", 4)), pages * PAGE, iova=iova * PAGE)
    results, after, _ = map_dma(world, first, second)
    assert results == (0, expected)
    assert len(after.container.dmas) == (1 if expected else 2)
    assert after.folio(PFN).pincount == 4


def test_the_checks_have_an_order():
    """Overlap, then the number of mappings, then the IOMMU's ranges."""
    world = at(0, vfio=Limits(dma_entries=1, iova_ranges=((0, 0),)))
    first = request(world, size=PAGE)
    again, elsewhere = request(world, size=PAGE), request(world, size=PAGE, iova=1 << 20)
    results, _, _ = map_dma(world, first, again, elsewhere)
    assert results == (0, -EEXIST, -ENOSPC)
    results, _, _ = map_dma(at(0, vfio=Limits(iova_ranges=((0, 0),))), elsewhere)
    assert results == (-EINVAL,)


def test_a_hole_in_the_range():
    world = at(0)
    results, after, trace = map_dma(world, request(world, size=6 * PAGE))
    assert results == (-EFAULT,)
    assert runs(trace) == []  # the refill that failed belongs to the run of A
    assert flow(after) == (4, 4)
    nothing_left(after)


# -- what a failure takes back


@pytest.mark.parametrize("flags", [1, 3])
def test_a_device_that_may_write_leaves_dirty_pages(flags):
    world = memory(folio(dirty=False), in_cma=False, vfio=Limits(memlock=3))
    results, after, trace = map_dma(world, request(world, flags=flags))
    assert results == (-ENOMEM,)
    assert after.folio(PFN).dirty is (flags == 3)
    locks = [e for e in trace.events if e.op.kind.name == "folio_lock"]
    assert len(locks) == (flags == 3)


@pytest.mark.parametrize("step", ["vfio_link_dma", "iommu_map", "vfio_batch_init"])
def test_memory_that_cannot_be_had(step):
    world = at(0, 8, faults=(step,))
    faults = {("", step): ((None, "nomem"),), ("B", step): ((None, "nomem"),)}
    results, after, trace = map_dma(world, faults=faults)
    if step == "vfio_batch_init":  # one page pointer is enough, it only takes longer
        assert results == (0,)
        assert sum(e.op.kind.name == "follow_page_mask" for e in trace.events) > 8
        return
    assert results == (-ENOMEM,)
    assert runs(trace) == ([(0, 4)] if step == "iommu_map" else [])
    nothing_left(after)


# -- together with others


def test_two_ioctls_take_turns():
    world = at(0, 8)
    both = []
    for i, name in enumerate("AB"):
        map_ = MapDma((Extent(name, 4),), 4 * PAGE, iova=i << 20)
        both.append(Actor(name, lambda map_=map_: vfio_dma_do_map(map_, VERSIONS["v3"])))
    found = sound(explore(Scenario("two", world, tuple(both), merge=True)))
    states = states_of(found)
    for state in states:
        assert len([x for x in state.locals if x.op and len(x.where) > 1]) <= 1  # inside
    for end in found.ends:
        assert [local.result for local in states[end].locals] == [0, 0]


def test_a_device_that_reaches_a_page_without_a_pin_is_noticed():
    world = at(0)
    world.container = Container(maps=(IommuMap(0, PFN, 1),))
    with pytest.raises(ModelError, match="A: a device reaches 1 of its pages, 0 are pinned"):
        world.check()
    world.container = Container(maps=(IommuMap(0, PFN + 64, 1),))
    with pytest.raises(ModelError, match="no folio holds pfn"):
        world.check()


@pytest.mark.parametrize("version", ["base", "v2", "v3"])
@pytest.mark.parametrize(("targets", "memlock"), [("none", None), ("either", 6)])
def test_no_order_of_steps_leaves_anything_after_a_failure(version, targets, memlock):
    """Every order of a map and a holder: a device never reaches what is not pinned."""
    row = VERSIONS[version]._replace(passes=2)
    world = memory(folio("A"), targets_huge=targets, vfio=Limits(memlock=memlock))
    world.add(PFN + 0x400, folio("B"))
    map_ = request(world)
    both = (Actor("vfio", lambda: vfio_dma_do_map(map_, row)), holder("s", "A", 0))
    found = sound(explore(Scenario("map", world, both, merge=True)))
    results, states = set(), states_of(found)
    for state in [states[end] for end in found.ends]:
        results.add(state.locals[0].result)
        if state.locals[0].result:
            nothing_left(state.world)
    assert -ENOMEM in results
    assert (0 in results) is (memlock is None and version != "base")


# -- at random


FAULTS = ("vfio_link_dma", "vfio_batch_init", "iommu_map", "xas_split_alloc")
FAULTS = (*FAULTS, "filemap_release_folio", "folio_expected_refs")


def random_world(rng):
    faults = FAULTS if rng.random() < 0.3 else ()
    limit = rng.choice([None, None, None, rng.randrange(20)])
    targets = rng.choice(["available", "none", "either"])
    limits = Limits(limit, batch=rng.choice([1, 3, 4, 8, 512]))
    world = World(Environment(targets, rng.choice(["available", "either"]), faults, vfio=limits))
    pfn = PFN
    for name in "ABCD"[: rng.randint(1, 4)]:
        order = rng.choice([2, 2, 0])
        pfn = (-(-pfn >> order) + rng.randrange(2)) << order
        if rng.random() < 0.4:  # into a CMA block of its own
            pfn = (pfn // 512 + 1) * 512
            world.pageblocks[pfn // 512] = MIGRATE_CMA
            world.add(pfn, folio(name, order))
            pfn += 512
        else:
            world.add(pfn, folio(name, order, dirty=rng.random() < 0.5))
            pfn += 1 << order
    return world


PLAIN = (actors.direct_io, actors.permanent_pin, actors.gup_fast, actors.fault)
OTHERS = (holder, actors.pinner, actors.locker, actors.isolator, *PLAIN, actors.undrained_batch)


@pytest.mark.parametrize("block", range(10))
def test_after_a_failure_no_pin_and_no_mapping_is_left(block):
    """100 random situations each, with others at work and memory that runs out."""
    failed = 0
    for seed in range(100 * block, 100 * block + 100):
        rng = random.Random(seed)
        world = random_world(rng)
        map_ = request(world)
        row = VERSIONS[rng.choice(list(VERSIONS))]._replace(passes=rng.randint(1, 4))
        names = [f.region for f in world.folios.values()]
        others = [
            rng.choice(OTHERS)(f"other{i}", rng.choice(names), 0) for i in range(rng.randrange(3))
        ]
        vfio = Actor("vfio", lambda map_=map_, row=row: vfio_dma_do_map(map_, row))
        scenario = Scenario("random", world, (vfio, *others))
        state = record(scenario, coin(seed)).last
        state.world.check()
        assert scenario.finished(state), seed
        result, pages = scenario.results(state)["vfio"], map_.size // PAGE
        container = state.world.container
        assert sum(mapped.pages for mapped in container.maps) == (0 if result else pages), seed
        held = sum(f.pincount for f in state.world.folios.values() if "vfio (pin)" in dict(f.held))
        if result:
            failed += 1
            nothing_left(state.world)
            assert held == 0, seed
        else:
            assert container.locked_vm == pages
            assert held >= pages, seed
    assert 20 <= failed <= 80  # both ways it can end are common


@pytest.mark.parametrize("field", ["size", "iova", "vaddr"])
@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_what_is_no_word_is_refused_before_the_first_step(field, value):
    world = at(0)
    results, _, trace = map_dma(world, request(world)._replace(**{field: value}))
    assert results == (-EINVAL,)
    assert len(trace) == 0
