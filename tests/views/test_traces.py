"""All real traces beside the model: what agrees and what differs."""

from __future__ import annotations

import pytest

from mmsim.views.traces import (
    TRACES,
    _read,
    aligned,
    lines_html,
    trace_names,
)


def test_every_file_has_words():
    assert len(trace_names()) == 24
    assert {_read(name).scenario for name in trace_names()} == {*TRACES}


@pytest.mark.parametrize("at", [0, 5, 40, 84])
def test_the_current_line_is_in_sight_and_marked(at):
    _, rows = aligned("S3_held_v2_retfix1.txt")
    html = lines_html(rows, at)
    assert html.count("▶") == 1
    assert html.count("<tr") == 7 + 1
    assert "<td style" in html
    assert f">{at + 1}</td>" in html
    assert "85 of 85 lines agree" in html
