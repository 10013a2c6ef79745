"""Any of the three files, and zones printed as the kernel prints them."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from proctext import TYPES, as_pasted, buddyinfo, pagetypeinfo, zoneinfo

from mmsim.procfs import BuddyZone, PageTypeZone, PasteError, parse_pagetypeinfo, read_memory
from mmsim.procfs.printing import print_buddyinfo, print_pagetypeinfo
from mmsim.procfs.text import BUDDYINFO, PAGETYPEINFO, ZONEINFO

FREE = {name: tuple(range(number, number + 11)) for number, name in enumerate(TYPES)}
BLOCKS = {name: 7 * number for number, name in enumerate(TYPES)}
SIZES = {"free": 30, "min": 1, "low": 2, "high": 3, "spanned": 90, "present": 80, "managed": 70}
TEXTS = {
    BUDDYINFO: buddyinfo([(0, "DMA", (1,) * 11), (0, "Normal", (2,) * 11)]),
    PAGETYPEINFO: pagetypeinfo([(0, "Normal", FREE, BLOCKS)]),
    ZONEINFO: zoneinfo([(0, "Normal", {**SIZES, "start_pfn": 1})]),
}


@pytest.mark.parametrize("file", TEXTS)
@pytest.mark.parametrize("way", as_pasted("", ""))
def test_each_file_is_recognised_however_it_is_pasted(file, way):
    plain = read_memory(TEXTS[file])
    assert plain.file == file
    assert read_memory(as_pasted(TEXTS[file], file)[way]) == plain


@pytest.mark.parametrize("file", TEXTS)
def test_a_cut_text_is_refused_or_read_as_that_file_and_never_as_another(file):
    read = set()
    for at in range(len(TEXTS[file])):
        with suppress(PasteError):
            read.add(read_memory(TEXTS[file][:at]).file)
    assert read <= {file}


def refused(text):
    with pytest.raises(PasteError, match=r"\A[^\n]+\Z") as caught:
        read_memory(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no text here"),
        ("MemTotal: 16315992 kB\n", "this looks like /proc/meminfo: paste what"),
        ("hello", "'hello' is no line of /proc/buddyinfo"),
        ("cat: /proc/pagetypeinfo: Permission denied", "sudo cat /proc/pagetypeinfo"),
        ("cat: /proc/zoneinfo: Permission denied", "sudo cat /proc/zoneinfo"),
        (b"Node 0", "this is bytes instead of text"),
        (TEXTS[BUDDYINFO] + TEXTS[ZONEINFO], "line 3"),
    ],
)
def test_what_can_not_be_read_gets_one_sentence(text, said):
    assert said in refused(text)


def test_printed_zones_are_what_a_kernel_prints():
    rng = random.Random(5)
    for _ in range(50):
        orders = rng.choice([9, 11, 14])
        lines = [
            BuddyZone(0, zone, tuple(rng.randint(0, 10**6) for _ in range(orders)))
            for zone in ("DMA", "Normal")
        ]
        assert print_buddyinfo(lines) == buddyinfo(lines)
        assert read_memory(print_buddyinfo(lines)).zones == tuple(lines)
        free = {t: tuple(rng.randint(0, 10**5) for _ in range(orders)) for t in TYPES}
        blocks = {t: rng.randint(0, 10**4) for t in TYPES}
        zone = PageTypeZone(
            node=0,
            zone="Normal",
            pageblock_order=rng.choice([9, 10]),
            free_by_type={name.upper(): counts for name, counts in free.items()},
            pageblocks={name.upper(): count for name, count in blocks.items()},
            at_least=frozenset(),
        )
        text = pagetypeinfo([(0, "Normal", free, blocks)], pageblock_order=zone.pageblock_order)
        assert print_pagetypeinfo([zone]) == text
        assert parse_pagetypeinfo(text) == (zone,)
