"""/proc/buddyinfo: what is read, and what is said when it can't be."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from proctext import as_pasted, buddyinfo, pagetypeinfo, zoneinfo

from mmsim.evidence.proc import BuddyZone, PasteError, parse_buddyinfo, zone_of
from mmsim.mm.fragmentation import extfrag_index

SMALL = BuddyZone(0, "DMA", (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3))
LARGE = BuddyZone(0, "Normal", (2616, 751852, 5513, 3509, 1985, 769, 245, 105, 41, 16, 0))
TEXT = buddyinfo([SMALL, LARGE])


def refused(text):
    """The message: one line, one sentence."""
    with pytest.raises(PasteError, match=r"\A[^\n]+\Z") as caught:
        parse_buddyinfo(text)
    return str(caught.value)


def test_a_real_text_in_every_detail():
    assert parse_buddyinfo(
        "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1"
        "      1      3 \n"
        "Node 0, zone    DMA32      2      2      4      2      5      4      3      3      4"
        "      2    752 \n"
    ) == (SMALL, BuddyZone(0, "DMA32", (2, 2, 4, 2, 5, 4, 3, 3, 4, 2, 752)))


@pytest.mark.parametrize("way", as_pasted("", ""))
def test_all_ways_to_paste_it(way):
    assert parse_buddyinfo(as_pasted(TEXT, "/proc/buddyinfo")[way]) == (SMALL, LARGE)


def test_any_zones_survive():
    rng = random.Random(4)
    for _ in range(100):
        orders = rng.choice([8, 10, 11, 12, 14])
        zones = tuple(
            BuddyZone(
                node, zone, tuple(rng.choice([0, rng.randint(0, 10**7)]) for _ in range(orders))
            )
            for node in range(rng.randint(1, 3))
            for zone in rng.sample(["DMA", "DMA32", "Normal", "HighMem", "Movable"], 3)
        )
        assert parse_buddyinfo(buddyinfo(zones)) == zones


@pytest.mark.skipif(not Path("/proc/buddyinfo").exists(), reason="this system has no buddyinfo")
def test_this_machine():
    text = Path("/proc/buddyinfo").read_text()
    zones = parse_buddyinfo(text)
    assert len(zones) == len(text.splitlines())
    assert buddyinfo(zones) == text


def test_its_counts_go_into_the_indices():
    free = zone_of(parse_buddyinfo(TEXT), "Normal").free
    assert extfrag_index(free, 9) == -1000
    assert 900 < extfrag_index(free, 10) < 1000


# -- bad pastes


@pytest.mark.parametrize("text", ["", "  \n\n", "ann@box:~$ \n", "$ cat /proc/buddyinfo\n$"])
def test_nothing(text):
    assert refused(text) == "line 1: there is no text here: paste what 'cat /proc/buddyinfo' prints"


def test_every_place_to_cut_it():
    """Noticed, but between lines, inside the last number of one, and in the only line there is."""
    whole = buddyinfo([SMALL, SMALL._replace(zone="DMA32"), LARGE])
    parsed = parse_buddyinfo(whole)
    line = len(whole) // 3
    unnoticed = []
    for end in range(1, len(whole)):
        try:
            found = parse_buddyinfo(whole[:end])
        except PasteError as error:
            message = str(error)
        else:
            message = ""
            unnoticed.append(end)
            assert found[:-1] == parsed[: len(found) - 1]
            counts = len(found[-1].free)
            assert counts >= (11 if len(found) > 1 else 8)
            assert found[-1].free[:-1] == parsed[len(found) - 1].free[: counts - 1]
        assert message.startswith("line ") or not message
    assert {end // line for end in unnoticed} == {0, 1, 2}
    assert all(end % line in (0, *range(line - 3, line)) for end in unnoticed if end > line)


def test_cut_at_the_end():
    assert refused(TEXT.rstrip()[:-8]) == (
        "line 2: there are 10 counts here where line 1 has 11: one of the two lines is not whole, "
        "paste all of it again"
    )


def test_cut_after_the_name_of_the_zone():
    text = TEXT[: TEXT.index("Normal") + 6]
    assert refused(text).startswith("line 2: there are 0 counts here where line 1 has 11")


def test_cut_at_the_beginning():
    assert refused(TEXT[5:]).startswith("line 1: '0, zone DMA 0 0 0")


def test_a_first_line_that_is_ragged():
    text = TEXT.replace("      3 \n", "\n", 1)
    assert "line 2: there are 11 counts here where line 1 has 10" in refused(text)


def test_a_column_too_many():
    assert "line 2: there are 12 counts here" in refused(TEXT.rstrip() + " 5")


@pytest.mark.parametrize("count", [0, 1, 7, 33])
def test_columns_that_are_missing_in_every_line(count):
    text = f"Node 0, zone   Normal {' '.join(['7'] * count)}"
    assert f"line 1: there are {count} counts here, one for each order makes 8 to 32" in refused(
        text
    )


@pytest.mark.parametrize("word", ["-3", "1.5", "1e3", "many", "0x10", "1,024", "٣", "9" * 20, "--"])
def test_what_is_not_a_count(word):
    text = TEXT.replace("751852", word)
    assert refused(text) == (
        f"line 2: {word!r} is not a number of free blocks, which is 0 or more: "
        "paste the text again, unchanged"
    )


def test_a_long_word_is_not_repeated_at_length():
    assert len(refused(TEXT.replace("751852", "x" * 5000))) < 200


def test_twice():
    assert refused(TEXT + TEXT) == (
        "line 3: node 0, zone DMA stands in line 1 already: paste one reading, not several"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", "line 1: 'hello' is no line of /proc/buddyinfo: paste all that"),
        (
            "MemTotal:       16384 kB\n",
            "line 1: this looks like /proc/meminfo: paste what 'cat /proc/buddyinfo' prints",
        ),
        ("nr_free_pages 4000\n", "this looks like /proc/vmstat"),
        (
            zoneinfo(
                [
                    (
                        0,
                        "DMA",
                        dict.fromkeys(
                            (
                                "free",
                                "min",
                                "low",
                                "high",
                                "spanned",
                                "present",
                                "managed",
                                "start_pfn",
                            ),
                            1,
                        ),
                    )
                ]
            ),
            "line 1: this looks like /proc/zoneinfo",
        ),
        (
            pagetypeinfo([(0, "DMA", {"Movable": (1,) * 11}, {"Movable": 1})]),
            "line 1: this looks like /proc/pagetypeinfo",
        ),
        (
            "cat: /proc/buddyinfo: Permission denied\n",
            "line 1: only root may read /proc/buddyinfo there: paste what 'sudo cat /proc",
        ),
        (TEXT + "bash: exit: command not found", "line 3: 'bash: exit: command not found' is no"),
        ("<html>", "line 1: '<html>' is no line"),
    ],
)
def test_another_text(text, says):
    assert says in refused(text)


def test_not_a_text():
    assert refused(TEXT.encode()).startswith("this is bytes instead of text")
    assert refused(Path("/proc/buddyinfo")).startswith("this is PosixPath instead of text")


def test_a_text_without_end():
    assert "more than 2000000: paste /proc/buddyinfo alone" in refused(TEXT * 20_000)


# -- picking a zone


def test_the_zone_asked_for():
    zones = (SMALL, LARGE, LARGE._replace(node=1))
    assert zone_of(zones, "DMA") == SMALL
    assert zone_of(zones, "Normal", node=1).node == 1


@pytest.mark.parametrize(
    ("zone", "node", "says"),
    [
        (
            "Norml",
            None,
            "this text has no zone 'Norml'; did you mean 'Normal'? there are: DMA, Normal",
        ),
        ("Movable", None, "this text has no zone 'Movable'; there are: DMA, Normal"),
        ("Normal", None, "zone Normal is on nodes 0, 1: say which one, such as node=0"),
        ("DMA", 1, "node 1 has no zone DMA in this text; nodes that do: 0"),
    ],
)
def test_a_zone_that_is_not_there(zone, node, says):
    with pytest.raises(PasteError) as caught:
        zone_of((SMALL, LARGE, LARGE._replace(node=1)), zone, node)
    assert str(caught.value).startswith(says)


def test_a_long_name_is_not_repeated_at_length():
    assert len(refused(TEXT.replace("Normal", "x" * 5000))) < 200
