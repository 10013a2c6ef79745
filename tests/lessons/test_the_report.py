"""Lesson 00: what its cards and its text say is what the model and the measurement say."""

from __future__ import annotations

import pytest

from mmsim.lessons import the_report as lesson
from mmsim.lessons.form import counters_of
from mmsim.scenarios import vfio_map
from mmsim.views.first_screen import NEVER, NOBODY, stops
from mmsim.views.first_screen import setting as setting_of

ONE_EACH = {"thp_migration_fail": 1, "thp_split_page_failed": 1}


def test_the_picture_the_model_and_the_measurement_give_the_reported_pair():
    run = vfio_map().run()
    assert counters_of(run) == stops("base", NEVER)[-1].counted == ONE_EACH
    assert {name: lesson.real.delta[name] for name in ONE_EACH} == ONE_EACH
    assert lesson.real.delta["pgmigrate_fail"] == lesson.PAGES == 512
    assert run.last.world.vmstat["nr_foll_pin_acquired"] == lesson.PAGES
    assert lesson.real.pin_result == run.results["pin"] == -12
    assert lesson.PASSES == 10


def test_what_a_kernel_of_the_time_counts():
    trace = vfio_map(isolation="inverted").run()
    counted = trace.last.world.vmstat
    assert counted["nr_foll_pin_acquired"] == counted["nr_foll_pin_released"] == 1024
    assert lesson.pins_of_the_time() == 1024
    assert [event.op.kind.name for event in trace.events].count("lru_add_drain_all") == 1
    assert (counted["pgmigrate_fail"], trace.results["pin"]) == (512, -12)
    assert counters_of(trace) == ONE_EACH


def test_the_first_questions_are_answered_by_the_model():
    for name, setting in lesson.SETTINGS.items():
        rc = setting_of(*setting).run().results["pin"]
        assert lesson.start.outcome()[name] == ("starts" if rc > 0 else "does not start")
    assert {*lesson.start.outcome().values()} == {"starts", "does not start"}
    assert lesson.counted.outcome() == counters_of(setting_of(*lesson.AFTER).run())
    nobody = stops("base", NOBODY)[-1]
    assert (nobody.outside, nobody.result) == (512, "-12")


def test_three_suspects_can_not_be_told_apart_and_one_is_out():
    assert [lesson.tried(name) for name in lesson.SUSPECTS][:3] == [ONE_EACH] * 3
    assert lesson.tried("writeback") == {"thp_migration_fail": 1, "thp_split_page_failed": 0}
    for name in ("truncated", "nomem"):
        assert vfio_map("v2", holder=0, trouble=name).run().results["pin"] == -12


@pytest.fixture
def fresh():
    cards = (lesson.ranking, lesson.ruled_out)
    for card in cards:
        card.forget()
    yield
    for card in cards:
        card.forget()


@pytest.mark.usefixtures("fresh")
def test_a_bet_names_each_suspect_once_and_stands_beside_what_the_model_counts():
    twice = lesson.ranking.answer(["nomem", "nomem", "reference", "writeback"])
    assert "exactly once" in twice.problem
    assert "your bet" not in lesson.suspects_tried()
    assert lesson.ranking.answer(["NOMEM", "truncated", "reference", "writeback"]).settled
    assert lesson.suspects_tried()["your bet"].tolist() == [
        "third",
        "second",
        "likeliest",
        "least likely",
    ]


@pytest.mark.usefixtures("fresh")
def test_a_wrong_suspect_is_told_why_and_then_what_is_counted():
    first = repr(lesson.ruled_out.answer(["ruled out", "fits", "fits", "ruled out"]))
    assert "reference: would it be turned away at the entry" in first
    assert "thp_migration_fail 1" not in first
    second = repr(lesson.ruled_out.answer(["fits", "fits", "fits", "fits"]))
    assert (
        "with 'writeback' the model counts thp_migration_fail 1, thp_split_page_failed 0" in second
    )
    assert "does not fit the report" in " ".join(second.split())


def test_the_judge_runs_the_model(monkeypatch):
    """A judge that knew its answers by heart would not notice a changed model."""
    monkeypatch.setattr(lesson, "tried", lambda name: ONE_EACH)
    assert lesson.judged(dict.fromkeys(lesson.SUSPECTS, "fits")).state == "passed"
