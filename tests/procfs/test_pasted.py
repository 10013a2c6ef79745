"""Any of the three files, and zones printed as the kernel prints them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from proctext import TYPES, as_pasted, buddyinfo, pagetypeinfo, zoneinfo

from mmsim.evidence.proc import (
    BUDDYINFO,
    PAGETYPEINFO,
    ZONEINFO,
    PasteError,
    parse_pagetypeinfo,
    proc_text,
    read_memory,
)
from mmsim.scenarios.hosts import host

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


@pytest.mark.parametrize("knobs", [{}, {"cma": 25, "used": 60, "host": 256}])
def test_a_zone_of_the_model_is_printed_as_a_kernel_prints_it(knobs):
    zone = host(**knobs).zone
    text = proc_text(zone, "DMA32")
    (found,) = parse_pagetypeinfo(text)
    assert dict(found.free_by_type) == {mt: tuple(n) for mt, n in zone.lists().items()}
    assert sum(found.pageblocks.values()) == zone.nr_pages >> zone.pageblock_order
    names = {"HIGHATOMIC": "HighAtomic", "CMA": "CMA"}
    free, blocks = (
        {names.get(mt, mt.capitalize()): n for mt, n in each.items()}
        for each in (found.free_by_type, found.pageblocks)
    )
    assert text == pagetypeinfo([(0, "DMA32", free, blocks)])
