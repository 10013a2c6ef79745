"""What the tasks of lesson 04 say to every answer of a small range, and to nearly right ones."""

from __future__ import annotations

import pytest
from answers import RIGHT

from mmsim.checks import judge
from mmsim.scenarios import vfio_map
from mmsim.tasks.lesson_04 import ANSWERS, RESCUES


@pytest.mark.parametrize("steps", range(18))
def test_every_place_of_the_second_window_is_right(steps):
    """From folio_unlock(), step 8, to folio_put(), step 14."""
    assert (judge("04.window", steps).state == "passed") is (8 <= steps < 14)


def test_the_place_where_the_page_can_not_be_isolated_is_explained():
    told = judge("04.window", 10)
    assert "off its LRU list" in told.detail
    assert "10 refusals" in judge("04.window", 9).detail
    assert "drop_caches has the lock of the page" in judge("04.window", 5).why
    assert "yet to lock" in judge("04.window", 2).why
    assert "nobody is in the way" in judge("04.window", 0).why
    assert "done with the page" in judge("04.window", 17).why


def test_the_waiting_pin_is_refused_once_the_batch_is_through():
    from mmsim.engine.scenario import Move
    from mmsim.views.meetings import WAITS, meets

    situation, state, fate = meets("v2", 10)
    assert fate == WAITS
    for _ in range(11, 13):
        assert "batch" in str(situation.blocked(state, "pin"))
        state, _ = situation.step(state, Move("drop_caches"))
    while situation.blocked(state, "pin") is None:
        state, _ = situation.step(state, Move("pin"))
    assert "could not be split" in situation.fate(state)


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("no stranger", "v2 counts 1, 0 for refused splits and 1 for the page that was split"),
        ("before pass 3", "v2 counts 4, 3 for refused splits and 1 for the page that was split"),
        ("never", "v2 counts 11, 10 for refused splits and 1 for giving up"),
    ],
)
def test_what_a_rescue_costs_is_added_up(case, told):
    assert case in RESCUES
    assert told in judge("04.rescues", {**RIGHT["04.rescues"], case: 7}).why


@pytest.mark.parametrize("steps", [-1, 18, 10**9])
def test_a_place_outside_the_walk_is_no_place(steps):
    assert "a number from 0 to 17" in judge("04.window", steps).why


@pytest.mark.parametrize("wrong", ["earlier", "same"])
def test_why_ten_attempts_reach_later_is_said(wrong):
    told = judge("04.longer", wrong).why
    assert told.startswith("later: an attempt that compacts lasts longer")
    assert "870 µs instead of 624" in told


def test_one_guess_does_not_answer_the_post_test():
    assert {said for said, _ in ANSWERS.values()} == {True, False}
    told = judge("04.posttest", RIGHT["04.posttest"]).detail
    assert all(why in told for _, why in ANSWERS.values())


def test_the_pair_with_a_stranger_is_not_what_was_asked_for():
    assert "without" in judge("04.pair", vfio_map("base")).why
    assert "without" not in judge("04.pair", vfio_map("v2")).why


def test_a_page_that_moves_whole_is_not_split():
    told = judge("04.pair", vfio_map(targets="available", stranger=0, trouble="truncated")).why
    assert told == "with a free huge page elsewhere no split is tried"


def test_a_run_is_as_good_as_its_situation():
    assert judge("04.pair", RIGHT["04.pair"].run()).state == "passed"
    assert "without" in judge("04.pair", vfio_map("base").run()).why
    assert "a situation: vfio_map(...)" in judge("04.pair", vfio_map("base").run().last).why


@pytest.mark.parametrize("steps", [0, 14])
def test_outside_the_windows_the_split_goes_through_although_the_pin_of_base_fails(steps):
    from mmsim.views.meetings import FAILS, meets

    assert "the split goes through" in judge("04.window", steps).why
    _, state, fate = meets("base", steps)
    assert fate == FAILS
    assert state.world.vmstat["thp_split_page"] == 1
    assert not state.world.vmstat["thp_split_page_failed"]


@pytest.mark.parametrize("steps", range(3, 8))
def test_whenever_the_pin_is_told_to_wait_for_the_lock_it_does(steps):
    from mmsim.views.meetings import meets

    situation, state, _ = meets("v2", steps)
    assert "lock of A, held by drop_caches" in str(situation.blocked(state, "pin"))
    assert "the lock of the page: the pin waits" in judge("04.window", steps).why


def test_a_schedule_in_a_reply_is_explained():
    told = judge("04.left", {**RIGHT["04.left"], ("v2", "not split"): False}).detail
    assert told.startswith("a shortest order of steps (pin*9 means nine steps of the pin): ")
