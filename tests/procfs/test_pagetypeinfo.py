"""/proc/pagetypeinfo: what is read, and what is said when it can't be."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest
from proctext import TYPES, as_pasted, buddyinfo, pagetypeinfo

from mmsim import datafiles
from mmsim.evidence.proc import PasteError, parse_buddyinfo, parse_pagetypeinfo, zone_of
from mmsim.mm.fragmentation import extfrag_index, pin_scope, read_printed, unusable_index

ORDERS = 11


def zone_with(rng, node, zone, orders=ORDERS, types=TYPES, most=99_999):
    free = {
        name: tuple(rng.choice([0, rng.randint(0, most)]) for _ in range(orders)) for name in types
    }
    return node, zone, free, {name: rng.randint(0, 7000) for name in types}


RNG = random.Random(9)
ZONES = [zone_with(RNG, 0, "DMA"), zone_with(RNG, 0, "Normal"), zone_with(RNG, 1, "Normal")]
TEXT = pagetypeinfo(ZONES)
ONE = pagetypeinfo(ZONES[:2])
SECOND = TEXT.rindex("Page block order")
"""Where the second node begins."""


def read_back(zones):
    """As pagetypeinfo() of proctext takes them, with types in upper case."""
    return [(z.node, z.zone, dict(z.free_by_type), dict(z.pageblocks)) for z in zones]


def upper(zones):
    return [
        (
            node,
            zone,
            {k.upper(): v for k, v in free.items()},
            {k.upper(): v for k, v in blocks.items()},
        )
        for node, zone, free, blocks in zones
    ]


def refused(text):
    """The message: one line, one sentence."""
    with pytest.raises(PasteError, match=r"\A[^\n]+\Z") as caught:
        parse_pagetypeinfo(text)
    return str(caught.value)


def without(text, pattern):
    """The text without its first line that has this in it."""
    lines = text.splitlines(keepends=True)
    lines.remove(next(line for line in lines if re.search(pattern, line)))
    return "".join(lines)


def test_a_real_text_in_every_detail():
    (zone,) = parse_pagetypeinfo(
        "Page block order: 9\n"
        "Pages per block:  512\n"
        "\n"
        "Free pages count per migrate type at order "
        "      0      1      2      3      4      5      6      7      8      9     10 \n"
        "Node    0, zone      DMA, type    Unmovable "
        "     0      0      0      0      0      0      0      0      1      0      0 \n"
        "Node    0, zone      DMA, type      Movable "
        ">100000  12345      0      0      0      0      0      0      0      1      3 \n"
        "\n"
        "Number of blocks type     Unmovable      Movable \n"
        "Node 0, zone      DMA            1            7 \n"
    )
    assert zone._asdict() == {
        "node": 0,
        "zone": "DMA",
        "pageblock_order": 9,
        "free_by_type": {
            "UNMOVABLE": (0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0),
            "MOVABLE": (100000, 12345, 0, 0, 0, 0, 0, 0, 0, 1, 3),
        },
        "pageblocks": {"UNMOVABLE": 1, "MOVABLE": 7},
        "at_least": frozenset({("MOVABLE", 0)}),
    }
    assert zone.free == (100000, 12345, 0, 0, 0, 0, 0, 0, 1, 1, 3)


@pytest.mark.parametrize("way", as_pasted("", ""))
def test_all_ways_to_paste_it(way):
    zones = parse_pagetypeinfo(as_pasted(TEXT, "/proc/pagetypeinfo")[way])
    assert read_back(zones) == upper(ZONES)
    assert all(not zone.at_least for zone in zones)


@pytest.mark.parametrize("orders", [8, 10, 11, 12, 14])
@pytest.mark.parametrize("types", [TYPES, TYPES[:3], (*TYPES, "Rust_Only", "Reserve")])
@pytest.mark.parametrize("pageblock_order", [0, 5, 9, 11, 13])
def test_other_kernels(orders, types, pageblock_order):
    zones = [zone_with(RNG, 0, zone, orders, types) for zone in ("DMA32", "Normal")]
    text = pagetypeinfo(zones, pageblock_order=pageblock_order, mixed=True)
    found = parse_pagetypeinfo(text)
    assert read_back(found) == upper(zones)
    assert {zone.pageblock_order for zone in found} == {pageblock_order}


def test_counts_that_overflow():
    node, zone, free, pageblocks = ZONES[0]
    free = {**free, "Movable": (2_000_000, 100_001, 100_000, *free["Movable"][3:])}
    (found,) = parse_pagetypeinfo(pagetypeinfo([(node, zone, free, pageblocks)]))
    assert found.free_by_type["MOVABLE"][:3] == (100_000,) * 3
    assert found.at_least == {("MOVABLE", 0), ("MOVABLE", 1)}


def measured():
    """(boot, snapshot) -> zone, type -> free blocks, as a real kernel printed them."""
    found = defaultdict(lambda: defaultdict(list))
    zone = {}
    for row in datafiles.load_csv("kernel-runs/s10_pagetypeinfo.csv"):
        found[row["boot"], row["snapshot"]][row["migratetype"]].append(int(row["free_blocks"]))
        zone[row["boot"], row["snapshot"]] = row["zone"]
    return {key: (zone[key], types) for key, types in found.items()}


def test_from_measured_text_to_the_kernel_s_own_indices():
    """Text, lists, indices, the whole way, for one measured kernel with pageblocks of order 10."""
    key = ("b8_s10_pinned", "4_order9_outside_cma_used_up")
    zone, types = measured()[key]
    free = {name: tuple(counts) for name, counts in types.items()}
    text = pagetypeinfo([(0, zone, free, dict.fromkeys(free, 0))], pageblock_order=10)
    found = zone_of(parse_pagetypeinfo(text), zone)
    assert found.free == zone_of(parse_buddyinfo(buddyinfo([(0, zone, found.free)])), zone).free
    values = 0
    for row in datafiles.load_csv("kernel-runs/s10_extfrag.csv"):
        if (row["boot"], row["snapshot"]) == key:
            index = unusable_index if row["index"] == "unusable_index" else extfrag_index
            assert index(found.free, int(row["order"])) == read_printed(row["value"])
            values += 1
    assert values == 22
    assert pin_scope(found.free_by_type, 9).blocks == 0 < sum(found.free[9:])


# -- bad pastes


@pytest.mark.parametrize("text", ["", "\n", "$ sudo cat /proc/pagetypeinfo\n$ "])
def test_nothing(text):
    assert refused(text).startswith("line 1: there is no text here")


def test_no_permission():
    assert refused("$ cat /proc/pagetypeinfo\ncat: /proc/pagetypeinfo: Permission denied\n$ ") == (
        "line 2: only root may read /proc/pagetypeinfo there: "
        "paste what 'sudo cat /proc/pagetypeinfo' prints"
    )


def test_every_place_to_cut_it():
    """Only a cut around the end of a node, or inside its last number, can't be noticed."""
    last_number = [text.rstrip().rindex(" ") for text in (TEXT[:SECOND], TEXT)]
    unnoticed = set()
    for end in range(1, len(TEXT)):
        try:
            found = parse_pagetypeinfo(TEXT[:end])
        except PasteError as error:
            message = str(error)
            assert message.startswith("line ")
            continue
        unnoticed.add(end)
        assert len(found) == (2 if end <= SECOND else 3)
        assert found[0] == parse_pagetypeinfo(TEXT)[0]
    assert unnoticed
    assert all(last_number[0] < end <= SECOND or last_number[1] < end for end in unnoticed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            ONE[: ONE.index("Number of blocks")],
            "line 16: the text ends without the number of blocks of node 0, zone DMA: paste all",
        ),
        (
            ONE[: ONE.rindex("Node")],
            "the text ends without the number of blocks of node 0, zone Normal",
        ),
        (
            without(ONE, "Normal, type      Movable"),
            "line 15: node 0, zone Normal has the types UNMOVABLE, RECLAIMABLE, HIGHATOMIC, CMA, "
            "ISOLATE up to here, but below it has blocks of UNMOVABLE, MOVABLE,",
        ),
        (
            without(ONE, "Page block order"),
            "line 1: 512 pages in a block do not fit the page block",
        ),
        (
            ONE[ONE.index("Free pages") :],
            "line 1: 'Page block order: ...' must come before this: paste the text from its first",
        ),
        (
            ONE[ONE.index("Node    0") :],
            "is no line of /proc/pagetypeinfo to begin with ('Page block order: ...')",
        ),
        (without(ONE, "Free pages count"), "line 4: 'Node 0, zone DMA, type Unmovable"),
        (
            without(ONE, "Number of blocks"),
            "line 18: this does not belong under the heading of line 4, one between them is",
        ),
        (
            TEXT[:SECOND] + without(TEXT[SECOND:], "Free pages count"),
            "this does not belong under the heading of line",
        ),
        (
            "".join(line for line in ONE.splitlines(keepends=True) if ", type" not in line),
            "the text ends without the free pages of node 0, zone DMA",
        ),
        (
            "Page block order: 9\nPages per block: 512\n",
            "line 2: the text ends with a heading: paste all",
        ),
        (ONE + ONE, "line 25: type UNMOVABLE of node 0, zone DMA stands here a second time"),
    ],
)
def test_lines_that_are_missing_or_too_many(text, says):
    assert says in refused(text)


def replaced(pattern, replacement, text=ONE):
    changed, times = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
    assert times == 1
    assert changed != text
    return changed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            replaced(r"^(Node    0.*) \d+ $", r"\1"),
            "line 5: there are 10 counts here where line 4 has 11",
        ),
        (
            replaced(r"^(Node    0.*) $", r"\1 7"),
            "line 5: there are 12 counts here where line 4 has 11",
        ),
        (
            replaced(r"^(Node 0,.*) \d+ $", r"\1"),
            "line 19: there are 5 counts here where line 18 has 6",
        ),
        (
            replaced(r"order( +0.* 9) +10 $", r"order\1"),
            "there are 11 counts here where line 4 has 10",
        ),
        (replaced(r"order( +0.*) 5 ", r"order\1"), "(the orders are not 0, 1, 2 ...)"),
        (
            replaced(r"order +0.*$", "order 0 1 2"),
            "line 4: there are 3 counts here, one for each order",
        ),
        (
            replaced(r"^(Node    0.*type +Movable +)\d+", r"\1-3"),
            "line 6: '-3' is not a number of free",
        ),
        (
            replaced(r"^(Node    0.*type +Movable +)\d+", r"\1>"),
            "line 6: '' is not a number of free",
        ),
        (replaced(r"^(Node    0.*type +Movable +)\d+", r"\1<10"), "line 6: '<10' is not a number"),
        (replaced(r"^(Node 0,.* +)\d+ $", r"\1x "), "line 19: 'x' is not a number of pageblocks"),
        (
            replaced("Page block order: 9", "Page block order: nine"),
            "line 1: 'nine' is not an order",
        ),
        (
            replaced("Page block order: 9", "Page block order: 64"),
            "the page block order can't be 64",
        ),
        (replaced("512", "1024"), "line 2: 1024 pages in a block do not fit"),
        (
            replaced("type      Movable", "kind      Movable"),
            "line 6: 'Node 0, zone DMA, kind",
        ),
        (
            replaced("^Free pages", "MemFree: 5 kB\nFree pages"),
            "line 4: this looks like /proc/meminfo",
        ),
    ],
)
def test_lines_that_are_wrong(text, says):
    assert says in refused(text)


def test_nodes_that_do_not_agree():
    text = TEXT[: TEXT.rindex("Page block order")] + pagetypeinfo(ZONES[2:], pageblock_order=10)
    assert "the page block order can't be 10 here" in refused(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (buddyinfo([(0, "DMA", (1,) * 11)]), "line 1: this looks like /proc/buddyinfo"),
        ("Node 0, zone      DMA\n  per-node stats\n", "line 1: this looks like /proc/zoneinfo"),
        ("once upon a time\n", "line 1: 'once upon a time' is no line of /proc/pagetypeinfo"),
    ],
)
def test_another_text(text, says):
    assert says in refused(text)
