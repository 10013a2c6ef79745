"""The loop of Linux 6.12: where no vector looks.

The decision tables are vectors (data/conformance/today) and measured rows (tests/evidence)."""

from __future__ import annotations

import pytest
from small import NR, isolated, memory

from mmsim.constants import MIGRATE_ASYNC, MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.errno import ENOMEM
from mmsim.evidence.vectors import run_migrate_pages
from mmsim.mm.folio import NEW_PAGE, Page
from mmsim.mm.versions import V6_12
from mmsim.scenarios.script import Script, Scripted


def called(*orders, mode=MIGRATE_SYNC, writeback=False, deferred_split=False, passes=10, **env):
    """(result, what is left, trace) of one call on isolated folios of these orders."""
    fields = {"writeback": writeback, "deferred_split": deferred_split}
    folios = [isolated(f"F{n}", order, **fields) for n, order in enumerate(orders)]
    world, left = memory(*folios, in_cma=False, **env), []

    def path():
        left[:] = [Page(pfn, each.nr_pages) for pfn, each in world.folios.items()]
        version = V6_12._replace(passes=passes)
        rc = yield from V6_12.migrate_pages(left, mode, MR_LONGTERM_PIN, version)
        return rc

    trace = record(Scenario("call", world, (Actor("me", path),)), Scripted("me", Script()))
    trace.last.world.check()
    assert NEW_PAGE not in {who for f in trace.last.world.folios.values() for who, _ in f.held}
    return trace.results["me"], tuple(left), trace


def test_a_batch_is_unmapped_first_and_moved_afterwards_and_a_huge_page_closes_it():
    _, _, trace = called(0, 0, 9, 0)
    steps = [
        (event.site, trace.state(0).world.folio(event.op.args[0]).name)
        for event in trace.events
        if event.site in ("move.unmap", "move.freeze")
    ]
    first = [(site, f"F{n}") for site in ("move.unmap", "move.freeze") for n in range(3)]
    assert steps == [*first, ("move.unmap", "F3"), ("move.freeze", "F3")]


FAIL, SUCCESS = "pgmigrate_fail", "pgmigrate_success"
THP_FAIL, THP_SPLIT = "thp_migration_fail", "thp_migration_split"
WRITEBACK, NO_HUGE = {"writeback": True}, {"targets_huge": "none"}
# orders, mode, what is the matter, result, (round, try) of each visit, counters
CALLS = [
    ((0,), MIGRATE_ASYNC, WRITEBACK, 1, [(1, 0)], {FAIL: 1}),
    ((2,), MIGRATE_ASYNC, WRITEBACK, 1, [(1, 0)], {FAIL: 4, THP_FAIL: 1}),
    ((0,), MIGRATE_SYNC, WRITEBACK, 0, [(1, 0), (1, 3)], {SUCCESS: 1}),
    ((0,), MIGRATE_SYNC, WRITEBACK | {"passes": 1}, 0, [(1, 0), (1, 1)], {SUCCESS: 1}),
    (
        *((2,), MIGRATE_ASYNC, NO_HUGE, 0, [(1, 0), *[(2, 0)] * 4]),
        {SUCCESS: 4, THP_FAIL: 1, THP_SPLIT: 1},
    ),
    ((9, 9, 9), MIGRATE_ASYNC, WRITEBACK | NO_HUGE, -ENOMEM, [(1, 0)], {FAIL: 512, THP_FAIL: 1}),
]


@pytest.mark.parametrize(("orders", "mode", "matter", "rc", "visits", "counts"), CALLS)
def test_without_sleeping_nothing_is_waited_for(orders, mode, matter, rc, visits, counts):
    """And a call without memory for a huge page that can't be split ends there."""
    got, left, trace = called(*orders, mode=mode, **matter)
    assert (got, len(left)) == (rc, len(orders) if rc else 0)
    found = [(e.notes["round_"], e.notes["pass_"]) for e in trace.events if e.site == "visit"]
    assert found == visits
    vmstat = trace.last.world.vmstat
    assert {name: n for name, n in vmstat.items() if "migrat" in name and n} == counts


def test_a_huge_page_on_the_deferred_split_queue_is_split_before_anything_else():
    rc, left, trace = called(2, deferred_split=True)
    assert (rc, left) == (0, ())
    sites = [event.site for event in trace.events if event.site in ("split.end", "move.freed")]
    assert sites == ["split.end", *["move.freed"] * NR]
    counted = trace.last.world.vmstat
    assert (counted["thp_migration_split"], counted["thp_migration_fail"]) == (1, 1)


def migrated(folios, **script):
    """What a vector's call on all of its folios gives."""
    names = [folio["name"] for folio in folios]
    vector = {"setup": {"folios": folios}, "script": script}
    vector["operation"] = {"list": names, "reason": "longterm_pin"}
    return run_migrate_pages(vector, V6_12, {})


def test_no_memory_for_a_page_puts_the_pieces_back_untried():
    """P is locked in the first try and has no destination in the second, when A is split."""
    found = migrated(
        [{"name": "P", "order": 0}, {"name": "A", "order": 9}],
        locks=[{"folio": "P", "until": "waited_for"}],
        targets=[{"folio": "P", "fail_attempts": [1]}, {"folio": "A", "fail_attempts": "all"}],
    )
    assert (found["rc"], found["left"]) == ("ENOMEM", 513)
    assert found["counters"]["pgmigrate_success"] == 0
