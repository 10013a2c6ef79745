"""The indices a kernel printed, recomputed from the free lists that it printed beside them.

Floor 5.  Interface: recomputed, Recomputed, COLUMNS

A kernel shows its lists (pagetypeinfo), its indices (extfrag) and its counters (vmstat) in files of
their own, which are read one after the other.  When they were read while pages came and went, lists
and indices are those of different moments, and differ with good reason.  That is never assumed:
`why` is given only if the lists do not add up to the counted free pages, and if lists that do exist
have just the indices printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mmsim import datafiles
from mmsim.compare.rows import Row, check_columns, whole
from mmsim.fragmentation import extfrag_index, read_printed, summed, unusable_index
from mmsim.hints import nearest

COLUMNS = ("boot", "snapshot", "zone", "index", "order", "value")
LIST_COLUMNS = ("boot", "snapshot", "zone", "migratetype", "order", "free_blocks")
COUNTER_COLUMNS = ("boot", "snapshot", "nr_free_pages_4k")
LISTS, COUNTERS = "s10_pagetypeinfo.csv", "s10_snapshots.csv"
ORDERS_MAX = 64

_INDICES = {"unusable_index": unusable_index, "extfrag_index": extfrag_index}


class Recomputed(NamedTuple):
    """One value of the kernel and ours, both in thousandths."""

    line: int
    metric: str
    predicted: int
    measured: int
    why: str
    """Why they differ, if that is known."""


def recomputed(rows: list[Row], folder: Path) -> Iterator[Recomputed]:
    """Every row of a table of indices; lists and counters of the same form stand in `folder`.

    Raises ValueError (DataFileError) with the line of a row that can't be read.
    """
    lists = _lists(folder / LISTS)
    counted = _counted(folder / COUNTERS)
    found: list[tuple[int, Row, int, int]] = []
    shown: dict[tuple[str, ...], dict[int, int]] = {}
    for line, row in enumerate(rows, start=2):  # line 1 is the header
        try:
            snapshot, order, measured = (
                _snapshot(row),
                whole(row, "order"),
                _printed(row),
            )
            if row["index"] not in _INDICES:
                raise ValueError(
                    f"column index: no index {row['index']!r}{nearest(row['index'], _INDICES)}"
                )
            if snapshot not in lists:
                raise ValueError(f"{LISTS} has no lists of {' '.join(snapshot)}")
            predicted = _INDICES[row["index"]](lists[snapshot], order)
        except ValueError as error:
            raise ValueError(f"line {line}: can't be read as an index: {error}") from None
        found.append((line, row, predicted, measured))
        if row["index"] == "unusable_index":
            shown.setdefault(snapshot, {})[order] = measured
    for line, row, predicted, measured in found:
        snapshot, why = _snapshot(row), ""
        if predicted != measured and row["index"] == "unusable_index":
            free_pages = counted.get(snapshot[:2])
            why = _why(lists[snapshot], free_pages, shown[snapshot])
        yield Recomputed(line, row["index"], predicted, measured, why)


def _printed(row: Row) -> int:
    try:
        return read_printed(row["value"])
    except ValueError as error:
        raise ValueError(f"{error} (column value)") from None


def _snapshot(row: Row) -> tuple[str, ...]:
    return row["boot"], row["snapshot"], row["zone"]


def _lists(file: Path) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Free blocks of each order over all migratetypes, for each snapshot."""
    rows = datafiles.read_csv(file)
    check_columns(file.name, rows, LIST_COLUMNS, "free lists")
    by_type: dict[tuple[str, ...], dict[str, dict[int, int]]] = {}
    for line, row in enumerate(rows, start=2):
        try:
            order, blocks = whole(row, "order"), whole(row, "free_blocks", 0)
            if not 0 <= order < ORDERS_MAX:
                raise ValueError(f"column order: no order {order}")
            by_type.setdefault(_snapshot(row), {}).setdefault(row["migratetype"], {})[order] = (
                blocks
            )
        except ValueError as error:
            raise ValueError(f"{file.name}, line {line}: can't be read: {error}") from None
    return {
        snapshot: summed(
            {
                name: [blocks.get(order, 0) for order in range(_orders(types))]
                for name, blocks in types.items()
            }
        )
        for snapshot, types in by_type.items()
    }


def _orders(types: dict[str, dict[int, int]]) -> int:
    return 1 + max(order for blocks in types.values() for order in blocks)


def _counted(file: Path) -> dict[tuple[str, ...], int]:
    """nr_free_pages of each snapshot of a kernel with one zone."""
    rows = datafiles.read_csv(file)
    check_columns(file.name, rows, COUNTER_COLUMNS, "snapshots")
    counted: dict[tuple[str, ...], int] = {}
    for line, row in enumerate(rows, start=2):
        try:
            counted[row["boot"], row["snapshot"]] = whole(row, "nr_free_pages_4k", 0)
        except ValueError as error:
            raise ValueError(f"{file.name}, line {line}: can't be read: {error}") from None
    return counted


def _why(free: tuple[int, ...], free_pages: int | None, shown: Mapping[int, int]) -> str:
    pages = sum(blocks << order for order, blocks in enumerate(free))
    if free_pages is None or free_pages == pages or not exist(free_pages, shown):
        return ""
    return (
        f"the lists were read at another moment: they add up to {pages} pages where nr_free_pages "
        f"is {free_pages}, and there are lists of {free_pages} pages with just these indices"
    )


def exist(pages: int, unusable: Mapping[int, int]) -> bool:
    """Whether free lists of `pages` pages exist that have these unusable indices (order -> index).

    From the largest order down: as few pages in blocks of at least that order as the index allows,
    which leaves the most freedom to the orders below.  Of order 0 every free page is usable.
    """
    usable = 0
    for order in sorted(unusable, reverse=True):
        # (pages - usable) * 1000 // pages == index  <=>  least <= usable <= most
        least = pages - ((unusable[order] + 1) * pages - 1) // 1000
        most = min(pages - -(-unusable[order] * pages // 1000), pages)
        usable = max(usable, -(-least >> order) << order) if order else pages
        if not least <= usable <= most:
            return False
    return pages > 0
