"""/proc/zoneinfo: what is read, and what is said when it can't be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from proctext import as_pasted, buddyinfo, zoneinfo

from mmsim.evidence.proc import PasteError, ZoneInfo, parse_zoneinfo, zone_of

DMA32 = {
    "free": 153205, "min": 974, "low": 1228, "high": 1482, "boost": 12, "spanned": 262144,
    "present": 261999, "managed": 254242, "cma": 65536, "nr_free_cma": 62764, "start_pfn": 4096,
}  # fmt: skip
EMPTY = dict.fromkeys(("free", "spanned", "present", "managed"), 0) | dict.fromkeys(
    ("min", "low", "high"), 32
)
ZONES = [(0, "DMA32", DMA32), (0, "Movable", EMPTY), (1, "Normal", {**DMA32, "start_pfn": 1048576})]
TEXT = zoneinfo(ZONES)
FOUND = ZoneInfo(
    node=0,
    zone="DMA32",
    nr_free_pages=153205,
    min=974,
    low=1228,
    high=1482,
    spanned=262144,
    present=261999,
    managed=254242,
    nr_free_cma=62764,
    cma=65536,
    boost=12,
    start_pfn=4096,
)
NOTHING = ZoneInfo(0, "Movable", 0, 32, 32, 32, 0, 0, 0, None, 0, 0, None)


def refused(text):
    """The message: one line, one sentence."""
    with pytest.raises(PasteError, match=r"\A[^\n]+\Z") as caught:
        parse_zoneinfo(text)
    return str(caught.value)


@pytest.mark.parametrize("way", as_pasted("", ""))
def test_all_ways_to_paste_it(way):
    zones = parse_zoneinfo(as_pasted(TEXT, "/proc/zoneinfo")[way])
    assert zones == (FOUND, NOTHING, FOUND._replace(node=1, zone="Normal", start_pfn=1048576))


def test_an_older_kernel_prints_less():
    (zone,) = parse_zoneinfo(zoneinfo(ZONES[:1], new=False))
    assert zone == FOUND._replace(cma=None, boost=None)


def test_a_zone_without_memory_ends_early():
    """Not cut: kernels print no counters for it."""
    assert zone_of(parse_zoneinfo(TEXT), "Movable").start_pfn is None
    assert parse_zoneinfo(zoneinfo(ZONES[:2]))[-1] == NOTHING


def test_the_high_mark_is_not_the_limit_of_a_cpu_list():
    assert "high:  1865" in TEXT
    assert {zone.high for zone in parse_zoneinfo(TEXT)} == {1482, 32}


@pytest.mark.skipif(not Path("/proc/zoneinfo").exists(), reason="this system has no zoneinfo")
def test_this_machine():
    text = Path("/proc/zoneinfo").read_text()
    zones = parse_zoneinfo(text)
    assert len(zones) == len(re.findall(r"^Node", text, re.MULTILINE))
    for zone in zones:
        assert zone.min <= zone.low <= zone.high
        assert zone.managed <= zone.present <= zone.spanned


# -- bad pastes


@pytest.mark.parametrize("text", ["", "\n \n", "$ cat /proc/zoneinfo"])
def test_nothing(text):
    assert refused(text).startswith(
        "line 1: there is no text here: paste what 'cat /proc/zoneinfo'"
    )


def test_every_place_to_cut_it():
    """Only between two zones, or inside the last number of one, can't be noticed."""
    whole = parse_zoneinfo(TEXT)
    may = {
        end
        for match in re.finditer(r"start_pfn: +\d+\n|protection: .*\n(?=Node)", TEXT)
        for end in range(match.start() + 12, match.end() + 1)
    }
    unnoticed = set()
    for end in range(1, len(TEXT)):
        try:
            found = parse_zoneinfo(TEXT[:end])
        except PasteError as error:
            message = str(error)
            assert message.startswith("line ")
            continue
        unnoticed.add(end)
        assert found[:-1] == whole[: len(found) - 1]
    assert unnoticed
    assert unnoticed <= may


@pytest.mark.parametrize(
    ("name", "line"), [("pages free", 4), ("min", 6), ("high", 8), ("spanned", 9), ("managed", 11)]
)
def test_a_line_that_is_missing(name, line):
    lines = TEXT.splitlines()
    assert lines[line].split()[: len(name.split())] == name.split()
    del lines[line]
    assert refused("\n".join(lines)) == (
        f"line 30: node 0, zone DMA32 ends here without {name!r}: the text is cut, "
        "paste all that 'cat /proc/zoneinfo' prints"
    )


def test_cut_before_the_watermarks():
    text = TEXT[: TEXT.index("        low")]
    assert refused(text).startswith("line 7: node 0, zone DMA32 ends here without 'low'")


def test_cut_among_the_cpu_lists():
    text = TEXT[: TEXT.index("    cpu: 1")]
    assert "zone DMA32 ends here without 'start_pfn'" in refused(text)


def test_cut_at_the_beginning():
    assert refused(TEXT[TEXT.index("  pages free") :]).startswith(
        "line 1: 'pages free 153205' is no line of /proc/zoneinfo to begin with "
        "('Node 0, zone ...'): paste all that 'cat /proc/zoneinfo' prints"
    )


def test_a_heading_that_is_missing():
    text = TEXT.replace("Node 0, zone  Movable\n", "")
    assert refused(text).endswith(
        "'pages free' a second time for node 0, zone DMA32: a line 'Node ..., zone ...' is missing "
        "above, paste all of it again"
    )


@pytest.mark.parametrize("word", ["-3", "12.5", "lots", "1_000"])
def test_what_is_not_a_number(word):
    assert refused(TEXT.replace("managed  254242", f"managed  {word}", 1)) == (
        f"line 12: {word!r} is not a number of pages, which is 0 or more: "
        "paste the text again, unchanged"
    )


def test_a_counter_that_is_not_ours_must_be_a_number_too():
    text = TEXT.replace("nr_mapped    2716", "nr_mapped    none")
    assert refused(text).startswith("line 4: 'nr_mapped none' is no line of /proc/zoneinfo")


def test_twice():
    again = f"line {TEXT.count(chr(10)) + 1}: node 0, zone DMA32 stands in line 1 already"
    assert refused(TEXT + TEXT).startswith(again)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (buddyinfo([(0, "DMA", (1,) * 11)]), "line 1: this looks like /proc/buddyinfo"),
        ("MemTotal:       16384 kB\n", "line 1: this looks like /proc/meminfo"),
        ("nr_free_pages 4000\n", "line 1: this looks like /proc/vmstat"),
        (TEXT + "MemTotal:       16384 kB\n", "this looks like /proc/meminfo"),
        ("once upon a time\n", "line 1: 'once upon a time' is no line of /proc/zoneinfo"),
    ],
)
def test_another_text(text, says):
    assert says in refused(text)
