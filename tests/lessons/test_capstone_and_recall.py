"""Lesson 11: every case can be solved, its judges run the model, and the numbers of the text."""

from __future__ import annotations

from itertools import combinations

import pytest

from mmsim import errno
from mmsim.lessons import FOLDER
from mmsim.lessons import capstone_and_recall as lesson
from mmsim.lessons.how_likely import Retrying, success
from mmsim.lessons.the_report import OUT, which_fit
from mmsim.lessons.who_holds_this_page import Y, folio_of, page_with
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import vfio_map
from mmsim.scenarios.observed import counters_of
from mmsim.views.flow import count_flow

TEXT = (FOLDER / "capstone_and_recall.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def case_1():
    yield
    lesson.take(1)


def looks(names):
    return {name: lesson.TRACE if name in names else lesson.LEAVE for name in lesson.LOOKS}


# -- cases


@pytest.mark.parametrize("seed", [0, 1, 4, 9])  # one or several fit, in every kernel
def test_every_card_of_every_case_can_be_right(seed):
    lesson.take(seed)
    case = lesson.case()
    assert lesson.small_run(case.cause, case.kernel, case.huge_pages).results["pin"] == -12
    assert case.cause in case.fitting
    right = [end for end in lesson.OUTCOMES if lesson.judge_verdict(end).state == "passed"]
    assert right == case.outcomes != []
    for card in (lesson.verdict, lesson.fitting, lesson.look):
        assert card.solved().settled, card.name
    every, fewest = lesson.tells_apart(lesson.LOOKS), 5
    for number in range(5):
        for names in combinations(lesson.LOOKS, number):
            tells = lesson.tells_apart(names) == every
            fewest = min(fewest, number) if tells else fewest
            passes = lesson.judge_look(looks(names)).state == "passed"
            assert passes == (tells and number == fewest), names
    assert (fewest > 0) == (len(case.fitting) > 1)


def test_all_kinds_come_up():
    cases = [lesson.case_of(seed) for seed in range(60)]
    assert {case.cause for case in cases} == {*lesson.CAUSES}
    assert {case.kernel for case in cases} == {*lesson.KERNELS} <= {*VERSIONS}
    assert {case.huge_pages for case in cases} == {1, 2}


def test_a_cause_belongs_to_a_kernel_only_if_the_pin_fails():
    assert set(lesson.failing("base")) == {*lesson.CAUSES}
    assert "nobody" not in lesson.failing("v1")
    assert "late" in lesson.failing("v2")
    # "late" goes by the pass: both pages find no huge page in pass 0.
    assert lesson.counted("late", "v2", 2)["thp_migration_fail"] == 2


def test_another_case_opens_the_cards_again_and_the_same_one_does_not():
    lesson.fitting.solved()
    lesson.take(1)
    assert lesson.fitting.settled
    assert "case 4" in repr(lesson.take(4))
    assert not lesson.fitting.settled


# -- judges


def test_what_can_be_told_by_none_is_said():
    lesson.take(4)
    said = lesson.judge_look(looks(["references"])).why
    assert said == "told apart: 5 of 6 pairs of causes that fit"
    assert "nothing does not tell apart" in lesson.judge_look(looks([])).why
    assert frozenset({"reference", "late"}) not in lesson.tells_apart(lesson.LOOKS)


# -- the text


def test_case_4_has_the_counters_of_the_report():
    reported = lesson.case_of(4)
    assert (reported.kernel, len(reported.fitting)) == ("base", 4)
    moved = {"pgmigrate_fail": 512, "thp_migration_fail": 1, "thp_split_page_failed": 1}
    assert {name: n for name, n in reported.counters.items() if n} == moved


def test_the_answers_of_the_two_days():
    """What the model can be asked of them, and of the questions on paper."""
    day_2, day_7 = lesson.day_2.right(), lesson.day_7.right()
    page, page_y = (folio_of(page_with(**knobs).run()) for knobs in ({}, Y))
    assert (page.refcount, page.mapcount) == (day_2["expected"], 1)
    assert (page_y.refcount, page_y.mapcount) == (514, day_7["mappings"])
    assert [name for name, said in which_fit().items() if said == OUT] == [day_7["out"]]
    held, alone = vfio_map("v2").run(), vfio_map("base", holder=0).run()
    assert [*counters_of(held).values()] == [day_2["failures"], day_2["refused"]]
    assert errno.name(alone.results["pin"]) == day_7["alone"]
    truncated = vfio_map("v2", holder=0, trouble="truncated").run()
    assert count_flow(truncated).refused == day_7["passes"]
    assert [round(float(100 * success(Retrying(*r), 18))) for r in ((10, 2), (3, 9))] == [64, 64]
    for name in lesson.COUNTERS:
        assert f"| `{name}` |" in TEXT
        assert name in lesson.ways_picture().words
