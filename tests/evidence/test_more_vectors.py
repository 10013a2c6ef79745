"""Vectors worked out from the text of the format, where the public ones leave something open."""

from __future__ import annotations

import copy
import json

import pytest
from own import folio

from mmsim import datafiles
from mmsim.evidence.vectors import VectorFileError, check_file
from mmsim.scenarios.script import ROUNDS_MAX

MIGRATE = {"op": "migrate_pages", "list": ["A"], "reason": "longterm_pin", "mode": "sync"}
PIN = {"op": "pin_longterm", "write": True}
CALL = {"result": 1, "rounds": 1, "migrate_calls": 0, "lru_drains": 0}


def at(pass_, site, **more):
    return {"pass": pass_, "site": site, **more}


def test_truncation_before_the_freeze_of_a_move_takes_the_mappings_for_good(differences):
    assert not differences(
        "migrate_pages",
        {"folios": [folio()]},
        MIGRATE,
        {
            "rc": 0,
            "left": 0,
            "passes": [2],
            "counters": {"pgmigrate_success": 512, "thp_migration_success": 1},
            "folios": {"A": {"freed": True}},
        },
        {"events": [{"folio": "A", "at": at(0, "move_freeze"), "do": "truncate"}]},
    )


def test_two_errors_of_one_move_at_different_attempts(differences):
    assert not differences(
        "migrate_pages",
        {"folios": [folio("A", 0)]},
        MIGRATE,
        {"rc": 1, "left": 1, "passes": [2], "counters": {"pgmigrate_fail": 1}},
        {
            "faults": [
                {"folio": "A", "kind": "move_error", "errno": "EAGAIN", "attempts": [0]},
                {"folio": "A", "kind": "move_error", "errno": "EBUSY", "attempts": [1]},
            ]
        },
    )


def test_a_lock_that_is_never_given_back_stops_only_who_tries(differences):
    assert not differences(
        "migrate_pages",
        {"folios": [folio("A", 0), folio("Q", 0)]},
        {**MIGRATE, "list": ["A", "Q"]},
        {
            "rc": "ENOMEM",
            "left": 2,
            "passes": [1],
            "counters": {"pgmigrate_fail": 2},
        },
        {
            "locks": [{"folio": "A", "until": "never"}],
            "targets": [{"folio": "Q", "fail_attempts": "all"}],
        },
    )


def test_the_touch_of_every_round_adds_up(differences):
    """First touch: referenced.  Second, after the move: queued, one reference more."""
    assert not differences(
        "gup",
        {"folios": [folio("P", 0)]},
        {"op": "pin_longterm", "range": ["P"], "write": True},
        {
            "calls": [{"result": 1, "rounds": 2, "migrate_calls": 1, "lru_drains": 0}],
            "counters": {
                "nr_foll_pin_acquired": 2,
                "nr_foll_pin_released": 1,
                "pgmigrate_success": 1,
            },
            "pages_in_cma_after": 0,
            "folios": {
                "P": {"split": False, "mapcount": 1, "in_cma": False, "pins": 1, "ref_min": 1026}
            },
        },
    )


def test_a_referenced_page_is_defeated_by_the_pin_itself(differences):
    assert not differences(
        "gup",
        {"folios": [folio("P", 0, referenced=True)]},
        {"op": "pin_longterm", "range": ["P"], "write": True},
        {
            "calls": [{"result": "ENOMEM", "rounds": 1, "migrate_calls": 1, "lru_drains": 0}],
            "counters": {
                "nr_foll_pin_acquired": 1,
                "nr_foll_pin_released": 1,
                "pgmigrate_fail": 1,
            },
            "pages_in_cma_after": 1,
        },
    )


def test_part_of_a_huge_page_in_cma_is_pinned(differences):
    assert not differences(
        "gup",
        {"folios": [folio()]},
        {"op": "pin_longterm", "range": [{"folio": "A", "pages": 7}], "write": True},
        {
            "calls": [{"result": 7, "rounds": 2, "migrate_calls": 1, "lru_drains": 0}],
            "counters": {
                "nr_foll_pin_acquired": 14,
                "nr_foll_pin_released": 7,
                "pgmigrate_success": 512,
                "thp_migration_success": 1,
            },
            "pages_in_cma_after": 0,
            "folios": {
                "A": {"split": False, "ref": 520, "mapcount": 1, "in_cma": False, "pincount": 7}
            },
        },
    )


# -- allocator: which pages look movable


def alloc(order, migratetype, **more):
    return {"do": "alloc", "order": order, "migratetype": migratetype, **more}


@pytest.mark.parametrize(
    ("own", "first"),
    [
        ("RECLAIMABLE", alloc(8, "RECLAIMABLE")),
        ("UNMOVABLE", alloc(8, "UNMOVABLE")),
        ("MOVABLE", alloc(8, "MOVABLE", pin_scope=True)),
    ],
)
def test_pages_that_were_just_handed_out_do_not_look_movable(differences, own, first):
    """They are on no LRU list: 16 free pages and none alike are too few to claim the pageblock."""
    left = [{"type": "MOVABLE", "order": order, "pfns": [1 << order]} for order in range(4)]
    now = "UNMOVABLE" if first.get("pin_scope") else own
    expect = {"results": [256, 0], "free_after": left, "pageblocks_after": [now]}
    setup = {"pageblocks": [own], "free": [{"pfn": 256, "order": 8}, {"pfn": 0, "order": 4}]}
    steps = {"op": "sequence", "steps": [first, alloc(0, "MOVABLE")]}
    expect |= {"nr_free_after": 15, "nr_free_cma_after": 0}
    assert differences("allocator", setup, steps, expect) == []


def test_a_page_that_is_freed_is_none_of_those_that_look_movable(differences):
    """129 free and 127 alike are just enough."""
    setup = {"pageblocks": ["UNMOVABLE"], "free": [{"pfn": 128, "order": 7}]}
    setup["movable_pages"] = {"0": 127}
    steps = [{"do": "free", "pfn": 0, "order": 0}, alloc(4, "MOVABLE")]
    left = [{"type": "MOVABLE", "order": 0, "pfns": [0]}]
    left += [{"type": "MOVABLE", "order": o, "pfns": [128 + (1 << o)]} for o in (4, 5, 6)]
    expect = {"results": [None, 128], "free_after": left, "pageblocks_after": ["MOVABLE"]}
    expect |= {"nr_free_after": 113, "nr_free_cma_after": 0}
    assert differences("allocator", setup, {"op": "sequence", "steps": steps}, expect) == []


def test_free_lists_are_compared_as_sets(tmp_path):
    content = json.loads(datafiles.path("conformance/allocator.json").read_text(encoding="utf-8"))
    turned = copy.deepcopy(content)
    for vector in turned["vectors"]:
        for expect in vector["expect"]:
            for free in expect.get("free_after", ()):
                free["pfns"].reverse()
            expect.get("free_after", []).reverse()
    assert turned != content
    path = tmp_path / "turned.json"
    path.write_text(json.dumps(turned))
    assert check_file(path).mismatches == []
    wrong = next(v for v in turned["vectors"] if v["expect"][0].get("free_after"))
    wrong["expect"][0]["free_after"][0]["pfns"].append(1 << 20)
    path.write_text(json.dumps(turned))
    assert {m.field for m in check_file(path).mismatches} == {"free_after"}


# -- the lock of a piece


@pytest.mark.parametrize("until", ["waited_for", "never"])
@pytest.mark.parametrize("head", [False, True])
def test_the_lock_of_a_piece_is_not_the_lock_of_the_huge_page(differences, until, head):
    """The split waits for nobody but the holder of its own lock; then one piece misses its pass."""
    script = {"order9_targets": "none", "locks": [{"folio": "A[7]", "until": until}]}
    if head:
        script["locks"].insert(0, {"folio": "A", "until": "waited_for"})
    counters = {"thp_split_pmd": 1, "thp_split_page": 1, "thp_migration_split": 1}
    counters |= {"pgmigrate_success": 511, "pgmigrate_fail": 1, "thp_migration_fail": 1}
    expect = {"rc": 1, "left": 1, "passes": [1, 1], "counters": counters, "gup": "ENOMEM"}
    expect["folios"] = {"A": {"split": True, "subpages_in_cma": 1}}
    setup = {"folios": [{"name": "A", "order": 9}]}
    assert differences("migrate_pages", setup, MIGRATE, expect, script) == []


# -- what can't be run is said


@pytest.mark.parametrize("hidden", [{"isolated": True}, {"on_lru": False}])
def test_a_page_that_nobody_can_isolate_does_not_keep_us_for_ever(differences, hidden):
    setup = {"folios": [{"name": "P", "order": 0, **hidden}]}
    expect = {"calls": [CALL], "counters": {}, "pages_in_cma_after": 0}
    found = differences("gup", setup, {**PIN, "range": ["P"]}, expect)
    assert len(found) == 7
    assert all(f"does not end: {ROUNDS_MAX:,} rounds" in str(each) for each in found)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("A[3]", "a range begins at a folio, and A[3] is a piece of one"),
        ({"folio": "P", "pages": 2}, "P has no page 1"),
    ],
)
def test_a_range_that_is_none_is_refused(differences, item, told):
    setup = {"folios": [{"name": "A", "order": 9}, {"name": "P", "order": 0}]}
    expect = {"calls": [CALL], "counters": {}, "pages_in_cma_after": 0}
    with pytest.raises(VectorFileError) as error:
        differences("gup", setup, {**PIN, "range": [item]}, expect)
    assert told in str(error.value)
