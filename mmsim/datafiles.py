"""Where the lessons and the measured data are, how a table is read, and how a file is written.

A checkout keeps `notebooks/` and `data/` beside the package, an installed wheel keeps copies
inside it. Nobody else needs to know which of the two is running.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from mmsim.errors import UserError, nearest

PACKAGE = Path(__file__).resolve().parent
CSV_BYTES_MAX = 20_000_000


def share_dir() -> Path:
    """The folder that holds `notebooks/` and `data/`: the installed copy, or the checkout.

    Raises UserError when there is neither, as in a broken installation."""
    if (PACKAGE / "_share" / "data").is_dir():
        return PACKAGE / "_share"
    checkout = PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "data" / "conformance").is_dir():
        return checkout
    raise UserError(
        f"mmsim's lessons and data are not beside {PACKAGE} nor in it: "
        "install it again from its wheel, or from a checkout"
    )


def path(name: str) -> Path:
    """The file or folder `name` under `data/`, such as `kernel-runs/s3_held_reference.csv`.

    Raises UserError, with the nearest name there is, when it does not exist."""
    data = share_dir() / "data"
    found = data / name
    if found.exists() and found.resolve().is_relative_to(data.resolve()):
        return found
    raise UserError(f"no data file {name!r}{nearest(name, names())}")


def names() -> list[str]:
    """Every data file, sorted, as `path()` takes it; hidden files are left out."""
    data = share_dir() / "data"
    relative = (file.relative_to(data) for file in data.rglob("*") if file.is_file())
    return sorted(r.as_posix() for r in relative if not any(p.startswith(".") for p in r.parts))


def load_csv(name: str, **wanted: str) -> list[dict[str, str]]:
    """The rows of the table `name` under `data/`, each as column -> text. Raises UserError.

    `wanted`: only those that have these texts in these columns."""
    return [row for row in read_csv(path(name)) if wanted.items() <= row.items()]


def read_csv(file: Path) -> list[dict[str, str]]:
    """The rows of any CSV file with a header, each as column -> text.

    Raises UserError, in one sentence, for a file that cannot be read, is not UTF-8, has no
    header, names a column twice, or has a row whose number of fields is not the header's.
    """
    try:
        # utf-8-sig: a spreadsheet that saves the file puts a mark in front of the header
        lines = io.StringIO(content(file, CSV_BYTES_MAX).decode("utf-8-sig"), newline="")
        table = csv.DictReader(lines, strict=True)
        header = table.fieldnames or []
        rows = list(table)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text (byte {error.start})") from error
    except csv.Error as error:
        raise UserError(f"{file} is not a well-formed CSV file: {error}") from error
    if not header or "" in header:
        raise UserError(f"{file} has no header: its first line must name every column")
    if len(set(header)) < len(header):
        raise UserError(f"{file} names a column twice in its header: {', '.join(header)}")
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise UserError(f"{file}, row {number} has not {len(header)} fields, as its header has")
    return rows


def content(file: Path, most: int) -> bytes:
    """What is in a file, also if it is a pipe or a device; UserError if that is more than `most`
    bytes, OSError if it can't be read."""
    with file.open("rb") as opened:
        found = opened.read(most + 1)
    if len(found) > most:
        raise UserError(f"{file} has more than {most:,} bytes and is not read")
    return found


def write_whole(target: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: no reader ever sees half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the name changes, also if the power fails
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
