"""Lesson 10: its judges look at rows and runs, and its sentences are those of the measurements."""

from __future__ import annotations

import pytest

from mmsim.evidence.measured import RETRY, disturbed
from mmsim.lessons import does_the_real_kernel_agree as lesson
from mmsim.scenarios import SMALL, pin_versus, vfio_map


@pytest.mark.parametrize("letter", "acd")
def test_a_run_that_is_not_the_measured_one_is_told_a_counter(letter):
    assert "was measured" in lesson.which.judge(letter).why


def test_a_wrong_label_is_told_what_its_line_says():
    answer = {**lesson.labels.solution, "B": lesson.SPLIT}
    told = lesson.labels.judge(answer).why
    assert told == "B: the line says: a split found 515 references, and returned -EAGAIN"
    assert [*lesson.labels.solution.values()] == [
        "no huge page is free",
        lesson.REFUSED,
        lesson.SPLIT,
        "a pass ends",
        "the call adds up its counters",
        "the pin gives up",
    ]


def test_only_compaction_differs():
    assert lesson.agree_true() == {"any_line": 3, "of_the_pin": 0}
    assert len(lesson.agreements(lesson.HELD)) == 12


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (lambda pin: 0, "0 of 1,059 pins among pages that can't move; with thp_migration_fail 1"),
        (
            lambda pin: 2 * pin.thp_migration_fail,
            "thp_split_page_failed 10 your rule gives 2, and 20 was measured",
        ),
        (
            lambda pin: 2 * (pin.thp_split_page + pin.thp_migration_success),
            "thp_split_page_failed 1 your rule gives 0, and 2 was measured",
        ),
        (lambda pin: "2", "should return a whole number, and it returned '2'"),
        (lambda pin: pin.nosuch, "the rule raised AttributeError"),
        (lambda: 2, "the rule raised TypeError"),
    ],
)
def test_a_rule_is_told_a_pin_that_contradicts_it(rule, told):
    verdict = lesson.rule.judge(rule)
    assert verdict.state == "failed"
    assert told in verdict.why


def test_a_rule_is_held_against_every_pin():
    shares = {mode: lesson.hits(lesson.twice, mode) for mode in lesson.AMONG}
    assert shares == {"frag_pinned": (1058, 1059), "frag_movable": (124, 126)}
    wrong = {
        mode: [n - lesson.twice(p) for p, n in lesson.pins(mode) if n != lesson.twice(p)]
        for mode in lesson.AMONG
    }
    assert wrong == {"frag_pinned": [1], "frag_movable": [6]}
    assert lesson.rule.judge(lambda pin: None).state == "not attempted"


def test_examples_show_each_counter_and_agree_with_the_rule():
    table = lesson.examples()
    assert [lesson.twice(row) for row in table.itertuples()] == table["stalls"].tolist()
    assert (table[[*lesson.Pinned._fields]] > 0).any().all()


def test_the_rule_repairs_the_traces_but_one():
    lesson.rule.solved()
    assert lesson.rechecked()["agrees"].tolist().count("✓") == 5
    lesson.rule.forget()


def test_what_is_said_of_6_12_is_in_the_rows():
    found = lesson.on_612()
    assert found == {
        "pins": 120,
        "failed": 114,
        "refused": 0,
        "whole": 2,
        "pieces": 112,
        "left": 32,
    }
    shares = lesson.counterfactual()
    assert [shares["S4_loop", name] for name in lesson.SETTINGS] == [
        (226, 240),
        (17, 240),
        (0, 240),
    ]
    for letter in "abd":
        assert lesson.cause.judge(letter).state == "failed"


def test_what_is_said_of_6_1_is_in_the_rows():
    assert disturbed("v2").failed == (503, 1020)
    assert disturbed(RETRY).failed == (4, 1020)
    assert {name: holds for name, (holds, _) in lesson.evidence().items()} == (
        lesson.support.solution
    )


@pytest.mark.parametrize("weight", [1, 8])
def test_the_patch_does_not_touch_the_pieces_and_trying_them_again_not_the_split(weight):
    odds = {}
    for version in ("6.1.0", "v3", "subpage_retry"):
        situation = pin_versus(version, **SMALL)
        ends = situation.explore().outcomes(situation.outcome, {"pin": weight})
        odds[version] = {end.name: end.odds for end in ends}
        assert sum(odds[version].values()) == 1
    missed, split = lesson.MISSED, "failed: a huge page could not be split"
    assert odds["6.1.0"][missed] == odds["v3"][missed] > odds["subpage_retry"][missed] > 0
    assert odds["6.1.0"][split] > odds["v3"][split] == odds["subpage_retry"][split]


def test_a_piece_misses_its_pass():
    run = lesson.missed_piece()
    assert run.scenario.outcome(run.last) == lesson.MISSED
    vmstat = run.last.world.vmstat
    assert vmstat["thp_split_page"] == 1
    assert vmstat["thp_split_page_failed"] == 0 < vmstat["thp_migration_fail"]
    assert run.events[run.find("folio_ref_freeze", 2) - 1].answer is False


def test_the_first_line_that_differs_is_the_code_of_the_split():
    _, rows = lesson.aligned("S3_real_held_v2_retfix1.txt", "6.1.0")
    first = next(row for row in rows if not row.agrees)
    assert (first.what, first.measured, first.model) == (
        "huge page A: split_huge_page_to_list() returns",
        "-EAGAIN",
        "-EBUSY",
    )


def test_the_judge_runs_the_model(monkeypatch):
    monkeypatch.setattr(lesson, "vfio_map", lambda *a, **k: vfio_map("base"))
    assert lesson.which.judge("b").state == "failed"
