"""Whatever is wrong with a vector file is said in one sentence that names the thing."""

import copy
import json
import random
import sys

import pytest

from mmsim import datafiles
from mmsim.cli import main
from mmsim.evidence.vectors import OPERATIONS, VectorFileError, check_file, load
from mmsim.mm.versions import VERSIONS

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


def test_a_good_file_is_loaded(tmp_path):
    assert load(write(tmp_path, small()))["group"] == "split"


def test_an_unknown_field(tmp_path):
    content = small()
    content["vectors"][0]["setup"]["folios"][0]["colour"] = "blue"
    message = refused(write(tmp_path, content))
    assert f"{content['vectors'][0]['id']}: vectors[0].setup.folios[0]: " in message
    assert "'colour'" in message


def test_an_unknown_field_at_the_top(tmp_path):
    assert "'surprise'" in refused(write(tmp_path, {**small(), "surprise": 1}))


def test_an_id_that_stands_twice(tmp_path):
    content = small()
    content["vectors"] *= 2
    assert f"the id {content['vectors'][0]['id']} stands twice" in refused(write(tmp_path, content))


@pytest.mark.parametrize("versions", ["all", ["v2", "base"]])
def test_a_version_that_is_expected_twice(tmp_path, versions):
    content = small()
    expectation = content["vectors"][0]["expect"][0]
    one = {**expectation, "versions": ["base"]}
    content["vectors"][0]["expect"] = [one, {**expectation, "versions": versions}]
    message = refused(write(tmp_path, content))
    assert f"{content['vectors'][0]['id']} expects base twice" in message


def test_an_unknown_version(tmp_path):
    content = small()
    for versions in (["v4"], "some"):
        content["vectors"][0]["expect"][0]["versions"] = versions
        message = refused(write(tmp_path, content))
        assert ".expect[0].versions" in message
        assert "'v3fix'" in message or "'all' was expected" in message


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{'a': 1}", "nonsense"])
def test_what_is_not_json(tmp_path, text):
    assert "not JSON" in refused(write(tmp_path, text))


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_json_of_another_kind(tmp_path, text):
    assert "the file: " in refused(write(tmp_path, text))


def test_a_field_that_stands_twice_in_one_object(tmp_path):
    text = '{"format": 1, "format": 1}'
    assert "the field 'format' stands twice in one object" in refused(write(tmp_path, text))


def test_deep_nesting_is_a_sentence_not_a_crash(tmp_path):
    assert "nested too deeply" in refused(write(tmp_path, "[" * 100_000))


def test_a_binary_file(tmp_path):
    path = tmp_path / "vectors.json"
    path.write_bytes(bytes(range(256)))
    assert "not UTF-8 text" in refused(path)


def test_a_file_that_is_not_there(tmp_path):
    assert "can't be read: No such file" in refused(tmp_path / "absent.json")


def test_a_folder(tmp_path):
    assert "can't be read" in refused(tmp_path)


def test_a_group_that_is_unknown(tmp_path):
    message = refused(write(tmp_path, {**small(), "group": "nonsense"}))
    assert "'nonsense' is not one of ['refcount', 'split', " in message


@pytest.mark.parametrize("order", [9.0, 1e400, True, "9"])
def test_a_number_that_is_not_whole(tmp_path, order):
    """The schema takes 9.0 for 9; nothing here does."""
    content = small()
    content["vectors"][0]["setup"]["folios"][0]["order"] = order
    assert "vectors[0].setup.folios[0].order: " in refused(write(tmp_path, content))


def test_a_misfit_is_told_in_few_words(tmp_path):
    content = small()
    content["vectors"][0]["setup"] = [1] * 10_000
    message = refused(write(tmp_path, content))
    assert message.endswith("is not of type 'object'")
    assert len(message) < 500


def test_without_jsonschema_one_sentence_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    path = write(tmp_path, small())
    assert "the package jsonschema, which is missing: install it" in refused(path)
    assert main(["conformance", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


PLACES = [None, True, -1, 0, 513, 10**9, 1.5, "", "EAGAIN", "A[0]", [], {}]


@pytest.mark.parametrize("group", OPERATIONS)
def test_no_damaged_file_makes_it_stumble(tmp_path, group):
    """One place of a vector changed: it runs, or one sentence says why not."""
    rng = random.Random(group)
    name = f"conformance/{group}.json"
    content = json.loads(datafiles.path(name).read_text(encoding="utf-8"))
    verdicts = set()
    for _ in range(30):
        vector = copy.deepcopy(rng.choice(content["vectors"][:3]))
        place = vector
        while isinstance(place, dict | list) and place:
            parent = place
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            place = place[key]
            if rng.random() < 0.2:
                break
        parent[key] = rng.choice(PLACES)
        path, told = write(tmp_path, {**content, "vectors": [vector]}), ""
        try:
            load(path)
        except VectorFileError as error:
            told = str(error)
        verdicts.add(told == "")
        assert told == "" or (told.startswith(f"{path}: ") and "\n" not in told)
    assert False in verdicts


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


def test_a_piece_that_a_folio_does_not_have(tmp_path):
    content = small()
    content["vectors"][0]["script"] = {"strangers": [{"folio": "A[512]"}]}
    assert "A has no page 512" in refused(write(tmp_path, content))


def test_an_operation_on_an_unknown_folio(tmp_path):
    content = small()
    content["vectors"][0]["operation"]["folio"] = "Nobody"
    assert "no folio 'Nobody'" in refused(write(tmp_path, content))


def test_an_expectation_about_an_unknown_folio(tmp_path):
    content = small()
    expectation = content["vectors"][0]["expect"][0]
    expectation.pop("subpages", None)
    expectation["folios"] = {"Nobody": {"ref": 1, "mapcount": 0, "pmd_maps": 0, "pte_maps": 0}}
    assert "no folio 'Nobody'" in refused(write(tmp_path, content))


def test_two_folios_of_one_name(tmp_path):
    content = small()
    content["vectors"][0]["setup"]["folios"] *= 2
    assert "two folios are called 'A'" in refused(write(tmp_path, content))


def test_a_version_that_does_not_exist_is_answered_with_those_that_do(tmp_path):
    content = small()
    content["vectors"][0]["expect"][0]["versions"] = ["6.13"]
    message = refused(write(tmp_path, content))
    assert "6.13" in message
    assert all(repr(name) in message for name in VERSIONS)


def test_a_zone_that_can_not_be(tmp_path):
    """The area reaches into the pages that are allocated one by one."""
    path = datafiles.path("conformance/today/cma_alloc.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["vectors"] = content["vectors"][:1]
    content["vectors"][0]["setup"]["area_pageblocks"] = 1_000_000
    assert "it is free already" in refused(write(tmp_path, content))
