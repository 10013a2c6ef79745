"""Text of /proc: what is read of each file, and the sentence that is said when it can't be."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from proctext import TYPES, buddyinfo, pagetypeinfo, zoneinfo

from mmsim.evidence.pasted import BUDDYINFO, PAGETYPEINFO, ZONEINFO, PasteError
from mmsim.evidence.proc import BuddyZone, ZoneInfo, read_memory, zone_of
from mmsim.scenarios.hosts import host
from mmsim.views.memory import proc_text

SMALL = BuddyZone(0, "DMA", (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3))
LARGE = BuddyZone(0, "Normal", (2616, 751852, 5513, 3509, 1985, 769, 245, 105, 41, 16, 0))
BUDDY = buddyinfo([SMALL, LARGE])


def zone_with(rng, node, zone, orders=11, types=TYPES):
    free = {t: tuple(rng.choice([0, rng.randint(0, 99_999)]) for _ in range(orders)) for t in types}
    return node, zone, free, {name: rng.randint(0, 7000) for name in types}


RNG = random.Random(9)
TYPED = [zone_with(RNG, 0, "DMA"), zone_with(RNG, 0, "Normal"), zone_with(RNG, 1, "Normal")]
TWO_NODES, TYPES_TEXT = pagetypeinfo(TYPED), pagetypeinfo(TYPED[:2])

DMA32 = {
    "free": 153205, "min": 974, "low": 1228, "high": 1482, "boost": 12, "spanned": 262144,
    "present": 261999, "managed": 254242, "cma": 65536, "nr_free_cma": 62764, "start_pfn": 4096,
}  # fmt: skip
EMPTY = dict.fromkeys(("free", "spanned", "present", "managed"), 0)
EMPTY |= dict.fromkeys(("min", "low", "high"), 32)
ZONES = [(0, "DMA32", DMA32), (0, "Movable", EMPTY), (1, "Normal", {**DMA32, "start_pfn": 1048576})]
ZONE_TEXT = zoneinfo(ZONES)
FOUND = ZoneInfo(0, "DMA32", 153205, 261999, 254242, 62764)
NOTHING = ZoneInfo(0, "Movable", 0, 0, 0, None)

TEXTS = {BUDDYINFO: BUDDY, PAGETYPEINFO: TWO_NODES, ZONEINFO: ZONE_TEXT}
CUT = {
    BUDDYINFO: buddyinfo([SMALL, LARGE, LARGE._replace(node=1)]),
    PAGETYPEINFO: pagetypeinfo([zone_with(RNG, n, "Normal", 9, TYPES[:2]) for n in (0, 1)]),
    ZONEINFO: zoneinfo(ZONES[1:]),
}
"""Small ones, to be cut at every place."""


def zones_of(text):
    return read_memory(text).zones


def refused(text):
    """The message: one line."""
    with pytest.raises(PasteError, match=r"\A[^\n]+\Z") as caught:
        read_memory(text)
    return str(caught.value)


@pytest.mark.parametrize("file", TEXTS)
def test_this_machine(file):
    try:
        text = Path(file).read_text()
    except OSError:
        pytest.skip(f"this system has no {file}, or only root reads it")
    zones = zones_of(text)
    assert {zone.node for zone in zones} == {*map(int, re.findall(r"^Node +(\d+)", text, re.M))}
    if file == BUDDYINFO:
        assert buddyinfo(zones) == text


@pytest.mark.parametrize("file", TEXTS)
def test_every_place_to_cut_it(file):
    """Noticed, but between lines, zones or nodes, and inside the last number before those."""
    text = CUT[file]
    whole = zones_of(text)
    unnoticed = set()
    for end in range(1, len(text)):
        try:
            found = zones_of(text[:end])
        except PasteError:
            continue
        unnoticed.add(end)
        assert found[:-1] == whole[: len(found) - 1]
        assert read_memory(text[:end]).file == file
    assert unnoticed
    if file == BUDDYINFO:
        # A single line may also end behind so many counts that a kernel might have no more.
        line = len(text) // 3
        assert {end // line for end in unnoticed} == {0, 1, 2}
        assert all(end % line in (0, *range(line - 3, line)) for end in unnoticed if end > line)
    elif file == PAGETYPEINFO:
        second = text.rindex("Page block order")  # where the second node begins
        last = [part.rstrip().rindex(" ") for part in (text[:second], text)]
        assert all(last[0] < end <= second or last[1] < end for end in unnoticed)
    else:
        may = re.finditer(r"start_pfn: +\d+\n|protection: .*\n(?=Node)", text)
        assert unnoticed <= {end for m in may for end in range(m.start() + 12, m.end() + 1)}


@pytest.mark.parametrize("file", TEXTS)
def test_the_text_of_another_file_or_of_none(file):
    text = TEXTS[file]
    for line, says in (
        ("MemTotal:       16384 kB\n", "this is /proc/meminfo. It tells"),
        ("nr_free_pages 4000\n", "this looks like /proc/vmstat. It says what moved"),
        ("once upon a time\n", "'once upon a time' is no line of /proc/buddyinfo"),
    ):
        assert refused(line).startswith(f"line 1: {says}")
        if file != ZONEINFO:
            assert f"line {text.count(chr(10)) + 1}: {says[:20]}" in refused(text + line)
    for empty in ("", "  \n\n", "ann@box:~$ \n", f"$ sudo cat {file}\n$ ", f"$ cat {file}"):
        assert refused(empty).startswith("line 1: there is no text here: paste what 'cat")
    assert refused(f"$ cat {file}\ncat: {file}: Permission denied\n$ ") == (
        f"line 2: only root may read {file} there: paste what 'sudo cat {file}' prints"
    )
    assert refused(text.encode()).startswith("this is bytes instead of text")
    assert "more than 2,000,000: paste /proc/buddyinfo alone" in refused(text * 20_000)
    assert len(refused(text.replace("Normal", "x" * 5000))) < 250


@pytest.mark.parametrize("word", ["-3", "1.5", "1e3", "many", "0x10", "1,024", "٣", "9" * 20, "--"])
def test_what_is_not_a_count(word):
    again = "which is 0 or more: paste the text again, unchanged"
    told = f"line 2: {word!r} is not a number of free blocks, {again}"
    assert refused(BUDDY.replace("751852", word)) == told
    told = refused(ZONE_TEXT.replace("managed  254242", f"managed  {word}", 1))
    assert told == f"line 12: {word!r} is not a number of pages, {again}"


def upper(zones):
    return [(*z[:2], *({k.upper(): v for k, v in each.items()} for each in z[2:])) for z in zones]


def without(text, pattern):
    """The text without its first line that has this in it."""
    return re.sub(rf"^.*(?:{pattern}).*\n", "", text, count=1, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("orders", "types", "pageblock_order"),
    [(9, TYPES, 9), (11, TYPES[:3], 0), (14, (*TYPES, "Rust_Only", "Reserve"), 13)],
)
def test_other_kernels(orders, types, pageblock_order):
    zones = [zone_with(RNG, 0, zone, orders, types) for zone in ("DMA32", "Normal")]
    found = zones_of(pagetypeinfo(zones, pageblock_order=pageblock_order, mixed=True))
    read = [(z.node, z.zone, dict(z.free_by_type), dict(z.pageblocks)) for z in found]
    assert read == upper(zones)
    assert {zone.pageblock_order for zone in found} == {pageblock_order}
    assert all(not zone.capped for zone in found)


def replaced(pattern, replacement):
    return re.sub(pattern, replacement, TYPES_TEXT, count=1, flags=re.MULTILINE)


MOVABLE = r"^(Node    0.*type +Movable +)\d+"
ROWS = "".join(line for line in TYPES_TEXT.splitlines(keepends=True) if ", type" not in line)


FEW = "here, one for each order makes 9 to 32: the line is"
ENDS = "node 0, zone DMA32 ends here without"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BUDDY.rstrip()[:-8], "line 2: there are 10 counts here where line 1 has 11: one of the t"),
        (BUDDY[: BUDDY.index("Normal") + 6], "line 2: there are 0 counts here where line 1 has 11"),
        (BUDDY[5:], "line 1: '0, zone DMA 0 0 0"),
        (BUDDY * 2, "line 3: node 0, zone DMA stands in line 1 already: paste one reading, not"),
        *((f"Node 0, zone N{' 7' * n}", f"line 1: there are {n} counts {FEW}") for n in (8, 33)),
        (TYPES_TEXT[: TYPES_TEXT.index("Number")], "line 16: the text ends without the number of"),
        (without(TYPES_TEXT, "Normal, type      Movable"), "line 15: node 0, zone Normal has the "
         "types UNMOVABLE, RECLAIMABLE, HIGHATOMIC, CMA, ISOLATE up to here, but below it has blo"),
        (TYPES_TEXT[TYPES_TEXT.index("Free"):], "line 1: 'Page block order: ...' must come before"),
        (without(TYPES_TEXT, "Free pages count"), "line 4: 'Node 0, zone DMA, type Unmovable"),
        (without(TYPES_TEXT, "Number of blocks"), "line 18: this does not belong under the headin"),
        (ROWS, "the text ends without the free pages of node 0, zone DMA"),
        ("Page block order: 9\nPages per block: 512\n", "line 2: the text ends with a heading"),
        (TYPES_TEXT * 2, "line 25: type UNMOVABLE of node 0, zone DMA stands in line 5 already"),
        (TYPES_TEXT + pagetypeinfo(TYPED[2:], pageblock_order=10), "order can't be 10 her"),
        (replaced(r"^(Node    0.*) \d+ $", r"\1"), "line 5: there are 10 counts here where line 4"),
        (replaced(r"^(Node 0,.*) \d+ $", r"\1"), "line 19: there are 5 counts here where line 18"),
        (replaced(r"order( +0.*) 5 ", r"order\1"), "(the orders are not 0, 1, 2 ...)"),
        (replaced(r"order +0.*$", "order 0 1 2"), "line 4: there are 3 counts here, one for each"),
        (replaced(MOVABLE, r"\1-3"), "line 6: '-3' is not a number of free"),
        (replaced("Page block order: 9", "Page block order: 64"), "the page block order can't be"),
        (replaced("type      Movable", "kind      Movable"), "line 6: 'Node 0, zone DMA, kind"),
        (BUDDY.replace("2616 ", "") + TYPES_TEXT,
         "line 2: there are 10 counts here where line 7 has 11"),
        *((without(ZONE_TEXT, f"  {name} +\\d"), f"line 30: {ENDS} {name!r}: the text is cut")
          for name in ("pages free", "min", "managed", "cma", "nr_free_cma")),
        (ZONE_TEXT[: ZONE_TEXT.index("        low")], f"line 7: {ENDS} 'low'"),
        (ZONE_TEXT[: ZONE_TEXT.index("    cpu: 1")], f"{ENDS} 'start_pfn'"),
        (ZONE_TEXT[ZONE_TEXT.index("  pages free"):], "line 1: 'pages free 153205' is no line of "
         "/proc/zoneinfo to begin with ('Node 0, zone"),
        (ZONE_TEXT.replace("Node 0, zone  Movable\n", ""), "'pages free' a second time for node 0"),
        (ZONE_TEXT.replace("nr_mapped    2716", "nr_mapped    none"), "line 4: 'nr_mapped none' i"),
        (ZONE_TEXT * 2, f"line {ZONE_TEXT.count(chr(10)) + 1}: node 0, zone DMA32 stands in line"),
    ],
)  # fmt: skip
def test_lines_that_are_wrong(text, says):
    assert text not in TEXTS.values()
    assert says in refused(text)


@pytest.mark.parametrize("knobs", [{}, {"cma": 25, "used": 60, "host": 256}])
def test_a_zone_of_the_model_is_printed_as_a_kernel_prints_it(knobs):
    zone = host(**knobs).zone
    text = proc_text(zone)
    (found,) = zones_of(text)
    assert dict(found.free_by_type) == {mt: tuple(n) for mt, n in zone.lists().items()}
    assert sum(found.pageblocks.values()) == zone.nr_pages >> zone.pageblock_order
    names = {"HIGHATOMIC": "HighAtomic", "CMA": "CMA"}
    free, blocks = (
        {names.get(mt, mt.capitalize()): n for mt, n in each.items()}
        for each in (found.free_by_type, found.pageblocks)
    )
    assert text == pagetypeinfo([(0, "Normal", free, blocks)])


def test_what_zoneinfo_says():
    other = FOUND._replace(node=1, zone="Normal")
    assert zones_of(ZONE_TEXT) == (FOUND, NOTHING, other)
    # An older kernel prints less, and no kernel prints counters of a zone without memory.
    (zone,) = zones_of(zoneinfo(ZONES[:1], new=False))
    assert zone == FOUND
    assert zones_of(zoneinfo(ZONES[:2]))[-1] == NOTHING


@pytest.mark.parametrize(
    ("zone", "node", "says"),
    [
        ("Norml", None, "this text has no zone 'Norml'; did you mean 'Normal'? there are: DMA, No"),
        ("Movable", None, "this text has no zone 'Movable'; there are: DMA, Normal"),
        ("Normal", None, "zone Normal is on nodes 0, 1: say which one, such as node=0"),
        ("DMA", 1, "node 1 has no zone DMA in this text; nodes that do: 0"),
    ],
)
def test_a_zone_that_is_not_there(zone, node, says):
    zones = (SMALL, LARGE, LARGE._replace(node=1))
    assert zone_of(zones, "DMA") == SMALL
    assert zone_of(zones, "Normal", node=1).node == 1
    with pytest.raises(PasteError) as caught:
        zone_of(zones, zone, node)
    assert str(caught.value).startswith(says)
