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


def test_rendering_and_reading_are_inverse():
    rng = random.Random(1)
    for _ in range(50):
        moves = [
            Move(rng.choice("ab"), rng.choice(["", "", "ok"])) for _ in range(rng.randrange(12))
        ]
        assert parse(render(moves), ["a", "b"]) == moves
    assert render(parse("a a a b a:ok a:ok", ["a", "b"])) == "a*3 b a:ok*2"
    assert len(parse(f"a*{MOVES_MAX}", ["a"])) == MOVES_MAX


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((text, "can't read .* write ACTOR") for text in ("a*0", "a*-1", "a*", "*3", "a:", "1")),
        *((text, "can't read .* write ACTOR") for text in ("a::ok", "a;b")),
        ("aa", "no actor 'aa'.*did you mean 'a'"),
        ("a*999999 a*2", f"more than {MOVES_MAX} moves"),
    ],
)
def test_what_can_not_be_read_is_shown(text, says):
    with pytest.raises(ScheduleError, match=says):
        parse(text, ["a", "b"])


@pytest.mark.parametrize(
    ("paths", "text", "says"),
    [
        ((waiter, setter), "b a", r"move 2: 'a' can't move \(x is 0\); who can: b"),
        ((waiter, setter), "b b b", r"move 3: 'b' can't move \(finished\); who can: a"),
        ((asker,), "a", "move 1: write one of a:ok, a:fail instead of a"),
        ((steps(2),), "a:ok", "move 1: write one of a instead of a:ok"),
    ],
)
def test_replaying_an_impossible_move_says_what_can_be(paths, text, says):
    with pytest.raises(ScheduleError, match=says):
        record(cells(*paths, x=0), replaying(parse(text, ["a", "b"])))


def test_one_after_another():
    for scenario, moves in (
        (cells(steps(2), steps(2)), "a*2 b*2"),
        (cells(waiter, setter, x=0), "b*2 a"),
        (cells(asker), "a:ok*4"),
    ):
        assert render(record(scenario, one_after_another).moves) == moves
