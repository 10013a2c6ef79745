"""The loop of Linux 6.12: what its vectors do not say, and what its policies change.

The decision tables are vectors (data/conformance/today) and measured rows (tests/evidence)."""

from __future__ import annotations

import csv

import pytest
from small import NR

from mmsim import datafiles
from mmsim.constants import MIGRATE_ASYNC, MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.errno import ENOMEM
from mmsim.evidence.vectors import run_migrate_pages
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Folio, Page
from mmsim.mm.versions import TODAY
from mmsim.mm.world import World
from mmsim.scenarios import make
from mmsim.scenarios.script import Script, Scripted
from mmsim.scenarios.situation import MISSED, NOT_SPLIT

RETRY_ASYNC, RETRY_SYNC = "6.12-subpage_retry", "6.12-subpage_retry_sync"
FIRST = 0x40000


def called(*orders, mode=MIGRATE_SYNC, writeback=False, deferred_split=False, passes=10, **env):
    """(result, what is left, trace) of one call on isolated folios of these orders."""
    world = World()
    world.env = world.env._replace(**env)
    pages = []
    for number, order in enumerate(orders):
        name, pfn = f"F{number}", FIRST + number * 512
        held = ((ISOLATION, 1),)
        folio = Folio(name, name, 0, order, held=held, lru=False)
        folio = folio._replace(writeback=writeback, deferred_split=deferred_split)
        maps = {"pmd_maps": 1} if order else {"pte_maps": 1}
        folio = folio._replace(**maps)
        world.add(pfn, folio._replace(refcount=folio.cache_refs + 2))
        pages.append(Page(pfn, 1 << order))

    def path():
        left = list(pages)
        version = TODAY._replace(passes=passes)
        rc = yield from TODAY.migrate_pages(left, mode, MR_LONGTERM_PIN, version)
        return rc, tuple(left)

    trace = record(Scenario("call", world, (Actor("me", path),)), Scripted("me", Script()))
    rc, left = trace.results["me"]
    trace.last.world.check()
    assert NEW_PAGE not in {who for f in trace.last.world.folios.values() for who, _ in f.held}
    return rc, left, trace


def test_a_batch_is_unmapped_first_and_moved_afterwards_and_a_huge_page_closes_it():
    _, _, trace = called(0, 0, 9, 0)
    steps = [
        (event.site, (event.op.args[0] - FIRST) // 512)
        for event in trace.events
        if event.site in ("move.unmap", "move.freeze")
    ]
    first = [("move.unmap", 0), ("move.unmap", 1), ("move.unmap", 2)]
    first += [("move.freeze", 0), ("move.freeze", 1), ("move.freeze", 2)]
    assert steps == [*first, ("move.unmap", 3), ("move.freeze", 3)]


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
    return run_migrate_pages(vector, TODAY, {})


def test_no_memory_for_a_page_puts_the_pieces_back_untried():
    """P is locked in the first try and has no destination in the second, when A is split."""
    found = migrated(
        [{"name": "P", "order": 0}, {"name": "A", "order": 9}],
        locks=[{"folio": "P", "until": "waited_for"}],
        targets=[{"folio": "P", "fail_attempts": [1]}, {"folio": "A", "fail_attempts": "all"}],
    )
    assert (found["rc"], found["left"]) == ("ENOMEM", 513)
    assert found["counters"]["pgmigrate_success"] == 0


# -- policies on today's loop, in the smallest race with drop_caches


@pytest.fixture(scope="module")
def odds():
    """Version -> outcome -> its odds, for one huge page of two pages and two tries."""
    names = ("6.12", RETRY_ASYNC, RETRY_SYNC, "6.12-wait")
    found = {}
    for name in names:
        situation = make("pin_versus", name, {"order": 1, "passes": 2})
        ends = situation.explore().outcomes(situation.outcome)
        found[name] = {end.name: end.odds for end in ends}
        assert sum(found[name].values()) == 1
    return found


@pytest.mark.slow
def test_more_tries_for_pieces_help_in_the_measured_order(odds):
    path = datafiles.path("kernel-runs/k612/k612_s4_pieces_counterfactual.csv")
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["n_units_2mib"] == "8"]
    rows = [row for row in rows if row["dc_gap_us"] == "0"]
    failed = [sum(r["pin_errno"] != "0" for r in rows if r["pieces"] == kind) for kind in "012"]
    assert failed == [226, 17, 0]
    missed = [odds[name][MISSED] for name in ("6.12", RETRY_ASYNC, RETRY_SYNC)]
    assert missed == sorted(missed, reverse=True)
    assert len(set(missed)) == 3


def test_to_wait_or_drain_helps_the_huge_page_and_not_its_pieces(odds):
    assert odds["6.12-wait"][NOT_SPLIT] < odds["6.12"][NOT_SPLIT]
    assert odds["6.12-wait"][MISSED] == odds["6.12"][MISSED]
    for name in (RETRY_ASYNC, RETRY_SYNC):
        assert odds[name][NOT_SPLIT] == odds["6.12"][NOT_SPLIT]
