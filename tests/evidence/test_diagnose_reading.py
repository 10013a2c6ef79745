"""What may be handed to the diagnosis, and what is said of the rest: one sentence each."""

from __future__ import annotations

import random

import pytest

from mmsim import datafiles
from mmsim.cli import main
from mmsim.evidence.diagnose import BYTES_MAX, EVIDENCE, DiagnoseError, load, read

OTHERS = ("nr_free_pages", "nr_mapped", "pgfault", "pgpgin", "drop_pagecache", "compact_stall")


def vmstat(**moved):
    """A text of /proc/vmstat."""
    counters = dict.fromkeys((*OTHERS, *EVIDENCE), 100) | {f"pgalloc_{i}": i for i in range(60)}
    counters = {name: n + moved.get(name, 0) for name, n in counters.items()}
    return "".join(f"{name} {n}\n" for name, n in counters.items())


def test_two_texts_give_what_moved_and_what_is_not_looked_at():
    found = read(
        vmstat(), vmstat(thp_migration_fail=1, thp_split_page_failed=1, pgfault=7, nr_mapped=-3)
    )
    assert found.moved == {"thp_migration_fail": 1, "thp_split_page_failed": 1}
    assert found.others == {"nr_mapped": -3, "pgfault": 7}
    assert found.unknown == ()


def test_lists_are_read_in_any_usual_form():
    wanted = {"thp_migration_fail": 1, "thp_split_page_failed": 10}
    for text in (
        "thp_migration_fail +1\nthp_split_page_failed +10",
        "thp_migration_fail 1\n\n# the report\nthp_split_page_failed    10\n",
        "thp_migration_fail: 1\r\nthp_split_page_failed = +10\r\n",
        "  thp_migration_fail=1  # one\n\tthp_split_page_failed=10",
    ):
        assert read(text).given == wanted
    assert "pgmigrate_fail" in read(text).unknown


def test_a_trace_is_summed_up_over_the_calls_for_the_pin():
    line = (
        "qemu-1 [000] ..... 1.0: mm_migrate_pages: nr_succeeded={} nr_failed={} nr_thp_succeeded=0 "
        "nr_thp_failed={} nr_thp_split=0 mode=MIGRATE_SYNC reason={}\n"
    )
    text = line.format(0, 512, 1, "longterm_pin") * 2 + line.format(33, 0, 0, "compaction")
    found = read("# tracer: nop\n" + text)
    assert found.moved == {"pgmigrate_fail": 1024, "thp_migration_fail": 2}
    assert found.reason == "longterm_pin"
    assert found.others == {"mm_migrate_pages calls for compaction": 33}
    assert "thp_split_page_failed" in found.unknown
    assert read(line.format(33, 0, 0, "compaction")).reason == "compaction"


def test_a_measured_file_gives_its_own_counters():
    name = datafiles.path("kernel-runs/traces/S3_held_base_retfix1.txt")
    found = read(name.read_text())
    assert found.moved == {
        "pgmigrate_fail": 512,
        "thp_migration_fail": 1,
        "thp_split_page_failed": 1,
    }
    assert "thp_split_pmd" in found.unknown


BEFORE, AFTER = vmstat(), vmstat(thp_migration_fail=1, pgfault=5)
NOISE = random.Random(1).randbytes(3000)
TRACE = "x: mm_migrate_pages: nr_succeeded=0 nr_failed=1 nr_thp_succeeded=0 nr_thp_failed={} {}"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((AFTER, BEFORE), "every counter that moved went back (pgfault from 105 to 100): swap"),
        (
            (vmstat(pgpgin=9), vmstat(pgfault=9)),
            "different boots: counters went back, for instance pgpgin from 109 to 100",
        ),
        ((BEFORE, ""), "AFTER is empty"),
        (("", AFTER), "BEFORE is empty"),
        (("",), "BEFORE is empty"),
        (
            (BEFORE, BEFORE.replace("thp_migration_fail 100\n", "")),
            "AFTER has no counter thp_migrat",
        ),
        ((BEFORE, AFTER + "workingset_x 4\n"), "different kernels: only AFTER has workingset_x"),
        ((BEFORE, AFTER + "pgal"), "is no name and number, but 'pgal'"),
        ((BEFORE, "Node 0, zone DMA32 1 2 3\n"), "AFTER is no text of /proc/vmstat: line 1"),
        (("MemTotal: 16 kB\n",), "write a counter and by how much it moved"),
        ((BEFORE,), "BEFORE is a whole /proc/vmstat; give two of them"),
        (("pgfault +1\n",), "has no counter of the model: 'pgfault'; there are: pgmigrate_success"),
        (("thp_migration_fails +1\n",), "did you mean 'thp_migration_fail'"),
        (("thp_migration_fail +1\nthp_migration_fail +1\n",), "line 2: thp_migration_fail stands"),
        (("thp_migration_fail -1\n",), "thp_migration_fail went back by 1; counters never do"),
        (("thp_migration_fail one\n",), "'thp_migration_fail +1', not 'thp_migration_fail one'"),
        (("x" * (BYTES_MAX + 1),), "BEFORE has more than 1,000,000 characters"),
        ((TRACE.format("x", "reason=longterm_pin"),), "no value nr_thp_split"),
        ((TRACE.format("x", "nr_thp_split=0 reason=longterm_pin"),), "nr_thp_failed is no number"),
        (("-- S3\n==== trace\n",), "BEFORE, line 1"),
    ],
)
def test_what_can_not_be_used_is_told_in_one_sentence(texts, says):
    with pytest.raises(DiagnoseError) as told:
        read(*texts)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 320


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (NOISE, "is not a text but a binary file"),
        (b"thp_migration_fail \xff1", "is not UTF-8 text (byte 19)"),
        (b"a 1\n" * 300_000, "has more than 1,000,000 bytes; a /proc/vmstat has about 5,000"),
        (None, "can't be read: No such file or directory"),
        ("folder", "can't be read: Is a directory"),
    ],
)
def test_files_that_can_not_be_used(tmp_path, content, says, capsys):
    file = tmp_path / "vmstat"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(DiagnoseError, match=r"vmstat") as told:
        load(str(file))
    assert says in str(told.value)
    assert main(("diagnose", str(file))) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mmsim: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("seed", range(40))
def test_no_text_makes_it_stumble(seed):
    """Damaged texts are used or refused, and nothing else."""
    draw = random.Random(seed)
    text = list(draw.choice([BEFORE, "thp_migration_fail +1\n" * 3, TRACE.format(1, "a=b") * 2]))
    for _ in range(draw.randint(1, 30)):
        at = draw.randrange(len(text))
        text[at] = draw.choice(["", "\n", " ", "=", "9", "x", "\x00", "é", "-", "#"])
    for texts in (("".join(text),), (BEFORE, "".join(text)), ("".join(text), AFTER)):
        try:
            used = read(*texts).given
        except DiagnoseError as error:
            used = str(error).splitlines()
            assert len(used) == 1
        assert used
