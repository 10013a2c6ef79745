"""Vectors of our own, in the form of the public ones, worked out by hand from the text of the
format and the order of the kernel's checks, where the public ones leave something open."""

from __future__ import annotations

import json

import pytest

from mmsim.evidence.vectors import check_file
from mmsim.scenarios.script import ROUNDS_MAX

HUGE, PIN = 512, {"op": "migrate_pages", "list": ["A"], "reason": "longterm_pin", "mode": "sync"}
PTES = {"kind": "anon", "pmd_maps": 0, "pte_maps": HUGE}
DEFERRED = "thp_deferred_split_page"
HOLDER = {"strangers": [{"folio": "A"}]}
MOVED = {"pgmigrate_success": 512, "thp_migration_success": 1}
BEFORE, PATCHED = ["base", "6.1.0"], ["v1", "v2", "v3", "v3fix"]


def folio(name="A", order=9, **fields):
    """One entry of `setup.folios`."""
    return {"name": name, "order": order, **fields}


def fault(errno, attempts):
    return {"folio": "A", "kind": "move_error", "errno": errno, "attempts": attempts}


@pytest.fixture
def differences(tmp_path):
    """What does not agree with a vector."""

    def run(group, setup, operation, expect, script=None, versions="all"):
        vector = {"id": "X1", "title": "of our own", "certainty": "certain", "setup": setup}
        vector |= {"source": "kernel source 6.1-rc6", "operation": operation}
        vector |= {"expect": [{"versions": versions, **expect}]}
        vector |= {"script": script} if script else {}
        path = tmp_path / "own.json"
        path.write_text(json.dumps({"format": 1, "group": group, "vectors": [vector]}))
        return check_file(path).mismatches

    return run


# -- moves and splits


@pytest.mark.parametrize("held", [False, True])
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
def test_a_move_in_one_piece_works_or_fails_ten_times_and_counts_once(
    differences, fields, counted, held
):
    moved = {"pgmigrate_fail": 512, "thp_migration_fail": 1} if held else MOVED
    expect = {"rc": int(held), "left": int(held), "passes": [10 if held else 1]}
    expect["counters"] = moved | counted
    setup = {"folios": [folio(**fields)]}
    assert not differences("migrate_pages", setup, PIN, expect, HOLDER if held else None)


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
def test_a_split_refused_once_at_the_freeze(differences, fields, more):
    """What a failed split of an anonymous page puts back are PTEs; it stays on the queue."""
    setup = {"folios": [folio(isolated=True, **fields)]}
    operation = {"op": "split", "folio": "A", "times": 3}
    start, end = {"pass": 0, "site": "site2"}, {"pass": 1, "site": "split_lock"}
    script = {"strangers": [{"folio": "A", "from": start, "to": end}]}
    anon = fields.get("kind") == "anon"
    maps = anon * (fields.get("pmd_maps", 1) + fields.get("pte_maps", 0) // HUGE)
    cached = not anon or fields.get("swap_cache", False)
    expect = {
        "counters": {"thp_split_page": 1, "thp_split_page_failed": 1, **more},
        "subpages": [{"count": 512, "ref": 1 + cached + maps, "mapcount": maps}],
    }
    for versions, code in ((BEFORE, "EBUSY"), (PATCHED, "EAGAIN")):
        expect["results"] = [code, 0]
        assert not differences("split", setup, operation, expect, script, versions)


def test_a_callback_without_memory_splits_a_huge_page_that_stands_on_the_other_list(differences):
    """And its pieces are moved."""
    script = {"faults": [fault("ENOMEM", "all")]}
    setup = {"folios": [folio(), folio("Q", 0)]}
    counters = dict.fromkeys(("thp_migration_fail", "thp_migration_split"), 1)
    counters |= {"thp_split_page": 1, "thp_split_pmd": 1, "pgmigrate_success": 513}
    for versions, rc in ((["base", "v1", "2/2-only"], 1), (["6.1.0", "v2", "v3", "v3fix"], 0)):
        expect = {"rc": rc, "left": 0, "passes": [1, 1], "counters": counters}
        operation = {**PIN, "list": ["A", "Q"]}
        assert not differences("migrate_pages", setup, operation, expect, script, versions)


def test_a_pass_over_an_empty_list_is_a_pass(differences):
    """A is refused for good and asks for another pass; B is split meanwhile, so nobody is left."""
    script = {**HOLDER, "faults": [fault("ENOMEM", [0])]}
    script["targets"] = [{"folio": "B", "fail_attempts": "all"}]
    counters = dict.fromkeys(("thp_migration_split", "thp_split_page", "thp_split_pmd"), 1)
    counters |= {"thp_split_page_failed": 1, "thp_migration_fail": 2, "pgmigrate_success": 512}
    expect = {"rc": 2, "left": 1, "passes": [2, 1], "counters": counters}
    setup, operation = {"folios": [folio(), folio("B")]}, {**PIN, "list": ["A", "B"]}
    versions = ["v1", "v2", "v3", "2/2-only"]
    assert not differences("migrate_pages", setup, operation, expect, script, versions)


def test_truncation_before_the_freeze_of_a_move_takes_the_mappings_for_good(differences):
    where = {"pass": 0, "site": "move_freeze"}
    script = {"events": [{"folio": "A", "at": where, "do": "truncate"}]}
    expect = {"rc": 0, "left": 0, "passes": [2], "counters": MOVED}
    expect["folios"] = {"A": {"freed": True}}
    assert not differences("migrate_pages", {"folios": [folio()]}, PIN, expect, script)


def test_two_errors_of_one_move_at_different_attempts(differences):
    script = {"faults": [fault("EAGAIN", [0]), fault("EBUSY", [1])]}
    expect = {"rc": 1, "left": 1, "passes": [2], "counters": {"pgmigrate_fail": 1}}
    assert not differences("migrate_pages", {"folios": [folio("A", 0)]}, PIN, expect, script)


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
    assert not differences("migrate_pages", {"folios": [folio()]}, PIN, expect, script)


@pytest.mark.parametrize("hidden", [{"isolated": True}, {"on_lru": False}])
def test_a_page_that_nobody_can_isolate_does_not_keep_us_for_ever(differences, hidden):
    setup = {"folios": [folio("P", 0, **hidden)]}
    calls = {"result": "ENOMEM", "rounds": 1, "migrate_calls": 0, "lru_drains": 0}
    expect = {"calls": [calls], "counters": {}, "pages_in_cma_after": 0}
    operation = {"op": "pin_longterm", "range": ["P"], "write": True}
    found = differences("gup", setup, operation, expect)
    assert len(found) == 7
    assert all(f"does not end: {ROUNDS_MAX:,} rounds" in str(each) for each in found)


# -- CMA's way of isolating


def area(differences, folios, result, calls, script=None, **counters):
    """What does not agree for a request for the whole area."""
    done = result == "ok"
    expect = {
        "result": result,
        "range_index": 0 if done else None,
        "ranges_tried": 1,
        "range_results": [0 if done else "EBUSY"],
        "migrate_calls": calls,
        "counters": {"cma_alloc_success" if done else "cma_alloc_fail": 1, **counters},
    }
    setup = {"folios": folios, "area_pageblocks": 1, "placement": {f["name"]: 0 for f in folios}}
    operation = {"op": "cma_alloc", "pages": 512, "align_order": 9}
    return differences("cma_alloc", setup, operation, expect, script)


LEFT, TRIED, GONE = ("fail", 1, {}), ("fail", 5, {"pgmigrate_fail": 5}), ("ok", 1, MOVED)


@pytest.mark.parametrize(
    ("fields", "script", "came"),
    [
        (PTES, {}, LEFT),
        ({"kind": "anon"}, HOLDER, LEFT),
        ({"kind": "anon", "pins": 1}, {}, LEFT),
        ({"kind": "anon", "on_lru": False}, {}, LEFT),
        ({"kind": "anon", "order": 0, "pins": 1}, {}, LEFT),
        ({"kind": "anon", "order": 0}, HOLDER, LEFT),
        ({"in_page_cache": False, "pmd_maps": 0, "pins": 1}, {}, LEFT),
        ({"kind": "anon", "pmd_maps": 1}, {}, GONE),
        ({"kind": "anon", "pmd_maps": 2}, {}, GONE),
        ({**PTES, "swap_cache": True}, {}, GONE),
        ({"kind": "anon", "pins": 1, "order": 0, "swap_cache": True}, {}, TRIED),
    ],
)
def test_what_looks_pinned_is_not_isolated_but_the_call_is_made(differences, fields, script, came):
    """Not so in the swap cache, whatever its references."""
    result, calls, counters = came
    assert not area(differences, [folio(**fields)], result, calls, script, **counters)


@pytest.mark.parametrize(("pages", "calls"), [(1, 1), (31, 1), (32, 2), (33, 2), (64, 3)])
def test_the_last_look_finds_nothing_and_is_a_call_too(differences, pages, calls):
    """Lots of 32; what is left of the range is looked through, unless the last lot ends it."""
    folios = [folio("Q", 0, count=pages)]
    assert not area(differences, folios, "ok", calls, pgmigrate_success=pages)


# -- allocator: which pages look movable


def alloc(order, migratetype):
    return {"do": "alloc", "order": order, "migratetype": migratetype}


def test_pages_that_were_just_handed_out_do_not_look_movable(differences):
    """They are on no LRU list: 16 free pages and none alike are too few to claim the pageblock."""
    left = [{"type": "MOVABLE", "order": order, "pfns": [1 << order]} for order in range(4)]
    expect = {"results": [256, 0], "free_after": left, "pageblocks_after": ["RECLAIMABLE"]}
    expect |= {"nr_free_after": 15, "nr_free_cma_after": 0}
    free = [{"pfn": 256, "order": 8}, {"pfn": 0, "order": 4}]
    setup = {"pageblocks": ["RECLAIMABLE"], "free": free}
    steps = [alloc(8, "RECLAIMABLE"), alloc(0, "MOVABLE")]
    assert not differences("allocator", setup, {"op": "sequence", "steps": steps}, expect)


def test_a_page_that_is_freed_is_none_of_those_that_look_movable(differences):
    """129 free and 127 alike are just enough."""
    setup = {"pageblocks": ["UNMOVABLE"], "free": [{"pfn": 128, "order": 7}]}
    setup["movable_pages"] = {"0": 127}
    steps = [{"do": "free", "pfn": 0, "order": 0}, alloc(4, "MOVABLE")]
    left = [{"type": "MOVABLE", "order": 0, "pfns": [0]}]
    left += [{"type": "MOVABLE", "order": o, "pfns": [128 + (1 << o)]} for o in (4, 5, 6)]
    expect = {"results": [None, 128], "free_after": left, "pageblocks_after": ["MOVABLE"]}
    expect |= {"nr_free_after": 113, "nr_free_cma_after": 0}
    assert not differences("allocator", setup, {"op": "sequence", "steps": steps}, expect)


@pytest.mark.parametrize("order", [5, 9])
def test_of_a_highatomic_pageblock_only_the_block_is_taken_over(differences, order):
    """Whatever else is free there stays, and so does the pageblock's type."""
    free = [{"pfn": 0, "order": order, "type": "MOVABLE"}]
    left = []
    if order < 9:
        free.append({"pfn": 256, "order": 8})
        left.append({"type": "HIGHATOMIC", "order": 8, "pfns": [256]})
    setup = {"pageblocks": ["HIGHATOMIC"], "free": free}
    expect = {"results": [0], "free_after": left, "pageblocks_after": ["HIGHATOMIC"]}
    expect |= {"nr_free_after": 256 * len(left), "nr_free_cma_after": 0}
    steps = [alloc(order, "UNMOVABLE")]
    assert not differences("allocator", setup, {"op": "sequence", "steps": steps}, expect)


# -- the walk of drop_caches


def dropped(differences, folios, batches, refs, left=0, **setup):
    """What does not agree for a walk."""
    expect = {"batches": batches, "refs_after": refs, "extra_refs_left": left}
    expect |= {"folios_freed": 0, "counters": {"drop_pagecache": 1}, "peak_extra_refs": 2}
    setup, operation = {"folios": folios, **setup}, {"op": "drop_caches", "value": 1}
    return differences("drop_caches", setup, operation, expect, versions=["base"])


@pytest.mark.parametrize(
    ("prefill", "n", "left"), [(0, 20, 5), (5, 10, 0), (5, 25, 10), (14, 16, 1), (14, 1, 0)]
)
def test_what_is_in_the_batch_already_counts(differences, prefill, n, left):
    """Full after 15; the first release, at the latest after 15 folios, empties it once more."""
    sizes, refs = [15] * (n // 15) + [n % 15] * (n % 15 > 0), [2, 3] if left else [2]
    setup = {"local_deactivate_batch_prefill": prefill}
    assert not dropped(differences, [folio("P", 0, count=n)], [sizes], {"P": refs}, left, **setup)


def test_files_have_batches_of_their_own(differences):
    folios = [folio("P", 0, count=18), folio("A", kind="anon"), folio("Q", 0, count=2)]
    refs, files = {"P": [2], "Q": [2], "A": [1]}, [["P"], ["A"], ["Q"]]
    assert not dropped(differences, folios, [[15, 3], [], [2]], refs, files=files)


def test_a_destination_joins_its_neighbours(differences):
    """B is moved from CMA to the place right behind A."""
    folios = [folio("A", pfn=0x100000, in_cma=False), folio("B", pfn=0x200000)]
    script = {"targets": [{"folio": "B", "fail_attempts": [], "pfn": 0x100200}]}
    operation = {"op": "map_dma", "range": ["A", "B"], "write": False}
    expect = {"result": 0, "iommu_pages_after": 1024, "folios": {}}
    expect["iommu_maps"] = [{"first_page": 0, "pages": 1024}]
    expect["counters"] = {"nr_foll_pin_acquired": 1536, "nr_foll_pin_released": 512, **MOVED}
    assert not differences("vfio", {"folios": folios}, operation, expect, script)
