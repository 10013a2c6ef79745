"""What a comparison answers: rows, each with its verdict.

Floor 5.  Interface: Row, Reading, check_columns, whole, one_of, RowComparison, FileComparison
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from mmsim.hints import nearest

Row = dict[str, str]

_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Reading(Row):
    """A row that notes into `seen` which of its columns were read."""

    def __init__(self, row: Row, seen: set[str]) -> None:
        super().__init__(row)
        self._seen = seen

    def __getitem__(self, column: str) -> str:
        self._seen.add(column)
        return super().__getitem__(column)


def check_columns(name: str, rows: list[Row], needed: Collection[str], what: str) -> None:
    """ValueError, which names every column that is missing, unless all that are needed are there;
    `what`: the kind of rows that the table should have."""
    if not rows:
        raise ValueError(f"{name} has a header but no row")
    missing = [column for column in needed if column not in rows[0]]
    if missing:
        *others, last = missing
        listed = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"{name} is not a table of {what}: no column {listed}")


def _cell(row: Row, column: str) -> str:
    if column not in row:
        raise ValueError(f"no column {column}")
    return row[column]


def whole(row: Row, column: str, least: int | None = None, most: int | None = None) -> int:
    """The whole number in a column; ValueError names the column if it is none or out of range."""
    text = _cell(row, column)
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"column {column} is {text!r}, not a whole number")
    value = int(text)
    if least is not None and value < least:
        raise ValueError(f"column {column} is {value}; the least is {least}")
    if most is not None and value > most:
        raise ValueError(f"column {column} is {value}; the most is {most}")
    return value


def one_of(row: Row, column: str, known: Collection[str]) -> str:
    """The word in a column; ValueError names the column if it is none of the `known` ones."""
    text = _cell(row, column)
    if text not in known:
        raise ValueError(f"column {column} is {text!r}{nearest(text, known)}")
    return text


class RowComparison(NamedTuple):
    """One row.  `verdict`: agree, explained, disagree or skipped; `why` explains it."""

    number: int
    version: str
    verdict: str
    read_off: dict[str, int]
    predicted: dict[str, int]
    measured: dict[str, int]
    why: str

    @property
    def differing(self) -> list[str]:
        """Columns whose numbers are not the same."""
        return [name for name, value in self.predicted.items() if self.measured[name] != value]


class FileComparison(NamedTuple):
    """All rows of one file.  `notes`: what can be said of them together.  `not_used`: (column, why)
    of each column that nothing was predicted from and that was not predicted."""

    file: str
    rows: list[RowComparison]
    notes: tuple[str, ...] = ()
    not_used: tuple[tuple[str, str], ...] = ()

    def having(self, verdict: str) -> list[RowComparison]:
        """The rows with this verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    @property
    def numbers(self) -> int:
        """How many single numbers were compared."""
        return sum(len(row.predicted) for row in self.rows)
