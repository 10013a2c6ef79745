"""Running a vector file and saying what does not fit.

Interface: check_file, FileReport, Mismatch
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mmsim.conformance.files import VectorFileError, load
from mmsim.conformance.operations import OPERATIONS
from mmsim.conformance.setup import SetupError
from mmsim.engine.op import ModelError
from mmsim.mm.versions import VERSIONS

UNORDERED = ("subpages", "free_after", "folios_with_extra_ref")
"""Fields whose lists are sets."""


class Mismatch(NamedTuple):
    """One field of one vector for one version that is not as expected."""

    file: str
    vector: str
    version: str
    field: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.vector} {self.version}: {self.field}: "
            f"expected {self.expected}, found {self.found}"
        )


class FileReport(NamedTuple):
    """What became of one file; `pairs` counts (vector, version)."""

    file: str
    group: str
    vectors: int
    pairs: int
    mismatches: list[Mismatch]


def check_file(path: Path) -> FileReport:
    """Run every vector of a file for every version it names; raises VectorFileError."""
    content = load(path)
    group = content["group"]
    if group not in OPERATIONS:
        raise VectorFileError(
            f"{path}: the model does not have group {group!r} yet; it has {', '.join(OPERATIONS)}"
        )
    mismatches: list[Mismatch] = []
    pairs = 0
    for vector in content["vectors"]:
        for expectation in vector["expect"]:
            named = expectation["versions"]
            for version in VERSIONS if named == "all" else named:
                pairs += 1
                try:
                    found = OPERATIONS[group](vector, VERSIONS[version], expectation)
                except SetupError as error:
                    raise VectorFileError(f"{path}: {vector['id']}: {error}") from None
                except ModelError as error:
                    found = {"the run": f"stopped: {error}"}
                    expectation = {"the run": "ends"}
                mismatches += [
                    Mismatch(path.name, vector["id"], version, *difference)
                    for difference in _differences(expectation, found)
                ]
    return FileReport(path.name, group, len(content["vectors"]), pairs, mismatches)


def _differences(expected: dict[str, Any], found: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    result: list[tuple[str, Any, Any]] = []
    for field, value in expected.items():
        if field == "versions":
            continue
        result += _compare(field, value, found.get(field))
    return result


def _compare(field: str, expected: Any, found: Any) -> list[tuple[str, Any, Any]]:
    """Compare field by field, so that a mismatch names the smallest thing that is wrong."""
    if field == "counters":
        names = [n for n in {**expected, **found} if expected.get(n, 0) != found.get(n, 0)]
        return [(f"counters.{n}", expected.get(n, 0), found.get(n, 0)) for n in names]
    if field in UNORDERED:
        return [] if _as_set(expected) == _as_set(found) else [(field, expected, found)]
    if field == "indices" and len(expected) == len(found):
        return [
            (f"indices[{number}].{name}", value, there.get(name))
            for number, (asked, there) in enumerate(zip(expected, found, strict=True))
            for name, value in asked.items()
            if there.get(name) != value
        ]
    if field.startswith("folios.") and isinstance(found, dict):
        names = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
        observed = "on_lru" in found  # group refcount: only what is asked counts
        return [
            (f"{field}.{n}", expected.get(n), found.get(n))
            for n in names
            if n in expected or not observed
        ]
    if field == "folios" and isinstance(found, dict):
        return [
            difference
            for name, value in expected.items()
            for difference in _compare(f"folios.{name}", value, found.get(name))
        ]
    return [] if expected == found and type(expected) is type(found) else [(field, expected, found)]


def _as_set(value: Any) -> Any:
    """The same whatever the order of lists, at every depth; 1, True and 1.0 stay apart."""
    if isinstance(value, dict):
        return sorted((name, _as_set(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return sorted(map(_as_set, value), key=repr)
    return repr(value)
