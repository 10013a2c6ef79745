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
"""Groups that have vectors of 6.12, in a folder of their own."""
GONE = object()


def content_of(name):
    return json.loads(datafiles.path(f"conformance/{name}.json").read_text(encoding="utf-8"))


CONTENTS = {group: content_of(group) for group in OPERATIONS}


@pytest.fixture
def file(tmp_path):
    """Writes bytes, a text, or a content as JSON."""

    def write(content):
        path = tmp_path / "changed.json"
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "vector"),
    [
        pytest.param(content, vector, id=vector["id"])
        for content in (*CONTENTS.values(), *(content_of(f"today/{name}") for name in TODAY))
        for vector in content["vectors"]
    ],
)
def test_every_public_vector_agrees(content, vector, file):
    report = check_file(file({**content, "vectors": [vector]}))
    assert [str(mismatch) for mismatch in report.mismatches] == []
    asked = [each["versions"] for each in vector["expect"]]
    pairs = sum(7 if versions == "all" else len(versions) for versions in asked)
    assert (report.group, report.vectors, report.pairs) == (content["group"], 1, pairs)


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
        ("migrate_pages", "C5", "rc", 12, "rc: expected 12, found ENOMEM"),
        ("migrate_pages", "C5", "counters.pgmigrate_fail", 511,
         "counters.pgmigrate_fail: expected 511, found 512"),
        ("migrate_pages", "C5", "counters.thp_split_page_failed", GONE,
         "counters.thp_split_page_failed: expected 0, found 1"),
        ("migrate_pages", "C5", "folios.A.ref", 1, "folios.A.ref: expected 1, found 515"),
        ("gup", "D1", "folios.A.pincount", GONE, "folios.A.pincount: expected None, found 512"),
        ("metrics", "H105", "indices.2.extfrag_index", 865,
         "indices[2].extfrag_index: expected 865, found 864"),
        ("metrics", "H105", "indices.2", GONE, "indices: expected [{"),
    ],
)  # fmt: skip
def test_a_changed_expectation_is_one_mismatch(file, capsys, group, identity, place, value, told):
    changes = {f"{EXPECT}.{place}": value, f"{EXPECT}.versions": ["base"]}
    path = str(file(changed(group, changes, identity)))
    assert main(["conformance", path]) == 1
    mismatch, summary = capsys.readouterr().out.splitlines()
    assert mismatch.startswith(f"changed.json: {identity} base: {told}")
    assert summary.endswith(", 1 mismatches")
    assert main(["conformance", path, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["mismatches"] == 1


# -- whatever is wrong with a file is said in one sentence that names the thing


def refused(path):
    """The message; it is one line, and names the file first."""
    with pytest.raises(VectorFileError, match=r"\A[^\n]{1,500}\Z") as caught:
        check_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


SPLIT = CONTENTS["split"]["vectors"][0]
ID, FOLIO = SPLIT["id"], f"{VECTOR}.setup.folios.0"
STEP, LIST = f"{VECTOR}.operation.steps.0", f"{VECTOR}.operation.list"
MANY, MOST = 1_000_000, ", and at most "


def expecting(*versions):
    return {f"{VECTOR}.expect": [{**SPLIT["expect"][0], "versions": each} for each in versions]}


@pytest.mark.parametrize(
    ("group", "changes", "says"),
    [
        ("split", {f"{FOLIO}.colour": "blue"}, f"{ID}: vectors[0].setup.folios[0]: "),
        ("split", {"vectors": [SPLIT] * 2}, f"the id {ID} stands twice"),
        ("split", expecting(["base"], "all"), f"{ID} expects base twice"),
        ("split", expecting(["base"], ["v2", "base"]), f"{ID} expects base twice"),
        ("split", expecting(["v4"]), ".expect[0].versions"),
        ("split", expecting(["6.13"]), "'6.1.0'"),
        ("split", expecting("some"), "'all' was expected"),
        *(("split", {f"{FOLIO}.order": n}, "[0].order: ") for n in (9.5, 1e400, True, "9")),
        ("split", {"surprise": 1}, "'surprise'"),
        ("split", {f"{FOLIO}.pfn": 5}, f"{ID}: A: pfn 0x5 is not aligned to order 9"),
        ("split", {"group": "nonsense"}, "is not one of ['refcount', 'split', "),
        ("split", {f"{VECTOR}.script": {"strangers": [{"folio": "A[512]"}]}}, "A has no page 512"),
        ("split", {f"{EXPECT}.subpages": GONE, f"{EXPECT}.folios": {"Nobody": {
            "ref": 1, "mapcount": 0, "pmd_maps": 0, "pte_maps": 0}}}, "no folio 'Nobody'"),
        ("split", {f"{VECTOR}.script": {"strangers": [{"folio": "B"}]}}, f"{ID}: no folio 'B'"),
        ("migrate_pages", {LIST: ["A[3]"]}, "A[3] is a piece of one"),
        ("migrate_pages", {LIST: ["A", "A"]}, "a folio stands twice in the list"),
        # A count of 10^9 took 4.5 GB.
        ("refcount", {STEP: {"do": "get", "folio": "A", "times": MANY}}, f"times is {MANY}{MOST}"),
        ("split", {f"{VECTOR}.operation.times": MANY}, f"times is {MANY}{MOST}"),
        ("gup", {f"{FOLIO}.count": MANY}, f"the folios have {MANY << 9} pages{MOST}"),
        ("drop_caches", {f"{FOLIO}.count": MANY}, f"the folios have {MANY << 9} pages{MOST}"),
        ("cma_alloc", {f"{VECTOR}.setup.area_pageblocks": MANY}, f"blocks is {MANY}{MOST}"),
        ("migrate_pages", {f"{FOLIO}.pfn": MANY << 40}, f"pfn is {MANY << 40}{MOST}"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(file, group, changes, says):
    assert says in refused(file(changed(group, changes)))


def test_a_mark_in_front_and_whole_numbers_with_a_point_fit_the_schema(file):
    content = changed("split", {f"{FOLIO}.order": 9.0, f"{EXPECT}.counters.thp_split_page": 1.0})
    assert not check_file(file(f"\ufeff{json.dumps(content)}")).mismatches


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((text, "not JSON") for text in ("", "{", "[1,]", "{'a': 1}", "nonsense")),
        *((text, "the file: ") for text in ("[]", "3", "null", '"text"')),
        ('{"format": 1, "format": 1}', "the field 'format' stands twice in one object"),
        ("[" * 100_000, "nested too deeply"),
        (bytes(range(256)), "not JSON text"),
    ],
)
def test_what_is_no_vector_file(file, text, says):
    assert says in refused(file(text))


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
