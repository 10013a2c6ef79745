"""The part of JSON Schema (draft 2020-12) that the conformance vectors' schema uses.

Interface: problems

The package proper has no dependencies, and a vector must be checked wherever it runs; the tests
hold this file against the `jsonschema` package.  A keyword it does not know is an error, not
ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
SHOWN_MAX = 3
_IGNORED = {"$schema", "title", "description", "$defs", "then"}

Schema = dict[str, Any]


def problems(value: Any, schema: Schema) -> list[str]:
    """What is wrong with `value`, one sentence each, with the place; empty if nothing is."""
    return list(_walk(value, schema, "", schema.get("$defs", {})))


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _walk(value: Any, schema: Schema, place: str, defs: Schema) -> Iterator[str]:
    for keyword, rule in schema.items():
        if keyword in _IGNORED:
            continue
        if keyword not in _RULES:
            raise ValueError(
                f"the schema uses {keyword!r}, which mmsim.conformance.schema does not know"
            )
        yield from _RULES[keyword](value, rule, place or "the file", defs, schema)


def _ref(value: Any, rule: str, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    yield from _walk(value, defs[rule.removeprefix("#/$defs/")], place, defs)


def _type(value: Any, rule: str, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if not _is(value, rule):
        yield f"{place} must be of type {rule}, not {value!r:.60}"


def _const(value: Any, rule: Any, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if not _same(value, rule):
        yield f"{place} must be {rule!r}, not {value!r:.60}"


def _enum(value: Any, rule: list[Any], place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if not any(_same(value, allowed) for allowed in rule):
        yield f"{place} must be one of {rule}, not {value!r:.60}"


def _properties(v: Any, rule: Schema, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    for name, inner in rule.items() if isinstance(v, dict) else ():
        if name in v:
            yield from _walk(v[name], inner, f"{place}.{name}", defs)


def _required(v: Any, rule: list[str], place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    for name in rule if isinstance(v, dict) else ():
        if name not in v:
            yield f"{place} has no {name!r}"


def _additional(v: Any, rule: Any, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    for name in v if isinstance(v, dict) else ():
        if name in schema.get("properties", {}):
            continue
        if rule is False:
            yield f"{place} has an unknown field {name!r}"
        elif isinstance(rule, dict):
            yield from _walk(v[name], rule, f"{place}.{name}", defs)


def _names(v: Any, rule: Schema, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    for name in v if isinstance(v, dict) else ():
        yield from _walk(name, rule, f"the field name {name!r} of {place}", defs)


def _items(v: Any, rule: Schema, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    for number, item in enumerate(v) if isinstance(v, list) else ():
        yield from _walk(item, rule, f"{place}[{number}]", defs)


def _length(v: Any, rule: int, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if isinstance(v, list | str) and len(v) < rule:
        yield f"{place} must have at least {rule} entries"


def _max_length(v: Any, rule: int, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if isinstance(v, list | str) and len(v) > rule:
        yield f"{place} must have at most {rule} entries"


def _unique(v: Any, rule: bool, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if rule and isinstance(v, list):
        for number, item in enumerate(v):
            if any(_same(item, other) for other in v[:number]):
                yield f"{place} has {item!r} twice"


def _minimum(v: Any, rule: int, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if _is(v, "integer") and v < rule:
        yield f"{place} must be at least {rule}, not {v}"


def _maximum(v: Any, rule: int, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if _is(v, "integer") and v > rule:
        yield f"{place} must be at most {rule}, not {v}"


def _multiple(v: Any, rule: int, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if _is(v, "integer") and v % rule:
        yield f"{place} must be a multiple of {rule}, not {v}"


def _pattern(v: Any, rule: str, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if isinstance(v, str) and re.search(rule, v) is None:
        yield f"{place} is {v!r:.60}, which does not match {rule}"


def _one_of(v: Any, rule: list[Schema], place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    found = [list(_walk(v, inner, place, defs)) for inner in rule]
    fitting = sum(not complaints for complaints in found)
    if fitting == 0:
        # The alternatives that came closest explain best.
        least = min(map(len, found))
        close = dict.fromkeys(complaints[0] for complaints in found if len(complaints) == least)
        yield "; or ".join([*close][:SHOWN_MAX])
    elif fitting > 1:
        yield f"{place} fits {fitting} alternatives, not one"


def _all_of(v: Any, rule: list[Schema], place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    for inner in rule:
        yield from _walk(v, inner, place, defs)


def _if(v: Any, rule: Schema, place: str, defs: Schema, schema: Schema) -> Iterator[str]:
    if not list(_walk(v, rule, place, defs)):
        yield from _walk(v, schema.get("then", {}), place, defs)


_RULES: dict[str, Callable[[Any, Any, str, Schema, Schema], Iterator[str]]] = {
    "$ref": _ref,
    "type": _type,
    "const": _const,
    "enum": _enum,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "minItems": _length,
    "minLength": _length,
    "maxItems": _max_length,
    "uniqueItems": _unique,
    "minimum": _minimum,
    "maximum": _maximum,
    "multipleOf": _multiple,
    "pattern": _pattern,
    "oneOf": _one_of,
    "allOf": _all_of,
    "if": _if,
}
