"""VFIO_IOMMU_MAP_DMA: runs, batches, the limit on locked memory; a failure leaves nothing."""

import pytest
from small import PFN, folio, memory, run, sound

from mmsim.constants import PAGE_SIZE as PAGE
from mmsim.engine.actor import Actor
from mmsim.engine.explore import explore
from mmsim.engine.scenario import Scenario
from mmsim.errno import EEXIST, EFAULT, EINVAL, ENOMEM, ENOSPC
from mmsim.mm.actors import holder
from mmsim.mm.folio import Extent
from mmsim.mm.versions import VERSIONS
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import Container, Dma, Environment, Limits, World
from mmsim.scenarios.script import Script


def at(*places, **env):
    """Huge pages of four pages at PFN + place."""
    world = World(Environment(**env))
    for place, name in zip(places, "ABCDE", strict=False):
        world.add(PFN + place, folio(name))
    return world


def mapper(world, *requests):
    """Whoever asks for these mappings, or for one of all memory, in the order it was made."""
    vma = tuple(Extent(f.region, f.nr_pages) for f in world.folios.values())
    whole = {"size": sum(extent.pages for extent in vma) * PAGE}
    asked = tuple(MapDma(vma, **(whole | fields)) for fields in requests or ({},))

    def path():
        results = []
        for _index, each in enumerate(asked):
            result = yield from vfio_dma_do_map(each, VERSIONS["v3"])
            results.append(result)
        return tuple(results)

    return Actor("vfio", path)


def map_dma(world, *requests, **script):
    """Map; answer the results, the world, and each run (first page, pages) that was mapped."""
    trace = run(world, mapper(world, *requests), script=Script(**script))
    maps = [e for e in trace.events if e.op.kind.name == "iommu_map" and e.answer == 0]
    return trace.results["vfio"], trace.last.world, [event.op.args[1:] for event in maps]


def nothing_left(world):
    assert world.container == Container()
    assert "vfio (pin)" not in [name for f in world.folios.values() for name, _ in f.held]


def flow(world):
    return world.vmstat["nr_foll_pin_acquired"], world.vmstat["nr_foll_pin_released"]


# -- runs and batches


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((0, 4), [(0, 8)]),
        ((4, 0), [(0, 4), (4, 4)]),
        ((0, 8, 12, 16, 32), [(0, 4), (4, 12), (16, 4)]),
    ],
)
@pytest.mark.parametrize("batch", [1, 3, 512])
def test_a_run_is_as_long_as_the_pages_are_neighbours(places, expected, batch):
    """Whatever the batches are: they only say how many pages are pinned at once."""
    results, after, runs = map_dma(at(*places, vfio=Limits(batch=batch)))
    assert (results, runs) == ((0,), expected)
    assert [(run.iova, run.pages) for run in after.container.maps] == expected
    assert after.container.dmas == (Dma(0, 4 * len(places)),)
    assert after.container.locked_vm == 4 * len(places)
    assert {f.pincount for f in after.folios.values()} == {4}


@pytest.mark.parametrize(("batch", "flows"), [(512, (5, 0)), (4, (6, 1))])
def test_a_single_page_that_ends_a_run_is_pinned_twice(batch, flows):
    """A batch cannot keep a lone page that may have no struct page; the kernel asks again.

    In one batch it came together with the others."""
    world = at(0, vfio=Limits(batch=batch))
    world.add(PFN + 64, folio("P", 0))
    results, after, runs = map_dma(world)
    assert (results, runs, flow(after)) == ((0,), [(0, 4), (4, 1)], flows)


@pytest.mark.parametrize("limit", range(14))
def test_the_limit_on_locked_memory_is_counted_by_the_page(limit):
    results, after, runs = map_dma(at(0, 4, 16, vfio=Limits(memlock=limit)))
    assert results == (0 if limit >= 12 else -ENOMEM,)
    assert runs == [(0, 8), (8, 4)][: (limit >= 8) + (limit >= 12)]
    if limit >= 12:
        assert after.container.locked_vm == 12
    else:
        assert flow(after)[0] == flow(after)[1]
        nothing_left(after)


# -- arguments

TOP, LAST, END = 1 << 64, (1 << 64) - PAGE, (1 << 52) - 1
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
    world = memory(folio("P", 0, dirty=False), in_cma=False)
    results, after, _ = map_dma(world, {"size": PAGE, **fields})
    if fields in REFUSED:
        assert (results, flow(after)) == ((-EINVAL,), (0, 0))
        nothing_left(after)
    else:
        assert results == (0,)
        assert sum(run.pages for run in after.container.maps) == 1
        assert after.folio(PFN).dirty == (fields.get("flags") != 1)  # 1: it may only read


def test_a_range_is_mapped_once_and_the_checks_have_an_order():
    """Overlap, then the number of mappings, then the IOMMU's ranges."""
    world = at(0, vfio=Limits(dma_entries=3, iova_ranges=((0, 9), (END, END))))
    places = ((2, 4, 0), (0, 3, -EEXIST), (5, 1, -EEXIST), (6, 2, 0), (7, 1, -EEXIST))
    places += ((END, 1, 0), (0, 1, -ENOSPC), (10, 1, -ENOSPC))
    asked = [{"size": n * PAGE, "iova": iova * PAGE} for iova, n, _ in places]
    results, after, _ = map_dma(world, *asked)
    assert results == tuple(result for _, _, result in places)
    assert after.container.dmas == (Dma(2, 4), Dma(6, 2), Dma(END, 1))


def test_a_hole_in_the_range():
    results, after, runs = map_dma(at(0), {"size": 6 * PAGE})
    assert (results, runs, flow(after)) == ((-EFAULT,), [], (4, 4))
    nothing_left(after)


# -- what a failure takes back


@pytest.mark.parametrize(
    ("step", "result", "mapped"),
    [
        ("vfio_link_dma", -ENOMEM, []),
        ("iommu_map", -ENOMEM, [(0, 4)]),
        ("vfio_batch_init", 0, [(0, 4), (4, 4)]),  # one page pointer is enough
    ],
)
def test_memory_that_cannot_be_had(step, result, mapped):
    faults = {(about, step): ((None, "nomem"),) for about in ("", "B")}
    results, after, runs = map_dma(at(0, 8, faults=(step,)), faults=faults)
    assert (results, runs) == ((result,), mapped)
    if result:
        nothing_left(after)
    else:
        assert flow(after) == (9, 1)


@pytest.mark.parametrize("version", ["base", "v2"])
@pytest.mark.parametrize(("targets", "memlock"), [("none", None), ("either", 6)])
def test_no_order_of_steps_leaves_anything_after_a_failure(version, targets, memlock):
    """Every order of a map and a holder: a device never reaches what is not pinned."""
    row = VERSIONS[version]._replace(passes=2)
    world = memory(folio("A"), targets_huge=targets, vfio=Limits(memlock=memlock))
    world.add(PFN + 0x400, folio("B"))
    map_ = MapDma((Extent("A", 4), Extent("B", 4)), 8 * PAGE)
    both = (Actor("vfio", lambda: vfio_dma_do_map(map_, row)), holder("s", "A", 0))
    found = sound(explore(Scenario("map", world, both, merge=True)))
    ends = [state for number, state in found.walk() if number in found.ends]
    for state in ends:
        if state.locals[0].result:
            nothing_left(state.world)
    results = {state.locals[0].result for state in ends}
    assert -ENOMEM in results
    assert (0 in results) is (memlock is None and version != "base")
