"""Vectors worked out from the text of the format, where the public ones leave something open."""

from __future__ import annotations

import copy
import json

import pytest

from mmsim import datafiles
from mmsim.conformance import VectorFileError, check_file
from mmsim.script import ROUNDS_MAX

MIGRATE = {"op": "migrate_pages", "list": ["A"], "reason": "longterm_pin", "mode": "sync"}
PIN = {"op": "pin_longterm", "write": True}
CALL = {"result": 1, "rounds": 1, "migrate_calls": 0, "lru_drains": 0}


@pytest.fixture
def differences(tmp_path):
    """What does not agree, for a vector of a group, in every version."""

    def run(group, setup, operation, expect, script=None):
        vector = {
            "id": "X1",
            "title": "of our own",
            "certainty": "certain",
            "source": "kernel source 6.1-rc6",
            "setup": setup,
            "operation": operation,
            "expect": [{"versions": "all", **expect}],
            **({"script": script} if script else {}),
        }
        path = tmp_path / "own.json"
        path.write_text(json.dumps({"format": 1, "group": group, "vectors": [vector]}))
        return [str(mismatch) for mismatch in check_file(path).mismatches]

    return run


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
    assert all(f"does not end: {ROUNDS_MAX:,} rounds" in line for line in found)


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
