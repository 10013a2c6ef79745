"""Schedules as choices: every schedule there is, there and back, and sets as numbers."""

from __future__ import annotations

from itertools import combinations

import pytest
from small import all_runs, cells, load, nop, store

from mmsim.engine.choices import Choices, choices_of, moves_of, rank, unrank
from mmsim.engine.op import blocking, choice
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import ScheduleError, parse


@choice(lambda world, me: ("ok", "fail", "late"))
def ask(world, me, outcome):
    return outcome


@blocking(lambda world, me: None if world.cells["x"] else "x is 0")
def wait_for_x(world, me):
    return None


def asker():
    for _ in range(2):
        yield ask()


def waiter():
    yield wait_for_x()
    yield nop()


def setter():
    yield load("x")
    yield store("x", 1)


def scenario():
    return cells(waiter, asker, setter, x=0)


def test_every_schedule_is_its_choices():
    """Also the unfinished ones: each prefix of each of them."""
    place = scenario()
    runs = [moves for moves, _ in all_runs(place)]
    prefixes = {run[:length] for run in runs for length in range(len(run) + 1)}
    seen = set()
    for moves in prefixes:
        choices = choices_of(place, moves)
        assert moves_of(place, choices) == list(moves)
        assert (choices.stop == 0) == (moves in runs)
        seen.add(choices)
    assert len(seen) == len(prefixes) > 300


def two():
    yield nop()
    yield nop()


def test_what_choices_are():
    """Two actors, two steps each, by hand: at each step the one alternative is the other actor."""
    place = cells(two, two)
    by_hand = {
        "a*2 b*2": Choices(()),
        "b*2 a*2": Choices((0,)),
        "a b*2 a": Choices((1,)),
        "a b a b": Choices((1, 2)),
        "b a b a": Choices((0, 1, 2)),
        "a": Choices((), stop=2),
        "": Choices((), stop=1),
        "b": Choices((0,), stop=1),
        "a*2 b": Choices((), stop=4),
    }
    for text, choices in by_hand.items():
        assert choices_of(place, parse(text, "ab")) == choices
        assert moves_of(place, choices) == parse(text, "ab")


def test_an_outcome_that_is_no_choice_may_be_left_out_or_named():
    place = cells(asker)
    assert choices_of(place, [Move("a", "ok"), Move("a", "late")]) == Choices((3,))


@pytest.mark.parametrize(
    "choices",
    [
        Choices((4,)),  # the run has no fourth alternative
        Choices((0, 2)),  # nobody is left to choose from
        Choices((), stop=6),  # the run is over by then
        Choices((), stop=5),  # it stops where it ends: that is stop=0
    ],
)
def test_choices_that_no_run_offers(choices):
    with pytest.raises(ScheduleError, match="no run offers these choices"):
        moves_of(cells(two, two), choices)


def test_a_run_that_never_ends_is_given_up():
    def spin():
        while True:
            yield nop()

    with pytest.raises(ScheduleError):
        moves_of(cells(spin), Choices(()), moves_max=100)
    assert len(moves_of(cells(spin), Choices((), stop=51), moves_max=100)) == 50


def test_an_impossible_move_is_told():
    with pytest.raises(ScheduleError, match=r"move 1: 'a' can't move \(x is 0\)"):
        choices_of(scenario(), [Move("a")])


@pytest.mark.parametrize(("n", "k"), [(1, 0), (6, 1), (8, 3), (9, 9), (10, 4)])
def test_ranks_count_all_sets_of_a_size(n, k):
    """The numbers 0, 1, 2 ... stand for the sets, each for one; no set needs to know how large n
    is."""
    sets = list(combinations(range(n), k))
    assert sorted(map(rank, sets)) == list(range(len(sets)))
    assert all(unrank(rank(each), k) == each for each in sets)


def test_large_ranks():
    for number in (0, 1, 10**6, 10**40 + 7):
        for size in (1, 2, 7, 30):
            taken = unrank(number, size)
            assert rank(taken) == number
            assert len(set(taken)) == size
