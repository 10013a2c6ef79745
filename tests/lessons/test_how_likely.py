"""What the text counts, and the judges' special cases."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb

from coin import sample
from views.svg_rules import readable

from mmsim.lessons import how_likely as lesson
from mmsim.views.chances import PACES, Retrying, success

RACE = lesson.RACE


def test_the_headline_is_what_was_counted():
    assert lesson.ways("6.1.0") == {"not split": 5, "a piece busy": 240}
    assert lesson.ways("v3") == {"not split": 0, "a piece busy": 256}
    old, new = (lesson.pins(version).failed for version in lesson.TRIES)
    assert (old, new) == ((245, 510), (256, 510))
    assert old.interval[1] > new.interval[0]  # "the two intervals overlap"
    assert lesson.between(old) == "245 of 510, that is 48 % (44 to 52 %)"
    for picture in (lesson.before_picture(), lesson.bought_picture()):
        readable(picture.svg)


def test_the_stored_runs_are_those_of_the_coin():
    assert sample(RACE.merged(), RACE.full_outcome, sum(lesson.TOSSED.values()), 0) == lesson.TOSSED


def test_the_numbers_of_the_text():
    assert lesson.failing_at(1) == Fraction(59, 2048) == Fraction(7, 256) + Fraction(3, 2048)
    ends = {end.name: end.odds for end in lesson.searched().outcomes(RACE.full_outcome, {})}
    assert [*ends.values()] == [Fraction(7, 256), Fraction(1989, 2048), Fraction(3, 2048)]
    looks = {e.site: n for n, e in enumerate(RACE.replay("split*13 holder*2").events, start=1)}
    assert (looks["split.check"], looks["split.freeze"]) == (7, 10)
    assert (lesson.failing_schedules(), lesson.searched().schedules()) == (33, 73)
    assert lesson.odds.outcome() == {"early": "1/4", "late": "1/1024"}
    assert [len(lesson.tosses(name)) for name in lesson.SCHEDULES] == [15, 11]
    assert lesson.pace.outcome() == {"one": "9 : 1", "ten": "27 : 1"}
    by_pace = {pace: [lesson.failing_at(pace, n) for n in (1, 2, 3)] for pace in PACES}
    assert all(now > 100 * later for now, later in pairwise(by_pace[1]))
    assert all(later > now * 2 / 3 for now, later in pairwise(by_pace[27]))
    assert lesson.failing_at(81, 10) > lesson.failing_at(27, 10)  # beyond the list
    assert success(Retrying(10, 1), 50) == success(Retrying(2, 9), 50)
    assert success(Retrying(1000, 1000, permanent=Fraction(1, 5)), 1) == Fraction(4, 5)
    shares = [success(Retrying(passes, gap), 1000) for passes, gap in ((100, 1), (10, 10))]
    assert abs(shares[0] - shares[1]) < Fraction(1, 100)
    for how in lesson.HOW:
        assert lesson.share_of(how, "6.1.0").hits == 0
    assert [lesson.share_of(how) for how in lesson.HOW] == [(64, 179), (63, 96)]
    assert [lesson.window_us(how) for how in lesson.HOW] == [65, 329]  # as in lesson 05
    assert "about 65 to about 329 µs" in lesson.gap.why()
    assert comb(15, 2) == 105
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
