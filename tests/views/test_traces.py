"""All real traces beside the model: what agrees, what differs, and a rule for what differs."""

from __future__ import annotations

import pytest

from mmsim.practice.stalls import MOVABLE, PINNED_DOWN, Pinned, checked, of_trace
from mmsim.views.traces import (
    TRACES,
    _read,
    agreements,
    aligned,
    differing,
    lines_html,
    raw_lines,
    recheck,
    trace_names,
)


def twice(pin):
    return 2 * (pin.thp_split_page + pin.thp_split_page_failed)


def test_every_file_has_words():
    assert len(trace_names()) == 24
    assert {_read(name).scenario for name in trace_names()} == {*TRACES}


def test_only_compaction_differs():
    table = agreements()
    assert len(table) == 24
    assert differing(table) == 5
    assert differing(table, besides="compact") == 0
    assert table["what differs"].str.contains("cut off").sum() == 1
    for name, row in table.iterrows():
        assert ("compact_stall" in row["what differs"]) == (("real" in name and "base" not in name)
            or name == "S3_real_held_base_retfix1")  # fmt: skip


def test_another_version_does_not_agree():
    _, rows = aligned("S3_held_v2_retfix1.txt", "base")
    assert not all(row.agrees for row in rows)
    assert all(row.agrees for row in aligned("S3_held_v2_retfix1.txt")[1])


@pytest.mark.parametrize("at", [0, 5, 40, 84])
def test_the_current_line_is_in_sight_and_marked(at):
    _, rows = aligned("S3_held_v2_retfix1.txt")
    html = lines_html(rows, at)
    assert html.count("▶") == 1
    assert html.count("<tr") == 7 + 1
    assert "<td style" in html
    assert f">{at + 1}</td>" in html
    assert "85 of 85 lines agree" in html


def test_a_line_as_the_kernel_wrote_it():
    (line,) = raw_lines("S3_held_base_retfix1.txt", [10])
    assert line.startswith("mm_migrate_pages_start: mode=MIGRATE_SYNC")
    assert "[000]" not in line


def test_a_rule_is_held_against_every_pin():
    assert str(checked(twice, PINNED_DOWN)) == "1,058 of 1,059 pins"
    assert str(checked(twice, MOVABLE)) == "124 of 126 pins"
    pin, measured = checked(twice, PINNED_DOWN).first_wrong
    assert (twice(pin), measured) == (8, 9)
    assert checked(lambda pin: -1, MOVABLE).right == 0


def test_what_is_known_of_a_traced_pin():
    pin, stalls = of_trace(_read("S3_real_held_v2_retfix1.txt"))
    assert pin == Pinned(0, 11, 0, 10)
    assert stalls == twice(pin) == 20


def test_a_rule_repairs_the_traces_but_one():
    table = recheck(twice)
    assert table["agrees"].tolist()[:6].count("✓") == 5
    assert table.loc["S2_real_v1_retfix1", "agrees"] == "≠"
    assert recheck(lambda pin: pin.nosuch).startswith("The rule raised AttributeError")
