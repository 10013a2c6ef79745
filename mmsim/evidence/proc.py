"""/proc/buddyinfo, pagetypeinfo, zoneinfo, and the free lists of a kernel log, pasted, as values.

Mirrors mm/vmstat.c, frag_show(), pagetypeinfo_show() and zoneinfo_show(), and show_free_areas(),
6.1-rc1.

Interface: read_memory, Pasted, zone_of, proc_text, BuddyZone, PageTypeZone, ZoneInfo

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
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from mmsim.errors import nearest
from mmsim.evidence.pasted import (
    BUDDYINFO,
    FREE_LISTS,
    OF_MEMORY,
    PAGETYPEINFO,
    VMSTAT,
    ZONEINFO,
    Line,
    Neighbour,
    PasteError,
    kind_of,
    lines_of,
    neighbour,
    quantity,
    refuse,
    wrong,
)
from mmsim.mm.fragmentation import summed
from mmsim.mm.zone import Zone, occupancy

ORDERS_MIN, ORDERS_MAX = 8, 32
"""Fewer columns count as cut off: ordinary kernels have 9 (large pages) to 14."""

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


def key_of(line: Line, match: re.Match[str], first: dict[Key, Line]) -> Key:
    """Node and zone of a line; PasteError if an earlier line has both."""
    key = (int(match[1] or 0), match[2])
    if key in first:
        already = f"stands in line {first[key].number} already: paste one reading, not several"
        wrong(line, f"{_named(key)} {already}")
    first[key] = line
    return key


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


def _buddyinfo(lines: list[Line]) -> tuple[BuddyZone, ...]:
    first: dict[Key, Line] = {}
    zones: list[BuddyZone] = []
    for line in lines:
        match = ZONE.fullmatch(line.text)
        if match is None or match[3] or not (match[4] or line is lines[-1]):
            refuse(line, BUDDYINFO)
        words = (match[4] or "").split()
        if words and all(re.fullmatch(r"-?\d\.\d{3}", word) for word in words):
            refuse(line, BUDDYINFO)
        key = key_of(line, match, first)
        free = [quantity(line, word, "a number of free blocks") for word in words]
        check_orders(line, len(free), lines[0], len(zones[0].free) if zones else None)
        zones.append(BuddyZone(*key, tuple(free)))
    return tuple(zones)


# -- the free lists in a kernel log: "Node 0 Normal: 40*4kB (UME) ... = 149120kB"


_LISTS = re.compile(r"(?:Node (\d{1,6}) )?([\w.-]{1,32}): (\d+\*\d+kB.*) ?= ?(\d{1,15})kB")
_MEANT = re.compile(
    r"\d\*\d*kB|\d\*\d|(?:^|[\dB)] ?)= ?\d+kB$|^Node \d*(?: \w*(?::(?: \d*\*?\d*)?)?)?$"
)
"""What is such a line, or was one before it was cut."""
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
        key = key_of(line, match, first)
        check_orders(line, len(units), lines[0], len(zones[0].free) if zones else None)
        free = tuple(int(blocks) for blocks, _, _ in found)
        zones.append(BuddyZone(*key, free))
        letters[key] = tuple(types for _, _, types in found)
    if not zones:
        refuse(lines[0], FREE_LISTS)
    said = neighbour(others, (*OF_MEMORY, VMSTAT))
    notes = [f"Other lines of the log, not read: {len(others)}."] if others else []
    notes += [f"And {said}"] if said else []
    return Pasted(FREE_LISTS, tuple(zones), page, tuple(notes), letters)


# -- pagetypeinfo: free blocks for each migratetype, and what the pageblocks are for


_BLOCK_ORDER = re.compile(r"Page block order: (\S+)")
_BLOCK_PAGES = re.compile(r"Pages per block: \d+")
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


def _pagetypeinfo(lines: list[Line]) -> tuple[tuple[PageTypeZone, ...], tuple[str, ...]]:
    """The zones, and which lines are of another file."""
    read = _PageTypes()
    for line in lines:
        read.read(line)
    zones = read.zones(lines[-1])
    for line, orders in read.buddyinfo:
        check_orders(line, orders, read.heading, len(zones[0].free))
    which = ", ".join(f"line {line.number}" for line, _ in read.buddyinfo[:9])
    notes = (f"Of another file, {BUDDYINFO}, and not read: {which}.",) if which else ()
    return zones, notes


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
        self.buddyinfo: list[tuple[Line, int]] = []
        """Lines of another file, and how many counts they have."""

    def read(self, line: Line) -> None:
        """Take one line; PasteError if it does not fit here."""
        if match := _BLOCK_ORDER.fullmatch(line.text):
            order = quantity(line, match[1], "an order")
            if not order < ORDERS_MAX or self.pageblock_order not in (None, order):
                wrong(line, f"the page block order can't be {order} here")
            self.pageblock_order = order
        elif _BLOCK_PAGES.fullmatch(line.text):
            self._begun(line)
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

    def _begun(self, line: Line) -> None:
        if self.pageblock_order is None:
            first = "paste the text from its first line"
            wrong(line, f"'Page block order: ...' must come before this: {first}")

    def _enter(self, section: str, line: Line, columns: str) -> None:
        self._begun(line)
        self.section, self.heading, self.columns = section, line, columns.split()

    def _row(self, line: Line, match: re.Match[str]) -> None:
        key, migratetype = (int(match[1]), match[2]), (match[3] or "").upper()
        words = (match[4] or "").split()
        seen = not self.section or key in self.first.get(self.section, {})
        if not migratetype and seen and len(words) > len(self.columns):
            numbers = [quantity(line, word, "a number of free blocks") for word in words]
            self.buddyinfo.append((line, len(numbers)))
            return
        if not self.section:
            refuse(line, PAGETYPEINFO, " to begin with ('Page block order: ...')")
        if bool(migratetype) != (self.section == "free"):
            wrong(
                line,
                f"this does not belong under the heading of line {self.heading.number}, "
                "one between them is missing: paste all of it again",
            )
        check_orders(line, len(words), self.heading, len(self.columns))
        if self.section != "free":
            key_of(line, match, self.first[self.section])
            numbers = [quantity(line, word, "a number of pageblocks") for word in words]
            if self.section == "blocks":
                self.pageblocks[key] = dict(zip(self.columns, numbers, strict=True))
            return
        types = self.free.setdefault(key, {})
        if migratetype in types:
            again = "stands here a second time: paste one reading, not several"
            wrong(line, f"type {migratetype} of {_named(key)} {again}")
        types[migratetype] = tuple(
            quantity(line, word.removeprefix(">"), "a number of free blocks") for word in words
        )
        more = {(migratetype, order) for order, word in enumerate(words) if word[0] == ">"}
        self.at_least.setdefault(key, set()).update(more)
        self.last_free[key] = line

    def zones(self, end: Line) -> tuple[PageTypeZone, ...]:
        """Everything that was read, if it is whole; `end` is the last line."""
        whole = f"paste all that 'cat {PAGETYPEINFO}' prints"
        if self.pageblock_order is None:
            refuse((self.buddyinfo or [(end, 0)])[0][0], PAGETYPEINFO)
        for key in (*self.free, *self.pageblocks):
            types, blocks = self.free.get(key), self.pageblocks.get(key)
            if types is None or blocks is None:
                what = "number of blocks" if blocks is None else "free pages"
                wrong(end, f"the text ends without the {what} of {_named(key)}: {whole}")
            if list(types) != list(blocks):
                wrong(
                    self.last_free[key],
                    f"{_named(key)} has the types {', '.join(types)} up to here, but below it has "
                    f"blocks of {', '.join(blocks)}: a line is missing, paste all of it again",
                )
        if not self.free or not ZONE.fullmatch(end.text):
            wrong(end, f"the text ends with a heading: {whole}")
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


# -- zoneinfo: size and watermarks of each zone

# As printed, in the order of the fields.  "high:" with a colon, the limit of a per-CPU list, is
# another thing.
_MUST = ("pages free", "min", "low", "high", "spanned", "present")
_MAY = ("managed", "nr_free_cma", "cma", "boost", "start_pfn:")
_NEW = ("per-node stats", "boost", "cma")
"""Kernels that print one of these print "managed", too: it came with 3.8."""

_HEADINGS = ("per-node stats", "pagesets")
_VALUE = re.compile(r"([A-Za-z][\w ()-]*?:?) (\S+)")
_PROTECTION = re.compile(r"protection: \([0-9, ]+\)")
_OTHER = re.compile(r"-?[0-9]+|(?!Node)([A-Za-z][\w ()-]*?):? -?[0-9]+(?: \([\w: ]*\)| pcp: \d+)?")


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
    managed: int | None
    nr_free_cma: int | None = None
    cma: int | None = None
    boost: int | None = None
    start_pfn: int | None = None


def _zoneinfo(lines: list[Line]) -> tuple[tuple[ZoneInfo, ...], tuple[str, ...]]:
    """The zones, and how many fields were skipped."""
    first: dict[Key, Line] = {}
    found: list[tuple[Key, dict[str, int], Line]] = []
    skipped = set[str]()
    for line in lines:
        match = ZONE.fullmatch(line.text)
        if match:
            if match[3] or match[4]:
                refuse(line, ZONEINFO)
            found.append((key_of(line, match, first), {}, line))
        elif not found:
            refuse(line, ZONEINFO, " to begin with ('Node 0, zone ...')")
        else:
            key, values, _ = found[-1]
            _read(line, key, values, skipped)
            found[-1] = (key, values, line)
    everywhere = {name for _, values, _ in found for name in values if values.get("present")}
    zones = tuple(_zone(*each, everywhere) for each in found)
    notes = [f"Fields that are not used here, and were skipped: {len(skipped)}."] if skipped else []
    return zones, tuple(notes)


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
    other = _OTHER.fullmatch(line.text)
    if other is None:
        refuse(line, ZONEINFO)
    skipped.add(other[1] or "")


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
    numbers = [*(values[name] for name in _MUST), *(values.get(name) for name in _MAY)]
    return ZoneInfo._make([*key, *numbers])


# -- whichever file it is, and one zone of several


def read_memory(text: str) -> Pasted:
    """The zones of a pasted text, whichever of the four it is.

    PasteError, with the sentence of the file that the text looks like, for anything else."""
    lines = lines_of(text, BUDDYINFO)
    file = next((kind for line in lines if (kind := kind_of(line)) in OF_MEMORY), "")
    if not file and (said := neighbour(lines, OF_MEMORY)):
        raise Neighbour(said)
    if file == PAGETYPEINFO or (
        file == BUDDYINFO and any(_BLOCK_ORDER.fullmatch(line.text) for line in lines)
    ):
        found, notes = _pagetypeinfo(lines)
        return Pasted(PAGETYPEINFO, found, None, notes)
    if file == ZONEINFO:
        zones, notes = _zoneinfo(lines)
        return Pasted(file, zones, None, notes)
    if file == FREE_LISTS:
        return _free_lists(lines)
    if not file:
        refuse(lines[0], next((name for name in OF_MEMORY if name in text), BUDDYINFO))
    return Pasted(BUDDYINFO, _buddyinfo(lines))


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


# -- a zone of the model, as the kernel prints it


def proc_text(zone: Zone, called: str = "Normal") -> str:
    """What /proc/pagetypeinfo would say of a zone of the model.

    Left out: a kernel stops counting a list at 100,000 blocks, here it does not."""
    (cell,) = occupancy(zone, zone.nr_pages >> zone.pageblock_order)
    lists = zone.lists()
    names = {mt: "CMA" if mt == "CMA" else mt.capitalize() for mt in lists} | {
        "HIGHATOMIC": "HighAtomic"
    }
    orders = range(len(next(iter(lists.values()))))
    text = f"Page block order: {zone.pageblock_order}\n"
    text += f"Pages per block:  {1 << zone.pageblock_order}\n\n"
    text += f"{'Free pages count per migrate type at order ':<43}"
    text += "".join(f"{order:6d} " for order in orders) + "\n"
    for mt, free in lists.items():
        text += f"Node    0, zone {called:>8}, type {names[mt]:>12} "
        text += "".join(f"{n:6d} " for n in free) + "\n"
    text += f"\n{'Number of blocks type ':<23}"
    text += "".join(f"{names[mt]:>12} " for mt in lists) + f"\nNode 0, zone {called:>8} "
    return text + "".join(f"{cell[mt].pageblocks if mt in cell else 0:12d} " for mt in lists) + "\n"
