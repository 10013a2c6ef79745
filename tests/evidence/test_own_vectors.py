"""Vectors of our own, worked out by hand from the text of the format and the order of the kernel's
checks, where the public ones leave something open."""

from __future__ import annotations

import pytest

from mmsim.scenarios.script import ROUNDS_MAX


def folio(name="A", order=9, **fields):
    """One entry of `setup.folios`."""
    return {"name": name, "order": order, **fields}


# -- anonymous huge pages, CMA's way of isolating, callbacks

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


@pytest.mark.parametrize(("pages", "calls"), [(1, 1), (31, 1), (32, 2), (33, 2), (64, 3)])
def test_the_last_look_finds_nothing_and_is_a_call_too(differences, pages, calls):
    """Lots of 32; what is left of the range is looked through, unless the last lot ends it."""
    setup = area(folio("Q", 0, count=pages), Q=0)
    expect = answer("ok", calls, index=0, ranges=(0,), pgmigrate_success=pages)
    assert not differences("cma_alloc", setup, CMA, expect)


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


# -- moves, pins, the allocator

MIGRATE = {"op": "migrate_pages", "list": ["A"], "reason": "longterm_pin", "mode": "sync"}
PINS = {"op": "pin_longterm", "write": True}
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
    found = differences("gup", setup, {**PINS, "range": ["P"]}, expect)
    assert len(found) == 7
    assert all(f"does not end: {ROUNDS_MAX:,} rounds" in str(each) for each in found)


# -- the walk of drop_caches, and the map of a device


@pytest.fixture
def dropped(differences):
    """What does not agree for a walk: (field, expected, found)."""

    def run(folios, expect, value=1, script=None, **setup):
        operation = {"op": "drop_caches", "value": value}
        setup["folios"] = folios
        found = differences("drop_caches", setup, operation, expect, script, ["base"])
        return [each[3:] for each in found]

    return run


def kept(batches, peak=2, left=0, **more):
    return {
        "batches": batches,
        "folios_freed": 0,
        "counters": {"drop_pagecache": 1},
        "extra_refs_left": left,
        "peak_extra_refs": peak,
        **more,
    }


@pytest.mark.parametrize(
    ("prefill", "n", "left"), [(0, 20, 5), (5, 10, 0), (5, 25, 10), (14, 16, 1), (14, 1, 0)]
)
def test_what_is_in_the_batch_already_counts(dropped, prefill, n, left):
    """Full after 15; the first release, at the latest after 15 folios, empties it once more."""
    sizes = [15] * (n // 15) + [n % 15] * (n % 15 > 0)
    refs = {"P": [2, 3] if left else [2]}
    expect = kept([sizes], left=left, refs_after=refs)
    setup = {"local_deactivate_batch_prefill": prefill}
    assert dropped([folio("P", 0, count=n)], expect, **setup) == []


def test_files_have_batches_of_their_own(dropped):
    expect = kept([[15, 3], [], [2]], refs_after={"P": [2], "Q": [2], "A": [1]}, left=0)
    folios = [folio("P", 0, count=18), folio("A", kind="anon"), folio("Q", 0, count=2)]
    assert dropped(folios, expect, files=[["P"], ["A"], ["Q"]]) == []


def test_a_locked_folio_is_skipped_once_however_often_it_is_looked_at(dropped):
    expect = kept([[1]], skipped=1, refs_after={"P": [2], "L": [2]})
    script = {"locks": [{"folio": "L", "until": "waited_for"}]}
    assert dropped([folio("P", 0), folio("L", 0)], expect, script=script) == []


@pytest.fixture
def mapped(differences):
    """What does not agree for a map of these folios, in every version."""

    def run(folios, expect, script=None, write=True, names=("A", "B", "C"), **setup):
        operation = {"op": "map_dma", "range": list(names), "write": write}
        setup["folios"] = folios
        return differences("vfio", setup, operation, {"folios": {}, **expect}, script)

    return run


def runs(*pairs):
    return [{"first_page": first, "pages": pages} for first, pages in pairs]


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    ("pfns", "expected"),
    [
        ((0x100000, 0x100200, 0x100400), runs((0, 1536))),
        ((0x100000, 0x100200, 0x200000), runs((0, 1024), (1024, 512))),
        ((0x100200, 0x100000, 0x100400), runs((0, 512), (512, 512), (1024, 512))),
        ((0x30000, 0x80000, 0x80200), runs((0, 512), (512, 1024))),
    ],
)
def test_runs_of_neighbours(mapped, pfns, expected, write):
    folios = [folio(n, pfn=pfn, in_cma=False) for n, pfn in zip("ABC", pfns, strict=True)]
    acquired = {"nr_foll_pin_acquired": 1536}
    expect = {"result": 0, "iommu_pages_after": 1536, "iommu_maps": expected, "counters": acquired}
    assert not mapped(folios, expect, write=write)


def test_a_destination_joins_its_neighbours(mapped):
    """B is moved from CMA to the place right behind A."""
    folios = [folio("A", pfn=0x100000, in_cma=False), folio("B", pfn=0x200000)]
    expect = {
        "result": 0,
        "iommu_pages_after": 1024,
        "iommu_maps": runs((0, 1024)),
        "counters": {
            "nr_foll_pin_acquired": 1536,
            "nr_foll_pin_released": 512,
            "pgmigrate_success": 512,
            "thp_migration_success": 1,
        },
    }
    script = {"targets": [{"folio": "B", "fail_attempts": [], "pfn": 0x100200}]}
    assert not mapped(folios, expect, script, names=("A", "B"))


# -- steps on one folio


@pytest.mark.parametrize(("do", "order"), [("map_pmd", 9), ("map_pte", 9), ("map_pte", 0)])
def test_mappings_are_counted_as_often_as_they_are_made(differences, do, order):
    steps = [{"do": "create", "folio": "A", "order": order}, {"do": "drain_batches"}]
    steps.append({"do": do, "folio": "A", "times": 3})
    counts = {"ref": (512 if order else 1) + 4, "mapcount": 4}
    operation = {"op": "steps", "steps": steps, "observe": ["A"]}
    assert not differences("refcount", {}, operation, {"folios": {"A": counts}})
