"""/proc/buddyinfo, pagetypeinfo, zoneinfo, and the free lists of a kernel log, pasted, as values.

Mirrors mm/vmstat.c, frag_show(), pagetypeinfo_show() and zoneinfo_show(), and show_free_areas(),
6.1-rc1.

Other kernels print other fields: any number of orders, other migratetypes, fewer or more numbers.
What a kernel does not print is None; what is not used here is skipped and counted.  How a text was
pasted does not matter (`evidence.pasted`).

There is one value for each zone, in the order of the text, or a PasteError that names the line, and
no half answer.  A text cut inside its last number, or between two zones or
nodes, can't be told from a whole one, nor can a single line of buddyinfo cut behind so many counts
that a kernel with large pages might have no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from mmsim.errors import nearest
from mmsim.evidence.pasted import (
    BUDDYINFO,
    FREE_LISTS,
    OF_MEMORY,
    PAGETYPEINFO,
    VMSTAT,
    ZONEINFO,
    KnownText,
    Line,
    PasteError,
    kind_of,
    lines_of,
    quantity,
    refuse,
    what_it_is,
    wrong,
)
from mmsim.mm.fragmentation import sum_types

FREE_BLOCKS = "a number of free blocks"
ORDERS_MIN, ORDERS_MAX = 9, 32
"""Fewer columns count as cut off: ordinary kernels have 9 (large pages) to 14."""
ORDERS_USUAL = (11, 14)
"""With pages of 4 KiB, and on arm64 with pages of 64 KiB."""

ZONE = re.compile(
    r"Node ([0-9]{1,6}), zone ([\w.-]{1,32})(?:, type ([\w.-]{1,32}))?(?: (.*))?", re.ASCII
)
"""Groups: node, zone, migratetype or None, the rest or None."""

Key = tuple[int, str]
"""Node and zone."""
AnyZone: TypeAlias = "BuddyZone | PageTypeZone | ZoneInfo"


class Pasted(NamedTuple):
    """What somebody pasted: which file it is, and its zones.

    `page_kib`: the size of a page, if the text tells it.  `notes`: sentences about what was left
    out, such as lines of another file.  `letters`: which migratetypes have
    a free block of each order, as a kernel log says it: U, M, E (reclaimable), H, C (CMA), I."""

    file: str
    zones: tuple[AnyZone, ...]
    page_kib: int | None = None
    notes: tuple[str, ...] = ()
    letters: Mapping[Key, tuple[str, ...]] = MappingProxyType({})


# -- lines that begin with a node and a zone


def _named(key: Key) -> str:
    return f"node {key[0]}, zone {key[1]}"


def key_of(match: re.Match[str]) -> Key:
    """Node and zone of a line that fits ZONE."""
    return int(match[1] or 0), match[2]


def only_once(line: Line, what: object, name: str, first: dict[Any, Line]) -> None:
    """PasteError if an earlier line was about the same; `first`: what a line is about -> line."""
    if what in first:
        already = f"stands in line {first[what].number} already: paste one reading, not several"
        wrong(line, f"{name} {already}")
    first[what] = line


def check_orders(line: Line, found: int, model: Line, expected: int | None) -> None:
    """As many counts as in the line `model`, or a number of orders that a kernel may have."""
    again = "not whole, paste all of it again"
    here = f"there are {found} counts here"
    if expected is not None and found != expected:
        there = f"line {model.number} has {expected}"
        wrong(line, f"{here} where {there}: one of the two lines is {again}")
    if expected is None and not ORDERS_MIN <= found <= ORDERS_MAX:
        wrong(
            line,
            f"{here}, one for each order makes {ORDERS_MIN} to {ORDERS_MAX}: the line is {again}",
        )


# -- buddyinfo: free blocks of each order


class BuddyZone(NamedTuple):
    """A line of /proc/buddyinfo, or of the free lists in a kernel log."""

    node: int
    zone: str
    free: tuple[int, ...]
    """Free blocks of each order, all migratetypes together: what the indices are computed from."""


def _buddyinfo(lines: list[Line]) -> Pasted:
    first: dict[Key, Line] = {}
    zones: list[BuddyZone] = []
    for line in lines:
        match = ZONE.fullmatch(line.text)
        if match is None or match[3] or not (match[4] or line is lines[-1]):
            refuse(line, BUDDYINFO)
        words = (match[4] or "").split()
        if words and all(re.fullmatch(r"-?\d\.\d{3}", word) for word in words):
            refuse(line, BUDDYINFO)
        key = key_of(match)
        only_once(line, key, _named(key), first)
        free = [quantity(line, word, FREE_BLOCKS) for word in words]
        check_orders(line, len(free), lines[0], len(zones[0].free) if zones else None)
        zones.append(BuddyZone(*key, tuple(free)))
    if all(line.torn for line in lines) and len(zones[0].free) not in ORDERS_USUAL:
        wrong(lines[0], "this was broken, perhaps inside a number: paste it again, in one line")
    return Pasted(BUDDYINFO, tuple(zones))


# -- the free lists in a kernel log: "Node 0 Normal: 40*4kB (UME) ... = 149120kB"


_LISTS = re.compile(r"(?:Node (\d{1,6}) )?([\w.-]{1,32}): (\d+\*\d+kB.*) ?= ?(\d{1,15})kB")
_MEANT = re.compile(
    r"\d\*\d*kB|\d\*\d|(?:^|[\dB)] ?)= ?\d+kB$"
    r"|^Node\b(?! \d+ (?:[\w.-]+ )?[a-z][\w()-]*[:=](?:\d|$))"
)
"""What is such a line, or was one before it was damaged.  Of other lines about a node the log has
those like "Node 0 DMA free:15360kB" and "Node 0 hugepages_total=0"."""
_BLOCKS_OF = re.compile(r"(\d{1,19})\*(\d{1,9})kB(?: \(([A-Z]+)\))?")


def _free_lists(lines: list[Line]) -> Pasted:
    letters: dict[Key, tuple[str, ...]] = {}
    first: dict[Key, Line] = {}
    zones: list[BuddyZone] = []
    others: list[Line] = []
    page = 0
    for line in lines:
        if not _MEANT.search(line.text):
            others.append(line)
            continue
        match = _LISTS.fullmatch(line.text)
        found = _BLOCKS_OF.findall(match[3]) if match else []
        if match is None or _BLOCKS_OF.sub("", match[3]).strip():
            refuse(line, FREE_LISTS)
        units = [int(unit) for _, unit, _ in found]
        page = page or units[0]
        if units != [page << order for order in range(len(units))]:
            wrong(line, f"the sizes of blocks are not {page}kB, {2 * page}kB, ...: it is not whole")
        if sum(int(blocks) * int(unit) for blocks, unit, _ in found) != int(match[4]):
            wrong(line, f"the blocks do not add up to {match[4]}kB: the line is not whole")
        key = key_of(match)
        only_once(line, key, _named(key), first)
        model = next(iter(first.values()))
        check_orders(line, len(units), model, len(zones[0].free) if zones else None)
        free = tuple(int(blocks) for blocks, _, _ in found)
        zones.append(BuddyZone(*key, free))
        letters[key] = tuple(types for _, _, types in found)
    if not zones:
        refuse(lines[0], FREE_LISTS)
    said = what_it_is(others, (*OF_MEMORY, VMSTAT))
    notes = [f"Other lines of the log, not read: {len(others)}."] if others else []
    notes += [f"And {said}"] if said else []
    return Pasted(FREE_LISTS, tuple(zones), page, tuple(notes), letters)


# -- pagetypeinfo: free blocks for each migratetype, and what the pageblocks are for


_BLOCK_ORDER = re.compile(r"Page block order: (\S+)")
_HEADING = re.compile(
    r"Pages per block: \d+|Free pages count per migrate type at order (?P<orders>.*)"
    r"|Number of (?P<mixed>mixed )?blocks(?: type)? (?P<types>.*)"
)


class PageTypeZone(NamedTuple):
    """What /proc/pagetypeinfo says of one zone; migratetypes in upper case."""

    node: int
    zone: str
    pageblock_order: int
    free_by_type: Mapping[str, tuple[int, ...]]
    """Migratetype -> free blocks of each order."""
    pageblocks: Mapping[str, int]
    """Migratetype -> number of pageblocks."""
    capped: bool
    """Does it say ">100000" somewhere?  There are more, the kernel stopped counting."""

    @property
    def free(self) -> tuple[int, ...]:
        """Free blocks of each order, all migratetypes together; too few if it is `capped`."""
        return sum_types(self.free_by_type)


class _Section(NamedTuple):
    """A heading: its kind is free, blocks or mixed, "" above all.  Each node has its own ones."""

    kind: str
    heading: Line
    columns: list[str]
    """Orders or migratetypes."""


class _Read(NamedTuple):
    """What was read, by zone: the numbers of each migratetype or of the pageblocks, and where."""

    free: dict[Key, dict[str, tuple[int, ...]]]
    pageblocks: dict[Key, dict[str, int]]
    first: dict[tuple[str, Key, str], Line]
    """Kind of section, zone, migratetype or "" -> line."""


def _pagetypeinfo(lines: list[Line]) -> Pasted:
    pageblock_order: int | None = None
    section, found = _Section("", Line(0, ""), []), _Read({}, {}, {})
    strays: dict[Line, int] = {}
    for line in lines:
        if match := _BLOCK_ORDER.fullmatch(line.text):
            order = quantity(line, match[1], "an order")
            if not order < ORDERS_MAX or pageblock_order not in (None, order):
                wrong(line, f"the page block order can't be {order} here")
            pageblock_order = order
        elif match := _HEADING.fullmatch(line.text):
            if pageblock_order is None:
                first = "paste the text from its first line"
                wrong(line, f"'Page block order: ...' must come before this: {first}")
            section = _section(line, match) or section
        elif match := ZONE.fullmatch(line.text):
            words = (match[4] or "").split()
            again = not section.kind or (section.kind, key_of(match), "") in found.first
            if again and not match[3] and len(words) > len(section.columns):
                strays[line] = len([quantity(line, word, FREE_BLOCKS) for word in words])
            else:
                _add_row(line, match, section, found)
        else:
            refuse(line, PAGETYPEINFO)
    if pageblock_order is None:
        refuse([*strays, lines[-1]][0], PAGETYPEINFO)
    zones = _typed_zones(pageblock_order, found, lines[-1])
    model = next(line for (kind, *_), line in found.first.items() if kind == "free")
    for line, orders in strays.items():
        check_orders(line, orders, model, len(zones[0].free))
    which = ", ".join(f"line {line.number}" for line in [*strays][:9])
    notes = (f"Of another file, {BUDDYINFO}, and not read: {which}.",) if which else ()
    return Pasted(PAGETYPEINFO, zones, notes=notes)


def _section(line: Line, match: re.Match[str]) -> _Section | None:
    """The section that begins with this heading, if one does."""
    if match["types"]:
        kind = "mixed" if match["mixed"] else "blocks"
        return _Section(kind, line, match["types"].upper().split())
    if match["orders"] is None:
        return None
    columns = match["orders"].split()
    if columns != [str(order) for order in range(len(columns))]:
        refuse(line, PAGETYPEINFO, " (the orders are not 0, 1, 2 ...)")
    check_orders(line, len(columns), line, None)
    return _Section("free", line, columns)


def _add_row(line: Line, match: re.Match[str], section: _Section, found: _Read) -> None:
    kind, heading, columns = section
    key, migratetype, words = key_of(match), (match[3] or "").upper(), (match[4] or "").split()
    if not kind:
        refuse(line, PAGETYPEINFO, " to begin with ('Page block order: ...')")
    if bool(migratetype) != (kind == "free"):
        wrong(
            line,
            f"this does not belong under the heading of line {heading.number}, "
            "one between them is missing: paste all of it again",
        )
    check_orders(line, len(words), heading, len(columns))
    name = f"type {migratetype} of {_named(key)}" if migratetype else _named(key)
    only_once(line, (kind, key, migratetype), name, found.first)
    if kind == "free":
        bare = [word.removeprefix(">") for word in words]
        numbers = tuple(quantity(line, word, FREE_BLOCKS) for word in bare)
        found.free.setdefault(key, {})[migratetype] = numbers
    else:
        numbers = tuple(quantity(line, word, "a number of pageblocks") for word in words)
        if kind == "blocks":
            found.pageblocks[key] = dict(zip(columns, numbers, strict=True))


def _typed_zones(pageblock_order: int, found: _Read, end: Line) -> tuple[PageTypeZone, ...]:
    """Everything that was read, if it is whole; `end` is the last line."""
    whole = f"paste all that 'cat {PAGETYPEINFO}' prints"
    for key in (*found.free, *found.pageblocks):
        types, blocks = found.free.get(key), found.pageblocks.get(key)
        if types is None or blocks is None:
            what = "number of blocks" if blocks is None else "free pages"
            wrong(end, f"the text ends without the {what} of {_named(key)}: {whole}")
        if list(types) != list(blocks):
            wrong(
                found.first["free", key, [*types][-1]],
                f"{_named(key)} has the types {', '.join(types)} up to here, but below it has "
                f"blocks of {', '.join(blocks)}: a line is missing, paste all of it again",
            )
    if not found.free or not ZONE.fullmatch(end.text):
        wrong(end, f"the text ends with a heading: {whole}")
    capped = {key for (_, key, _), line in found.first.items() if ">" in line.text}
    return tuple(
        PageTypeZone(*key, pageblock_order, types, found.pageblocks[key], key in capped)
        for key, types in found.free.items()
    )


# -- zoneinfo: size and watermarks of each zone

# As printed.  "high:" with a colon, the limit of a per-CPU list, is another thing.
_MUST = ("pages free", "min", "low", "high", "spanned", "present")
_MAY = ("managed", "nr_free_cma", "cma", "boost", "start_pfn:")
_NEW = ("per-node stats", "boost", "cma")
"""Kernels that print one of these print "managed", too: it came with 3.8."""

_HEADINGS = ("per-node stats", "pagesets")
_VALUE = re.compile(r"([A-Za-z][\w ()-]*?:?) (\S+)")
_PROTECTION = re.compile(r"protection: \([0-9, ]+\)")
_OTHER = re.compile(r"(?!Node)([A-Za-z][\w ()-]*?):? -?[0-9]+(?: \([\w: ]*\)| pcp: \d+)?")


class ZoneInfo(NamedTuple):
    """What /proc/zoneinfo says of one zone, in pages; None: that kernel does not print it."""

    node: int
    zone: str
    nr_free_pages: int
    """Printed as "pages free": CMA included, pages on per-CPU lists not."""
    present: int
    managed: int | None
    nr_free_cma: int | None


def _zoneinfo(lines: list[Line]) -> Pasted:
    first: dict[Key, Line] = {}
    found: list[tuple[Key, dict[str, int], Line]] = []
    skipped = set[str]()
    for line in lines:
        match = ZONE.fullmatch(line.text)
        if match:
            if match[3] or match[4]:
                refuse(line, ZONEINFO)
            key = key_of(match)
            only_once(line, key, _named(key), first)
            found.append((key, {}, line))
        elif not found:
            refuse(line, ZONEINFO, " to begin with ('Node 0, zone ...')")
        else:
            key, values, _ = found[-1]
            _read(line, key, values, skipped)
            found[-1] = (key, values, line)
    everywhere = {name for _, values, _ in found for name in values if values.get("present")}
    zones = tuple(_zone(*each, everywhere) for each in found)
    notes = [f"Fields that are not used here, and were skipped: {len(skipped)}."] if skipped else []
    return Pasted(ZONEINFO, zones, notes=tuple(notes))


def _read(line: Line, key: Key, values: dict[str, int], skipped: set[str]) -> None:
    """Take the number of a line if it is one of ours; PasteError for what zoneinfo never prints."""
    if line.text in _HEADINGS:
        values[line.text] = 0  # only seen, not kept
        return
    if _PROTECTION.fullmatch(line.text):
        values["protection:"] = 0
        return
    match = _VALUE.fullmatch(line.text)
    if match and match[1] in (*_MUST, *_MAY):
        name = match[1]
        if name in values:
            above = "a line 'Node ..., zone ...' is missing above, paste all of it again"
            wrong(line, f"{name!r} a second time for {_named(key)}: {above}")
        values[name] = quantity(line, match[2], "a number of pages")
        return
    if other := _OTHER.fullmatch(line.text):
        skipped.add(other[1])
    elif line.text.isdigit() and [*values] == ["per-node stats"]:
        skipped.add("")  # Linux 4.8 prints one of the node's counters without its name
    else:
        refuse(line, ZONEINFO)


def _zone(key: Key, values: dict[str, int], end: Line, everywhere: set[str]) -> ZoneInfo:
    """The zone that ends in the line `end`; PasteError if that is too early.

    `everywhere`: what zones of this text print; each zone with memory must."""
    needed = [*_MUST, *(["managed"] if any(name in everywhere for name in _NEW) else [])]
    # The last line of a zone that has memory, and of one that has none.
    if values.get("present"):
        needed += [name for name in _MAY if name in everywhere] + ["start_pfn:"]
    missing = [name for name in (*needed, "protection:") if name not in values]
    if missing:
        cut = f"the text is cut, paste all that 'cat {ZONEINFO}' prints"
        wrong(end, f"{_named(key)} ends here without {missing[0].removesuffix(':')!r}: {cut}")
    free, present = values["pages free"], values["present"]
    return ZoneInfo(*key, free, present, values.get("managed"), values.get("nr_free_cma"))


# -- whichever file it is, and one zone of several


def read_memory(text: str) -> Pasted:
    """The zones of a pasted text, whichever of the four it is.

    PasteError, with the sentence of the file that the text looks like, for anything else."""
    lines = lines_of(text, BUDDYINFO)
    file = next((kind for line in lines if (kind := kind_of(line)) in OF_MEMORY), "")
    if not file and (said := what_it_is(lines, OF_MEMORY)):
        raise KnownText(said)
    if not file:
        refuse(lines[0], next((name for name in OF_MEMORY if name in text), BUDDYINFO))
    if file == BUDDYINFO and any(_BLOCK_ORDER.fullmatch(line.text) for line in lines):
        file = PAGETYPEINFO
    return _READERS[file](lines)


_READERS: dict[str, Callable[[list[Line]], Pasted]] = {
    BUDDYINFO: _buddyinfo,
    PAGETYPEINFO: _pagetypeinfo,
    ZONEINFO: _zoneinfo,
    FREE_LISTS: _free_lists,
}


def zone_of(zones: Iterable[AnyZone], zone: str, node: int | None = None) -> AnyZone:
    """The zone of that name, on `node` if several nodes have one; PasteError if there is none."""
    named = {each.node: each for each in zones if each.zone == zone}
    if not named:
        there = dict.fromkeys(each.zone for each in zones)
        raise PasteError(f"this text has no zone {zone!r}{nearest(zone, there)}; paste all of it")
    if node in named:
        return named[node]
    nodes = ", ".join(map(str, named))
    if node is not None:
        raise PasteError(f"node {node} has no zone {zone} in this text; nodes that do: {nodes}")
    if len(named) > 1:
        raise PasteError(f"zone {zone} is on nodes {nodes}: say which one, such as node=0")
    return next(iter(named.values()))
