"""migrate_pages() of 6.1 and 6.12 where no vector looks: errors, modes, flags, order, counters."""

import pytest
from coin import coin
from small import NR, PFN, isolated, migrate

from mmsim.constants import ANON, MIGRATE_ASYNC, MIGRATE_SYNC
from mmsim.errno import ENOMEM
from mmsim.evidence.vectors import run_migrate_pages
from mmsim.mm.folio import ISOLATION, NEW_PAGE
from mmsim.mm.versions import V6_12
from mmsim.scenarios.script import Script, Scripted

SUCCESS, FAIL = "pgmigrate_success", "pgmigrate_fail"
THP_SUCCESS, THP_FAIL = "thp_migration_success", "thp_migration_fail"
THP_SPLIT = "thp_migration_split"
ANYTHING = {
    "targets_huge": "either",
    "targets_base": "either",
    "faults": ("folio_expected_refs",),
}


def page(name="P", **fields):
    return isolated(name, 0, **fields)


@pytest.mark.parametrize("error", ["EBUSY", "EINVAL", "EAGAIN", "ENOSYS", "ENOMEM"])
def test_what_becomes_of_an_error_of_the_move(error):
    script = Script(faults={("P", "folio_expected_refs"): ((None, error),)})
    ran = migrate("v3", page(), scheduler=Scripted("migrate", script), **ANYTHING)
    assert ran.rc == (-ENOMEM if error == "ENOMEM" else 1)
    assert (len(ran.visits), ran.counts) == (10 if error == "EAGAIN" else 1, {FAIL: 1})
    assert len(ran.left) == ran.world.folio(PFN).mapcount == 1


@pytest.mark.parametrize("mapped", [1, 0])
def test_a_moved_page_keeps_what_is_known_about_it(mapped):
    """One that was not mapped stays in the batch."""
    ran = migrate("base", page(referenced=True, dirty=False, active=True, pte_maps=mapped))
    pfn = ran.world.find("P", 0)
    moved = ran.world.folio(pfn)
    assert (moved.referenced, moved.dirty, moved.active) == (True, False, True)
    assert (moved.refcount, moved.mapcount, moved.lru) == (2, mapped, bool(mapped))
    assert not ran.world.in_cma(pfn)


WRITTEN, LOCKED, NO_HUGE = {"writeback": True}, {"locked_by": "s"}, {"targets_huge": "none"}
SPLIT = {SUCCESS: NR, THP_FAIL: 1, THP_SPLIT: 1, "thp_split_page": 1, "thp_split_pmd": 1}
# version, orders, what is the matter, its folios, result, (round, try) of each visit, counters
ASYNC = [
    ("base", [0], {}, WRITTEN, 1, [(1, 0)], {FAIL: 1}),
    ("base", [0], {}, LOCKED, 1, [(1, n) for n in range(10)], {FAIL: 1}),
    ("6.12", [0], {}, WRITTEN, 1, [(1, 0)], {FAIL: 1}),
    ("6.12", [2], {}, WRITTEN, 1, [(1, 0)], {FAIL: 4, THP_FAIL: 1}),
    ("6.12", [2], NO_HUGE, {}, 0, [(1, 0), *[(2, 0)] * 4], SPLIT),
    ("6.12", [2], {}, {"deferred_split": True}, 0, [(2, 0)] * 4, SPLIT),
    # Without memory for a huge page that can't be split the call ends.
    ("6.12", [9, 9, 9], NO_HUGE, WRITTEN, -ENOMEM, [(1, 0)], {FAIL: 512, THP_FAIL: 1}),
]


@pytest.mark.parametrize(("version", "orders", "env", "fields", "rc", "visits", "counts"), ASYNC)
def test_without_sleeping_nothing_is_waited_for(version, orders, env, fields, rc, visits, counts):
    folios = [isolated(f"F{n}", order, **fields) for n, order in enumerate(orders)]
    ran = migrate(version, *folios, mode=MIGRATE_ASYNC, **env)
    assert (ran.rc, ran.visits, len(ran.left)) == (rc, visits, len(orders) if rc else 0)
    assert ran.counts == counts
    assert all(each.notes["rc"] <= 0 for each in ran.trace.events if each.site == "move.done")


@pytest.mark.parametrize(("passes", "last"), [(10, 3), (1, 1)])
def test_in_6_12_the_tries_that_sleep_come_after_three_of_ten(passes, last):
    ran = migrate("6.12", page(writeback=True), passes=passes)
    assert (ran.rc, ran.visits, ran.counts) == (0, [(1, 0), (1, last)], {SUCCESS: 1})


@pytest.mark.parametrize("mode", [MIGRATE_SYNC, MIGRATE_ASYNC])
@pytest.mark.parametrize("version", ["base", "v1", "v3fix", "6.12"])
@pytest.mark.parametrize("seed", range(6))
def test_the_counters_say_what_the_steps_have_done(seed, version, mode):
    """Destinations and errors by the toss of a coin; the steps are counted one by one."""
    torn = {"deferred_split": True, "pmd_maps": 0, "pte_maps": 2}
    folios = isolated(), page(), isolated("B", kind=ANON, cached=False, **torn), page("Q")
    tossed = coin(seed, {"migrate:ok": 4})
    ran = migrate(version, *folios, scheduler=tossed, mode=mode, **ANYTHING)
    counted = dict.fromkeys((SUCCESS, THP_SUCCESS, THP_SPLIT), 0)
    for position, event in enumerate(ran.trace.events):
        if event.site == "move.freed":
            nr = ran.trace.state(position).world.folio(event.op.args[0]).nr_pages
            counted[SUCCESS] += nr
            counted[THP_SUCCESS] += nr > 1
        counted[THP_SPLIT] += event.site == "split.end" and event.notes["ret"] == 0
    assert {name: ran.world.vmstat[name] for name in counted} == counted
    names = [event.op.kind.name for event in ran.trace.events]
    codes = [event.notes["rc"] for event in ran.trace.events if event.site == "move.done"]
    assert codes.count(0) == names.count("folio_migrate_mapping")
    holders = {pfn: dict(each.held) for pfn, each in sorted(ran.world.folios.items())}
    isolated_ = [pfn for pfn, held in holders.items() if ISOLATION in held]
    assert sorted(each.pfn for each in ran.left) == isolated_
    assert not any(NEW_PAGE in held for held in holders.values())
    assert {each.migration_entries for each in ran.world.folios.values()} == {(0, 0)}
    if version == "6.12" and ran.rc >= 0:
        given = {(pfn, each.nr_pages) for pfn, each in ran.trace.state(0).world.folios.items()}
        whole = given.intersection(ran.left)
        assert ran.rc == (len(whole) + counted[THP_SPLIT] if ran.left else 0)


# -- the order of 6.12


def test_a_batch_is_unmapped_first_and_moved_afterwards_and_a_huge_page_closes_it():
    ran = migrate("6.12", *(isolated(f"F{n}", order) for n, order in enumerate((0, 0, 9, 0))))
    steps = [
        (event.site, ran.trace.state(0).world.folio(event.op.args[0]).name)
        for event in ran.trace.events
        if event.site in ("move.unmap", "move.freeze")
    ]
    first = [(site, f"F{n}") for site in ("move.unmap", "move.freeze") for n in range(3)]
    assert steps == [*first, ("move.unmap", "F3"), ("move.freeze", "F3")]
    assert sum(e.op.kind.name == "folio_test_partially_mapped" for e in ran.trace.events) == 1


def test_no_memory_for_a_page_puts_the_pieces_back_untried():
    """P is locked in the first try and has no destination in the second, when A is split."""
    script = {
        "locks": [{"folio": "P", "until": "waited_for"}],
        "targets": [{"folio": "P", "fail_attempts": [1]}, {"folio": "A", "fail_attempts": "all"}],
    }
    setup = {"folios": [{"name": "P", "order": 0}, {"name": "A", "order": 9}]}
    operation = {"list": ["P", "A"], "reason": "longterm_pin"}
    vector = {"setup": setup, "script": script, "operation": operation}
    found = run_migrate_pages(vector, V6_12, {})
    assert (found["rc"], found["left"]) == ("ENOMEM", 513)
    assert found["counters"][SUCCESS] == 0
