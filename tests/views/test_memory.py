"""The pictures of a zone: map of pageblocks, free memory by size of block."""

from __future__ import annotations

import pytest
from proctext import buddyinfo, pagetypeinfo, zoneinfo
from svg_rules import seen

from mmsim.errors import UserError
from mmsim.evidence.pasted import PasteError
from mmsim.mm import page_alloc
from mmsim.mm.boot import boot
from mmsim.scenarios.hosts import host
from mmsim.views.memory import (
    CELLS_MAX,
    UNKNOWN,
    block_map,
    free_sentence,
    free_svg,
    machine,
    memory,
    proc_text,
)
from mmsim.views.svg import Picture

MIB = 256
ZONES = {
    "2 MiB": boot(2 * MIB),
    "16 MiB": boot(16 * MIB, used=0.6, scattered=1, seed=1),
    "6 MiB, from 2 MiB": boot(6 * MIB, 2 * MIB, start=2 * MIB),
    "100 MiB, full": boot(100 * MIB, used=1),
    "1 GiB": boot(1024 * MIB, 256 * MIB, used=0.6, scattered=0.7, seed=1),
    "4 GiB": boot(4096 * MIB, 1024 * MIB, used=0.5, scattered=0.9, seed=2),
    "1000 GiB": boot(1000 * 1024 * MIB, 256 * MIB),
    "1 TiB": boot(1024 * 1024 * MIB, 1024 * MIB, used=0.999, scattered=1, seed=3),
}


def rules(picture: Picture | str) -> list[str]:
    """What every picture keeps, and nothing is cut off."""
    drawn = seen(Picture(picture, "") if isinstance(picture, str) else picture)
    assert "…" not in "".join(drawn)
    return drawn


@pytest.mark.parametrize(("name", "order"), [*zip(ZONES, [0, 9, 10, 9, 0, 10, 9, 9], strict=True)])
def test_pictures_keep_the_rules_at_every_size(name, order):
    zone = ZONES[name]
    rules(memory(zone, order))
    rules(free_svg(zone.lists(), order))
    assert len(block_map(zone).cells) <= CELLS_MAX


@pytest.mark.parametrize("orders", [9, 14, 32])
def test_other_kernels_have_other_orders_and_types(orders):
    told = machine(buddyinfo([(0, "Normal", (3,) * orders)]))
    rules(told.svg)
    assert told.orders == orders
    assert told.table.index.name == f"order {min(9, orders - 1)}"
    free = {"UNMOVABLE": (1,) * orders, "MADE<UP>": (3,) * orders, "HIGHATOMIC": (0,) * orders}
    drawn = rules(free_svg(free, 5))
    assert {"UNMOVABLE", "MADE<UP>"} < set(drawn)
    assert "HIGHATOMIC" not in drawn


def test_every_type_that_the_kernel_has_stands_in_the_legend():
    zone = boot(64 * MIB, 16 * MIB)
    for name in ("UNMOVABLE", "RECLAIMABLE"):
        page_alloc.get_page_from_freelist(zone, page_alloc.request(9, name))
    zone.touch(8 << 9)
    zone.types |= {8: "ISOLATE", 9: "HIGHATOMIC"}
    drawn = rules(memory(zone))
    assert {"UNMOVABLE", "MOVABLE", "RECLAIMABLE", "HIGHATOMIC", "CMA", "ISOLATE"} < set(drawn)


def test_words_say_what_the_picture_says():
    for cma, used, title in (
        (0, 0, "100.0 % of 16 MiB is free: 8 blocks of 2 MiB"),
        (4, 0, "8 blocks of 2 MiB, 2 of them in"),
        (4, 1, "25.0 % of 16 MiB is free: 2 blocks of 2 MiB, all of"),
    ):
        assert title in memory(boot(16 * MIB, cma * MIB, used=used)).columns[0]
    assert "a cell: 256 pageblocks, 512 MiB; a row: 32 GiB" in rules(memory(ZONES["1 TiB"]))
    assert "a cell: one pageblock, 2 MiB; a row: 64 MiB" in rules(memory(ZONES["1 GiB"]))
    assert free_sentence({"MOVABLE": (0,) * 11}, 9) == "Nothing is free."


def test_a_single_page_shows():
    """One page of 512 would be 0.1 px high; held or free, it must be seen."""
    zone = boot(16 * MIB)
    empty = memory(zone).svg
    page_alloc.take_block(zone, 700, 0)
    one = memory(zone).svg
    assert one != empty
    assert "v1.5h" in one


def test_an_order_that_there_is_not_is_refused():
    """For the order 10^9 it made lists of that length, until the memory was full."""
    for order in (-1, 11, 10**9):
        with pytest.raises(ValueError, match=rf"order {order} can't be asked about"):
            memory(ZONES["2 MiB"], order)


# -- a pasted machine

MODEL = proc_text(host(cma=25, used=60).zone)
SMALL, LARGE = (0, "DMA", (1,) * 11), (1, "Normal", (0,) * 8 + (4, 5, 6))


def test_the_models_own_host_is_seen_as_it_is():
    seen = machine(MODEL)
    assert list(seen.table.iloc[:, 0]) == [128, "0.544", "-1.000", "54 %"]
    assert list(seen.table.iloc[:, 1]) == [0, "1.000", "0.998", "100 %"]
    assert "Sizes are for pages of 4 KiB." in seen.sentence


def test_buddyinfo_says_what_it_does_not_know():
    seen = machine(buddyinfo([SMALL, LARGE]))
    rules(seen.svg)
    assert set(seen.table.iloc[:, 1]) == {UNKNOWN}
    assert "this file does not tell" in seen.sentence
    assert [*seen.zones.index] == ["0 DMA", "1 Normal"]
    assert seen.zones.loc["0 DMA"].tolist() == ["8 MiB", "4 MiB", 3]


def test_a_list_that_the_kernel_stopped_counting_is_said_to_be_longer():
    zone = (0, "Normal", {"Movable": (200_000, *[1] * 10)}, {"Movable": 900})
    assert "stopped counting" in machine(pagetypeinfo([zone])).sentence
    assert "stopped counting" not in machine(MODEL).sentence


SIZES = {"min": 1, "low": 2, "high": 3, "spanned": 9000, "present": 8000, "managed": 7000}
TWO_NODES = {
    "buddyinfo": buddyinfo([(0, "Normal", (3,) * 11), (1, "Normal", (5,) * 11)]),
    "pagetypeinfo": pagetypeinfo(
        [(n, "Normal", {"Movable": (3 + n,) * 11}, {"Movable": 9}) for n in (0, 1)]
    ),
    "zoneinfo": zoneinfo([(n, "Normal", {**SIZES, "free": 9 + n, "start_pfn": n}) for n in (0, 1)]),
    "a kernel log": "".join(
        f"Node {n} Normal: {' '.join(f'1*{4 << order}kB (M)' for order in range(11))} = 8188kB\n"
        for n in (0, 1)
    ),
}


@pytest.mark.parametrize("text", TWO_NODES.values(), ids=TWO_NODES)
@pytest.mark.parametrize("zone", [None, "Normal"])
def test_what_is_asked_for_is_shown_or_refused(text, zone):
    """Without a zone, the node did not count, and for zoneinfo no order did."""
    for node in (0, 1):
        assert f"Zone Normal of node {node}" in machine(text, zone, node).sentence
    with pytest.raises(PasteError, match="no node 5; nodes that it has: 0, 1"):
        machine(text, zone, 5)
    with pytest.raises(UserError, match="order 99 can't be asked about"):
        machine(text, zone, 0, order=99)


@pytest.mark.parametrize(
    ("free", "lent", "said"),
    [
        (1000, 501, ": more than half, so movable requests go to CMA first"),
        (1000, 500, "not more than half, so movable requests try their own lists first"),
        (1001, 500, "not more than half"),
        (1000, 0, "has 1,000 pages free, none of it in CMA"),
        (0, 0, "none of it in CMA"),
    ],
)
def test_zoneinfo_has_no_lists_but_the_half_rule(free, lent, said):
    fields = {**SIZES, "free": free, "nr_free_cma": lent, "start_pfn": 1}
    dma = {**SIZES, "free": 0, "start_pfn": 1}
    seen = machine(zoneinfo([(0, "DMA", dma), (0, "N", fields)]), "N")
    assert not seen.svg
    assert seen.orders == 0
    assert said in seen.sentence
    first = "CMA" if lent > free // 2 else "their own lists"
    assert seen.zones.loc["0 N"].tolist() == [7000, free, lent, free - lent, first]
