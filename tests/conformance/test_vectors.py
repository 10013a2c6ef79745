"""The public vectors: no mismatch; and what a mismatch looks like when there is one."""

import copy
import json

import pytest

from mmsim import datafiles
from mmsim.conformance import Mismatch, check_file
from mmsim.conformance.operations import OPERATIONS

PUBLIC = {group: datafiles.path(f"conformance/{group}.json") for group in OPERATIONS}
CONTENTS = {group: json.loads(path.read_text(encoding="utf-8")) for group, path in PUBLIC.items()}


@pytest.mark.parametrize("group", OPERATIONS)
def test_every_public_vector_agrees(group):
    report = check_file(PUBLIC[group])
    assert [str(mismatch) for mismatch in report.mismatches] == []
    assert report.vectors == len(CONTENTS[group]["vectors"]) > 0
    assert report.group == group
    pairs = sum(
        7 if e["versions"] == "all" else len(e["versions"])
        for vector in CONTENTS[group]["vectors"]
        for e in vector["expect"]
    )
    assert report.pairs == pairs


def written(tmp_path, group, vector, name="changed.json"):
    """A file with one vector."""
    path = tmp_path / name
    path.write_text(json.dumps({**CONTENTS[group], "vectors": [vector]}), encoding="utf-8")
    return path


def vector_of(group, identity):
    found = [v for v in CONTENTS[group]["vectors"] if v["id"] == identity]
    return copy.deepcopy(found[0])


def set_rc(expectation):
    expectation["rc"] = 7


def set_counter(expectation):
    expectation["counters"]["pgmigrate_fail"] = 511


def set_extra_counter(expectation):
    expectation["counters"]["thp_split_pmd"] = 3


def drop_counter(expectation):
    del expectation["counters"]["thp_split_page_failed"]


def set_folio(expectation):
    expectation["folios"]["A"]["ref"] = 1


def set_passes(expectation):
    expectation["passes"] = [2]


def set_gup(expectation):
    expectation["gup"] = "EAGAIN"


@pytest.mark.parametrize(
    ("change", "field", "expected", "found"),
    [
        (set_rc, "rc", 7, "ENOMEM"),
        (set_counter, "counters.pgmigrate_fail", 511, 512),
        (set_extra_counter, "counters.thp_split_pmd", 3, 0),
        (drop_counter, "counters.thp_split_page_failed", 0, 1),
        (set_folio, "folios.A.ref", 1, 515),
        (set_passes, "passes", [2], [1]),
        (set_gup, "gup", "EAGAIN", "ENOMEM"),
    ],
)
def test_a_changed_expectation_is_one_mismatch(tmp_path, change, field, expected, found):
    vector = vector_of("migrate_pages", "C5")
    vector["expect"] = [{**vector["expect"][0], "versions": ["base"]}]
    change(vector["expect"][0])
    path = written(tmp_path, "migrate_pages", vector)
    mismatches = check_file(path).mismatches
    assert len(mismatches) == 1
    mismatch = mismatches[0]
    assert isinstance(mismatch, Mismatch)
    assert mismatch[1:] == ("C5", "base", field, expected, found)
    assert mismatch.file.endswith("changed.json")
    assert str(mismatch).endswith(
        f"changed.json: C5 base: {field}: expected {expected}, found {found}"
    )


def test_positive_and_negative_eleven_are_opposites(tmp_path):
    vector = vector_of("migrate_pages", "C8")
    row = next(e for e in vector["expect"] if e["rc"] == 11)
    vector["expect"] = [{**row, "rc": "EAGAIN"}]
    mismatches = check_file(written(tmp_path, "migrate_pages", vector)).mismatches
    assert {(m.field, m.expected, m.found) for m in mismatches} == {("rc", "EAGAIN", 11)}


# -- vectors of our own, worked out from the text of the format


def folio(name="A", order=9, **fields):
    return {"name": name, "order": order, **fields}


def agrees(tmp_path, group, setup, operation, expect, script=None):
    vector = {
        "id": "X1",
        "title": "of our own",
        "certainty": "certain",
        "source": "kernel source 6.1-rc6",
        "setup": {"folios": setup},
        "operation": operation,
        "expect": [{"versions": "all", **expect}],
        **({"script": script} if script else {}),
    }
    report = check_file(written(tmp_path, group, vector))
    assert [str(mismatch) for mismatch in report.mismatches] == []


MIGRATE = {"op": "migrate_pages", "list": ["A"], "reason": "longterm_pin", "mode": "sync"}


def at(pass_, site, **more):
    return {"pass": pass_, "site": site, **more}


def test_truncation_before_the_freeze_of_a_move_takes_the_mappings_for_good(tmp_path):
    agrees(
        tmp_path,
        "migrate_pages",
        [folio()],
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


def test_two_errors_of_one_move_at_different_attempts(tmp_path):
    agrees(
        tmp_path,
        "migrate_pages",
        [folio("A", 0)],
        MIGRATE,
        {"rc": 1, "left": 1, "passes": [2], "counters": {"pgmigrate_fail": 1}},
        {
            "faults": [
                {"folio": "A", "kind": "move_error", "errno": "EAGAIN", "attempts": [0]},
                {"folio": "A", "kind": "move_error", "errno": "EBUSY", "attempts": [1]},
            ]
        },
    )


def test_a_lock_that_is_never_given_back_stops_only_who_tries(tmp_path):
    agrees(
        tmp_path,
        "migrate_pages",
        [folio("A", 0), folio("Q", 0)],
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


def test_the_touch_of_every_round_adds_up(tmp_path):
    """First touch: referenced.  Second, after the move: queued, one reference more."""
    agrees(
        tmp_path,
        "gup",
        [folio("P", 0)],
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


def test_a_referenced_page_is_defeated_by_the_pin_itself(tmp_path):
    agrees(
        tmp_path,
        "gup",
        [folio("P", 0, referenced=True)],
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


def test_part_of_a_huge_page_in_cma_is_pinned(tmp_path):
    agrees(
        tmp_path,
        "gup",
        [folio()],
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


def test_a_wrong_index_is_named_by_itself(tmp_path):
    vector = vector_of("metrics", "H105")
    vector["expect"] = [{**vector["expect"][0], "versions": ["v2"]}]
    vector["expect"][0]["indices"][2]["extfrag_index"] = 865
    (mismatch,) = check_file(written(tmp_path, "metrics", vector)).mismatches
    assert mismatch[1:] == ("H105", "v2", "indices[2].extfrag_index", 865, 864)


def test_fewer_indices_than_orders_are_a_mismatch(tmp_path):
    vector = vector_of("metrics", "H105")
    vector["expect"] = [{**vector["expect"][0], "versions": ["v2"]}]
    del vector["expect"][0]["indices"][2]
    (mismatch,) = check_file(written(tmp_path, "metrics", vector)).mismatches
    assert mismatch.field == "indices"
    assert len(mismatch.found) == 4


# -- groups vfio and drop_caches


def test_the_groups_of_the_device_and_of_the_walk_are_there():
    assert {"vfio", "drop_caches"} <= set(OPERATIONS)


def dropped(tmp_path, folios, expect, value=1, script=None, **setup):
    vector = {
        "id": "X2",
        "title": "of our own",
        "certainty": "certain",
        "source": "kernel source 6.1-rc6",
        "setup": {"folios": folios, **setup},
        "operation": {"op": "drop_caches", "value": value},
        "expect": [{"versions": ["base"], **expect}],
        **({"script": script} if script else {}),
    }
    report = check_file(written(tmp_path, "drop_caches", vector))
    return [(m.field, m.expected, m.found) for m in report.mismatches]


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
def test_what_is_in_the_batch_already_counts(tmp_path, prefill, n, left):
    """Full after 15; the first release, at the latest after 15 folios, empties it once more."""
    sizes = [15] * (n // 15) + [n % 15] * (n % 15 > 0)
    refs = {"P": [2, 3] if left else [2]}
    expect = kept([sizes], left=left, refs_after=refs)
    setup = {"local_deactivate_batch_prefill": prefill}
    assert dropped(tmp_path, [folio("P", 0, count=n)], expect, **setup) == []


def test_files_have_batches_of_their_own(tmp_path):
    expect = kept([[15, 3], [], [2]], refs_after={"P": [2], "Q": [2], "A": [1]}, left=0)
    folios = [folio("P", 0, count=18), folio("A", kind="anon"), folio("Q", 0, count=2)]
    assert dropped(tmp_path, folios, expect, files=[["P"], ["A"], ["Q"]]) == []


def test_a_locked_folio_is_skipped_once_however_often_it_is_looked_at(tmp_path):
    expect = kept([[1]], skipped=1, refs_after={"P": [2], "L": [2]})
    script = {"locks": [{"folio": "L", "until": "waited_for"}]}
    assert dropped(tmp_path, [folio("P", 0), folio("L", 0)], expect, script=script) == []


def test_a_batch_of_the_set_up_is_this_cpus_own(tmp_path):
    """There is one CPU: the release of the first batch drains its lru_add batch, too."""
    expect = kept([[3]], refs_after={"P": [2], "N": [2]})
    folios = [folio("P", 0, count=2), folio("N", 0, batch="lru_add")]
    assert dropped(tmp_path, folios, expect) == []


def test_a_wrong_expectation_of_a_walk_is_found(tmp_path):
    expect = kept([[14]], peak=1, left=1, refs_after={"P": [3]})
    assert dropped(tmp_path, [folio("P", 0, count=15)], expect) == [
        ("batches", [[14]], [[15]]),
        ("extra_refs_left", 1, 0),
        ("peak_extra_refs", 1, 2),
        ("refs_after", {"P": [3]}, {"P": [2]}),
    ]


def mapped(tmp_path, folios, expect, script=None, write=True, names=("A", "B", "C"), **setup):
    vector = {
        "id": "X3",
        "title": "of our own",
        "certainty": "certain",
        "source": "kernel source 6.1-rc6",
        "setup": {"folios": folios, **setup},
        "operation": {"op": "map_dma", "range": list(names), "write": write},
        "expect": [{"versions": "all", "folios": {}, **expect}],
        **({"script": script} if script else {}),
    }
    report = check_file(written(tmp_path, "vfio", vector))
    assert [str(mismatch) for mismatch in report.mismatches] == []


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
def test_runs_of_neighbours(tmp_path, pfns, expected, write):
    folios = [folio(n, pfn=pfn, in_cma=False) for n, pfn in zip("ABC", pfns, strict=True)]
    acquired = {"nr_foll_pin_acquired": 1536}
    expect = {"result": 0, "iommu_pages_after": 1536, "iommu_maps": expected, "counters": acquired}
    mapped(tmp_path, folios, expect, write=write)


def test_a_destination_joins_its_neighbours(tmp_path):
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
    mapped(tmp_path, folios, expect, script, names=("A", "B"))


def test_runs_that_were_mapped_before_the_failure_are_told_too(tmp_path):
    folios = [
        folio("A", pfn=0x100000, in_cma=False),
        folio("B", pfn=0x180000, in_cma=False),
        folio("C", pfn=0x200000),
    ]
    expect = {
        "result": "ENOMEM",
        "iommu_pages_after": 0,
        "iommu_maps": runs((0, 512)),
        "counters": {
            "nr_foll_pin_acquired": 1536,
            "nr_foll_pin_released": 1536,
            "pgmigrate_fail": 512,
            "thp_migration_fail": 1,
        },
        "folios": {
            "A": {"split": False, "ref": 513, "mapcount": 1, "in_cma": False},
            "C": {"split": False, "ref": 514, "mapcount": 1, "in_cma": True},
        },
    }
    mapped(tmp_path, folios, expect, {"strangers": [{"folio": "C"}]})


def test_the_inverted_test_is_an_option_of_a_map_too(tmp_path):
    expect = {
        "result": 0,
        "iommu_pages_after": 512,
        "counters": {
            "nr_foll_pin_acquired": 1536,
            "nr_foll_pin_released": 1024,
            "pgmigrate_success": 512,
            "thp_migration_success": 1,
        },
    }
    mapped(tmp_path, [folio()], expect, names=("A",), options={"isolate_inverted": True})
