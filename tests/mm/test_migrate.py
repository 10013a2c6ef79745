"""migrate_pages() where no vector looks: restored mappings, errors, modes, truncation, putback."""

from typing import NamedTuple

import pytest
from small import NR, PFN, isolated, memory

from mmsim.constants import (
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    MR_LONGTERM_PIN,
)
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import run_to_end
from mmsim.errno import ENOMEM
from mmsim.mm.actors import holder, locker, truncater
from mmsim.mm.folio import Page
from mmsim.mm.migrate import migrate_pages, putback_movable_pages
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Cue, Position, Script, Scripted

S, F = "pgmigrate_success", "pgmigrate_fail"
TS, TF, TSP = "thp_migration_success", "thp_migration_fail", "thp_migration_split"
WAITED = "waited for"
SP, SPF, SPMD = "thp_split_page", "thp_split_page_failed", "thp_split_pmd"


class Ran(NamedTuple):
    rc: int
    left: list
    counts: dict
    passes: list
    world: object


def run(version, *folios, cast=(), targets=None, faults=None, **how):
    """One migrate_pages() call on these folios.  `cast`: (actor, positions of its moves) each."""
    world = memory(*folios, targets_huge="either", targets_base="either", faults=True)
    pages = [Page(world.find(f.region, 0), f.nr_pages) for f in folios]
    mode, reason = how.get("mode", MIGRATE_SYNC), how.get("reason", MR_LONGTERM_PIN)

    def path():
        from_ = list(pages)
        rc = yield from migrate_pages(from_, mode, reason, VERSIONS[version])
        return rc, tuple(from_)

    cues = [
        Cue(actor.name, folio, None if at == WAITED else at, when_waited_for=at == WAITED)
        for actor, folio, moves in cast
        for at in moves
    ]
    scenario = Scenario("migrate", world, (Actor("migrate", path), *(c[0] for c in cast)))
    scheduler = Scripted("migrate", Script(tuple(cues), targets=targets or {}, faults=faults or {}))
    state = run_to_end(scenario, scheduler)
    state.world.check()
    rc, left = scenario.results(state)["migrate"]
    passes = [scheduler.passes[key] for key in sorted(scheduler.passes)]
    counts = {name: n for name, n in state.world.vmstat.items() if n}
    return Ran(rc, list(left), counts, passes, state.world)


def thp(**fields):
    return isolated("A", **fields)


def page(name="P", **fields):
    return isolated(name, 0, **fields)


NO_HUGE = {"A": None}  # every request for A's destination fails


def test_a_failed_move_restores_the_mappings():
    ran = run("base", thp(pmd_maps=2, pte_maps=1), cast=[(holder("s", "A", 0), "A", [None])])
    after = ran.world.folio(PFN)
    assert (after.pmd_maps, after.pte_maps, after.refcount) == (2, 1, NR + 3 + 2)
    assert SPMD not in ran.counts


@pytest.mark.parametrize("error", ["EBUSY", "EINVAL", "EAGAIN", "ENOSYS", "ENOMEM"])
def test_what_becomes_of_an_error_of_the_move(error):
    ran = run("v3", page(), faults={("P", "folio_expected_refs"): ((None, error),)})
    assert ran.rc == (-ENOMEM if error == "ENOMEM" else 1)
    assert (ran.passes, ran.counts) == ([10 if error == "EAGAIN" else 1], {F: 1})
    assert len(ran.left) == 1
    assert ran.world.folio(PFN).mapcount == 1


@pytest.mark.parametrize(
    ("mode", "error", "passes"), [(MIGRATE_SYNC, 0, [4]), (MIGRATE_ASYNC, 1, [1])]
)
def test_writeback_is_waited_for_from_the_fourth_pass_on(mode, error, passes):
    ran = run("base", page(writeback=True), mode=mode)
    assert (ran.rc, ran.passes) == (error, passes)
    assert not error or ran.world.folio(PFN).writeback


@pytest.mark.parametrize(
    ("mode", "rc", "passes"), [(MIGRATE_SYNC, 0, [4]), (MIGRATE_ASYNC, 1, [10])]
)
def test_a_lock_is_slept_for_from_the_fourth_pass_on(mode, rc, passes):
    cast = [(locker("locker", "P", 0), "P", [None, WAITED])]
    ran = run("base", page(), cast=cast, mode=mode)
    assert (ran.rc, ran.passes) == (rc, passes)


def test_only_the_lock_that_is_waited_for_is_given_back():
    """Two locked pages: whoever waits for the one must not free the other."""
    cast = [
        (locker("first", "P", 0), "P", [None, WAITED]),
        (locker("second", "A", 0), "A", [None, WAITED]),
    ]
    ran = run("v3", thp(), page(), cast=cast, targets=NO_HUGE)
    # The split waits for A in the first pass; P stays locked until the fourth, which waits for it.
    assert (ran.rc, ran.passes) == (0, [4, 1])


TRUNCATED = {
    # site of pass 0 -> result of v2 and v3, passes, events of either
    "alloc": (0, 0, [1], {S: NR, TS: 1}),
    "split_lock": (-ENOMEM, -ENOMEM, [1], {F: NR, TF: 1, SPF: 1}),
    "site1": (1, 0, [2], {S: NR, TS: 1, TF: 1, SPF: 1}),
    "site2": (1, 0, [2], {S: NR, TS: 1, TF: 1, SPF: 1, SPMD: 1}),
}


@pytest.mark.parametrize("site", TRUNCATED)
def test_truncation_at_each_site_of_a_split(site):
    """Once out of its file, only the isolation's reference is left: freed on the next visit."""
    v2, v3, passes, counts = TRUNCATED[site]
    for version, rc in (("v2", v2), ("v3", v3)):
        cast = [(truncater("truncate", "A", 0), "A", [Position.at(site, 0)])]
        ran = run(version, thp(), cast=cast, targets=NO_HUGE)
        assert (ran.rc, ran.passes, ran.counts) == (rc, passes, counts)


@pytest.mark.parametrize(("site", "passes"), [("unmap", [1]), ("move_freeze", [2])])
def test_truncation_during_a_move(site, passes):
    cast = [(truncater("truncate", "A", 0), "A", [Position.at(site, 0)])]
    ran = run("v3", thp(), cast=cast)
    assert (ran.rc, ran.passes, ran.counts) == (0, passes, {S: NR, TS: 1})
    assert ran.world.folios == {}


def test_a_moved_page_keeps_what_is_known_about_it():
    ran = run("base", page(referenced=True, dirty=False, active=True))
    moved = ran.world.folio(ran.world.find("P", 0))
    assert (moved.referenced, moved.dirty, moved.active) == (True, False, True)
    assert (moved.refcount, moved.mapcount, moved.lru) == (2, 1, True)
    assert not ran.world.in_cma(ran.world.find("P", 0))


def test_a_page_that_was_not_mapped_stays_in_the_batch():
    ran = run("base", page(pte_maps=0))
    moved = ran.world.folio(ran.world.find("P", 0))
    assert (moved.refcount, moved.lru) == (2, False)


def test_putting_back_empties_the_list():
    world = memory(isolated("A"), isolated("P", 0))
    pages = [Page(PFN, NR), Page(PFN + NR, 1)]

    def path():
        from_ = list(pages)
        yield from putback_movable_pages(from_)
        return tuple(from_)

    scenario = Scenario("putback", world, (Actor("migrate", path),))
    state = run_to_end(scenario, Scripted("migrate", Script()))
    assert scenario.results(state) == {"migrate": ()}
    state.world.check()
    assert all("isolation" not in dict(f.held) for f in state.world.folios.values())
