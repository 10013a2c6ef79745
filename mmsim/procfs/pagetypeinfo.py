"""/proc/pagetypeinfo as values: free blocks for each migratetype, and what the pageblocks are for.

Mirrors mm/vmstat.c, pagetypeinfo_show(), 6.1-rc1.

Interface: parse_pagetypeinfo, PageTypeZone
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from mmsim.fragmentation import summed
from mmsim.procfs.text import (
    ORDERS_MAX,
    PAGETYPEINFO,
    ZONE,
    Key,
    Line,
    PasteError,
    check_orders,
    count,
    key_of,
    lines_of,
    refuse,
)

_BLOCK_ORDER = re.compile(r"Page block order: (\S+)")
_BLOCK_PAGES = re.compile(r"Pages per block: (\S+)")
_FREE = re.compile(r"Free pages count per migrate type at order (.*)")
_BLOCKS = re.compile(r"Number of (mixed )?blocks(?: type)? (.*)")


class PageTypeZone(NamedTuple):
    """What /proc/pagetypeinfo says of one zone; migratetypes in upper case."""

    node: int
    zone: str
    pageblock_order: int
    free_by_type: Mapping[str, tuple[int, ...]]
    """Migratetype -> free blocks of each order."""
    pageblocks: Mapping[str, int]
    """Migratetype -> number of pageblocks."""
    at_least: frozenset[tuple[str, int]]
    """(migratetype, order) printed as ">100000": there are more, the kernel stopped counting."""

    @property
    def free(self) -> tuple[int, ...]:
        """Free blocks of each order, all migratetypes together; too few if `at_least` has any."""
        return summed(self.free_by_type)


class _PageTypes:
    """A text of /proc/pagetypeinfo as far as it is read; the headings come once for each node."""

    def __init__(self) -> None:
        self.pageblock_order: int | None = None
        self.section = ""
        self.heading = Line(0, "")
        self.columns: list[str] = []
        """Orders or migratetypes, as the heading of the section names them."""
        self.free: dict[Key, dict[str, tuple[int, ...]]] = {}
        self.at_least: dict[Key, set[tuple[str, int]]] = {}
        self.pageblocks: dict[Key, dict[str, int]] = {}
        self.first: dict[str, dict[Key, Line]] = {"blocks": {}, "mixed": {}}
        self.last_free: dict[Key, Line] = {}

    def read(self, line: Line) -> None:
        """Take one line; PasteError if it does not fit here."""
        if match := _BLOCK_ORDER.fullmatch(line.text):
            order = count(line, match[1], "an order")
            if not order < ORDERS_MAX or self.pageblock_order not in (None, order):
                raise PasteError(f"line {line.number}: the page block order can't be {order} here")
            self.pageblock_order = order
        elif match := _BLOCK_PAGES.fullmatch(line.text):
            pages = count(line, match[1], "a number of pages")
            if self.pageblock_order is None or pages != 1 << self.pageblock_order:
                raise PasteError(
                    f"line {line.number}: {pages} pages in a block do not fit the page block order "
                    "above: paste the text again, from its first line"
                )
        elif match := _FREE.fullmatch(line.text):
            self._enter("free", line, match[1])
            if self.columns != [str(order) for order in range(len(self.columns))]:
                refuse(line, PAGETYPEINFO, " (the orders are not 0, 1, 2 ...)")
            check_orders(line, len(self.columns), line, None)
        elif match := _BLOCKS.fullmatch(line.text):
            self._enter("mixed" if match[1] else "blocks", line, match[2].upper())
        elif match := ZONE.fullmatch(line.text):
            self._row(line, match)
        else:
            refuse(line, PAGETYPEINFO)

    def _enter(self, section: str, line: Line, columns: str) -> None:
        if self.pageblock_order is None:
            raise PasteError(
                f"line {line.number}: 'Page block order: ...' must come before this: paste the "
                "text from its first line"
            )
        self.section, self.heading, self.columns = section, line, columns.split()

    def _row(self, line: Line, match: re.Match[str]) -> None:
        key, migratetype = (int(match[1]), match[2]), (match[3] or "").upper()
        words = (match[4] or "").split()
        if not self.section:
            refuse(line, PAGETYPEINFO, " to begin with ('Page block order: ...')")
        if bool(migratetype) != (self.section == "free"):
            raise PasteError(
                f"line {line.number}: this does not belong under the heading of line "
                f"{self.heading.number}, one between them is missing: paste all of it again"
            )
        check_orders(line, len(words), self.heading, len(self.columns))
        if self.section == "free":
            self._free_row(line, key, migratetype, words)
            return
        key_of(line, match, self.first[self.section])
        numbers = [count(line, word, "a number of pageblocks") for word in words]
        if self.section == "blocks":
            self.pageblocks[key] = dict(zip(self.columns, numbers, strict=True))

    def _free_row(self, line: Line, key: Key, migratetype: str, words: list[str]) -> None:
        types = self.free.setdefault(key, {})
        if migratetype in types:
            raise PasteError(
                f"line {line.number}: type {migratetype} of node {key[0]}, zone {key[1]} stands "
                "here a second time: paste one reading, not several"
            )
        types[migratetype] = tuple(
            count(line, word.removeprefix(">"), "a number of free blocks") for word in words
        )
        more = {(migratetype, order) for order, word in enumerate(words) if word[0] == ">"}
        self.at_least.setdefault(key, set()).update(more)
        self.last_free[key] = line

    def zones(self, end: Line) -> tuple[PageTypeZone, ...]:
        """Everything that was read, if it is whole; `end` is the last line."""
        for key, types in self.free.items():
            if key not in self.pageblocks:
                raise PasteError(
                    f"line {end.number}: the text ends before the number of blocks of node "
                    f"{key[0]}, zone {key[1]}: paste all that 'cat {PAGETYPEINFO}' prints"
                )
            if list(types) != list(self.pageblocks[key]):
                raise PasteError(
                    f"line {self.last_free[key].number}: node {key[0]}, zone {key[1]} has the "
                    f"types {', '.join(types)} up to here, but below it has blocks of "
                    f"{', '.join(self.pageblocks[key])}: a line is missing, paste all of it again"
                )
        if not ZONE.fullmatch(end.text):
            raise PasteError(
                f"line {end.number}: the text ends with a heading: paste all that "
                f"'cat {PAGETYPEINFO}' prints"
            )
        extra = next((key for key in self.pageblocks if key not in self.free), None)
        if extra is not None or self.pageblock_order is None or not self.free:
            what = f" of node {extra[0]}, zone {extra[1]}" if extra else ""
            raise PasteError(
                f"line {end.number}: the text ends without the free pages{what}: paste all that "
                f"'cat {PAGETYPEINFO}' prints"
            )
        return tuple(
            PageTypeZone(
                node=key[0],
                zone=key[1],
                pageblock_order=self.pageblock_order,
                free_by_type=types,
                pageblocks=self.pageblocks[key],
                at_least=frozenset(self.at_least[key]),
            )
            for key, types in self.free.items()
        )


def parse_pagetypeinfo(text: str) -> tuple[PageTypeZone, ...]:
    """The zones of /proc/pagetypeinfo; PasteError for anything else."""
    lines = lines_of(text, PAGETYPEINFO)
    read = _PageTypes()
    for line in lines:
        read.read(line)
    return read.zones(lines[-1])
