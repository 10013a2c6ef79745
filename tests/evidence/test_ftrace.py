"""A real trace beside the model's run: every line agrees, and a changed number is noticed."""

from __future__ import annotations

import pytest

from mmsim import datafiles
from mmsim.evidence import ftrace
from mmsim.evidence.ftrace import FOLDER, FOLDER_6_12, read

OLDER = [n.removeprefix(FOLDER) for n in datafiles.names() if n.startswith(FOLDER)]
NEWER = [n.removeprefix(FOLDER_6_12) for n in datafiles.names() if n.startswith(FOLDER_6_12)]
ALIGNED = [n for n in OLDER if n.startswith(("S1_", "S2_base", "S2_v2", "S2_noretfix", "S3_held_"))]
# Not GUPTEST, another program's pins; not S4: when drop_caches comes is not known; and not movable:
# compaction finds huge pages, which the model has not got.  What the large ones counted is in the
# tables.
LEFT_OUT = ("GUPTEST", "S4", "frag_movable", "_n4", "_n8")
SMALL = [n for n in NEWER if not any(part in n for part in LEFT_OUT)]
COMPACTED = {"compact_stall", "compact_fail"}
HELD = datafiles.path(f"{FOLDER}S3_held_base_retfix1.txt").read_text(encoding="utf-8")


def rows_of(real, version=None):
    situation = ftrace.situation(real)
    return ftrace.align(real, (situation.with_(version=version) if version else situation).run())


def test_there_are_traces_of_each_kind():
    assert [len(each) for each in (OLDER, ALIGNED, NEWER, SMALL)] == [24, 17, 36, 13]


@pytest.mark.parametrize("name", [*ALIGNED, *SMALL])
def test_every_line_agrees(name):
    real = ftrace.real_trace(name)
    assert (real.version == "6.12") == (name in SMALL)
    rows = rows_of(real)
    differing = {row.what for row in rows if not row.agrees}
    assert differing <= (COMPACTED if "frag_pinned" in name else set())
    assert len(rows) > 15


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ref=515", "ref=516"),
        ("split_huge_page_to_list) ret=-16", "split_huge_page_to_list) ret=-11"),
        ("nr_thp_failed=1 ", "nr_thp_failed=2 "),
        ("check_and_migrate=-12", "check_and_migrate=-11"),
        ("pages_in_cma 512", "pages_in_cma 511"),
    ],
)
def test_a_changed_number_does_not_agree(old, new):
    assert old in HELD
    wrong = [row for row in rows_of(read(HELD.replace(old, new, 1))) if not row.agrees]
    assert len(wrong) == 1


def test_fewer_passes_are_laid_beside_the_first_ones():
    """Ten passes were measured, and base leaves after one: that one stands beside the first."""
    rows = rows_of(ftrace.real_trace("S3_real_held_v2_retfix1.txt"), "base")
    first = next(row for row in rows if not row.agrees)
    assert first.what == "huge page A: split_huge_page_to_list() returns"
    assert (first.measured, first.model) == ("-EAGAIN", "-EBUSY")
    ends = [row for row in rows if row.what.endswith("end of the pass")]
    assert [row.what.split(":")[0] for row in ends] == [f"round 1, pass {n}" for n in range(10)]
    assert [row.model == "—" for row in ends] == [False] + 9 * [True]


@pytest.mark.parametrize(
    "name", ["S3_held_v2_retfix1.txt", "S3_real_held_v1_retfix1.txt", "S1_base_retfix1.txt"]
)
def test_what_does_not_agree_can_be_seen(name):
    real = ftrace.real_trace(name)
    for version in ("base", "v3"):
        rows = rows_of(real, version)
        assert not [row for row in rows if not row.agrees and row.measured == row.model]
    assert not all(row.agrees for row in rows_of(real, "6.12"))


def test_a_malformed_or_unknown_trace_gets_one_sentence():
    for make, given, says in (
        (read, "", "after 0 lines"),
        (read, HELD.replace("vmstat before:", "vmstat bef:"), "vmstat"),
        (read, HELD[: len(HELD) // 8], "line"),
        (read, HELD.replace("ref=515", "ref=many"), "line"),
        (ftrace.real_trace, "S3_hold_base_retfix1.txt", "S3_held_base_retfix1"),
    ):
        with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
            make(given)
        assert says in str(error.value)
