"""Schedules as text, and the schedulers: the same inputs give the same run."""

import random

import pytest
from small import ask, cells, load, steps, store, wait_for_x

from mmsim.engine.scenario import Move
from mmsim.engine.schedule import (
    MOVES_MAX,
    ScheduleError,
    one_after_another,
    parse,
    render,
    replaying,
)
from mmsim.engine.trace import record


def asker():
    for _ in range(4):
        yield ask()


def waiter():
    yield wait_for_x()


def setter():
    yield load("x")
    yield store("x", 1)


def moves_of(scenario, scheduler):
    return render(record(scenario, scheduler).moves)


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("", []),
        ("a", [Move("a")]),
        ("a*3 b", [Move("a")] * 3 + [Move("b")]),
        ("a:fail*2\n  a:ok", [Move("a", "fail")] * 2 + [Move("a", "ok")]),
    ],
)
def test_a_schedule_is_read(text, moves):
    assert parse(text, ["a", "b"]) == moves


def test_rendering_and_reading_are_inverse():
    rng = random.Random(1)
    for _ in range(50):
        moves = [
            Move(rng.choice("ab"), rng.choice(["", "", "ok"])) for _ in range(rng.randrange(12))
        ]
        assert parse(render(moves), ["a", "b"]) == moves
    assert render(parse("a a a b a:ok a:ok", ["a", "b"])) == "a*3 b a:ok*2"


@pytest.mark.parametrize("text", ["a*0", "a*-1", "a*", "*3", "a:", "a::ok", "1", "a;b"])
def test_what_can_not_be_read_is_shown(text):
    with pytest.raises(ScheduleError, match=r"can't read .* write ACTOR"):
        parse(text, ["a", "b"])


def test_an_unknown_actor_gets_the_nearest_name():
    with pytest.raises(ScheduleError, match=r"no actor 'migrat'.*did you mean 'migrate'"):
        parse("migrat", ["migrate", "holder"])


def test_a_schedule_has_a_longest_length():
    with pytest.raises(ScheduleError, match=f"more than {MOVES_MAX} moves"):
        parse("a*999999 a*2", ["a"])
    assert len(parse(f"a*{MOVES_MAX}", ["a"])) == MOVES_MAX


def test_replaying_an_impossible_move_says_who_could_move():
    scenario = cells(waiter, setter, x=0)
    with pytest.raises(ScheduleError, match=r"move 2: 'a' can't move \(x is 0\); who can: b"):
        record(scenario, replaying(parse("b a", ["a", "b"])))
    with pytest.raises(ScheduleError, match=r"move 3: 'b' can't move \(finished\); who can: a"):
        record(scenario, replaying(parse("b b b", ["a", "b"])))


def test_replaying_wants_an_outcome_only_where_there_is_a_choice():
    with pytest.raises(ScheduleError, match="move 1: write one of a:ok, a:fail instead of a"):
        record(cells(asker), replaying(parse("a", ["a"])))
    with pytest.raises(ScheduleError, match="move 1: write one of a instead of a:ok"):
        record(cells(steps(2)), replaying(parse("a:ok", ["a"])))


def test_one_after_another():
    assert moves_of(cells(steps(2), steps(2)), one_after_another) == "a*2 b*2"
    assert moves_of(cells(waiter, setter, x=0), one_after_another) == "b*2 a"
    assert moves_of(cells(asker), one_after_another) == "a:ok*4"
