"""The owner of a CMA area, where no vector looks."""

from __future__ import annotations

from small import do, folio, run

from mmsim.engine.actor import Actor
from mmsim.errno import EBUSY, ENOMEM
from mmsim.mm.boot import boot
from mmsim.mm.cma import Area, cma_alloc, isolate_freepages_range
from mmsim.mm.folio import ISOLATION
from mmsim.mm.page_alloc import take_block
from mmsim.mm.untouched import HELD
from mmsim.mm.versions import VERSIONS
from mmsim.mm.world import ZONE, Environment, World


def test_a_range_is_taken_out_of_the_blocks_that_reach_over_its_ends():
    world = World(Environment(ZONE, ZONE), boot(4096, 4096))
    do(world, isolate_freepages_range(512, 2560))
    assert world.zone.nr_free == 2048
    taken = [(pfn, held) for pfn, _, held in world.zone.blocks(0, 4096) if held]
    assert taken == [(pfn, HELD[False][9]) for pfn in range(512, 2560, 512)]


def test_a_busy_page_is_put_back_where_it_was():
    world = World(Environment(ZONE, ZONE), boot(1024, 1024))
    take_block(world.zone, 7, 0)
    world.add(7, folio("P", 0, held=(("somebody", 1),)))
    path = Actor("owner", lambda: cma_alloc(Area(0, 512), 512, 9, VERSIONS["v3"]))
    trace = run(world, path)
    assert trace.results["owner"] == -EBUSY
    assert ISOLATION not in dict(trace.last.world.folio(7).held)


def test_more_than_the_area_has_is_refused_at_once():
    path = Actor("owner", lambda: cma_alloc(Area(0, 512), 1024, 9, VERSIONS["v3"]))
    trace = run(World(Environment(ZONE, ZONE), boot(1024, 1024)), path)
    assert trace.results["owner"] == -ENOMEM
    assert trace.last.world.vmstat["cma_alloc_fail"] == 1
