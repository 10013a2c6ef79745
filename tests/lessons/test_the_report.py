"""Lesson 00: what its cards and its text say is what the model and the measurement say."""

from __future__ import annotations

from mmsim.lessons import the_report as lesson
from mmsim.lessons.form import counters_of
from mmsim.scenarios import vfio_map
from mmsim.views.first_screen import NEVER, NOBODY, stops

ONE_EACH = {"thp_migration_fail": 1, "thp_split_page_failed": 1}


def test_the_picture_the_model_and_the_measurement_give_the_reported_pair():
    run = vfio_map().run()
    assert counters_of(run) == stops("base", NEVER)[-1].counted == ONE_EACH
    assert {name: lesson.real.delta[name] for name in ONE_EACH} == ONE_EACH
    assert lesson.real.delta["pgmigrate_fail"] == lesson.PAGES
    assert lesson.real.pin_result == run.results["pin"] == -12
    assert lesson.PAGES + 1 + 1 == lesson.EXPECTED


def test_without_a_holder_base_never_starts_and_all_but_the_huge_page_has_moved():
    nobody = stops("base", NOBODY)[-1]
    assert (nobody.outside, nobody.result) == (512, "-12")
    assert not any(stops("base", when)[-1].starts for when in (NOBODY, "1", "9", NEVER))


def test_only_one_rule_gives_what_is_counted_in_every_setting_of_the_picture():
    right = [letter for letter in lesson.RULES if lesson.counted_judged(letter).state == "passed"]
    assert right == [lesson.counted.solution]
    _, rule = lesson.RULES[lesson.counted.solution]
    for version in ("v1", "v2"):
        for when in (NOBODY, *map(str, range(1, 10)), NEVER):
            passes, refused, counted = lesson.numbers_of((version, when))
            assert rule(passes, refused) == counted
            assert refused == stops(version, when)[-1].thp_split_page_failed


def test_three_suspects_can_not_be_told_apart_and_one_is_out():
    assert [lesson.counters_with(name) for name in lesson.SUSPECTS][:3] == [ONE_EACH] * 3
    for name in ("truncated", "nomem"):
        assert vfio_map("v2", holder=0, trouble=name).run().results["pin"] == -12


def test_a_bet_stands_beside_what_the_model_counts():
    assert lesson.ranking.answer(["NOMEM", "truncated", "reference", "writeback"]).settled
    bets = ["third", "second", "likeliest", "least likely"]
    assert lesson.suspects_tried()["your bet"].tolist() == bets
