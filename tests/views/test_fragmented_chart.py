"""The measured fall to pieces, against what the record of the runs says of it."""

from __future__ import annotations

import pytest

from mmsim.views.fragmented_chart import (
    EXTFRAG,
    INSIDE,
    OUTSIDE,
    UNUSABLE,
    fragmented,
    fragmented_pins,
)


@pytest.fixture(scope="module")
def chart():
    return fragmented()


def test_the_table_is_what_was_read_off_the_kernel(chart):
    table = chart.table
    assert table.loc["just booted"].tolist() == [249833, 65536, 356, 128, "0.008", "-1.000"]
    last = table.loc["order 9 used up"]
    assert last.tolist() == [155031, 65274, 0, 126, "0.583", "-1.000"]
    assert last[INSIDE] == 62 * 2 + 2  # 62 blocks of order 10 and 2 of order 9
    assert set(table[EXTFRAG]) == {"-1.000"}
    assert list(table[UNUSABLE]) == ["0.008", "0.121", "0.025", "0.573", "0.583"]
    assert list(table[OUTSIDE]) == [356, 8, 8, 6, 0]


def test_nothing_sticks_out(chart):
    chart.png()
    whole = chart.figure.bbox
    for part in (*chart.figure.legends, *chart.figure.texts):
        box = part.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= whole.width


def test_pins_on_such_machines():
    table = fragmented_pins()
    assert table.iloc[0].tolist() == [36, 144, 144, 0, 144, 0]
    assert table.iloc[1].tolist() == [6, 6, 6, 0, 0, 6]
    assert table.iloc[2].tolist() == [72, 288, 288, 288, 0, 0]
