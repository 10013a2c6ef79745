"""What may be handed to the diagnosis, and what is said of the rest: one sentence each."""

from __future__ import annotations

import pytest

from mmsim import datafiles
from mmsim.cli import main
from mmsim.evidence.diagnose import EVIDENCE, load, read
from mmsim.evidence.pasted import CHARS_MAX, PasteError

OTHERS = ("nr_free_pages", "nr_mapped", "pgfault", "pgpgin", "drop_pagecache", "compact_stall")
CALL = (
    "qemu-1 [000] ..... 1.0: mm_migrate_pages: nr_succeeded={} nr_failed={} nr_thp_succeeded=0 "
    "nr_thp_failed={} nr_thp_split=0 mode=MIGRATE_SYNC reason={}\n"
)


def vmstat(**moved):
    """A text of /proc/vmstat."""
    counters = dict.fromkeys((*OTHERS, *EVIDENCE), 100) | {f"pgalloc_{i}": i for i in range(60)}
    counters = {name: n + moved.get(name, 0) for name, n in counters.items()}
    return "".join(f"{name} {n}\n" for name, n in counters.items())


def test_two_texts_give_what_moved_and_what_is_not_looked_at():
    pair = {"thp_migration_fail": 1, "thp_split_page_failed": 1}
    found = read(vmstat(), vmstat(**pair, pgfault=7, nr_mapped=-3, drop_pagecache=1))
    assert found.moved == pair
    assert list(found.others.items()) == [("drop_pagecache", 1), ("nr_mapped", -3), ("pgfault", 7)]
    assert found.unknown == ()


def test_what_is_not_evidence_is_ordered_by_what_could_matter():
    slip = {"thp_migration_fial": 1, "compact_stall": 1, "thp_fault_alloc": 2, "pgfault": 9}
    text = "".join(f"{name} +{n}\n" for name, n in reversed(slip.items()))
    assert list(read(f"{text}thp_split_pmd 1").others) == list(slip)


def test_lists_are_read_in_any_usual_form():
    for text in (
        "thp_migration_fail +1\nthp_split_page_failed +10",
        "thp_migration_fail 1\n\n# the report\nthp_split_page_failed    10\n",
        "thp_migration_fail: 1\r\nthp_split_page_failed = +10\r\n",
        "  thp_migration_fail=1  # one\n\tthp_split_page_failed=10",
        "thp_migration_fail 1, thp_split_page_failed 10",
    ):
        assert read(text).given == {"thp_migration_fail": 1, "thp_split_page_failed": 10}
    assert "pgmigrate_fail" in read(text).unknown


def test_a_trace_is_summed_up_for_each_reason_failures_first():
    text = CALL.format(33, 0, 0, "compaction") + CALL.format(0, 512, 1, "longterm_pin") * 2
    found = read(f"# tracer: nop\n{text} kswapd-1 [000] 1.0: mm_vmscan_x: a=b\n")
    assert found.moved == {"pgmigrate_fail": 1024, "thp_migration_fail": 2}
    assert found.reason == "longterm_pin"
    assert [(each.reason, each.moved) for each in found.also] == [
        ("compaction", {"pgmigrate_success": 33})
    ]
    assert found.notes == ("Lines of other events, not read: 1.",)
    assert "thp_split_page_failed" in found.unknown
    assert read(CALL.format(1, 0, 0, "0x7")).reason == "longterm_pin"


def test_a_measured_file_gives_its_own_counters():
    name = datafiles.path("kernel-runs/traces/S3_held_base_retfix1.txt")
    pair = {"pgmigrate_fail": 512, "thp_migration_fail": 1, "thp_split_page_failed": 1}
    assert read(name.read_text()).moved == pair


BEFORE, AFTER = vmstat(), vmstat(thp_migration_fail=1, pgfault=5)
TRACE = "x: mm_migrate_pages: nr_succeeded=0 nr_failed=1 nr_thp_succeeded=0 nr_thp_failed={} {}"
REASON = "mode=a reason=longterm_pin"
OLD = "mm_migrate_pages: nr_succeeded=1 nr_failed=0 mode=a reason=b"


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
        ((BEFORE, BEFORE.replace("pgfault 100\n", "")), "one of them is cut: only BEFORE has pgf"),
        ((BEFORE, AFTER + "workingset_x 4\n"), "of two kernels, or one of them is cut: only AFTER"),
        ((BEFORE, AFTER + "pgal"), "AFTER, line 77: write a counter"),
        ((BEFORE, "thp_split_pmd +3\n"), "'thp_split_pmd +3' is a movement and not a reading"),
        ((BEFORE + AFTER,), "stands in line 1 already: give two readings as two files"),
        (("Node 0, zone DMA32 1 2 3\n",), "looks like /proc/buddyinfo, which says what is free"),
        (("MemTotal: 16 kB\n",), "this is /proc/meminfo. It tells"),
        ((BEFORE,), "BEFORE is a whole /proc/vmstat; give two of them"),
        (("pgfault 1\n", "pgfault 2\n"), "BEFORE has no counter of the model"),
        (("pgfault +1\n",), "has no counter of the model: 'pgfault'; there are: pgmigrate_success"),
        (("thp_migration_fails +1\n",), "did you mean 'thp_migration_fail'"),
        (("thp_migration_fail +1\nthp_migration_fail +1\n",), "line 2: thp_migration_fail stands"),
        (("thp_migration_fail -1\n",), "thp_migration_fail went back by 1; counters never do"),
        (("thp_migration_fail one\n",), "'thp_migration_fail +1', not 'thp_migration_fail one'"),
        (("x" * (CHARS_MAX + 1),), "BEFORE has 2,000,001 characters, more than 2,000,000"),
        ((TRACE.format("1", REASON),), "line 1: a line of mm_migrate_pages has no value nr_thp"),
        ((TRACE.format("x", f"nr_thp_split=0 {REASON}"),), "nr_thp_failed is no number: 'x'"),
        ((TRACE.format("1", "nr_thp_split=0 mode=a"),), "has no value reason"),
        ((TRACE.format("1", f"nr_failed=2 {REASON}"),), "can't be read as a line of mm_"),
        ((CALL.format(1, 1, 0, "a") + OLD,),
         "line 2: this has other values than line 1: give one kernel's"),
        ((CALL.format(1, 1, 0, "a") + "pgmigrate_fail 1",), "this is a counter, and there is"),
        (("-- S3\n==== trace\n",), "BEFORE, line 1"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_told_in_one_sentence(texts, says):
    with pytest.raises(PasteError, match=r"\A[^\n]{1,320}\Z") as told:
        read(*texts)
    assert says in str(told.value)


def test_a_gauge_may_fall_and_a_counter_proves_a_reboot():
    before = vmstat() + "workingset_nodes 90\nnuma_hit 70\nmemmap_x 5\n"
    after = vmstat(thp_split_pmd=1) + "workingset_nodes 4\nnuma_hit 3\nmemmap_x 4\n"
    assert read(before, after).moved == {"thp_split_pmd": 1}
    with pytest.raises(PasteError, match="different boots"):
        read(before, after.replace("pgfault 100", "pgfault 3"))


@pytest.mark.parametrize("name", ["none", ""])
def test_files_that_are_not_there(tmp_path, name, capsys):
    file = str(tmp_path / name)
    with pytest.raises(PasteError, match="can't be read: "):
        load(file)
    assert main(("diagnose", file)) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
