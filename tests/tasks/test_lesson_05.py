"""What the tasks of lesson 05 say to answers that are nearly right, or far from it."""

from __future__ import annotations

import pytest
from answers import RIGHT, WRONG

from mmsim.checks import judge
from mmsim.scenarios import pin_versus, split_race
from mmsim.tasks import lesson_05_search
from mmsim.tasks.lesson_05_search import MUTANTS


@pytest.mark.parametrize(
    ("claim", "told"),
    [("checked", "split*7 stranger"), ("mapped", "split*9 stranger split*3")],
)
def test_a_wrong_holds_is_answered_with_a_shortest_run(claim, told):
    verdict = judge("05.claims", {**RIGHT["05.claims"], claim: "holds"})
    assert f"{claim}: after" in verdict.why
    assert verdict.detail.startswith(f"schedule {told}\n")
    assert "folio_get(A)" in verdict.detail


@pytest.mark.parametrize(("claim", "told"), [("alone", "none of all 55"), ("piece", "it is so")])
def test_a_wrong_broken_is_told_what_speaks_against_it(claim, told):
    assert told in judge("05.claims", {**RIGHT["05.claims"], claim: "broken"}).why


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("split*99", "after this schedule: split"),
        ("splitt*3", "no actor 'splitt'"),
        ("split*6 stranger", "not finished"),
        ("split*13 stranger*2", "after this schedule: split"),
    ],
)
def test_a_schedule_that_does_not_do_is_told_why(answer, told):
    assert told in judge("05.check", answer).why


def test_a_pair_that_leaves_a_failure_is_answered_with_one():
    verdict = judge("05.together", WRONG["05.together"])
    assert "left unmapped" in verdict.why
    assert "split*7 stranger" in verdict.detail
    both = {"at the freeze": ("folio_get", "folio_put"), "at all": ("folio_get", "folio_put")}
    assert "two steps of the split" in judge("05.together", both).why
    unknown = {**RIGHT["05.together"], "at all": ("folio_got", "folio_put")}
    assert "did you mean 'folio_get'" in judge("05.together", unknown).why


def test_more_interruptions_than_needed_are_noticed():
    assert (
        "2 interruptions are enough"
        in judge("05.sliders", {"pace": "9 : 1", "interruptions": 4}).why
    )
    assert "27.58 %" in judge("05.sliders", {"pace": "3 : 1", "interruptions": 2}).why


@pytest.mark.parametrize("letters", ["bdab", "cbab", "cdbb", "cdaa"])
def test_a_wrong_mutant_is_answered_with_a_run(letters):
    verdict = judge("05.mutants", dict(zip(MUTANTS, letters, strict=True)))
    assert verdict.state == "failed"
    assert verdict.detail.startswith("schedule pin*")


def test_the_judges_of_lesson_05_run_the_model(monkeypatch):
    monkeypatch.setattr(lesson_05_search, "RACE", split_race(released="never"))
    for name in ("05.odds", "05.sliders", "05.together"):
        assert judge(name, RIGHT[name]).state == "failed", name


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("check", "split*6 stranger split*13"),
        ("freeze", "split*8 stranger*2 stranger split*99"),
        ("piece", "pin*22 stranger pin*60"),
        ("rescue", "pin*14 stranger pin*2 stranger pin*90"),
    ],
)
def test_a_schedule_that_runs_past_an_end_is_played_to_it(name, schedule):
    won = name != "freeze"  # there the stranger has gone again
    assert (judge(f"05.{name}", schedule).state == "passed") is won


def test_a_schedule_that_is_too_short_is_told_what_can_come():
    verdict = judge("05.check", "split*6 stranger")
    assert verdict.why == "after this schedule: not finished"
    assert "split can go on: are all references" in verdict.detail
    assert "stranger can go on: drop" in judge("05.piece", "pin*22 stranger").detail
    verdict = judge("05.seeded", {"seed": 3, "schedule": "split*6 stranger split*3"})
    assert "split can go on: " in verdict.detail
    assert "the split has 2 tries; 1 stranger who never lets go" in verdict.detail
    done = judge("05.seeded", {"seed": 3, "schedule": "split*6 stranger split*99"})
    assert done.state == "passed"


@pytest.mark.parametrize("pace", ["9 : 1", "9:1", " 9 :1", "9", 9])
def test_a_pace_may_be_written_in_several_ways(pace):
    assert judge("05.sliders", {"pace": pace, "interruptions": 2}).state == "passed"


@pytest.mark.parametrize("pace", ["5 : 1", "fast", 9.0, ("9", "1"), True])
def test_other_paces_are_told_which_there_are(pace):
    told = judge("05.sliders", {"pace": pace, "interruptions": 2}).why
    assert told.startswith("pace can be '1 : 9', '1 : 3', '1 : 1', '3 : 1', '9 : 1', '27 : 1', not")


def test_names_of_steps_may_have_the_brackets_of_the_buttons():
    dressed = {what: tuple(f"{n}()" for n in pair) for what, pair in RIGHT["05.together"].items()}
    assert judge("05.together", dressed).state == "passed"


@pytest.mark.parametrize("text", ["25%", "2^-10", "1/0", 0.25j])
def test_what_is_no_fraction_is_told_so(text):
    likely = {**RIGHT["05.odds"], "stranger*2 split*13": text}
    told = judge("05.odds", likely).why
    assert told.endswith(f'write a fraction as text, such as "1/8", not {str(text)!r}')


@pytest.mark.parametrize(("drops", "met"), [(1, False), (2, True)])
def test_a_walk_that_refused_a_split_does_not_come_to_the_pieces_another_one_may(drops, met):
    walks = pin_versus("v3", order=1, passes=2, drops=drops)
    found = walks.explore()
    ends = [state for number, state in found.walk(set(found.ends)) if number in found.ends]
    missed = [state for state in ends if "piece missed" in walks.fate(state)]
    assert missed
    assert any(state.world.vmstat["thp_split_page_failed"] for state in missed) is met


@pytest.mark.parametrize("pair", ["can_split_folio", ("folio_get",), 5, ("a", 3)])
def test_what_is_no_pair_of_names_is_told_so(pair):
    told = judge("05.together", {**RIGHT["05.together"], "at the freeze": pair}).why
    assert told == 'at the freeze: write two names in brackets, such as ("one", "other")'


def test_steps_that_can_not_be_one_are_told_so():
    apart = {**RIGHT["05.together"], "at all": ("folio_lock", "folio_unlock")}
    assert "that say where they stand" in judge("05.together", apart).why


def test_a_wrong_mutant_is_told_in_words_with_the_end_of_the_run():
    wrong = dict(zip(MUTANTS, "bdab", strict=True))
    assert judge("05.mutants", wrong).why.endswith("of the unchanged model, can't happen any more")
    wrong = dict(zip(MUTANTS, "cbab", strict=True))
    verdict = judge("05.mutants", wrong)
    assert verdict.why.endswith("one more step and A is cut, but is referred to by stranger")
    assert len(verdict.detail.splitlines()) == 2 + 2 + 1 + 12
