"""VFIO's map against others: the run of the knobs, the outcomes and their names, every order.

Golden counts: a changed count means that the model's meaning changed, and the commit must say how.
"""

from __future__ import annotations

import csv
from functools import cache

import pytest
from small import sound

from mmsim import datafiles
from mmsim.engine.schedule import render
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SMALL, pin_versus
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NOT_MOVED, NOT_SPLIT, why_failed

MAPPED = "mapped"
LATER = ("v1", "v2", "v3", "v3fix")


def end_of(version="v3", **knobs):
    situation = pin_versus(version, **{"order": 1, **knobs})
    trace = situation.run()
    trace.last.world.check()
    return situation, trace, situation.outcome(trace.last)


def moved(trace):
    return {name: n for name, n in trace.last.world.vmstat.items() if n}


# -- the run without a schedule


@pytest.mark.parametrize(
    ("version", "order"), [*((version, 1) for version in VERSIONS), ("base", 9), ("v3", 9)]
)
def test_drop_caches_between_unlock_and_release_is_what_the_patch_outwaits(version, order):
    _, trace, outcome = end_of(version, order=order)
    says = {"base": NOT_SPLIT, "6.1.0": NOT_SPLIT, "2/2-only": ALL_MOVED}
    assert outcome == says.get(version, MAPPED)
    assert moved(trace)["thp_split_page_failed"] == 1
    assert moved(trace)["drop_pagecache"] == 1


def test_when_they_come_and_leave():
    for released, refused, ends in (
        ("1", 1, MAPPED), ("4", 4, MAPPED), ("9", 9, MAPPED), ("never", 10, NOT_SPLIT)
    ):  # fmt: skip
        _, trace, outcome = end_of("v3", released=released)
        assert (outcome, moved(trace)["thp_split_page_failed"]) == (ends, refused)
    # At that time the pin has the lock.  drop_caches passes over, but has looked the page up.
    _, trace, outcome = end_of("v3", taken="0.split.check")
    assert (outcome, moved(trace)["thp_split_page_failed"]) == (MAPPED, 1)
    assert "folio_batch_add" not in [event.op.kind.name for event in trace.events]


# -- names of failures


def test_what_counts_when_several_things_went_wrong():
    # All of A moved, base fails all the same, and B was never tried.
    assert end_of("base", thps=2, against="nobody")[2] == ALL_MOVED
    situation = pin_versus("v3", order=1, thps=3)
    for refused, pieces, says in (
        (0, "", NOT_MOVED), (0, "A", MISSED), (1, "", NOT_SPLIT),
        (1, "A", MISSED),  # where the pin gave up; nobody came to B and C
    ):  # fmt: skip
        world = situation.initial().world
        world.vmstat.update(pgmigrate_fail=1, thp_split_page_failed=refused)
        for region in pieces:
            pfn = world.find(region, 0)
            whole = world.detach(pfn)
            for index in range(whole.nr_pages):
                piece = {"name": f"{region}[{index}]", "index": index, "order": 0}
                world.add(pfn + index, whole._replace(**piece))
        assert why_failed(world, -12, situation.aim) == says


# -- every order of the steps

GOLDEN = {
    "base": (5_889, 11_163),
    "6.1.0": (6_939, 13_191),
    "v1": (7_812, 14_778),
    "v2": (7_812, 14_778),
    "v3": (7_812, 14_778),
    "v3fix": (7_812, 14_778),
    "2/2-only": (6_627, 12_510),
    "6.12": (8_569, 16_228),
}


@cache
def ends(version):
    """What a search through every order says: states, edges, outcomes by their names."""
    found = pin_versus(version, **SMALL).explore()
    if version in VERSIONS:
        sound(found)
    outcomes = {outcome.name: outcome for outcome in found.outcomes(found.scenario.outcome)}
    return found.states, found.edges, outcomes


@pytest.mark.parametrize("version", VERSIONS)
def test_every_order_of_the_small_variant(version):
    """The round that the patch does not touch fails the pin in every version."""
    states, edges, outcomes = ends(version)
    assert (states, edges) == GOLDEN[version]
    good = MAPPED if version in (*LATER, "6.1.0", "6.12") else ALL_MOVED
    assert set(outcomes) == {NOT_SPLIT, MISSED, good}
    missed = pin_versus(version, **SMALL).replay(render(outcomes[MISSED].shortest))
    assert moved(missed)["thp_split_page"] == 1
    assert "thp_split_page_failed" not in moved(missed)
    assert (moved(missed)["pgmigrate_success"], moved(missed)["pgmigrate_fail"]) == (1, 1)


@pytest.mark.parametrize("version", ["base", "v3", "6.12"])
@pytest.mark.parametrize("targets", ["none", "available"])
def test_whoever_finds_a_page_that_is_being_moved_waits(version, targets):
    """One process maps a page once, in every order of the steps.  Until its move is over, the page
    cache has the destination, which is locked, and the mappings are still those of the source."""
    against = ("fault", "direct_io")
    found = pin_versus(version, **SMALL, against=against, targets=targets).explore()
    sound(found)
    for _, state in found.walk():
        assert all(folio.mapcount < 2 for folio in state.world.folios.values())


def test_the_patch_changes_one_way_to_fail_and_not_the_other():
    """Exactly the same odds of a missed piece, whatever the version; a refused split is rarer.

    base fails also when everything went well: the companion patch."""
    odds = {version: ends(version)[2] for version in VERSIONS if version != "6.12"}
    assert len({each[MISSED].odds for each in odds.values()}) == 1
    before, after = ("base", "6.1.0"), (*LATER, "2/2-only")
    refused = [{odds[version][NOT_SPLIT].odds for version in each} for each in (before, after)]
    assert [len(each) for each in refused] == [1, 1]
    assert refused[1].pop() * 100 < refused[0].pop()


# -- policies on today's loop

RETRIES = ("6.12", "6.12-subpage_retry", "6.12-subpage_retry_sync")


def odds_of(name, *versions):
    return [ends(version)[2][name].odds for version in versions]


@pytest.mark.slow
def test_more_tries_for_pieces_help_in_the_measured_order():
    path = datafiles.path("kernel-runs/k612/k612_s4_pieces_counterfactual.csv")
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["n_units_2mib"] == "8"]
    rows = [row for row in rows if row["dc_gap_us"] == "0"]
    failed = [sum(r["pin_errno"] != "0" for r in rows if r["pieces"] == kind) for kind in "012"]
    assert failed == [226, 17, 0]
    first, second, third = odds_of(MISSED, *RETRIES)
    assert first > second > third
    assert len({*odds_of(NOT_SPLIT, *RETRIES)}) == 1


def test_to_wait_helps_the_huge_page_and_not_its_pieces():
    waits, usual = odds_of(NOT_SPLIT, "6.12-wait", "6.12")
    assert waits < usual
    assert len({*odds_of(MISSED, "6.12-wait", "6.12")}) == 1
