"""A real trace beside the model's run: every line agrees, and a changed number is noticed."""

from __future__ import annotations

import pytest

from mmsim import datafiles, ftrace
from mmsim.ftracefile import read

NAMES = [
    name.rpartition("/")[2] for name in datafiles.names() if name.startswith("kernel-runs/traces/")
]
ALIGNED = [n for n in NAMES if n.startswith(("S1_", "S2_base", "S2_v", "S2_noretfix", "S3_held"))]


def text_of(name):
    return datafiles.path(f"kernel-runs/traces/{name}").read_text(encoding="utf-8")


def rows_of(text):
    real = read(text)
    return ftrace.align(real, ftrace.situation(real).run())


def test_there_are_traces_of_each_kind():
    assert len(NAMES) == 24
    assert len(ALIGNED) >= 14


@pytest.mark.parametrize("name", ALIGNED)
def test_every_line_agrees(name):
    rows = rows_of(text_of(name))
    assert [row for row in rows if not row.agrees] == []
    assert len(rows) > 15


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ref=515", "ref=516"),
        ("split_huge_page_to_list) ret=-16", "split_huge_page_to_list) ret=-11"),
        ("nr_thp_failed=1 ", "nr_thp_failed=2 "),
        ("check_and_migrate=-12", "check_and_migrate=-11"),
    ],
)
def test_a_changed_number_does_not_agree(old, new):
    text = text_of("S3_held_base_retfix1.txt")
    assert old in text
    wrong = [row for row in rows_of(text.replace(old, new, 1)) if not row.agrees]
    assert len(wrong) == 1


def test_fewer_passes_are_laid_beside_the_first_ones():
    """Ten passes were measured, and base leaves after one: that one stands beside the first."""
    real = read(text_of("S3_real_held_v2_retfix1.txt"))
    rows = ftrace.align(real, ftrace.situation(real).with_(version="base").run())
    first = next(row for row in rows if not row.agrees)
    assert first.what == "huge page A: split_huge_page_to_list() returns"
    assert (first.measured, first.model) == ("-EAGAIN", "-EBUSY")
    ends = [row for row in rows if row.what.endswith("end of the pass")]
    assert [row.what.split(":")[0] for row in ends] == [f"round 1, pass {n}" for n in range(10)]
    assert [row.model == "—" for row in ends] == [False] + 9 * [True]


@pytest.mark.parametrize("version", ["base", "v3"])
@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_agree_can_be_seen(name, version):
    real = read(text_of(name))
    if real.cut:
        return
    rows = ftrace.align(real, ftrace.situation(real).with_(version=version).run())
    assert not [row for row in rows if not row.agrees and row.measured == row.model]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: "", "after 0 lines"),
        (lambda text: text.replace("vmstat before:", "vmstat bef:"), "vmstat"),
        (lambda text: text[: len(text) // 8], "line"),
        (lambda text: text.replace("ref=515", "ref=many"), "line"),
    ],
)
def test_a_malformed_trace_gets_one_sentence(change, says):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        read(change(text_of("S3_held_base_retfix1.txt")))
    assert says in str(error.value)


def test_an_unknown_trace_gets_the_nearest_match():
    with pytest.raises(ValueError, match="S3_held_base_retfix1"):
        ftrace.real_trace("S3_hold_base_retfix1.txt")
