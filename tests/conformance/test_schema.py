"""The small validator against the `jsonschema` package: the same verdict on thousands of files."""

from __future__ import annotations

import copy
import json
import random

import jsonschema
import pytest

from mmsim import datafiles
from mmsim.conformance.schema import problems

SCHEMA = json.loads(datafiles.path("conformance/schema.json").read_text(encoding="utf-8"))
ORACLE = jsonschema.Draft202012Validator(SCHEMA)
FILES = sorted(
    name
    for name in datafiles.names()
    if name.startswith("conformance/") and name.endswith(".json") and "schema" not in name
)
CONTENTS = {name: json.loads(datafiles.path(name).read_text(encoding="utf-8")) for name in FILES}
MUTATIONS = 150
OTHER_VALUES = [None, True, False, -1, 0, 1, 10, 513, 10**9, 1.5, "", "EAGAIN", "A[0]", [], {}]


def places(value, path=()):
    """Every place in a JSON value, as a path of keys."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def mutate(content, rng):
    """Change one place of a copy: drop, add, replace, repeat, or swap a type."""
    content = copy.deepcopy(content)
    path = rng.choice([p for p in places(content) if p])
    parent, key = at(content, path[:-1]), path[-1]
    kind = rng.choice(["drop", "add", "replace", "replace", "nudge", "repeat", "wrap"])
    target = parent[key]
    if kind == "drop":
        del parent[key]
    elif kind == "add" and isinstance(target, dict):
        target[rng.choice(["surprise", "order", "call", "rc", "folio", "pages"])] = rng.choice(
            OTHER_VALUES
        )
    elif kind == "nudge" and isinstance(target, int) and not isinstance(target, bool):
        parent[key] = target + rng.choice([-1000, -1, 1, 1000])
    elif kind == "nudge" and isinstance(target, str):
        parent[key] = target + rng.choice([" ", "x", "#1", "[3]", "[", "é"])
    elif kind == "repeat" and isinstance(target, list) and target:
        target.append(copy.deepcopy(rng.choice(target)))
    elif kind == "wrap":
        parent[key] = [target]
    else:
        parent[key] = copy.deepcopy(rng.choice(OTHER_VALUES))
    return content, (kind, path)


@pytest.mark.parametrize("name", FILES)
def test_the_public_vectors_are_valid(name):
    assert problems(CONTENTS[name], SCHEMA) == []
    assert ORACLE.is_valid(CONTENTS[name])


@pytest.mark.parametrize("name", FILES)
def test_the_verdict_on_mutated_files_is_that_of_jsonschema(name):
    """One vector a file keeps a run short; the seed is the name of the file."""
    rng = random.Random(name)
    vectors = CONTENTS[name]["vectors"]
    verdicts = set()
    for _ in range(MUTATIONS):
        content = {**CONTENTS[name], "vectors": [rng.choice(vectors)]}
        for _ in range(rng.choice([1, 1, 2])):
            content, what = mutate(content, rng)
            if not isinstance(content, dict) or not content:
                break
        mine, theirs = not problems(content, SCHEMA), ORACLE.is_valid(content)
        assert mine == theirs, (what, problems(content, SCHEMA), content)
        verdicts.add(mine)
    assert verdicts == {True, False}


@pytest.mark.parametrize("value", OTHER_VALUES, ids=repr)
def test_a_file_of_another_kind_is_invalid(value):
    assert problems(value, SCHEMA)
    assert not ORACLE.is_valid(value)


@pytest.mark.parametrize("keyword", ["not", "anyOf", "else", "patternProperties"])
def test_an_unknown_keyword_is_an_error_not_ignored(keyword):
    with pytest.raises(ValueError, match=f"{keyword!r}, which .*schema does not know"):
        problems({}, {"type": "object", keyword: {}})


RULES = [
    ({"type": "integer"}, [0, -3], [True, "0", None, 1.5]),
    ({"type": "boolean"}, [True, False], [0, 1, "true"]),
    ({"type": "null"}, [None], [0, False, ""]),
    ({"const": True}, [True], [1, "true"]),
    ({"const": 0}, [0], [False, None]),
    ({"enum": [1, "1"]}, [1, "1"], [True, 2, None]),
    ({"minimum": 2, "maximum": 4}, [2, 3, 4, "text", None], [1, 5]),
    ({"multipleOf": 4}, [0, 8, "text", None], [3, -1]),
    ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], {}], [[], [1, 2, 3]]),
    ({"minLength": 2}, ["ab", "é€", 1], ["a", ""]),
    ({"uniqueItems": True}, [[], [1, 2], [1, "1"], [0, False]], [[1, 1], [[2], [2]]]),
    ({"pattern": "^A"}, ["AB", 1], ["BA", ""]),
    ({"required": ["a"]}, [{"a": None}, []], [{}, {"b": 1}]),
    ({"properties": {"a": {"type": "string"}}}, [{}, {"a": ""}, {"b": 1}], [{"a": 1}]),
    (
        {"properties": {"a": {}}, "additionalProperties": False},
        [{}, {"a": 1}, 3],
        [{"b": 1}, {"a": 1, "b": 1}],
    ),
    ({"additionalProperties": {"type": "integer"}}, [{}, {"x": 1}], [{"x": "1"}]),
    ({"propertyNames": {"pattern": "^x"}}, [{}, {"x1": 0}], [{"y": 0}]),
    ({"items": {"type": "integer"}}, [[], [1], "text"], [["1"], [1, None]]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, [3, "text"], [7]),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [2], [0, 4]),
    (
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
        [{}, {"a": 1, "b": 1}, {"b": 1}],
        [{"a": 1}],
    ),
]


@pytest.mark.parametrize(("schema", "good", "bad"), RULES, ids=[",".join(r[0]) for r in RULES])
def test_each_rule_by_itself(schema, good, bad):
    oracle = jsonschema.Draft202012Validator(schema)
    for value in good:
        assert problems(value, schema) == []
        assert oracle.is_valid(value)
    for value in bad:
        assert problems(value, schema)
        assert not oracle.is_valid(value)


def test_references_are_followed():
    schema = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
    assert problems([1, 2], schema) == []
    assert problems([1, "2"], schema) == ["the file[1] must be of type integer, not '2'"]


def test_a_problem_names_its_place():
    content = copy.deepcopy(CONTENTS["conformance/split.json"])
    content["vectors"][2]["setup"]["folios"][0]["colour"] = "blue"
    assert any(
        "vectors[2]" in problem and "'colour'" in problem for problem in problems(content, SCHEMA)
    )


def test_alternatives_that_come_equally_close_are_all_told():
    all_or_some = {"oneOf": [{"const": "all"}, {"type": "array", "items": {"enum": ["v1", "v2"]}}]}
    [told] = problems(["v4"], all_or_some)
    assert told == (
        "the file must be 'all', not ['v4']; or the file[0] must be one of ['v1', 'v2'], not 'v4'"
    )
    kinds = [{"type": "object", "required": [name]} for name in "abcde"]
    [told] = problems({}, {"oneOf": kinds})
    assert told.count("; or ") == 2
