"""Text of /proc/buddyinfo, /proc/pagetypeinfo and /proc/zoneinfo, pasted by somebody, as values.

Mirrors mm/vmstat.c, frag_show(), pagetypeinfo_show() and zoneinfo_show(), 6.1-rc1.

Interface: parse_buddyinfo, parse_pagetypeinfo, parse_zoneinfo, read_memory, Pasted, zone_of,
proc_text, BuddyZone, PageTypeZone, ZoneInfo, PasteError

Other kernels are understood as long as they print the same kind of line: any number of orders, more
migratetypes, fewer or more numbers.  A paste comes from a terminal, a mail or a web page: Windows
line ends, blank lines, indentation, a shell prompt before or after it do no harm.

Each parser answers one value for each zone, in the order of the text, or raises PasteError with one
sentence that names the line; there is no half answer.  A text cut inside its last number, or
between two zones or nodes, can't be told from a whole one, nor can a single line of buddyinfo cut
behind so many counts that a kernel with large pages might have no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, NoReturn, Protocol, TypeVar

from mmsim.errors import nearest
from mmsim.mm.fragmentation import summed
from mmsim.mm.zone import Zone, occupancy

CHARS_MAX = 2_000_000
SHOWN_MAX = 50

_COMMAND = r"(.*\bcat /\S+.*|\[sudo\].*|In \[\d*\]:.*)"
_PROMPT = re.compile(rf"(?!Node\b)({_COMMAND}|[^<]*[$#%>❯]( .*)?)")
_COUNT = re.compile(r"[0-9]{1,19}")

BUDDYINFO, PAGETYPEINFO, ZONEINFO = "/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/zoneinfo"

ORDERS_MIN, ORDERS_MAX = 8, 32
"""Fewer columns count as cut off: ordinary kernels have 9 (large pages) to 14."""

ZONE = re.compile(r"Node ([0-9]{1,6}), zone ([\w.-]{1,32})(?:, type ([\w.-]{1,32}))?(?: (.*))?")
"""Groups: node, zone, migratetype or None, the rest or None."""

Key = tuple[int, str]
"""Node and zone."""

# file -> what only its text has; the first that fits counts
_LOOKS_LIKE = {
    ZONEINFO: re.compile(r"per-node stats|pages free\b.*|Node \d+, zone \w+"),
    PAGETYPEINFO: re.compile(r"Page block order:.*|Pages per block:.*|Node.*, type .*"),
    BUDDYINFO: re.compile(r"Node \d+, zone \w+( [0-9]+)+"),
    "/proc/meminfo": re.compile(r"\w+(\(\w+\))?: \d+ kB"),
    "/proc/vmstat": re.compile(r"nr_\w+ \d+"),
}


class PasteError(ValueError):
    """A pasted text that can't be read; the message is one sentence for the user."""


class Line(NamedTuple):
    """A line with something on it, its words one blank apart; `number` counts all lines from 1."""

    number: int
    text: str


def lines_of(text: str, file: str) -> list[Line]:
    """The lines of a text of `file`, without blank ones and prompts; PasteError if none is left."""
    if not isinstance(text, str):
        raise PasteError(
            f"this is {type(text).__name__} instead of text: "
            f"give what 'cat {file}' prints, in quotes"
        )
    if len(text) > CHARS_MAX:
        raise PasteError(
            f"this text has {len(text)} characters, more than {CHARS_MAX}: paste {file} alone"
        )
    lines = [
        Line(number, " ".join(line.split()))
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
        if line.split()
    ]
    while lines and _PROMPT.fullmatch(lines[0].text):
        lines.pop(0)
    while lines and _PROMPT.fullmatch(lines[-1].text):
        lines.pop()
    if not lines:
        raise PasteError(f"line 1: there is no text here: paste what 'cat {file}' prints")
    return lines


def file_of(text: str) -> str:
    """Which of the three files this text is, /proc/buddyinfo if nothing speaks for another one."""
    ours = (ZONEINFO, PAGETYPEINFO, BUDDYINFO)
    for line in lines_of(text, BUDDYINFO):
        for file in ours:
            if _LOOKS_LIKE[file].fullmatch(line.text):
                return file
    return next((file for file in ours if file in text), BUDDYINFO)


def wrong(line: Line, what: str) -> NoReturn:
    """PasteError about a line."""
    raise PasteError(f"line {line.number}: {what}")


def count(line: Line, word: str, what: str) -> int:
    """`word` as a number, 0 or more; PasteError that names `what` it should be."""
    if not _COUNT.fullmatch(word):
        again = "which is 0 or more: paste the text again, unchanged"
        wrong(line, f"{word[:SHOWN_MAX]!r} is not {what}, {again}")
    return int(word)


def refuse(line: Line, file: str, where: str = "") -> NoReturn:
    """PasteError for a line that does not belong into `file`, with the likeliest reason."""
    if "permission denied" in line.text.lower():
        wrong(line, f"only root may read {file} there: paste what 'sudo cat {file}' prints")
    other = next((name for name, form in _LOOKS_LIKE.items() if form.fullmatch(line.text)), file)
    if other != file:
        wrong(line, f"this looks like {other}: paste what 'cat {file}' prints, and nothing else")
    what = f"{line.text[:SHOWN_MAX]!r} is no line of {file}{where}"
    wrong(line, f"{what}: paste all that 'cat {file}' prints, and nothing else")


# -- lines that begin with a node and a zone


def _named(key: Key) -> str:
    return f"node {key[0]}, zone {key[1]}"


def key_of(line: Line, match: re.Match[str], first: dict[Key, Line]) -> Key:
    """Node and zone of a line; PasteError if an earlier line has both."""
    key = (int(match[1]), match[2])
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


# -- pagetypeinfo: free blocks for each migratetype, and what the pageblocks are for


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


def parse_pagetypeinfo(text: str) -> tuple[PageTypeZone, ...]:
    """The zones of /proc/pagetypeinfo; PasteError for anything else."""
    lines = lines_of(text, PAGETYPEINFO)
    read = _PageTypes()
    for line in lines:
        read.read(line)
    return read.zones(lines[-1])


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
                wrong(line, f"the page block order can't be {order} here")
            self.pageblock_order = order
        elif match := _BLOCK_PAGES.fullmatch(line.text):
            pages = count(line, match[1], "a number of pages")
            if self.pageblock_order is None or pages != 1 << self.pageblock_order:
                wrong(
                    line,
                    f"{pages} pages in a block do not fit the page block order above: "
                    "paste the text again, from its first line",
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
            first = "paste the text from its first line"
            wrong(line, f"'Page block order: ...' must come before this: {first}")
        self.section, self.heading, self.columns = section, line, columns.split()

    def _row(self, line: Line, match: re.Match[str]) -> None:
        key, migratetype = (int(match[1]), match[2]), (match[3] or "").upper()
        words = (match[4] or "").split()
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
            numbers = [count(line, word, "a number of pageblocks") for word in words]
            if self.section == "blocks":
                self.pageblocks[key] = dict(zip(self.columns, numbers, strict=True))
            return
        types = self.free.setdefault(key, {})
        if migratetype in types:
            again = "stands here a second time: paste one reading, not several"
            wrong(line, f"type {migratetype} of {_named(key)} {again}")
        types[migratetype] = tuple(
            count(line, word.removeprefix(">"), "a number of free blocks") for word in words
        )
        more = {(migratetype, order) for order, word in enumerate(words) if word[0] == ">"}
        self.at_least.setdefault(key, set()).update(more)
        self.last_free[key] = line

    def zones(self, end: Line) -> tuple[PageTypeZone, ...]:
        """Everything that was read, if it is whole; `end` is the last line."""
        whole = f"paste all that 'cat {PAGETYPEINFO}' prints"
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
        if self.pageblock_order is None or not self.free or not ZONE.fullmatch(end.text):
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
        above = "a line 'Node ..., zone ...' is missing above, paste all of it again"
        wrong(line, f"{name!r} a second time for {_named(key)}: {above}")
    values[name] = count(line, word, "a number of pages")


def _zone(key: Key, values: dict[str, int], end: Line) -> ZoneInfo:
    """The zone that ends in the line `end`; PasteError if that is too early."""
    # The last line of a zone that has memory, and of one that has none.
    last = "start_pfn:" if values.get("present") else "protection:"
    missing = [name for name in (*_MUST, last) if name not in values]
    if missing:
        cut = f"the text is cut, paste all that 'cat {ZONEINFO}' prints"
        wrong(end, f"{_named(key)} ends here without {missing[0].removesuffix(':')!r}: {cut}")
    numbers = [*(values[name] for name in _MUST), *(values.get(name) for name in _MAY)]
    return ZoneInfo._make([*key, *numbers])


# -- whichever file it is, and one zone of several


class Pasted(NamedTuple):
    """What somebody pasted: which file it is, and its zones."""

    file: str
    zones: tuple[BuddyZone, ...] | tuple[PageTypeZone, ...] | tuple[ZoneInfo, ...]


def read_memory(text: str) -> Pasted:
    """The zones of a pasted /proc/buddyinfo, /proc/pagetypeinfo or /proc/zoneinfo.

    PasteError, with the sentence of the file that the text looks like, for anything else."""
    file = file_of(text)
    if file == PAGETYPEINFO:
        return Pasted(file, parse_pagetypeinfo(text))
    if file == ZONEINFO:
        return Pasted(file, parse_zoneinfo(text))
    return Pasted(BUDDYINFO, parse_buddyinfo(text))


class _HasZone(Protocol):
    @property
    def node(self) -> int: ...
    @property
    def zone(self) -> str: ...


_Z = TypeVar("_Z", bound=_HasZone)


def zone_of(zones: Iterable[_Z], zone: str, node: int | None = None) -> _Z:
    """The zone of that name, on `node` if several nodes have one; PasteError if there is none."""
    zones = tuple(zones)
    named = [z for z in zones if z.zone == zone and node in (None, z.node)]
    if len(named) == 1:
        return named[0]
    if named:
        nodes = ", ".join(str(z.node) for z in named)
        raise PasteError(f"zone {zone} is on nodes {nodes}: say which one, such as node=0")
    if any(z.zone == zone for z in zones):
        nodes = ", ".join(str(z.node) for z in zones if z.zone == zone)
        raise PasteError(f"node {node} has no zone {zone} in this text; nodes that do: {nodes}")
    there = dict.fromkeys(z.zone for z in zones)
    raise PasteError(f"this text has no zone {zone!r}{nearest(zone, there)}; paste all of it")


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
