"""What the tasks of lesson 08 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import (
    RIGHT,
    WRONG,
)

from mmsim.checks import judge
from mmsim.evidence.measured import disturbed
from mmsim.scenarios import vfio_map
from mmsim.tasks.lesson_08 import RUNS
from mmsim.views.effect_chart import odds_beside_drop_caches, ways_to_fail


@pytest.mark.parametrize("letter", [letter for letter in RUNS if letter != "b"])
def test_a_run_that_is_not_the_measured_one_is_told_a_counter(letter):
    assert "was measured" in judge("08.which", letter).why


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
    verdict = judge("08.rule", rule)
    assert verdict.state == "failed"
    assert told in verdict.why


def test_a_wrong_label_is_told_what_its_line_says():
    told = judge("08.labels", {**RIGHT["08.labels"], "B": "a split has worked"}).why
    assert told == "B says: a split found 515 references, and returned -EAGAIN"


def test_numbers_in_a_reply_are_those_of_the_table_below_it():
    table = ways_to_fail(("6.1.0", "v3", "subpage_retry"))
    told = judge("08.columns", WRONG["08.columns"]).why
    assert told == (
        f"v3, a piece missed its pass: {table.loc['6.1.0', 'a piece missed its pass']} in 6.1.0, "
        f"{table.loc['v3', 'a piece missed its pass']} in v3"
    )
    wrong = {**RIGHT["08.columns"], "v3, could not be split": False}
    assert f"{table.loc['v3', 'could not be split']} in v3" in judge("08.columns", wrong).why
    wrong = {**RIGHT["08.columns"], "subpage_retry, a piece missed its pass": False}
    last = table.loc["subpage_retry", "a piece missed its pass"]
    assert f"{last} in subpage_retry" in judge("08.columns", wrong).why


def test_a_wrong_share_does_not_tell_the_right_one():
    assert judge("08.left", "most").why == "most of them would be too many"


def test_the_judges_of_lesson_08_look_at_rows_and_runs(monkeypatch):
    from mmsim.tasks import lesson_08

    monkeypatch.setattr(lesson_08, "disturbed", lambda kind: disturbed("v2, pieces tried again"))
    assert judge("08.support", RIGHT["08.support"]).state == "failed"
    monkeypatch.setattr(lesson_08, "vfio_map", lambda *a, **k: vfio_map("base"))
    assert judge("08.which", "b").state == "failed"
    same = odds_beside_drop_caches("v3")
    monkeypatch.setattr(lesson_08, "odds_beside_drop_caches", lambda version: same)
    assert judge("08.columns", RIGHT["08.columns"]).state == "failed"
