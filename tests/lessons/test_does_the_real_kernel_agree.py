"""Lesson 10: its judges look at rows and runs, and its sentences are those of the measurements."""

from __future__ import annotations

import pytest
from failure_odds import ANY_STEP, failure_odds

from mmsim.datafiles import load_csv
from mmsim.engine.op import atomic
from mmsim.lessons import does_the_real_kernel_agree as lesson
from mmsim.lessons.how_likely import measured_pins
from mmsim.mm import policies


def test_the_lines_say_what_the_card_asks():
    fields = {line.number: line.fields for line in lesson.unnamed.lines}
    b, c = (fields[lesson.EVENTS[letter]] for letter in "BC")
    assert (b["ret"] != 0, c["ret"] != 0) == (True, False)
    assert lesson.reading.outcome() == {"refused": "B", "too_many": int(b["ref"]) - int(c["ref"])}


def test_the_table_for_plots_has_the_pins_of_the_lesson():
    table = lesson.pins_table()
    found = [(int((g["left"] > 0).sum()), len(g)) for _, g in table.groupby("pause_ms")]
    assert found == [(n["failed"], n["pins"]) for n in map(lesson.on_612, lesson.GAPS)]


def test_what_is_said_of_the_loop_of_2022_is_in_the_rows():
    wanted = {"code": "oct22", "variant": "base", "scenario": "S4_loop", "alloc_mode": "inject"}
    rows = load_csv("kernel-runs/s4_dropcaches_trials.csv", **wanted)
    splits, refused = (
        sum(int(row[f"d_thp_{n}"]) for row in rows) for n in ("split_page", "split_page_failed")
    )
    failed = sum(row["pin_errno"] != "0" for row in rows)
    words = lesson.measured_ends()
    assert f"6.1.0 split {splits} huge pages" in words
    assert refused == 0
    assert f"{failed} of {len(rows)} pins failed" in words


def test_what_is_said_of_6_12_is_in_the_rows():
    shares = lesson.counterfactual()
    old, new = (measured_pins(kind, loop="oct22").failed for kind in ("base", "v2"))
    words = lesson.support.labels["same"]
    for share in (old, new):
        low, high = (f"{100 * end:.0f}" for end in share.interval)
        assert f"{share.hits} of {share.trials}" in words
        assert f"{low} to {high} %" in words
    assert (
        f"{shares['like_any_page']} failed with it, {shares['as_it_is']} without"
        == (lesson.support.because["again"])
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", ["6.12", *(row for row, _ in lesson.CHANGES.values())])
def test_stored_odds_are_those_of_a_search(version):
    found = failure_odds(version, passes=2, starts=(ANY_STEP,))[ANY_STEP]
    odds = {end: float(each) for end, each in found.items()}
    assert lesson.odds()[version] == pytest.approx(odds, abs=1e-12)


def test_a_drain_helps_a_huge_page_as_much_as_an_idle_step_does(monkeypatch):
    monkeypatch.setattr(policies, "lru_add_drain_all", atomic(lambda world, me: None))
    found = failure_odds("6.12-drain", passes=2, starts=(ANY_STEP,))[ANY_STEP]
    usual, drain = (lesson.odds()[row][lesson.NOT_SPLIT] for row in ("6.12", "6.12-drain"))
    assert f"{float(100 * found[lesson.NOT_SPLIT]):.2f}" == f"{100 * drain:.2f}" == "0.21"
    assert drain < usual
