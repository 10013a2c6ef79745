"""The trace picker without a browser."""

from __future__ import annotations

import pytest

from mmsim.widgets import trace_picker

REAL = "S3_real_held_v2_retfix1.txt"


@pytest.fixture
def picker():
    return trace_picker()


def test_lines_and_picture_move_together(picker):
    assert "31 of 31 lines agree" in picker.lines.value
    assert picker.back.disabled
    first = picker.view.value
    picker.line.value = 5
    assert "514 expected" in picker.said.value
    assert picker.view.value != first
    picker.forward.click()
    assert picker.line.value == 6
    picker.line.value = picker.line.max
    assert picker.forward.disabled


def test_another_trace_begins_at_a_line_that_differs(picker):
    picker.trace.value = REAL
    assert "compact_stall" in picker.said.value
    assert "93 of 95 lines agree" in picker.lines.value
    assert picker.lines.value.count("≠") == 2


def test_another_version_differs_early(picker):
    picker.trace.value = "S3_held_v2_retfix1.txt"
    picker.version.value = "base"
    assert "≠" in picker.lines.value
    picker.line.value = picker.line.max
    assert "<svg" in picker.view.value
    seen = set()
    for number in range(1, picker.line.max + 1):
        picker.line.value = number
        seen.add("no such line" in picker.view.value)
    assert seen == {True, False}


def test_a_trace_that_was_cut_off_is_not_offered(picker):
    names = [name for _, name in picker.trace.options]
    assert len(names) == 23
    assert "S2_real_base_retfix1.txt" not in names
