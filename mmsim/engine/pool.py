"""What a search keeps states small with: each value once, under a number."""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from typing import Any


class Pool:
    """Equal values become one object with one number.

    A search meets the same folio, the same list of counters in thousands of states.  The first of
    several equal values stays; a later one is recognized by its hash once, and from then on by its
    identity, which is several times quicker for a value with many fields.  Values are immutable.
    `values[n]` is the value with number `n`."""

    __slots__ = ("_at", "_numbers", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}
        self._at: dict[int, int] = {}  # id of a pooled value, which is alive as long as the pool

    def number(self, value: Hashable) -> int:
        """The number of this value, 0, 1, 2 ... in the order in which they were first seen."""
        found = self._at.get(id(value))
        if found is None:
            found = self._numbers.get(value)
            if found is None:
                found = self._numbers[value] = self._at[id(value)] = len(self.values)
                self.values.append(value)
        return found

    def table(self, table: dict[int, Any]) -> bytes:
        """A key of a whole table from small numbers (below 2**32) to values, 8 bytes an entry.

        Equal values are replaced by the pooled object, in the table itself, so that the next look
        at them is quick."""
        at, values = self._at, self.values
        entries = []
        for key, value in table.items():
            number = at.get(id(value))
            if number is None:
                number = self.number(value)
                table[key] = values[number]
            entries.append(key << 32 | number)
        entries.sort()
        return array("Q", entries).tobytes()
