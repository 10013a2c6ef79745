"""What the tasks of lesson 07 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import (
    RIGHT,
)

from mmsim.checks import judge
from mmsim.scenarios import lru_batch, vfio_map


@pytest.mark.parametrize(
    ("name", "claim", "told"),
    [
        ("07.count", lambda c: c.thp_migration_fail <= c.huge_pages, "passed"),
        ("07.count", lambda c: True, "v2 keeps it too, in all "),
        ("07.count", lambda c: c.pinned, "not even v3fix keeps it: pin*"),
        ("07.count", lambda c: c.nosuch, "the claim raised AttributeError"),
        ("07.count", lambda c: c.thp_migration_fail == 1, "not even v3fix keeps it"),
        ("07.moved", lambda c: True, "v2 keeps it too"),
        ("07.moved", lambda c: not c.pages_in_cma, "not even v3 keeps it"),
    ],
)
def test_a_claim_is_answered_with_a_run(name, claim, told):
    verdict = judge(name, claim)
    assert told in f"{verdict.state} {verdict.why}"


def test_a_counterexample_can_be_replayed():
    told = judge("07.moved", RIGHT["07.moved"]).detail
    schedule = told.split("with ")[1].splitlines()[0]
    run = vfio_map("v2", order=1, targets="either", released=1).replay(schedule)
    assert run.results["pin"] == -12
    assert run.last.world.vmstat["pgmigrate_success"] == 2


@pytest.mark.parametrize("text", ["0.31640625", "81/256", " 81/256 "])
def test_a_fraction_can_be_written_in_several_ways(text):
    assert judge("07.law", text).state == "passed"


@pytest.mark.parametrize("text", ["a third", "1/0", "", "9/64"])
def test_other_texts_are_no_fraction(text):
    assert judge("07.law", text).state == "failed"


@pytest.mark.parametrize(
    ("decide", "told"),
    [
        (lambda a: a.usual, "visit (somebody refers"),
        (lambda a: "wait" if a.pin_is_busy else a.usual, "batch (a single page"),
        (lambda a: "drain", "callers who pin nothing notice it: compaction"),
        (lambda a: a.nosuch, "the policy raised AttributeError"),
        (lambda a: "retry", "the policy returned 'retry'"),
    ],
)
def test_a_policy_is_told_where_it_falls_short(decide, told):
    verdict = judge("07.policy", decide)
    assert verdict.state == "failed"
    assert told in verdict.why


def test_the_judges_of_lesson_07_run_the_model(monkeypatch):
    from mmsim.tasks import lesson_07

    monkeypatch.setattr(lesson_07, "lru_batch", lambda *a, **k: lru_batch("v2"))
    assert judge("07.batch", RIGHT["07.batch"]).state == "failed"
    monkeypatch.setattr(lesson_07, "vfio_map", lambda *a, **k: vfio_map("v3"))
    assert judge("07.hole", RIGHT["07.hole"]).state == "failed"
