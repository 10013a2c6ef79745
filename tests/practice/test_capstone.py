"""Unseen cases: every seed is fair, the judges run the model, and the machine agrees."""

from __future__ import annotations

import pytest

from mmsim.evidence.diagnose import diagnose
from mmsim.mm.versions import VERSIONS
from mmsim.practice.capstone import (
    CAUSES,
    FATES,
    KERNELS,
    LOOKS,
    WORDS,
    failing,
    looks_needed,
    outcome,
    seen,
    situation,
    tells_apart,
    unseen,
)
from mmsim.practice.recall import CARDS, DAYS
from mmsim.views.capstone import COUNTS, recall_answers, recall_cards

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_case_is_a_failed_pin_that_its_cause_explains(seed):
    case = unseen(seed)
    run = situation(case.cause, case.kernel, case.huge_pages).run()
    assert run.results["pin"] == -12
    assert all(run.last.world.vmstat[name] == n for name, n in case.counters.items())
    assert case.cause in case.fitting
    assert case == unseen(seed)


def test_all_kinds_come_up():
    drawn = [unseen(seed) for seed in range(60)]
    assert {case.cause for case in drawn} == {*CAUSES} == {*WORDS}
    assert {case.kernel for case in drawn} == {*KERNELS} <= {*VERSIONS}
    assert {case.huge_pages for case in drawn} == {1, 2}


def test_a_cause_belongs_to_a_kernel_only_if_the_pin_fails():
    assert set(failing("base")) == {*CAUSES}
    assert "nobody" not in failing("6.1.0")
    assert "late" in failing("v2")
    assert "late" not in failing("v3")


@pytest.mark.parametrize("seed", [0, 1, 2, 9, 24])
def test_the_search_finds_what_happened(seed):
    """The cause is among the paths of the likeliest group that `mmsim diagnose` names."""
    case = unseen(seed)
    found = diagnose(case.text, kernel=case.kernel)
    ends = {path.fate.outcome for path in found.groups[0].paths}
    assert FATES[outcome(case.cause, case.kernel, case.huge_pages)] in ends


def test_what_no_observation_can_tell():
    case = unseen(4)
    assert {"reference", "late"} <= {*case.fitting}
    assert frozenset({"reference", "late"}) not in tells_apart(LOOKS, case)
    assert tells_apart(["references"], case) == tells_apart(LOOKS, case)
    assert looks_needed(case) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_observations_are_needed_if_more_than_one_cause_fits(seed):
    case = unseen(seed)
    assert (looks_needed(case) > 0) == (len(case.fitting) > 1)


def test_every_counter_of_a_case_is_explained():
    assert COUNTS.keys() == unseen(1).counters.keys()


@pytest.mark.parametrize("seed", ["1", 1.0, None, True, -1])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0 on"):
        unseen(seed)


def test_the_same_cause_leaves_other_counters_in_another_kernel():
    assert (
        seen("reference", "base", 1) != seen("reference", "v2", 1) != seen("reference", "v3fix", 1)
    )


@pytest.mark.parametrize("day", DAYS)
def test_cards_have_answers_that_the_model_gives(day):
    questions, answers = recall_cards(day), recall_answers(day)
    assert len(questions) == len(answers) >= 6
    assert all(question.endswith("?") for question in questions["question"])
    assert all(len(answer) > 8 for answer in answers["answer"])


def test_cards_come_from_every_lesson():
    assert {card.lesson for card in CARDS} == {f"{n:02}" for n in range(9)}
    said = " ".join([*recall_answers(2)["answer"], *recall_answers(7)["answer"]])
    for what in ("514", "10 and 11", "v1 -EAGAIN, v2 -ENOMEM", "drain", "501 of 1,020", "18 ticks"):
        assert what in said


def test_a_day_without_cards():
    with pytest.raises(ValueError, match="cards for day 2 and 7, not 3"):
        recall_cards(3)
