"""/proc/zoneinfo as values: size and watermarks of each zone.

Mirrors mm/vmstat.c, zoneinfo_show(), 6.1-rc1.

Interface: parse_zoneinfo, ZoneInfo
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mmsim.procfs.text import ZONE, ZONEINFO, Key, Line, PasteError, count, key_of, lines_of, refuse

# As printed, in the order of the fields.  "high:" with a colon, the limit of a per-CPU list, is
# another thing.
_MUST = ("pages free", "min", "low", "high", "spanned", "present", "managed")
_MAY = ("nr_free_cma", "cma", "boost", "start_pfn:")

_HEADINGS = ("per-node stats", "pagesets")
_VALUE = re.compile(r"([A-Za-z][\w ()]*?:?) (\S+)")
_PROTECTION = re.compile(r"protection: \([0-9, ]+\)")
_NUMBER = re.compile(r"-?[0-9]+")


class ZoneInfo(NamedTuple):
    """What /proc/zoneinfo says of one zone, in pages; None: that kernel does not print it."""

    node: int
    zone: str
    nr_free_pages: int
    """Printed as "pages free": CMA included, pages on per-CPU lists not."""
    min: int
    low: int
    high: int
    spanned: int
    present: int
    managed: int
    nr_free_cma: int | None = None
    cma: int | None = None
    boost: int | None = None
    start_pfn: int | None = None


def parse_zoneinfo(text: str) -> tuple[ZoneInfo, ...]:
    """The zones of /proc/zoneinfo, those without memory too; PasteError for anything else."""
    lines = lines_of(text, ZONEINFO)
    first: dict[Key, Line] = {}
    zones: list[ZoneInfo] = []
    key: Key | None = None
    values: dict[str, int] = {}
    for before, line in zip([lines[0], *lines], lines, strict=False):
        match = ZONE.fullmatch(line.text)
        if match:
            if match[3] or match[4]:
                refuse(line, ZONEINFO)
            if key:
                zones.append(_zone(key, values, before))
            key, values = key_of(line, match, first), {}
        elif key is None:
            refuse(line, ZONEINFO, " to begin with ('Node 0, zone ...')")
        else:
            _read(line, key, values)
    assert key is not None  # refuse() would have raised at the first line
    zones.append(_zone(key, values, lines[-1]))
    return tuple(zones)


def _read(line: Line, key: Key, values: dict[str, int]) -> None:
    """Take the number of a line if it is one of ours; PasteError for what zoneinfo never prints."""
    if line.text in _HEADINGS:
        return
    if _PROTECTION.fullmatch(line.text):
        values["protection:"] = 0  # only seen, not kept
        return
    match = _VALUE.fullmatch(line.text)
    if match is None or match[1] == "Node":
        refuse(line, ZONEINFO)
    name, word = match[1], match[2]
    if name not in (*_MUST, *_MAY):
        if not _NUMBER.fullmatch(word):
            refuse(line, ZONEINFO)
        return
    if name in values:
        raise PasteError(
            f"line {line.number}: {name!r} a second time for node {key[0]}, zone {key[1]}: "
            "a line 'Node ..., zone ...' is missing above, paste all of it again"
        )
    values[name] = count(line, word, "a number of pages")


def _zone(key: Key, values: dict[str, int], end: Line) -> ZoneInfo:
    """The zone that ends in the line `end`; PasteError if that is too early."""
    # The last line of a zone that has memory, and of one that has none.
    last = "start_pfn:" if values.get("present") else "protection:"
    missing = [name for name in (*_MUST, last) if name not in values]
    if missing:
        raise PasteError(
            f"line {end.number}: node {key[0]}, zone {key[1]} ends here without "
            f"{missing[0].removesuffix(':')!r}: the text is cut, paste all that 'cat {ZONEINFO}' "
            "prints"
        )
    numbers = [*(values[name] for name in _MUST), *(values.get(name) for name in _MAY)]
    return ZoneInfo._make([*key, *numbers])
