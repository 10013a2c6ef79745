"""The public vectors: no mismatch; and what a mismatch looks like when there is one."""

import copy
import json

import pytest

from mmsim import datafiles
from mmsim.evidence.vectors import OPERATIONS, Mismatch, check_file

TODAY = ("cma_alloc", "gup", "migrate_pages", "split")
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


def test_every_vector_of_today_agrees():
    """Those of 6.12 stand in a folder of their own; nothing is the same as before by accident."""
    reports = [check_file(datafiles.path(f"conformance/today/{name}.json")) for name in TODAY]
    assert [str(mismatch) for each in reports for mismatch in each.mismatches] == []
    assert [report.pairs for report in reports] == [2, 2, 11, 1]


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
