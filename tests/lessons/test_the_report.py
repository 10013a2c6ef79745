"""Lesson 00: what its cards and its text say is what the model and the measurement say."""

from __future__ import annotations

import pytest

from mmsim.lessons import the_report as lesson
from mmsim.lessons.form import counters_of
from mmsim.scenarios import vfio_map

ONE_EACH = {"thp_migration_fail": 1, "thp_split_page_failed": 1}


def test_the_run_and_the_measurement_give_the_reported_pair():
    assert counters_of(lesson.run()) == ONE_EACH
    assert {name: lesson.real.delta[name] for name in ONE_EACH} == ONE_EACH
    assert lesson.real.delta["pgmigrate_fail"] == lesson.PAGES
    assert lesson.real.pin_result == lesson.run().results["pin"] == -12


def test_both_guessed_counters_count_small_pages_and_all_pins_are_let_go_of():
    assert lesson.guess.outcome() == dict.fromkeys(lesson.GUESSED, 512)
    assert lesson.run().last.world.vmstat["nr_foll_pin_released"] == 512
    assert (lesson.PAGES, lesson.PASSES) == (512, 10)


def test_what_a_kernel_of_the_time_counts():
    trace = lesson.run_of_the_time()
    counted = trace.last.world.vmstat
    assert counted["nr_foll_pin_acquired"] == counted["nr_foll_pin_released"] == 1024
    assert [event.op.kind.name for event in trace.events].count("lru_add_drain_all") == 1
    assert (counted["pgmigrate_fail"], trace.results["pin"]) == (512, -12)
    assert counters_of(trace) == ONE_EACH
    assert "1,024 pins and releases 1,024" in lesson.guess.why()


def test_three_suspects_can_not_be_told_apart_and_one_is_out():
    assert [lesson.tried(name) for name in lesson.SUSPECTS][:3] == [ONE_EACH] * 3
    assert lesson.tried("writeback") == {"thp_migration_fail": 1, "thp_split_page_failed": 0}
    for name in ("truncated", "nomem"):
        assert vfio_map("v2", holder=0, trouble=name).run().results["pin"] == -12


def test_the_failed_pin_in_plain_words_is_the_run():
    """Each of its sentences is an answer that the step gave, and no counter is left out."""
    trace = lesson.run()
    table = lesson.failed_pin(trace)
    assert table["what happens"].tolist() == list(lesson.TOLD.values())
    said = {event.op.kind.name: event.answer for event in trace.events}
    assert not said["is_longterm_pinnable_page"]
    assert said["alloc_migration_target"] is None
    assert not said["can_split_folio"]
    counted = ", ".join(filter(None, table["counted"])).split(", ")
    end = trace.last.world.vmstat
    assert sorted(counted) == sorted(f"{name} +{n}" for name, n in end.items() if n)


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
