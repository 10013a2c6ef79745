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
    recheck,
    stall_examples,
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
    assert differing(table, of_the_pin=True) == 0
    assert table["what differs"].str.contains("cut off").sum() == 1
    stalls = table[table["what differs"].str.contains("compact_stall")]
    both = ["none free, real fragmentation"] * 2 + [
        "real fragmentation, one reference for ever"
    ] * 3
    assert stalls.index.tolist() == both
    assert stalls["kernel"].tolist() == ["v1", "v2", "base", "v1", "v2"]
    assert [*table.index.unique()] == [*TRACES.values()]


@pytest.mark.parametrize("at", [0, 5, 40, 84])
def test_the_current_line_is_in_sight_and_marked(at):
    _, rows = aligned("S3_held_v2_retfix1.txt")
    html = lines_html(rows, at)
    assert html.count("▶") == 1
    assert html.count("<tr") == 7 + 1
    assert "<td style" in html
    assert f">{at + 1}</td>" in html
    assert "85 of 85 lines agree" in html


def test_a_rule_is_held_against_every_pin():
    assert str(checked(twice, PINNED_DOWN)) == "1,058 of 1,059 pins"
    assert str(checked(twice, MOVABLE)) == "124 of 126 pins"
    pin, said, measured = checked(twice, PINNED_DOWN).wrong
    assert (twice(pin), said, measured) == (8, 8, 9)
    assert checked(lambda pin: -1, MOVABLE).right == 0
    assert checked(lambda pin: -1, MOVABLE).wrong.pin == Pinned(4, 0, 0, 0)


def test_what_is_told_of_a_wrong_rule_is_a_pin_that_the_right_one_explains():
    """A rare row that no rule explains would lead the learner astray."""
    for wrong in (
        lambda pin: 2 * pin.thp_migration_fail,
        lambda pin: 2 * (pin.thp_split_page + pin.thp_migration_success),
        lambda pin: pin.thp_split_page + pin.thp_split_page_failed,
    ):
        pin, said, measured = checked(wrong, PINNED_DOWN).wrong
        assert twice(pin) == measured != said == wrong(pin)


def test_examples_show_each_counter_and_agree_with_the_rule():
    table = stall_examples()
    assert [twice(row) for row in table.itertuples()] == table["stalls"].tolist()
    assert (table[[*Pinned._fields]] > 0).any().all()


def test_what_is_known_of_a_traced_pin():
    pin, stalls = of_trace(_read("S3_real_held_v2_retfix1.txt"))
    assert pin == Pinned(0, 11, 0, 10)
    assert stalls == twice(pin) == 20


def test_a_rule_repairs_the_traces_but_one():
    table = recheck(twice)
    assert table["agrees"].tolist()[:6].count("✓") == 5
    assert table.loc["none free, real fragmentation · v1", "agrees"] == "≠"
    assert recheck(lambda pin: pin.nosuch).startswith("The rule raised AttributeError")
