"""All real traces beside the model: what agrees and what differs."""

from __future__ import annotations

import pytest

from mmsim.views.traces import (
    TRACES,
    _read,
    agreements,
    aligned,
    differing,
    lines_html,
    trace_names,
)


def test_every_file_has_words():
    assert len(trace_names()) == 24
    assert {_read(name).scenario for name in trace_names()} == {*TRACES}


def test_only_compaction_differs():
    table = agreements()
    assert len(table) == 24
    assert differing(table) == 5
    assert differing(table, of_the_pin=True) == 0
    assert table["what differs"].str.contains("cut off").sum() == 1
    stalls = table[table["what differs"].str.contains("compact_stall")]
    both = ["none free, real fragmentation"] * 2 + [
        "real fragmentation, one reference for ever"
    ] * 3
    assert stalls.index.tolist() == both
    assert stalls["version"].tolist() == ["v1", "v3", "6.1.0", "v1", "v3"]
    assert [*table.index.unique()] == [*TRACES.values()]


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
