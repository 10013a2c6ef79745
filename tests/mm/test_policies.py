"""Policies: rows beside the versions, what they change and what they leave alone."""

from __future__ import annotations

import pytest

from mmsim.engine.scenario import Move
from mmsim.engine.schedule import render
from mmsim.evidence.vectors import run_gup
from mmsim.mm.policies import GIVE_UP, WAIT_LOOKS
from mmsim.mm.versions import V3FIX, get
from mmsim.scenarios import vfio_map

HUGE = {"folios": [{"name": "A", "order": 9}]}
SINGLE = {"folios": [{"name": "P", "order": 0, "batch": "deactivate_file"}]}


def pin(row, setup, script, pages):
    operation = {"op": "pin_longterm", "range": pages, "write": True}
    vector = {"setup": setup, "script": script, "operation": operation}
    return run_gup(vector, row, {"folios": {}})


def piece_held(until):
    """Piece 5 of A is referred to from the beginning of round 2; until which pass of it."""
    moment = {"round": 2, "site": "alloc"}
    holder = {"folio": "A[5]", "from": {**moment, "pass": 0}}
    if until is not None:
        holder["to"] = {**moment, "pass": until}
    return {"order9_targets": "none", "strangers": [holder]}


@pytest.mark.parametrize(
    ("version", "until", "pinned", "passes"),
    [
        ("v3fix", 1, False, 1),
        ("subpage_retry", 1, True, 2),
        ("subpage_retry", 9, True, 10),
        ("subpage_retry", None, False, 10),
        ("drain", 1, True, 2),
        ("drain", 2, False, 2),
        ("wait", 9, True, 10),
        ("wait", None, False, 10),
    ],
)
def test_a_busy_piece(version, until, pinned, passes):
    """The round that the patch does not touch: a piece has one pass, with a policy it has more."""
    found = pin(get(version), HUGE, piece_held(until), ["A"])
    assert found["calls"][0]["result"] == (512 if pinned else "ENOMEM")
    assert found["pages_in_cma_after"] == (0 if pinned else 1)
    assert found["refused"]["move of a page"] == passes - pinned


@pytest.mark.parametrize(
    ("version", "pinned", "drains"),
    [("v3fix", False, 0), ("subpage_retry", False, 0), ("wait", False, 0), ("drain", True, 1)],
)
def test_a_page_in_a_batch_that_nobody_drains(version, pinned, drains):
    """PG_lru is set, so the pin sees no reason to drain; only the policy does."""
    found = pin(get(version), SINGLE, {}, ["P"])
    assert found["calls"][0]["result"] == (1 if pinned else "ENOMEM")
    assert found["calls"][0]["lru_drains"] == drains


@pytest.mark.parametrize("version", ["v3", "6.12"])
@pytest.mark.parametrize(
    ("setup", "script", "whats"),
    [
        (HUGE, {"strangers": [{"folio": "A"}]}, {"huge page"}),
        (HUGE, piece_held(None), {"piece"}),
        (SINGLE, {"strangers": [{"folio": "P"}]}, {"single page"}),
    ],
)
def test_a_policy_is_told_what_is_tried_and_how_often(version, setup, script, whats):
    told = []
    row = get(version)._replace(policy=lambda attempt: told.append(attempt) or attempt.usual)
    pin(row, setup, script, [setup["folios"][0]["name"]])
    assert {each.what for each in told} == whats
    assert {each.code for each in told} == {"-EAGAIN"}
    tries = [each.tries for each in told]
    assert tries == ([1] if whats == {"piece"} else [*range(1, 11)])
    last = "give up" if version == "6.12" or whats == {"piece"} else "try again"
    assert [each.usual for each in told] == [*["try again"] * (len(told) - 1), last]


def looks(trace):
    return [event.op.kind.name for event in trace.events].count("folio_expected_ref_count")


def test_a_wait_is_bounded():
    trace = vfio_map("wait", order=2).run()
    assert looks(trace) == 10 * WAIT_LOOKS
    assert trace.results["pin"] == -12
    assert trace.last.world.vmstat["thp_split_page_failed"] == 10


@pytest.mark.parametrize(("setup", "pages"), [(HUGE, ["A"]), (SINGLE, ["P"])])
def test_giving_up_a_busy_page_is_a_failure(setup, pages):
    """It used to be forgotten: migrate_pages() returned 0 with the page still on its list."""
    row = V3FIX._replace(name="own", policy=lambda attempt: GIVE_UP)
    found = pin(row, setup, {"strangers": [{"folio": pages[0]}]}, pages)
    (call,) = found["calls"]
    assert call["result"] == "ENOMEM"
    assert found["counters"]["pgmigrate_fail"] == (512 if setup is HUGE else 1)
    assert found["counters"]["thp_migration_fail"] == (1 if setup is HUGE else 0)


def test_a_wait_ends_when_the_reference_has_gone():
    situation = vfio_map("wait", order=2, released=9)
    second = situation.run().find("folio_expected_ref_count") + 1
    trace = situation.replay(f"{render(situation.run().moves[:second])} holder")
    while situation.moves(trace.last):
        trace.append(Move("pin"))
    assert looks(trace) == 3
    assert trace.results["pin"] == 4
    assert trace.last.world.vmstat["thp_split_page_failed"] == 1
