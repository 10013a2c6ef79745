"""What the text counts, and the judges' special cases."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from coin import sample
from views.svg_rules import readable

from mmsim.lessons import how_likely as lesson
from mmsim.views.chances import PACES, Retrying, success

RACE = lesson.RACE


def test_the_headline_is_what_was_counted():
    old, new = (lesson.pins(version).failed for version in lesson.TRIES)
    assert old.interval[1] > new.interval[0]  # "the two intervals overlap"
    assert lesson.interval_of(old) == "245 of 510, that is 48 % (44 to 52 %)"
    for picture in (lesson.before.make(), lesson.bought_picture()):
        readable(picture.svg)


def test_the_stored_runs_are_those_of_the_coin():
    assert sample(RACE.merged(), RACE.full_outcome, sum(lesson.TOSSED.values()), 0) == lesson.TOSSED


def test_the_numbers_of_the_text():
    assert lesson.failing_at(1) == Fraction(59, 2048) == Fraction(7, 256) + Fraction(3, 2048)
    looks = {e.site: n for n, e in enumerate(RACE.replay("split*13 holder*2").events, start=1)}
    assert (looks["split.check"], looks["split.freeze"]) == (7, 10)
    assert (lesson.failing_schedules(), lesson.explored().schedules()) == (33, 73)
    assert [len(lesson.tosses(name)) for name in lesson.SCHEDULES] == [15, 11]
    by_pace = {pace: [lesson.failing_at(pace, n) for n in (1, 2, 3)] for pace in PACES}
    assert all(now > 100 * later for now, later in pairwise(by_pace[1]))
    assert all(later > now * 2 / 3 for now, later in pairwise(by_pace[27]))
    assert lesson.failing_at(81, 10) > lesson.failing_at(27, 10)  # beyond the list
    assert success(Retrying(10, 1), 50) == success(Retrying(2, 9), 50)
    assert success(Retrying(1000, 1000, permanent=Fraction(1, 5)), 1) == Fraction(4, 5)
    shares = [success(Retrying(passes, gap), 1000) for passes, gap in ((100, 1), (10, 10))]
    assert abs(shares[0] - shares[1]) < Fraction(1, 100)
    assert all(lesson.rescued_share(how, "6.1.0").hits == 0 for how in lesson.HOW)
    refused = [lesson.pins(version).split_refused for version in lesson.TRIES]
    assert refused == [5, 4]


def test_every_slider_changes_what_is_said():
    bench = lesson.law.play()
    for name, box in bench.boxes.items():
        first, said = box.value, set()
        for value in (box.min, 7, box.max):
            box.value = value
            said.add(bench.said.value)
            readable(bench.view.value)
        assert len(said) == 3, name
        box.value = first
