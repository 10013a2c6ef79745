"""The public vectors: no mismatch; what a mismatch looks like, and what is said of a bad file."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from mmsim import datafiles
from mmsim.cli import main
from mmsim.evidence.vectors import OPERATIONS, Mismatch, VectorFileError, check_file

TODAY = ("cma_alloc", "gup", "migrate_pages", "split")
PUBLIC = {group: datafiles.path(f"conformance/{group}.json") for group in OPERATIONS}
CONTENTS = {group: json.loads(path.read_text(encoding="utf-8")) for group, path in PUBLIC.items()}


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


def drop_counter(expectation):
    del expectation["counters"]["thp_split_page_failed"]


def set_folio(expectation):
    expectation["folios"]["A"]["ref"] = 1


@pytest.mark.parametrize(
    ("change", "field", "expected", "found"),
    [
        (set_rc, "rc", 7, "ENOMEM"),
        (set_counter, "counters.pgmigrate_fail", 511, 512),
        (drop_counter, "counters.thp_split_page_failed", 0, 1),
        (set_folio, "folios.A.ref", 1, 515),
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


def test_every_vector_of_today_agrees():
    """Those of 6.12 stand in a folder of their own; nothing is the same as before by accident."""
    reports = [check_file(datafiles.path(f"conformance/today/{name}.json")) for name in TODAY]
    assert [str(mismatch) for each in reports for mismatch in each.mismatches] == []
    assert [report.pairs for report in reports] == [2, 2, 11, 1]


def test_fewer_indices_than_orders_are_a_mismatch(tmp_path):
    vector = vector_of("metrics", "H105")
    vector["expect"] = [{**vector["expect"][0], "versions": ["v2"]}]
    vector["expect"][0]["indices"][2]["extfrag_index"] = 865
    (mismatch,) = check_file(written(tmp_path, "metrics", vector)).mismatches
    assert mismatch[1:] == ("H105", "v2", "indices[2].extfrag_index", 865, 864)
    del vector["expect"][0]["indices"][2]
    (mismatch,) = check_file(written(tmp_path, "metrics", vector)).mismatches
    assert mismatch.field == "indices"
    assert len(mismatch.found) == 4


# -- whatever is wrong with a file is said in one sentence that names the thing

SPLIT = json.loads(datafiles.path("conformance/split.json").read_text(encoding="utf-8"))


def small():
    return {**SPLIT, "vectors": [copy.deepcopy(SPLIT["vectors"][0])]}


def write(tmp_path, content):
    path = tmp_path / "bad.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def refused(path):
    """The message; it is one line, and names the file first."""
    with pytest.raises(VectorFileError) as caught:
        check_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def set_colour(content):
    content["vectors"][0]["setup"]["folios"][0]["colour"] = "blue"


def set_twice(content):
    content["vectors"] *= 2


def set_versions(*named):
    def change(content):
        expectation = content["vectors"][0]["expect"][0]
        content["vectors"][0]["expect"] = [{**expectation, "versions": each} for each in named]

    return change


def set_order(order):
    """The schema takes 9.0 for 9; nothing here does."""

    def change(content):
        content["vectors"][0]["setup"]["folios"][0]["order"] = order

    return change


ID = SPLIT["vectors"][0]["id"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_colour, f"{ID}: vectors[0].setup.folios[0]: "),
        (set_twice, f"the id {ID} stands twice"),
        (set_versions(["base"], "all"), f"{ID} expects base twice"),
        (set_versions(["base"], ["v2", "base"]), f"{ID} expects base twice"),
        (set_versions(["v4"]), ".expect[0].versions"),
        (set_versions(["6.13"]), "'6.1.0'"),
        (set_versions("some"), "'all' was expected"),
        *((set_order(n), "vectors[0].setup.folios[0].order: ") for n in (9.0, 1e400, True, "9")),
        (lambda content: content.update(surprise=1), "'surprise'"),
        (lambda content: content.update(group="nonsense"), "is not one of ['refcount', 'split', "),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, says):
    content = small()
    change(content)
    message = refused(write(tmp_path, content))
    assert says in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((text, "not JSON") for text in ("", "{", "[1,]", "{'a': 1}", "nonsense")),
        *((text, "the file: ") for text in ("[]", "3", "null", '"text"')),
        ('{"format": 1, "format": 1}', "the field 'format' stands twice in one object"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_vector_file(tmp_path, text, says):
    assert says in refused(write(tmp_path, text))


def test_files_that_can_not_be_read(tmp_path):
    path = tmp_path / "vectors.json"
    path.write_bytes(bytes(range(256)))
    assert "not JSON text" in refused(path)
    assert "can't be read: No such file" in refused(tmp_path / "absent.json")
    assert "can't be read" in refused(tmp_path)


SCRIPTS = {
    "holder": {"strangers": [{"folio": "Nobody"}]},
    "target": {"targets": [{"folio": "Nobody", "fail_attempts": "all"}]},
    "fault": {"faults": [{"folio": "Nobody", "kind": "xarray_nomem", "attempts": "all"}]},
    "lock": {"locks": [{"folio": "Nobody", "until": "never"}]},
    "event": {
        "events": [{"folio": "Nobody", "at": {"pass": 0, "site": "alloc"}, "do": "truncate"}]
    },
    "isolation": {"isolated_by_other": [{"folio": "Nobody", "rounds": 1}]},
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_script_that_names_an_unknown_folio(tmp_path, script):
    content = small()
    content["vectors"][0]["script"] = script
    message = refused(write(tmp_path, content))
    assert content["vectors"][0]["id"] in message
    assert "no folio 'Nobody'" in message


def set_piece(vector):
    vector["script"] = {"strangers": [{"folio": "A[512]"}]}


def set_expected(vector):
    vector["expect"][0].pop("subpages", None)
    counts = {"ref": 1, "mapcount": 0, "pmd_maps": 0, "pte_maps": 0}
    vector["expect"][0]["folios"] = {"Nobody": counts}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_piece, "A has no page 512"),
        (set_expected, "no folio 'Nobody'"),
    ],
)
def test_a_vector_that_names_what_is_not_there(tmp_path, change, says):
    content = small()
    change(content["vectors"][0])
    assert says in refused(write(tmp_path, content))


def folios(vector, n):
    vector["setup"]["folios"][0]["count"] = n


LIMITS = {
    "refcount": (lambda v, n: v["operation"]["steps"].append(GET | {"times": n}), "times is "),
    "split": (lambda v, n: v["operation"].update(times=n), "times is "),
    "gup": (folios, "the folios have "),
    "drop_caches": (folios, "the folios have "),
    "cma_alloc": (lambda v, n: v["setup"].update(area_pageblocks=n), "area_pageblocks is "),
    "migrate_pages": (lambda v, n: v["setup"]["folios"][0].update(pfn=n << 40), "pfn is "),
}
GET = {"do": "get", "folio": "A"}


@pytest.mark.parametrize("group", LIMITS)
def test_numbers_that_would_fill_the_memory_are_refused(tmp_path, group):
    """A count of 10^9 took 4.5 GB."""
    change, says = LIMITS[group]
    content = json.loads(datafiles.path(f"conformance/{group}.json").read_text(encoding="utf-8"))
    content["vectors"] = content["vectors"][:1]
    change(content["vectors"][0], 1_000_000)
    message = refused(write(tmp_path, content))
    assert says in message
    assert message.endswith(("is possible", "are possible"))


def test_the_schema_beside_the_vectors_is_no_vector_file_and_no_mistake(tmp_path, capsys):
    """So `mmsim conformance data/conformance/*.json` may be typed."""
    vectors = write(tmp_path, small())
    assert main(["conformance", str(datafiles.path("conformance/schema.json")), str(vectors)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == "schema.json: this is the schema of vector files, it holds no vectors"
    assert second.startswith(f"{vectors.name}: 1 vectors")


@pytest.mark.parametrize("command", ["conformance", "compare", "diagnose", "show"])
@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device of POSIX")
def test_a_file_without_an_end_is_refused(command, capsys):
    """Its size is said to be 0."""
    assert main([command, "/dev/zero"]) == 2
    assert "/dev/zero has more than " in capsys.readouterr().err
