"""Write docs/licences.md: the licence of every package that `make lab` installs.

The names come from requirements/lab.txt, the licences from the metadata of what is installed:
.venv-test/bin/python tools/licences.py"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "licences.md"
HEAD = """# Licences of what mmsim is used with

mmsim itself needs nothing but Python. `make lab` installs these packages. None of them is part of
this repository. What a package says of its licence stands here as its metadata says it.
`tools/licences.py` writes this file.

| package | licence |
| --- | --- |
"""


def locked() -> dict[str, str]:
    """The packages of the lock file: name -> on which systems, "" for all."""
    lines = (ROOT / "requirements" / "lab.txt").read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w.-]+)==\S+(?: ; (.*?))? *\\?$", line) for line in lines)
    return {match[1]: match[2] or "" for match in found if match}


def licence(name: str) -> str:
    """What the metadata of an installed package say; "" if it is not installed here."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    kinds = [kind.rpartition(" :: ")[2] for kind in about.get_all("Classifier", [])
             if kind.startswith("License :: ")]  # fmt: skip
    told = about.get("License-Expression") or ", ".join(kinds) or about.get("License", "")
    return " ".join(told.split())[:80]


def table() -> str:
    """The text of docs/licences.md."""
    rows = []
    for name, systems in locked().items():
        told = licence(name) or f"not looked up: not installed where this was written ({systems})"
        rows.append(f"| {name} | {told.replace('|', '/')} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
