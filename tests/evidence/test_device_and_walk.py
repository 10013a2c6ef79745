"""Vectors of our own for the device's map and the walk of drop_caches."""

from __future__ import annotations

import pytest
from own import folio

from mmsim.evidence.vectors import OPERATIONS


def test_the_groups_of_the_device_and_of_the_walk_are_there():
    assert {"vfio", "drop_caches"} <= set(OPERATIONS)


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


def test_a_batch_of_the_set_up_is_this_cpus_own(dropped):
    """There is one CPU: the release of the first batch drains its lru_add batch, too."""
    expect = kept([[3]], refs_after={"P": [2], "N": [2]})
    folios = [folio("P", 0, count=2), folio("N", 0, batch="lru_add")]
    assert dropped(folios, expect) == []


def test_a_wrong_expectation_of_a_walk_is_found(dropped):
    expect = kept([[14]], peak=1, left=1, refs_after={"P": [3]})
    assert dropped([folio("P", 0, count=15)], expect) == [
        ("batches", [[14]], [[15]]),
        ("extra_refs_left", 1, 0),
        ("peak_extra_refs", 1, 2),
        ("refs_after.P", [3], [2]),
    ]


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


def test_runs_that_were_mapped_before_the_failure_are_told_too(mapped):
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
    assert not mapped(folios, expect, {"strangers": [{"folio": "C"}]})


def test_the_inverted_test_is_an_option_of_a_map_too(mapped):
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
    assert not mapped([folio()], expect, names=("A",), options={"isolate_inverted": True})
