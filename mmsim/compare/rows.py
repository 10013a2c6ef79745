"""What a comparison answers: rows, each with its verdict.

Interface: Row, RowComparison, FileComparison
"""

from __future__ import annotations

from typing import NamedTuple

Row = dict[str, str]


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
    """All rows of one file.  `notes`: what can be said of them together."""

    file: str
    rows: list[RowComparison]
    notes: tuple[str, ...] = ()

    def having(self, verdict: str) -> list[RowComparison]:
        """The rows with this verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    @property
    def numbers(self) -> int:
        """How many single numbers were compared."""
        return sum(len(row.predicted) for row in self.rows)
