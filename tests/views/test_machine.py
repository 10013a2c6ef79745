"""A pasted machine: picture, words, tables, and what is said when it can't be shown."""

from __future__ import annotations

import pytest
from proctext import buddyinfo, pagetypeinfo, zoneinfo
from test_memory import rules

from mmsim.evidence.proc import proc_text
from mmsim.scenarios.host import host
from mmsim.views.memory import NOTE, UNKNOWN, machine

HOST = host(cma=25, used=60)
MODEL = proc_text(HOST.zone)
SMALL, LARGE = (0, "DMA", (1,) * 11), (1, "Normal", (0,) * 8 + (4, 5, 6))


def test_the_models_own_host_is_seen_as_it_is():
    seen = machine(MODEL)
    rules(seen.svg)
    assert seen.orders == 11
    assert list(seen.table.iloc[:, 0]) == [128, "0.544", "-1.000", "54 %"]
    assert list(seen.table.iloc[:, 1]) == [0, "1.000", "0.998", "100 %"]
    assert seen.table.index[0] == "blocks of 2 MiB to be had"
    assert seen.zones.loc["0 Normal"].tolist() == ["562.54 MiB", "4 MiB", 128]
    pin = "inside a long-term pin (mmsim's number, not a kernel's): 0 blocks of 2 MiB"
    for said in ("unusable_index is 0.544", "-1.000 says: a request would succeed", NOTE, pin):
        assert said in seen.sentence


def test_buddyinfo_says_what_it_does_not_know():
    seen = machine(buddyinfo([SMALL, LARGE]))
    rules(seen.svg)
    assert set(seen.table.iloc[:, 1]) == {UNKNOWN}
    assert "this file does not tell" in seen.sentence
    assert seen.names == ("0 DMA", "1 Normal")
    assert seen.zones.loc["0 DMA"].tolist() == ["8 MiB", "4 MiB", 3]


@pytest.mark.parametrize("orders", [8, 9, 10, 11, 12, 14, 32])
def test_a_kernel_with_other_orders(orders):
    seen = machine(buddyinfo([(0, "Normal", (3,) * orders)]))
    rules(seen.svg)
    assert seen.orders == orders
    assert seen.table.index.name == f"order {min(9, orders - 1)}"


def test_a_list_that_the_kernel_stopped_counting_is_said_to_be_longer():
    zone = (0, "Normal", {"Movable": (200_000, *[1] * 10)}, {"Movable": 900})
    assert "stopped counting" in machine(pagetypeinfo([zone])).sentence
    assert "stopped counting" not in machine(MODEL).sentence


SIZES = {"min": 1, "low": 2, "high": 3, "spanned": 9000, "present": 8000, "managed": 7000}


@pytest.mark.parametrize(
    ("free", "lent", "said"),
    [
        (1000, 501, ": more than half, so movable requests go to CMA first"),
        (1000, 500, "not more than half, so movable requests try their own lists first"),
        (1001, 500, "not more than half"),
        (1001, 501, ": more than half"),
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
