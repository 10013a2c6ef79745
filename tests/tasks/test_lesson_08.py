"""What the tasks of lesson 08 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import (
    RIGHT,
)

from mmsim.checks import judge
from mmsim.measured import disturbed
from mmsim.scenarios import vfio_map
from mmsim.tasks.lesson_08 import RUNS
from mmsim.views.effect_chart import odds_beside_drop_caches


@pytest.mark.parametrize("letter", [letter for letter in RUNS if letter != "b"])
def test_a_run_that_is_not_the_measured_one_is_told_a_counter(letter):
    assert "was measured" in judge("08.which", letter).why


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (lambda pin: 0, "frag_pinned, 0 of 1,059 pins; one with"),
        (lambda pin: 2 * pin.thp_migration_fail, "had 9 stalls"),
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
    assert told == "B says: a huge page: references before the split: 515; returned -11"


def test_the_judges_of_lesson_08_look_at_rows_and_runs(monkeypatch):
    from mmsim.tasks import lesson_08

    monkeypatch.setattr(lesson_08, "disturbed", lambda kind: disturbed("v2, pieces tried again"))
    assert judge("08.support", RIGHT["08.support"]).state == "failed"
    monkeypatch.setattr(lesson_08, "vfio_map", lambda *a, **k: vfio_map("base"))
    assert judge("08.which", "b").state == "failed"
    same = odds_beside_drop_caches("v3", 2)
    monkeypatch.setattr(lesson_08, "odds_beside_drop_caches", lambda version, passes: same)
    assert judge("08.columns", RIGHT["08.columns"]).state == "failed"
