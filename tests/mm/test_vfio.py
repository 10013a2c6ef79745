"""VFIO_IOMMU_MAP_DMA: runs, batches, the limit on locked memory; a failure leaves nothing."""

import pytest
from small import PFN, folio, memory, run, sound, states_of

from mmsim.constants import PAGE_SIZE as PAGE
from mmsim.engine.actor import Actor
from mmsim.engine.explore import explore
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import Scenario
from mmsim.errno import EEXIST, EFAULT, EINVAL, ENOMEM, ENOSPC
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
        ((0, 8, 12, 16, 32), [(0, 4), (4, 12), (16, 4)]),
    ],
)
@pytest.mark.parametrize("batch", [1, 3, 512])
def test_a_run_is_as_long_as_the_pages_are_neighbours(places, expected, batch):
    """Whatever the batches are: they only say how many pages are pinned at once."""
    world = at(*places, vfio=Limits(batch=batch))
    results, after, trace = map_dma(world)
    assert results == (0,)
    assert runs(trace) == expected
    asked = [e.op.args[0] for e in trace.events if e.op.kind.name == "follow_page_mask"]
    assert "" not in asked  # that is what lies behind the range
    assert after.container.dmas == (Dma(0, 4 * len(places)),)
    assert after.container.locked_vm == 4 * len(places)
    assert {f.pincount for f in after.folios.values()} == {4}
    maps = [(run.iova, run.pfn - PFN) for run in after.container.maps]
    assert [places[iova // 4] for iova, _ in maps] == [place for _, place in maps]


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


# -- arguments

TOP, LAST = 1 << 64, (1 << 64) - PAGE
REFUSED = [
    *[{"size": size} for size in (0, PAGE + 1, -PAGE, TOP)],
    *[{"iova": iova} for iova in (1, -1, TOP, 0xFEE00000, 1 << 48)],
    *[{"flags": flags} for flags in (0, 4, 3 | 8)],
    *[{"vaddr": vaddr} for vaddr in (17, -1, TOP)],
    *[{"size": 2 * PAGE, name: LAST} for name in ("iova", "vaddr")],
    {"size": 2 * PAGE, "iova": 0xFEDFF000},
]
ALLOWED = [
    *[{"iova": iova} for iova in (0xFEDFF000, 0xFEF00000, (1 << 48) - PAGE)],
    *[{"flags": 1}, {"flags": 2}, {"vaddr": LAST}],
]


@pytest.mark.parametrize("fields", REFUSED + ALLOWED, ids=str)
def test_arguments(fields):
    world = at(0)
    results, after, _ = map_dma(world, request(world, **{"size": PAGE, **fields}))
    if fields in REFUSED:
        assert (results, flow(after)) == ((-EINVAL,), (0, 0))
        nothing_left(after)
    else:
        assert results == (0,)
        assert sum(run.pages for run in after.container.maps) == 1


def test_a_range_is_mapped_once_and_the_checks_have_an_order():
    """Overlap, then the number of mappings, then the IOMMU's ranges."""
    world = at(0, vfio=Limits(dma_entries=2, iova_ranges=((0, 9),)))
    places = ((2, 4, 0), (0, 3, -EEXIST), (5, 1, -EEXIST), (6, 2, 0), (7, 1, -EEXIST))
    places += ((0, 1, -ENOSPC), (10, 1, -ENOSPC))
    asked = [request(world, size=n * PAGE, iova=iova * PAGE) for iova, n, _ in places]
    results, after, _ = map_dma(world, *asked)
    assert results == tuple(result for _, _, result in places)
    assert after.container.dmas == (Dma(2, 4), Dma(6, 2))


def test_a_hole_in_the_range():
    world = at(0)
    results, after, trace = map_dma(world, request(world, size=6 * PAGE))
    assert results == (-EFAULT,)
    assert runs(trace) == []  # the refill that failed belongs to the run of A
    assert flow(after) == (4, 4)
    nothing_left(after)


# -- what a failure takes back


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


def test_a_device_that_reaches_a_page_without_a_pin_is_noticed():
    world = at(0)
    world.container = Container(maps=(IommuMap(0, PFN, 1),))
    with pytest.raises(ModelError, match="A: a device reaches 1 of its pages, 0 are pinned"):
        world.check()
    world.container = Container(maps=(IommuMap(0, PFN + 64, 1),))
    with pytest.raises(ModelError, match="no folio holds pfn"):
        world.check()


@pytest.mark.parametrize("version", ["base", "v2"])
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
