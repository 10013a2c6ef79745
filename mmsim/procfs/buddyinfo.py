"""/proc/buddyinfo as values: free blocks of each order.

Mirrors mm/vmstat.c, frag_show(), 6.1-rc1.

Interface: parse_buddyinfo, BuddyZone
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.procfs.text import (
    BUDDYINFO,
    ZONE,
    Key,
    Line,
    check_orders,
    count,
    key_of,
    lines_of,
    refuse,
)


class BuddyZone(NamedTuple):
    """A line of /proc/buddyinfo."""

    node: int
    zone: str
    free: tuple[int, ...]
    """Free blocks of each order, all migratetypes together: what the indices are computed from."""


def parse_buddyinfo(text: str) -> tuple[BuddyZone, ...]:
    """The zones of /proc/buddyinfo; PasteError for anything else."""
    lines = lines_of(text, BUDDYINFO)
    first: dict[Key, Line] = {}
    zones: list[BuddyZone] = []
    for line in lines:
        match = ZONE.fullmatch(line.text)
        if match is None or match[3] or not (match[4] or line is lines[-1]):
            refuse(line, BUDDYINFO)
        key = key_of(line, match, first)
        free = [count(line, word, "a number of free blocks") for word in (match[4] or "").split()]
        check_orders(line, len(free), lines[0], len(zones[0].free) if zones else None)
        zones.append(BuddyZone(*key, tuple(free)))
    return tuple(zones)
