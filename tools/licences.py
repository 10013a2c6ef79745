"""Write docs/licences.md: the licence of every package that `make lab` installs.

The names come from requirements/lab.txt, the licences from the metadata of what is installed:
.venv-test/bin/python tools/licences.py"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from kit import LOCK, pins

TABLE = Path(__file__).resolve().parents[1] / "docs" / "licences.md"
HEAD = """# Licences of what mmsim is used with

mmsim itself needs nothing but Python. `make lab` installs these packages. None of them is part of
this repository. What a package says of its licence stands here as its metadata says it.
`tools/licences.py` writes this file.

| package | licence |
| --- | --- |
"""


def licence(name: str) -> str:
    """What the metadata of an installed package say; "" if it is not installed here."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    classes = about.get_all("Classifier", [])
    kinds = [one.rpartition(" :: ")[2] for one in classes if one.startswith("License :: ")]
    told = about.get("License-Expression") or ", ".join(kinds) or about.get("License", "")
    return " ".join(told.split())[:80]


def table() -> str:
    """The text of docs/licences.md."""
    rows = []
    for wanted in {pin.wanted.name: pin.wanted for pin in pins(LOCK.read_text("utf-8"))}.values():
        absent = f"not looked up: not installed where this was written ({wanted.marker or ''})"
        rows.append(f"| {wanted.name} | {(licence(wanted.name) or absent).replace('|', '/')} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
