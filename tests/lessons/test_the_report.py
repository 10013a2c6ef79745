"""Lesson 00: the rules of its card, in every setting of the picture."""

from __future__ import annotations

from mmsim.lessons import the_report as lesson
from mmsim.views.first_screen import NEVER, NOBODY, stops


def test_only_one_rule_gives_what_is_counted_in_every_setting_of_the_picture():
    right = [letter for letter in lesson.RULES if lesson.judge_counted(letter).state == "passed"]
    assert right == [lesson.counted.solution]
    _, rule = lesson.RULES[lesson.counted.solution]
    for version in ("v1", "v2"):
        for when in (NOBODY, *map(str, range(1, 10)), NEVER):
            passes, refused, counted = lesson.numbers_of((version, when))
            assert rule(passes, refused) == counted
            assert refused == stops(version, when)[-1].thp_split_page_failed
