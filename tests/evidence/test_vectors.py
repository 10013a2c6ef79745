"""The public vectors: no mismatch; what a mismatch looks like, and what is said of a bad file."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from mmsim import datafiles
from mmsim.cli import main
from mmsim.evidence.vectors import OPERATIONS, VectorFileError, check_file

TODAY = ("cma_alloc", "gup", "migrate_pages", "split")
PUBLIC = {group: datafiles.path(f"conformance/{group}.json") for group in OPERATIONS}
CONTENTS = {group: json.loads(path.read_text(encoding="utf-8")) for group, path in PUBLIC.items()}
GONE = object()


@pytest.mark.parametrize(
    ("group", "vector"),
    [
        pytest.param(group, vector, id=vector["id"])
        for group in OPERATIONS
        for vector in CONTENTS[group]["vectors"]
    ],
)
def test_every_public_vector_agrees(group, vector, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps({**CONTENTS[group], "vectors": [vector]}), encoding="utf-8")
    report = check_file(path)
    assert [str(mismatch) for mismatch in report.mismatches] == []
    asked = [each["versions"] for each in vector["expect"]]
    pairs = sum(7 if versions == "all" else len(versions) for versions in asked)
    assert (report.group, report.vectors, report.pairs) == (group, 1, pairs)


def test_every_vector_of_today_agrees():
    """Those of 6.12 stand in a folder of their own; nothing is the same as before by accident."""
    reports = [check_file(datafiles.path(f"conformance/today/{name}.json")) for name in TODAY]
    assert [str(mismatch) for each in reports for mismatch in each.mismatches] == []
    assert [report.pairs for report in reports] == [2, 2, 11, 1]


@pytest.fixture
def file(tmp_path):
    """Writes a text, or a content as JSON."""

    def write(content):
        path = tmp_path / "changed.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def changed(group, changes, identity=""):
    """A file of one vector, by default the first, with other values: place -> value or GONE."""
    found = copy.deepcopy(CONTENTS[group])
    found["vectors"] = [v for v in found["vectors"] if v["id"] == (identity or v["id"])][:1]
    for place, value in changes.items():
        *way, last = [int(word) if word.isdigit() else word for word in place.split(".")]
        inner = found
        for step in way:
            inner = inner[step]
        if value is GONE:
            del inner[last]
        else:
            inner[last] = value
    return found


# -- mismatches


VECTOR, EXPECT = "vectors.0", "vectors.0.expect.0"


@pytest.mark.parametrize(
    ("group", "identity", "place", "value", "told"),
    [
        ("migrate_pages", "C5", "rc", 12, ("rc", 12, "ENOMEM")),
        ("migrate_pages", "C5", "counters.pgmigrate_fail", 511,
         ("counters.pgmigrate_fail", 511, 512)),
        ("migrate_pages", "C5", "counters.thp_split_page_failed", GONE,
         ("counters.thp_split_page_failed", 0, 1)),
        ("migrate_pages", "C5", "folios.A.ref", 1, ("folios.A.ref", 1, 515)),
        ("gup", "D1", "folios.A.pincount", GONE, ("folios.A.pincount", None, 512)),
        ("metrics", "H105", "indices.2.extfrag_index", 865,
         ("indices[2].extfrag_index", 865, 864)),
    ],
)  # fmt: skip
def test_a_changed_expectation_is_one_mismatch(file, capsys, group, identity, place, value, told):
    changes = {f"{EXPECT}.{place}": value, f"{EXPECT}.versions": ["base"]}
    path = file(changed(group, changes, identity))
    (mismatch,) = check_file(path).mismatches
    assert mismatch == ("changed.json", identity, "base", *told)
    field, expected, found = told
    said = f"changed.json: {identity} base: {field}: expected {expected}, found {found}"
    assert main(["conformance", str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{said}\n")
    assert main(["conformance", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["mismatches"] == 1


def test_fewer_indices_than_orders_are_a_mismatch(file):
    changes = {f"{EXPECT}.versions": ["v2"], f"{EXPECT}.indices.2": GONE}
    (mismatch,) = check_file(file(changed("metrics", changes, "H105"))).mismatches
    assert mismatch.field == "indices"
    assert len(mismatch.found) == 4


# -- whatever is wrong with a file is said in one sentence that names the thing


def refused(path):
    """The message; it is one line, and names the file first."""
    with pytest.raises(VectorFileError, match=r"\A[^\n]{1,500}\Z") as caught:
        check_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


SPLIT = CONTENTS["split"]["vectors"][0]
ID, FOLIO = SPLIT["id"], f"{VECTOR}.setup.folios.0"
NOBODY = {
    "strangers": {},
    "targets": {"fail_attempts": "all"},
    "faults": {"kind": "xarray_nomem", "attempts": "all"},
    "locks": {"until": "never"},
    "events": {"at": {"pass": 0, "site": "alloc"}, "do": "truncate"},
    "isolated_by_other": {"rounds": 1},
}


def expecting(*versions):
    return {f"{VECTOR}.expect": [{**SPLIT["expect"][0], "versions": each} for each in versions]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({f"{FOLIO}.colour": "blue"}, f"{ID}: vectors[0].setup.folios[0]: "),
        ({"vectors": [SPLIT] * 2}, f"the id {ID} stands twice"),
        (expecting(["base"], "all"), f"{ID} expects base twice"),
        (expecting(["base"], ["v2", "base"]), f"{ID} expects base twice"),
        (expecting(["v4"]), ".expect[0].versions"),
        (expecting(["6.13"]), "'6.1.0'"),
        (expecting("some"), "'all' was expected"),
        *(({f"{FOLIO}.order": n}, "folios[0].order: ") for n in (9.5, 1e400, True, "9")),
        ({"surprise": 1}, "'surprise'"),
        ({f"{FOLIO}.pfn": 5}, f"{ID}: A: pfn 0x5 is not aligned to order 9"),
        ({"group": "nonsense"}, "is not one of ['refcount', 'split', "),
        ({f"{VECTOR}.script": {"strangers": [{"folio": "A[512]"}]}}, "A has no page 512"),
        ({f"{EXPECT}.folios": {"Nobody": {"ref": 1, "mapcount": 0, "pmd_maps": 0, "pte_maps": 0}},
          f"{EXPECT}.subpages": GONE}, "no folio 'Nobody'"),
        *(({f"{VECTOR}.script": {field: [{"folio": "Nobody", **entry}]}},
           f"{ID}: no folio 'Nobody'") for field, entry in NOBODY.items()),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(file, changes, says):
    assert says in refused(file(changed("split", changes)))


def test_a_mark_in_front_and_whole_numbers_with_a_point_fit_the_schema(file):
    content = changed("split", {f"{FOLIO}.order": 9.0, f"{EXPECT}.counters.thp_split_page": 1.0})
    assert not check_file(file(f"\ufeff{json.dumps(content)}")).mismatches


@pytest.mark.parametrize(
    ("names", "says"),
    [(["A[3]"], "A[3] is a piece of one"), (["A", "A"], "a folio stands twice in the list")],
)
def test_a_list_that_no_caller_can_have(file, names, says):
    assert says in refused(file(changed("migrate_pages", {f"{VECTOR}.operation.list": names})))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((text, "not JSON") for text in ("", "{", "[1,]", "{'a': 1}", "nonsense")),
        *((text, "the file: ") for text in ("[]", "3", "null", '"text"')),
        ('{"format": 1, "format": 1}', "the field 'format' stands twice in one object"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_vector_file(file, text, says):
    assert says in refused(file(text))


def test_files_that_can_not_be_read(tmp_path):
    path = tmp_path / "vectors.json"
    path.write_bytes(bytes(range(256)))
    assert "not JSON text" in refused(path)
    assert "can't be read" in refused(tmp_path)


MANY = 1_000_000


@pytest.mark.parametrize(
    ("group", "place", "value", "says"),
    [
        ("refcount", "operation.steps.0", {"do": "get", "folio": "A", "times": MANY}, "times is "),
        ("split", "operation.times", MANY, "times is "),
        ("gup", "setup.folios.0.count", MANY, "the folios have "),
        ("drop_caches", "setup.folios.0.count", MANY, "the folios have "),
        ("cma_alloc", "setup.area_pageblocks", MANY, "area_pageblocks is "),
        ("migrate_pages", "setup.folios.0.pfn", MANY << 40, "pfn is "),
    ],
)
def test_numbers_that_would_fill_the_memory_are_refused(file, group, place, value, says):
    """A count of 10^9 took 4.5 GB."""
    message = refused(file(changed(group, {f"{VECTOR}.{place}": value})))
    assert says in message
    assert message.endswith(("is possible", "are possible"))


def test_the_schema_beside_the_vectors_is_no_vector_file_and_no_mistake(file, capsys):
    """So `mmsim conformance data/conformance/*.json` may be typed."""
    schema = str(datafiles.path("conformance/schema.json"))
    assert main(["conformance", schema, str(file(changed("split", {})))]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "schema.json: this is the schema of vector files, it holds no vectors"
    assert second.startswith("changed.json: 1 vectors")


@pytest.mark.parametrize("command", ["conformance", "compare", "diagnose", "show"])
@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device of POSIX")
def test_a_file_without_an_end_is_refused(command, capsys):
    """Its size is said to be 0."""
    assert main([command, "/dev/zero"]) == 2
    assert "/dev/zero has more than " in capsys.readouterr().err
