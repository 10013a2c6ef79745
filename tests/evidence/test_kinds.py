"""Vectors of our own for anonymous huge pages, for CMA's way of isolating, and for callbacks.

Each was worked out by hand from the order of the kernel's checks."""

from __future__ import annotations

import random

import pytest
from own import folio

HUGE, PIN = 512, {"op": "migrate_pages", "list": ["A"], "reason": "longterm_pin", "mode": "sync"}
PTES = {"kind": "anon", "pmd_maps": 0, "pte_maps": HUGE}
DEFERRED = "thp_deferred_split_page"
HOLDER = {"strangers": [{"folio": "A"}]}
AT_FREEZE = {"strangers": [{"folio": "A", "from": {"pass": 0, "site": "site2"}}]}
MOVED = {"pgmigrate_success": 512, "thp_migration_success": 1}


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({"kind": "anon"}, {}),
        ({"kind": "anon", "pmd_maps": 2}, {}),
        (PTES, {DEFERRED: 1}),
        ({**PTES, "swap_cache": True}, {}),
        ({"pmd_maps": 0, "pte_maps": HUGE}, {}),
        ({"kind": "anon", "swap_cache": True}, {}),
    ],
)
def test_a_move_in_one_piece(differences, fields, counted):
    expect = {"rc": 0, "left": 0, "passes": [1], "counters": {**MOVED, **counted}}
    assert not differences("migrate_pages", {"folios": [folio(**fields)]}, PIN, expect)


@pytest.mark.parametrize(
    ("fields", "counted"),
    [({"kind": "anon"}, {}), (PTES, {DEFERRED: 1}), ({**PTES, "swap_cache": True}, {})],
)
def test_a_move_that_a_holder_stops_ten_times_counts_once(differences, fields, counted):
    counters = {"pgmigrate_fail": 512, "thp_migration_fail": 1, **counted}
    expect = {"rc": 1, "left": 1, "passes": [10], "counters": counters}
    assert not differences("migrate_pages", {"folios": [folio(**fields)]}, PIN, expect, HOLDER)


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"kind": "anon"}, {"thp_split_pmd": 1, DEFERRED: 1}),
        ({"kind": "anon", "pmd_maps": 3}, {"thp_split_pmd": 3, DEFERRED: 1}),
        (PTES, {DEFERRED: 1}),
        ({"kind": "anon", "swap_cache": True}, {"thp_split_pmd": 1}),
        ({**PTES, "swap_cache": True}, {}),
        ({"pmd_maps": 0, "pte_maps": HUGE}, {}),
    ],
)
def test_a_split_refused_at_the_freeze_three_times(differences, fields, more):
    """What a failed split of an anonymous page puts back are PTEs; it stays on the queue."""
    setup = {"folios": [folio(isolated=True, **fields)]}
    operation = {"op": "split", "folio": "A", "times": 3}
    back = {"to": {"pass": 1, "site": "split_lock"}}
    once = {"strangers": [{**AT_FREEZE["strangers"][0], **back}]}
    counters = {"thp_split_page": 1, "thp_split_page_failed": 1, **more}
    maps = fields.get("pmd_maps", 1) + fields.get("pte_maps", 0) // HUGE
    maps = maps if fields.get("kind") == "anon" else 0
    cached = fields.get("kind") != "anon" or fields.get("swap_cache", False)
    pieces = [{"count": 512, "ref": 1 + cached + maps, "mapcount": maps}]
    for versions, code in ((["base", "6.1.0"], "EBUSY"), (["v1", "v2", "v3", "v3fix"], "EAGAIN")):
        expect = {"results": [code, 0], "counters": counters, "subpages": pieces}
        assert not differences("split", setup, operation, expect, once, versions)


CMA = {"op": "cma_alloc", "pages": 512, "align_order": 9}


def area(*folios, blocks=1, **placement):
    return {"folios": list(folios), "area_pageblocks": blocks, "placement": placement}


def answer(result, calls, *, index=None, tried=1, ranges=("EBUSY",), **counters):
    counted = "cma_alloc_success" if result == "ok" else "cma_alloc_fail"
    return {
        "result": result,
        "range_index": index,
        "ranges_tried": tried,
        "range_results": list(ranges),
        "migrate_calls": calls,
        "counters": {counted: 1, **counters},
    }


@pytest.mark.parametrize(
    ("fields", "script"),
    [
        (PTES, {}),
        ({"kind": "anon"}, HOLDER),
        ({"kind": "anon", "pins": 1}, {}),
        ({"kind": "anon", "on_lru": False}, {}),
        ({"kind": "anon", "order": 0, "pins": 1}, {}),
        ({"kind": "anon", "order": 0}, HOLDER),
        ({"in_page_cache": False, "pmd_maps": 0, "pins": 1}, {}),
    ],
)
def test_what_looks_pinned_is_not_isolated_but_the_call_is_made(differences, fields, script):
    setup = area(folio(**fields), A=0)
    assert not differences("cma_alloc", setup, CMA, answer("fail", 1), script)


@pytest.mark.parametrize("maps", [1, 2])
def test_an_anonymous_huge_page_mapped_by_pmds_is_isolated(differences, maps):
    setup = area(folio(kind="anon", pmd_maps=maps), A=0)
    expect = answer("ok", 1, index=0, ranges=(0,), **MOVED)
    assert not differences("cma_alloc", setup, CMA, expect)


@pytest.mark.parametrize(
    ("fields", "counted"), [(PTES, {}), ({"kind": "anon", "pins": 1, "order": 0}, {})]
)
def test_in_the_swap_cache_it_is_isolated_whatever_its_references(differences, fields, counted):
    huge = fields.get("order", 9) == 9
    setup = area(folio(**{**fields, "swap_cache": True}), A=0)
    if huge:
        expect = answer("ok", 1, index=0, ranges=(0,), **MOVED)
    else:
        expect = answer("fail", 5, pgmigrate_fail=5)
    assert not differences("cma_alloc", setup, CMA, expect)


@pytest.mark.parametrize(
    ("pages", "calls"), [(1, 1), (31, 1), (32, 2), (33, 2), (64, 3), (512, 16)]
)
def test_the_last_look_finds_nothing_and_is_a_call_too(differences, pages, calls):
    """Lots of 32; what is left of the range is looked through, unless the last lot ends it."""
    setup = area(folio("Q", 0, count=pages), Q=0)
    expect = answer("ok", calls, index=0, ranges=(0,), pgmigrate_success=pages)
    assert not differences("cma_alloc", setup, CMA, expect)


def test_what_is_found_last_is_tried_first(differences):
    """The last page has no destination: the call ends before the others are tried."""
    setup = area(folio("Q", 0, count=4), Q=0)
    script = {"targets": [{"folio": "Q#3", "fail_attempts": "all"}]}
    expect = answer("fail", 1, ranges=("ENOMEM",), pgmigrate_fail=1)
    assert not differences("cma_alloc", setup, CMA, expect, script)
    script = {"targets": [{"folio": "Q#0", "fail_attempts": "all"}]}
    expect = answer("fail", 1, ranges=("ENOMEM",), pgmigrate_fail=1, pgmigrate_success=3)
    assert not differences("cma_alloc", setup, CMA, expect, script)


def test_an_empty_second_block_is_a_call_of_its_own(differences):
    setup = area(folio(), blocks=2, A=0)
    expect = answer("ok", 2, index=0, ranges=(0,), **MOVED)
    assert not differences("cma_alloc", setup, {**CMA, "pages": 1024}, expect)


@pytest.mark.parametrize("order", [0, 9])
def test_a_callback_without_memory_ends_the_call_or_splits(differences, order):
    """The huge page is split although it stands on the other list, and its pieces are moved."""
    script = {
        "faults": [{"folio": "A", "kind": "move_error", "errno": "ENOMEM", "attempts": "all"}]
    }
    setup = {"folios": [folio("A", order), folio("Q", 0)]}
    operation = {**PIN, "list": ["A", "Q"]}
    if order == 0:
        expect = {"rc": "ENOMEM", "left": 2, "passes": [1], "counters": {"pgmigrate_fail": 1}}
        assert not differences("migrate_pages", setup, operation, expect, script)
        return
    counters = {
        "pgmigrate_success": 513,
        "thp_migration_fail": 1,
        "thp_migration_split": 1,
        "thp_split_page": 1,
        "thp_split_pmd": 1,
    }
    for versions, rc in ((["base", "v1", "2/2-only"], 1), (["6.1.0", "v2", "v3", "v3fix"], 0)):
        expect = {"rc": rc, "left": 0, "passes": [1, 1], "counters": counters}
        assert not differences("migrate_pages", setup, operation, expect, script, versions)


@pytest.mark.parametrize("more", [[], ["B"]])
def test_a_pass_over_an_empty_list_is_a_pass(differences, more):
    """A is refused for good and asks for another pass; B is split meanwhile, so nobody is left."""
    script = {
        **HOLDER,
        "faults": [{"folio": "A", "kind": "move_error", "errno": "ENOMEM", "attempts": [0]}],
        "targets": [{"folio": "B", "fail_attempts": "all"}] if more else [],
    }
    script = {field: value for field, value in script.items() if value}
    setup = {"folios": [folio(), *(folio(name) for name in more)]}
    counters = {"thp_migration_fail": 1, "thp_split_page_failed": 1}
    passes = [2]
    if more:
        passes = [2, 1]
        counters |= {"thp_migration_fail": 2, "thp_migration_split": 1, "thp_split_page": 1}
        counters |= {"thp_split_pmd": 1, "pgmigrate_success": 512}
    rc = counters["thp_migration_fail"]
    operation = {**PIN, "list": ["A", *more]}
    expect = {"rc": rc, "left": 1, "passes": passes, "counters": counters}
    versions = ["v1", "v2", "v3", "2/2-only"]
    assert not differences("migrate_pages", setup, operation, expect, script, versions)


def random_folio(rng, name):
    order = rng.choice([0, 9])
    made = folio(name, order, kind=rng.choice(["anon", "shmem"]))
    if made["kind"] == "anon":
        made["swap_cache"] = rng.random() < 0.4
    if order:
        made["pmd_maps"], made["pte_maps"] = rng.choice(
            [(1, 0), (2, 0), (0, 512), (1, 512), (1, 7)]
        )
    else:
        made["pte_maps"] = rng.choice([1, 2, 5])
    made["pins"] = rng.choice([0, 0, 1, 3])
    made["dirty"], made["writeback"] = rng.random() < 0.5, rng.random() < 0.1
    return made


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("group", ["cma_alloc", "migrate_pages"])
def test_legal_vectors_at_random_end_and_leave_a_world_that_adds_up(differences, group, seed):
    """Only the numbers may differ: the expectation is made up, so something always does."""
    rng = random.Random(seed)
    names = [f"F{i}" for i in range(rng.randint(1, 3))]
    folios = [random_folio(rng, name) for name in names]
    script = {
        "order9_targets": "none",
        "strangers": [
            {"folio": name, "from": {"pass": 0, "site": rng.choice(["alloc", "site1", "site2"])}}
            for name in names
            if rng.random() < 0.4
        ],
        "faults": [
            {
                "folio": rng.choice(names),
                "kind": "move_error",
                "errno": rng.choice(["ENOMEM", "EBUSY", "EAGAIN", "ENOSYS"]),
                "attempts": rng.choice(["all", [0], [1]]),
            }
        ],
    }
    if rng.random() < 0.5:
        del script["order9_targets"]
    if group == "cma_alloc":
        setup = area(*folios, blocks=4, **{name: i for i, name in enumerate(names)})
        operation, expect = CMA, answer("fail", 0, cma_alloc_success=99)
    else:
        setup = {"folios": folios}
        operation = {**PIN, "list": names}
        expect = {"rc": 0, "left": 0, "counters": {"pgmigrate_fail": 99_999}}
    found = differences(group, setup, operation, expect, script)
    assert {mismatch.version for mismatch in found} >= {"base", "v1", "v3fix"}
    assert not [mismatch for mismatch in found if mismatch.field == "the run"]
