"""An atomic step as a description; and the only transition: what it returns and refuses."""

import doctest

import pytest
from small import Cells, ask, cells, increment, store, wait_for_x

from mmsim import engine
from mmsim.engine.actor import Actor
from mmsim.engine.op import NOTHING, ModelError, atomic, choice
from mmsim.engine.pool import Pool
from mmsim.engine.scenario import Move, Scenario
from mmsim.engine.trace import Trace


def asker():
    answer = yield ask()
    return answer


def waiter():
    yield wait_for_x()


def opener():
    yield store("x", 1)


def test_a_step_answers_an_event_and_leaves_every_earlier_state_as_it_was():
    scenario = cells(increment, x=4)
    start = scenario.initial()
    one, event = scenario.step(start, Move("a"))
    assert (event.actor, str(event.op), event.answer) == ("a", "load(x)", 4)
    assert [frame.function for frame in event.where] == ["increment"]
    for _ in range(2):
        end, _ = scenario.step(one, Move("a"))
        assert end.world.cells == {"x": 5}
    assert scenario.finished(end)
    assert not scenario.finished(one)
    assert start.world.cells == one.world.cells == scenario.initial().world.cells == {"x": 4}


def test_a_blocked_actor_says_why_and_is_no_move():
    scenario = cells(waiter, opener, x=0)
    state = scenario.initial()
    assert scenario.blocked(state, "a") == "x is 0"
    assert scenario.moves(state) == [Move("b")]
    with pytest.raises(ModelError, match="'a' can't move: x is 0"):
        scenario.step(state, Move("a"))
    state, _ = scenario.step(state, Move("b"))
    assert scenario.moves(state) == [Move("a")]
    assert scenario.blocked(state, "b") == "finished"
    with pytest.raises(ModelError, match="'b' can't move: finished"):
        scenario.step(state, Move("b"))
    scenario = cells(waiter, opener, opener, x=0)
    scenario.as_one = frozenset({("", "store")})
    assert scenario.moves(scenario.initial()) == [Move("b")]


def test_the_environment_decides_by_the_move():
    """Moves come in the order of the actors and print as schedules write them."""
    scenario = cells(opener, asker, opener, x=0)
    state = scenario.initial()
    assert [str(move) for move in scenario.moves(state)] == ["a", "b:ok", "b:fail", "c"]
    assert scenario.results(state) == {}
    for chosen, answer in (("ok", True), ("fail", False)):
        assert scenario.results(scenario.step(state, Move("b", chosen))[0]) == {"b": answer}


IMPOSSIBLE = {
    Move("b"): "'b' can't move without a choice; its choices are ok, fail",
    Move("b", "nonsense"): "'b' can't move with choice 'nonsense'; its choices are ok, fail",
    Move("a", "nonsense"): "'a' can't move with choice 'nonsense'; it has no choice",
    Move("d"): "there is no actor 'd'",
}


@pytest.mark.parametrize("move", IMPOSSIBLE)
def test_an_impossible_move_is_refused_and_changes_nothing(move):
    scenario = cells(opener, asker, x=0)
    state, trace = scenario.initial(), Trace(scenario)
    for step in (lambda: scenario.step(state, move, keep=False), lambda: trace.append(move)):
        with pytest.raises(ModelError, match=IMPOSSIBLE[move]):
            step()
    assert state.world.cells == trace.last.world.cells == {"x": 0}
    assert len(trace) == 0


@choice(lambda world, me: ("only",))
def settled(world, me, choice):
    return choice


def test_one_possible_answer_is_no_choice():
    scenario = cells(lambda: (yield settled()))
    state = scenario.initial()
    assert scenario.moves(state) == [Move("a")]
    for move in (Move("a"), Move("a", "only")):
        assert scenario.step(state, move)[1].answer == "only"


def test_tables_have_equal_keys_if_they_are_equal():
    pool = Pool()
    tables = ({}, {1: "a"}, {2: "a"}, {1: "b"}, {1: "a", 2: "b"}, {1: "b", 2: "a"})
    keys = [pool.table(dict(table)) for table in tables]
    assert len({*keys}) == len(tables)
    assert pool.table({2: "b", 1: "a"}) == keys[4]


def test_two_actors_can_not_share_a_name():
    with pytest.raises(ModelError, match="two actors share a name"):
        Scenario("twins", Cells(), (Actor("a", opener), Actor("a", opener)))


@atomic
def add(world, me, cell, n):
    world.cells[cell] += n
    return me


def test_a_path_says_where_it_is_and_what_it_decided():
    plain, said = add("x", 2), add("x", 2, site="sum.second", round_=3, left=("y",))
    assert (plain.site, plain.notes) == ("", NOTHING)
    assert (said.site, said.notes) == ("sum.second", {"round_": 3, "left": ("y",)})
    assert str(said) == str(plain) == "add(x, 2)"
    assert said != plain == add("x", 2)
    with pytest.raises(TypeError):
        said.notes["round_"] = 4
    with pytest.raises(TypeError, match="takes its arguments by position"):
        add("x", n=2)


def test_the_page_that_shows_the_engine_says_what_happens():
    result = doctest.testmod(engine)
    assert result.attempted >= 15
    assert result.failed == 0
