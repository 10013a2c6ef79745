"""Populating a memfd: which faults get huge pages, what is counted, and what a refusal leaves."""

from __future__ import annotations

import pytest
from small import Cells, ask, run, wait_for_x

from mmsim.constants import ANON, SHMEM
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError, at_once
from mmsim.errno import ENOMEM
from mmsim.mm.boot import boot
from mmsim.mm.shmem import populate as populate_page
from mmsim.mm.shmem import shmem_is_huge, shmem_populate
from mmsim.mm.world import ZONE, Environment, World

NR = 512


def populate(zone, pages, policy="always", path=shmem_populate):
    world = World(Environment(ZONE, ZONE), zone)
    trace = run(world, Actor("guest", lambda: path("G", pages, policy)))
    return trace.results["guest"], trace.last.world


@pytest.mark.parametrize("policy", ["always", "within_size", "advise", "never", "deny", "force"])
def test_the_policy_decides_page_by_page(policy):
    """A file of 700 pages: its second huge page would reach beyond its end."""
    tail = policy in ("always", "force")
    first = tail or policy == "within_size"
    assert shmem_is_huge(policy, 0, 700) is first
    assert shmem_is_huge(policy, 511, 512) is first
    assert shmem_is_huge(policy, 600, 700) is tail
    assert shmem_is_huge(policy, 512, 1023) is tail


def test_huge_pages_are_counted_mapped_and_clean():
    """And a tail shorter than a huge page gets single pages."""
    rc, world = populate(boot(8 * NR), NR + 5)
    assert rc == NR + 5
    assert sorted(folio.nr_pages for folio in world.folios.values()) == [1] * 5 + [NR]
    rc, world = populate(boot(8 * NR), 3 * NR)
    assert rc == 3 * NR
    assert world.vmstat["thp_file_alloc"] == world.vmstat["thp_file_mapped"] == 3
    assert not any(folio.dirty for folio in world.folios.values())
    places = sorted((folio.index, folio.name) for folio in world.folios.values())
    assert places == [(0, "G"), (NR, f"G[{NR}]"), (2 * NR, f"G[{2 * NR}]")]
    assert world.find("G", NR + 7) == world.find("G", NR) != world.find("G", 0)
    assert world.find("G", 3 * NR) is None


def test_who_runs_out_keeps_what_is_mapped():
    zone = boot(4 * NR, watermarks=(NR + 100, NR + 100, NR + 100))
    rc, world = populate(zone, 4 * NR)
    assert rc == -ENOMEM
    mapped = sum(folio.nr_pages for folio in world.folios.values())
    assert mapped == 3 * NR - 100
    assert world.zone.nr_free == NR + 100


@pytest.mark.parametrize(("kind", "mapped"), [(ANON, True), (SHMEM, True), (SHMEM, False)])
@pytest.mark.parametrize("order", [0, 2])
def test_a_page_of_each_kind(kind, mapped, order):
    world = World(Environment())
    trace = run(world, Actor("guest", lambda: populate_page("G", order, kind, mapped)))
    (made,) = trace.last.world.folios.values()
    cached = (kind == SHMEM) << order
    assert trace.results["guest"] == 0
    assert (made.order, made.mapping, made.mapcount) == (order, True, mapped)
    assert trace.last.world.vmstat["thp_file_alloc"] == (kind == SHMEM and order > 0)
    assert made.refcount == cached + mapped + (order == 0 and not made.lru)
    world = World(Environment(ZONE, ZONE), boot(NR, watermarks=(NR, NR, NR)))
    short = run(world, Actor("guest", lambda: populate_page("G", order, kind, mapped)))
    assert short.results["guest"] == -ENOMEM


# -- steps taken at once


@pytest.mark.parametrize(("op", "says"), [(wait_for_x(), "x is 0"), (ask(), "'ok'")])
def test_only_what_nobody_else_has_a_say_in_can_be_one_step(op, says):
    with pytest.raises(ModelError, match=says):
        at_once(Cells(x=0), "me", (step for step in [op]))
