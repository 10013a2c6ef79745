"""What the text counts, and the judges' special cases."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from views.svg_rules import readable

from mmsim.engine.schedule import sample
from mmsim.lessons import how_likely as lesson
from mmsim.retrylaw import Retrying, success
from mmsim.scenarios import pin_versus
from mmsim.scenarios.situation import MISSED, NOT_SPLIT
from mmsim.views.chances import ANY_STEP, PACES, all_failures, failure_odds

RACE = lesson.RACE


def said(card, answer):
    """What a card says to a first and to a second wrong answer."""
    verdict = card.judge(answer)
    assert verdict.state == "failed"
    return verdict.why, verdict.second


def test_the_headline_is_what_was_counted():
    found = {version: [str(s) for s in lesson.ways(version).values()] for version in lesson.VARIANT}
    assert found == {"6.1.0": ["5 of 510", "240 of 510"], "v3": ["0 of 510", "256 of 510"]}
    shares = [lesson.ways(version) for version in lesson.VARIANT]
    (_, low), (_, high) = (list(each.values()) for each in shares)
    assert low.interval[1] > high.interval[0]  # "the two intervals overlap"
    readable(lesson.bought_svg())


def test_the_stored_runs_are_those_of_the_coin():
    assert sample(RACE.merged(), RACE.fate, lesson.RUNS, 0) == lesson.TOSSED


def test_the_numbers_of_the_text():
    assert all_failures(RACE).odds == Fraction(59, 2048)
    assert lesson.worst_pace() == "9 : 1"
    assert lesson.fewest_interruptions() == 2
    by_pace = dict(zip(PACES, zip(*map(lesson.failing_after, (1, 2, 3)), strict=True), strict=True))
    fair, slow = by_pace[1], by_pace[27]
    assert all(now > 100 * later for now, later in pairwise(fair))
    assert all(later > now * 2 / 3 for now, later in pairwise(slow))
    assert success(Retrying(10, 1), 50) == success(Retrying(2, 9), 50)
    assert success(Retrying(1000, 1000, permanent=Fraction(1, 5)), 1) == Fraction(4, 5)
    for name in lesson.HOW:
        assert lesson.share_of(name, "base").hits == 0
    assert [lesson.share_of(name) for name in lesson.HOW] == [(64, 179), (63, 96)]


def test_steps_that_count_as_one_make_the_schedules_that_are_left_likelier():
    rest = RACE.together("unmap_folio", "folio_ref_freeze")
    unmapped = "failed: a huge page could not be split, left unmapped"
    found = []
    for each in (RACE, rest):
        ends = {end.name: end for end in each.explore().outcomes(each.fate)}
        found.append((ends[unmapped].schedules, str(ends[unmapped].odds)))
    assert found == [(12, "3/2048"), (4, "1/512")]


def test_a_schedule_is_a_half_for_each_crossroads():
    table = lesson.crossroads_table()
    assert list(table["crossroads"]) == [2, 12, 10]
    assert list(table["odds"]) == ["1/4", "1/4096", "1/1024"]
    assert list(table["ends"])[2].startswith("failed")


@pytest.mark.parametrize("text", ["25%", "2^-10", "1/0", "half"])
@pytest.mark.parametrize("name", ["odds", "all_three"])
def test_what_is_no_fraction_is_told_so_and_is_no_answer(name, text):
    card = getattr(lesson, name)
    card.forget()
    card.answer({"early": text, "late": "1/1024"} if name == "odds" else text)
    assert f'write a fraction as text, such as "1/8", not {text!r}' in card.problem
    assert card.stored is None


def test_a_wrong_answer_gets_a_reason_first_and_the_outcome_second():
    first, second = said(lesson.odds, {"early": "1/4", "late": "1/2048"})
    assert first == "late: not 1/2048; at which steps could both have moved?"
    assert second == "late: both could move at 10 of its 11 steps"
    first, second = said(lesson.patch, {"huge_page": "smaller", "piece": "larger"})
    assert "one walk comes to each page once" in first
    assert second.startswith("piece: 21.16 % in 6.1.0, 21.16 % in v3; a piece still has")
    assert "all three" in said(lesson.all_three, "175/256")[0]
    assert "4 ticks" in said(lesson.all_three, "1/2")[1]


def test_what_the_patch_changes_does_not_hang_on_the_number_of_passes():
    few, many = (
        failure_odds("v3", passes=passes, starts=(ANY_STEP,))[ANY_STEP] for passes in (2, 10)
    )
    assert few[MISSED] == many[MISSED]
    assert many[NOT_SPLIT] < few[NOT_SPLIT] < lesson.way_odds("6.1.0", "huge_page")


@pytest.mark.parametrize(("drops", "met"), [(1, False), (2, True)])
def test_a_walk_that_refused_a_split_does_not_come_to_the_pieces_another_one_may(drops, met):
    walks = pin_versus("v3", order=1, passes=2, drops=drops)
    found = walks.explore()
    ends = [state for number, state in found.walk(set(found.ends)) if number in found.ends]
    missed = [state for state in ends if "piece missed" in walks.fate(state)]
    assert missed
    assert any(state.world.vmstat["thp_split_page_failed"] for state in missed) is met
