"""Whatever is wrong with a vector file is said in one sentence that names the thing."""

import copy
import json

import pytest

from mmsim import datafiles
from mmsim.conformance import VectorFileError, check_file, load

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
    assert "'colour'" in refused(write(tmp_path, content))


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
    content["vectors"][0]["expect"][0]["versions"] = ["v4"]
    assert "v4" in refused(write(tmp_path, content))


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{'a': 1}", "nonsense"])
def test_what_is_not_json(tmp_path, text):
    assert "not JSON" in refused(write(tmp_path, text))


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_json_of_another_kind(tmp_path, text):
    assert "the file must be of type object" in refused(write(tmp_path, text))


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
    assert "'nonsense'" in refused(write(tmp_path, {**small(), "group": "nonsense"}))


SCRIPTS = {
    "stranger": {"strangers": [{"folio": "Nobody"}]},
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


def test_a_version_of_the_format_that_the_model_does_not_have(tmp_path):
    """The schema knows 6.12; the model has no such version, and says so once for the whole file."""
    content = small()
    content["vectors"][0]["expect"][0]["versions"] = ["6.12"]
    content["vectors"].append({**copy.deepcopy(content["vectors"][0]), "id": "T99"})
    message = refused(write(tmp_path, content))
    assert message.count("the model does not have version 6.12") == 1
