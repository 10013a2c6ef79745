"""What the tasks of lesson 09 say: each part of a case, for the case that it names."""

from __future__ import annotations

from itertools import combinations

import pytest
from answers import RIGHT

from mmsim import checks
from mmsim.checks import judge
from mmsim.practice import capstone
from mmsim.practice.capstone import FATES, LOOKS, situation, tells_apart, unseen, verdict_question
from mmsim.scenarios import pin_versus, vfio_map
from mmsim.tasks import lesson_09
from mmsim.views.capstone import case_table, hand_in, verdicts

SEEDS = range(12)
ROOM = "could not be moved"


@pytest.fixture(autouse=True)
def nothing_handed_in(monkeypatch):
    monkeypatch.setattr(checks, "ANSWERED", set())
    monkeypatch.setattr(lesson_09, "ANSWERED", checks.ANSWERED)
    for kept in (capstone.HANDED, lesson_09.RIGHT, lesson_09.WRONG):
        kept.clear()
    capstone.VERDICTS.clear()


def said(part, seed, answer):
    return judge(f"09.{part}", {"seed": seed, part: answer})


@pytest.mark.parametrize("seed", SEEDS)
def test_every_part_of_every_case_can_be_right(seed):
    case = unseen(seed)
    everything = tells_apart(LOOKS, case)
    fate = next(fate for fate in FATES if fate in case.fates)
    enough = [looks for n in range(5) for looks in combinations(LOOKS, n)
              if tells_apart(looks, case) == everything]  # fmt: skip
    assert said("fate", seed, fate).state == "passed"
    assert said("run", seed, situation(case.cause, case.kernel, case.huge_pages)).state == "passed"
    assert said("fitting", seed, case.fitting).state == "passed"
    assert said("look", seed, [*enough[0]] or ["nothing"]).state == "passed"
    assert set(hand_in(seed)["state"]) == {"passed"}
    assert {other for other in FATES if said("fate", seed, other).state == "passed"} == case.fates


@pytest.mark.parametrize("seed", SEEDS)
def test_only_a_smallest_choice_of_observations_is_right(seed):
    case = unseen(seed)
    everything = tells_apart(LOOKS, case)
    fewest = 5
    for number in range(5):
        for looks in combinations(LOOKS, number):
            tells = tells_apart(looks, case) == everything
            fewest = min(fewest, number) if tells else fewest
            right = said("look", seed, [*looks] or ["nothing"]).state == "passed"
            assert right == (tells and number == fewest), looks


def test_order_and_repetition_of_observations_do_not_count():
    assert said("look", 1, ["references", "references"]).state == "passed"


def test_observations_do_not_give_the_causes_away():
    first = said("look", 1, ["migrate returns"]).why
    assert "solve 3. first, or try it three times" in first
    assert not any(cause in first for cause in unseen(1).fitting)
    said("fitting", 3, ["nomem"])
    assert said("look", 1, ["migrate returns"]).why == first
    for wrong in (["busy"], ["busy"], ["nomem"], ["late"]):
        assert said("look", 1, ["migrate returns"]).why == first
        said("fitting", 1, wrong)
    assert "nomem and truncated" in said("look", 1, ["migrate returns"]).why


def test_what_can_be_told_by_none_is_said():
    assert said("look", 4, ["references"]).why.endswith("5 of 6 pairs of causes are told apart; "
                                                        "1 by none of the four")  # fmt: skip


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (vfio_map("v2", thps=2), "case 1: it is about v3fix, your run about v2"),
        (vfio_map("v3fix"), "2 huge pages lay in CMA, in your run 1"),
        (vfio_map("v3fix", stranger=0, trouble="nomem"), "2 huge pages lay in CMA, in your run 1"),
        (
            vfio_map("v3fix", thps=2, stranger=0, trouble="nomem", reason="contig_range"),
            "your run has no pin that ends",
        ),
        (vfio_map("v3fix", thps=2), "ends with pgmigrate_success 512, the case with 0"),
        (vfio_map("v3fix", thps=2).run(), "ends with pgmigrate_success 512, the case with 0"),
        (pin_versus("v3fix", thps=2), "your run ends with"),
        (7, "run should be a situation such as vfio_map(...), not of type int"),
    ],
)
def test_a_run_that_does_something_else_is_told_what(run, told):
    verdict = said("run", 1, run)
    assert verdict.state == "failed"
    assert told in verdict.why


def test_a_run_may_be_handed_in_as_a_trace():
    mine = RIGHT["09.run"]["run"]
    assert said("run", 1, mine.run()).state == "passed"
    assert hand_in(1).loc["run", "handed in"] == "vfio_map, v3fix"


@pytest.mark.parametrize(
    ("part", "seed", "answer", "told"),
    [
        ("fate", -1, ROOM, "a seed is a whole number from 0 on"),
        ("fate", 1, "lost", "fate can be 'could not be split'"),
        ("fitting", 1, ["nomem"], "1 more would leave the same counters"),
        ("fitting", 1, ["ghost"], "there is no cause 'ghost'"),
        ("fitting", 1, ["nobody"], "nobody does not fit"),
        ("look", 1, ["stars"], "there is no observation 'stars'"),
        ("look", 1, ["split returns", "references"], "as much can be told with fewer"),
        ("look", 2, ["references"], "as much can be told with fewer"),
    ],
)
def test_a_wrong_part_is_told_why(part, seed, answer, told):
    verdict = said(part, seed, answer)
    assert verdict.state == "failed"
    assert told in verdict.why


def test_an_answer_belongs_to_the_case_that_it_names():
    said("fate", 1, "could not be split")
    said("fate", 5, "a piece was left")
    assert hand_in(1).loc["fate", ["handed in", "state"]].tolist() == [
        "could not be split",
        "passed",
    ]
    assert hand_in(5).loc["fate", "state"] == "failed"


def test_the_diagnosis_opens_after_a_right_answer_or_three_different_wrong_ones():
    opens = "09.fitting of case 1, rightly or three times"
    for wrong in (["busy"], ["busy"], ["nomem"]):
        said("fitting", 1, wrong)
    assert opens not in checks.ANSWERED
    said("fitting", 1, ["late"])
    assert opens in checks.ANSWERED
    said("fitting", 4, unseen(4).fitting)
    assert opens.replace("1", "4") in checks.ANSWERED


def test_a_right_answer_stays_on_the_sheet():
    said("fitting", 1, ["busy"])
    said("fitting", 1, ["nomem", "truncated"])
    said("fitting", 1, ["nomem"])
    assert hand_in(1).loc["fitting", ["handed in", "state"]].tolist() == [
        "nomem, truncated",
        "passed",
    ]


def test_a_sheet_without_anything_on_it():
    sheet = hand_in(1)
    assert set(sheet["state"]) == {"not attempted"}
    assert set(sheet["handed in"]) == {"—"}


def test_verdicts_are_counted_over_cases():
    assert verdicts().startswith("Nothing to compare yet")
    verdict_question(unseen(1)).set({"verdict": "could not be split", "sure": "90 %"})
    verdict_question(unseen(5)).set({"verdict": "a piece was left", "sure": "50 %"})
    verdict_question(unseen(5)).set({"verdict": ROOM, "sure": "99 %"})
    said("fate", 1, "could not be split")
    assert verdicts().loc["case 1"].tolist()[-1] == "yes"
    said("fate", 5, "a piece was left")
    assert [*verdicts().index] == ["case 1"]  # not told before it was found
    said("fate", 5, ROOM)
    table = verdicts()
    assert table.loc["case 5"].tolist() == ["a piece was left", "50 %", ROOM, "no"]
    assert table.loc["together"].tolist() == ["", "1.4 expected", "", "1 of 2"]


def test_a_case_beside_a_run():
    run = RIGHT["09.run"]["run"]
    for mine in (run, run.run()):
        table = case_table(unseen(1), mine)
        assert table["your run"].tolist() == table["case 1"].tolist()
    assert "your run" not in case_table(unseen(1))


def test_a_wrong_statement_is_told_its_own_reason_alone():
    told = judge("09.posttest", {**RIGHT["09.posttest"], "window": False, "books": True})
    assert told.why == "window: both span 18 ticks, and only that counts (4 of 6 are right)"
    assert not told.detail
