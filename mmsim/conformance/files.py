"""Reading vector files: whatever is wrong with one is said in a sentence.

Interface: load, VectorFileError
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmsim import datafiles
from mmsim.conformance.schema import problems
from mmsim.mm.versions import VERSIONS

FILE_BYTES_MAX = 50_000_000
SHOWN_MAX = 3


class VectorFileError(ValueError):
    """A vector file that can't be used; the message names the file, the place and the problem."""


def load(path: Path) -> dict[str, Any]:
    """A vector file that fits the schema; raises VectorFileError otherwise."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise VectorFileError(f"{path}: larger than {FILE_BYTES_MAX} bytes, not read")
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_twins)
    except OSError as error:
        raise VectorFileError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise VectorFileError(f"{path}: not UTF-8 text") from None
    except RecursionError:
        raise VectorFileError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise VectorFileError(f"{path}: not JSON: {error}") from None
    schema = json.loads(datafiles.path("conformance/schema.json").read_text(encoding="utf-8"))
    found = problems(content, schema) or _beyond_schema(content)
    if found:
        more = f" (and {len(found) - SHOWN_MAX} more)" if len(found) > SHOWN_MAX else ""
        raise VectorFileError(f"{path}: {'; '.join(found[:SHOWN_MAX])}{more}")
    assert isinstance(content, dict)
    return content


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the field {name!r} stands twice in one object")
        result[name] = value
    return result


def _beyond_schema(content: dict[str, Any]) -> list[str]:
    """Rules of the format that its schema can't express."""
    found: list[str] = []
    seen: set[str] = set()
    unknown: dict[str, None] = {}
    for vector in content["vectors"]:
        if vector["id"] in seen:
            found.append(f"the id {vector['id']} stands twice")
        seen.add(vector["id"])
        names: list[str] = []
        for expectation in vector["expect"]:
            versions = expectation["versions"]
            names += VERSIONS if versions == "all" else versions
        unknown.update(dict.fromkeys(name for name in names if name not in VERSIONS))
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            found.append(f"{vector['id']} expects {', '.join(twice)} twice")
    if unknown:
        has = ", ".join(VERSIONS)
        found.append(f"the model does not have version {', '.join(unknown)}; it has {has}")
    return found
