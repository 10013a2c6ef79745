"""Whatever is wrong with a vector file is said in one sentence that names the thing."""

import copy
import json
import random
from pathlib import Path

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


def set_long(content):
    content["vectors"][0]["setup"] = [1] * 10_000


ID = SPLIT["vectors"][0]["id"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_colour, f"{ID}: vectors[0].setup.folios[0]: "),
        (set_twice, f"the id {ID} stands twice"),
        (set_versions(["base"], "all"), f"{ID} expects base twice"),
        (set_versions(["base"], ["v2", "base"]), f"{ID} expects base twice"),
        (set_versions(["v4"]), ".expect[0].versions"),
        (set_versions("some"), "'all' was expected"),
        *((set_order(n), "vectors[0].setup.folios[0].order: ") for n in (9.0, 1e400, True, "9")),
        (lambda content: content.update(surprise=1), "'surprise'"),
        (lambda content: content.update(group="nonsense"), "is not one of ['refcount', 'split', "),
        (set_long, "is not of type 'object'"),
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
    assert "not UTF-8 text" in refused(path)
    assert "can't be read: No such file" in refused(tmp_path / "absent.json")
    assert "can't be read" in refused(tmp_path)


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


def set_piece(vector):
    vector["script"] = {"strangers": [{"folio": "A[512]"}]}


def set_operation(vector):
    vector["operation"]["folio"] = "Nobody"


def set_expected(vector):
    vector["expect"][0].pop("subpages", None)
    counts = {"ref": 1, "mapcount": 0, "pmd_maps": 0, "pte_maps": 0}
    vector["expect"][0]["folios"] = {"Nobody": counts}


def set_two(vector):
    vector["setup"]["folios"] *= 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_piece, "A has no page 512"),
        (set_operation, "no folio 'Nobody'"),
        (set_expected, "no folio 'Nobody'"),
        (set_two, "two folios are called 'A'"),
    ],
)
def test_a_vector_that_names_what_is_not_there(tmp_path, change, says):
    content = small()
    change(content["vectors"][0])
    assert says in refused(write(tmp_path, content))


def test_a_version_that_does_not_exist_is_answered_with_those_that_do(tmp_path):
    content = small()
    content["vectors"][0]["expect"][0]["versions"] = ["6.13"]
    message = refused(write(tmp_path, content))
    assert "6.13" in message
    assert all(repr(name) in message for name in VERSIONS)


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
