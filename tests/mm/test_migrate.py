"""migrate_pages() where no vector looks: errors, modes, truncation, flags, destinations."""

from typing import NamedTuple

import pytest
from coin import coin
from small import PFN, isolated, memory, run

from mmsim.constants import ANON, MIGRATE_ASYNC, MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.errno import ENOMEM
from mmsim.mm.actors import locker
from mmsim.mm.folio import ISOLATION, Page
from mmsim.mm.migrate import migrate_pages
from mmsim.mm.versions import VERSIONS, environment
from mmsim.scenarios.script import Cue, Script

S, F = "pgmigrate_success", "pgmigrate_fail"
TS = "thp_migration_success"
WAITED = "waited for"
FAULTS = ("folio_expected_refs",)


class Ran(NamedTuple):
    rc: int
    left: list
    counts: dict
    passes: list
    world: object


def migrate(version, *folios, cast=(), faults=None, mode=MIGRATE_SYNC):
    """One migrate_pages() call on these folios.  `cast`: (actor, positions of its moves) each."""
    world = memory(*folios, targets_huge="either", targets_base="either", faults=FAULTS)
    from_ = [Page(world.find(f.region, 0), f.nr_pages) for f in folios]
    left = []

    def path():
        left[:] = from_
        rc = yield from migrate_pages(left, mode, MR_LONGTERM_PIN, VERSIONS[version])
        return rc

    cues = [
        Cue(actor.name, folio, None if at == WAITED else at, when_waited_for=at == WAITED)
        for actor, folio, moves in cast
        for at in moves
    ]
    script = Script(tuple(cues), faults=faults or {})
    trace = run(world, Actor("migrate", path), *(c[0] for c in cast), script=script)
    after = trace.last.world
    visits = {e.notes["round_"]: e.notes["pass_"] for e in trace.events if e.site == "visit"}
    passes = [pass_ + 1 for pass_ in visits.values()]
    counts = {name: n for name, n in after.vmstat.items() if n}
    return Ran(trace.results["migrate"], left, counts, passes, after)


def thp(**fields):
    return isolated("A", **fields)


def page(name="P", **fields):
    return isolated(name, 0, **fields)


@pytest.mark.parametrize("error", ["EBUSY", "EINVAL", "EAGAIN", "ENOSYS", "ENOMEM"])
def test_what_becomes_of_an_error_of_the_move(error):
    ran = migrate("v3", page(), faults={("P", "folio_expected_refs"): ((None, error),)})
    assert ran.rc == (-ENOMEM if error == "ENOMEM" else 1)
    assert (ran.passes, ran.counts) == ([10 if error == "EAGAIN" else 1], {F: 1})
    assert len(ran.left) == 1
    assert ran.world.folio(PFN).mapcount == 1


LOCKER = (locker("locker", "P", 0), "P", [None, WAITED])


@pytest.mark.parametrize(
    ("trouble", "mode", "rc", "passes"),
    [
        ("writeback", MIGRATE_SYNC, 0, 4),
        ("writeback", MIGRATE_ASYNC, 1, 1),
        ("locked", MIGRATE_SYNC, 0, 4),
        ("locked", MIGRATE_ASYNC, 1, 10),
    ],
)
def test_writeback_and_a_lock_are_waited_for_from_the_fourth_pass_on(trouble, mode, rc, passes):
    written = trouble == "writeback"
    ran = migrate("base", page(writeback=written), cast=() if written else [LOCKER], mode=mode)
    assert (ran.rc, ran.passes) == (rc, [passes])
    assert not rc or ran.world.folio(PFN).writeback == written


@pytest.mark.parametrize("mapped", [1, 0])
def test_a_moved_page_keeps_what_is_known_about_it(mapped):
    """One that was not mapped stays in the batch."""
    ran = migrate("base", page(referenced=True, dirty=False, active=True, pte_maps=mapped))
    pfn = ran.world.find("P", 0)
    moved = ran.world.folio(pfn)
    assert (moved.referenced, moved.dirty, moved.active) == (True, False, True)
    assert (moved.refcount, moved.mapcount, moved.lru) == (2, mapped, bool(mapped))
    assert not ran.world.in_cma(pfn)


# -- destinations


@pytest.mark.parametrize("mode", [MIGRATE_SYNC, MIGRATE_ASYNC])
@pytest.mark.parametrize("version", ["base", "v1", "v3fix", "6.12"])
@pytest.mark.parametrize("seed", range(6))
def test_the_counters_say_what_the_steps_have_done(seed, version, mode):
    """Destinations and errors by the toss of a coin; the steps are counted one by one."""
    torn = {"deferred_split": True, "pmd_maps": 0, "pte_maps": 2}
    folios = (thp(), page("P"), isolated("B", kind=ANON, cached=False, **torn), page("Q"))
    world = memory(*folios, targets_huge="either", targets_base="either", faults=FAULTS)
    world.env = environment(VERSIONS[version], world.env)
    from_ = [Page(pfn, each.nr_pages) for pfn, each in world.folios.items()]
    left = []

    def path():
        left[:] = from_
        steps = VERSIONS[version].migrate_pages
        rc = yield from steps(left, mode, MR_LONGTERM_PIN, VERSIONS[version])
        return rc

    loaded = {"me:ok": 4}
    trace = record(Scenario("ledger", world, (Actor("me", path),)), coin(seed, loaded))
    counted = dict.fromkeys((S, TS, "thp_migration_split"), 0)
    for position, event in enumerate(trace.events):
        if event.site == "move.freed":
            nr = trace.state(position).world.folio(event.op.args[0]).nr_pages
            counted[S] += nr
            counted[TS] += nr > 1
        counted["thp_migration_split"] += event.site == "split.end" and event.notes["ret"] == 0
    after = trace.last.world
    after.check()
    assert {name: after.vmstat[name] for name in counted} == counted
    still = [pfn for pfn, each in after.folios.items() if ISOLATION in dict(each.held)]
    assert sorted(each.pfn for each in left) == sorted(still)
    assert {each.migration_entries for each in after.folios.values()} == {(0, 0)}
    visits = [(e.notes["round_"], e.notes["pass_"]) for e in trace.events if e.site == "visit"]
    ended = [e.notes["ended"] for e in trace.events if e.notes.get("ended")]
    assert not ended or ended[-1] >= max(visits)
    codes = [event.notes["rc"] for event in trace.events if event.site == "move.done"]
    moves = [event.op.kind.name for event in trace.events].count("folio_migrate_mapping")
    assert codes.count(0) == moves
    rc, failed = trace.results["me"], [each for each in left if each in from_]
    if version == "6.12" and rc >= 0:
        assert rc == (len(failed) + counted["thp_migration_split"] if left else 0)
