"""The only transition: what it returns, what it refuses, what it leaves alone."""

import pytest
from small import Cells, cells, load, nop, store

from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError, blocking, choice
from mmsim.engine.scenario import Move, Scenario


def _closed(world, me, cell):
    return None if world.cells[cell] else f"{cell} is closed"


@blocking(_closed)
def enter(world, me, cell):
    world.cells[cell] = 0


@choice(lambda world, me: ("ok", "fail"))
def ask(world, me, outcome):
    return outcome == "ok"


def increment():
    value = yield load("x")
    yield store("x", value + 1)


def asker():
    answer = yield ask()
    return answer


def enterer():
    yield enter("door")


def opener():
    yield store("door", 1)


def test_a_step_answers_the_new_state_and_an_event():
    scenario = cells(increment, x=4)
    start = scenario.initial()
    state, event = scenario.step(start, Move("a"))
    assert event.actor == "a"
    assert str(event.op) == "load(x)"
    assert event.answer == 4
    assert [frame.function for frame in event.where] == ["increment"]
    after, _ = scenario.step(state, Move("a"))
    assert after.world.cells == {"x": 5}
    assert scenario.finished(after)
    assert not scenario.finished(state)


def test_every_earlier_state_stays_as_it_was():
    scenario = cells(increment, x=4)
    start = scenario.initial()
    one, _ = scenario.step(start, Move("a"))
    scenario.step(one, Move("a"))
    again, _ = scenario.step(one, Move("a"))
    assert start.world.cells == one.world.cells == {"x": 4}
    assert again.world.cells == {"x": 5}
    assert scenario.initial().world.cells == {"x": 4}


def test_giving_up_the_old_state_changes_it_in_place():
    scenario = cells(opener, door=0)
    start = scenario.initial()
    after, _ = scenario.step(start, Move("a"), keep=False)
    assert after.world is start.world
    assert scenario.initial().world.cells == {"door": 0}


def test_a_blocked_actor_says_why_and_is_no_move():
    scenario = cells(enterer, opener, door=0)
    state = scenario.initial()
    assert scenario.blocked(state, "a") == "door is closed"
    assert scenario.moves(state) == [Move("b")]
    with pytest.raises(ModelError, match="'a' can't move: door is closed"):
        scenario.step(state, Move("a"))
    state, _ = scenario.step(state, Move("b"))
    assert scenario.moves(state) == [Move("a")]


def test_an_actor_that_has_finished_can_not_move():
    scenario = cells(opener, door=0)
    state, _ = scenario.step(scenario.initial(), Move("a"))
    assert scenario.moves(state) == []
    assert scenario.blocked(state, "a") == "finished"
    with pytest.raises(ModelError, match="'a' has finished"):
        scenario.step(state, Move("a"))


def test_the_environment_decides_by_the_move():
    scenario = cells(asker)
    state = scenario.initial()
    assert scenario.moves(state) == [Move("a", "ok"), Move("a", "fail")]
    assert scenario.results(scenario.step(state, Move("a", "ok"))[0]) == {"a": True}
    assert scenario.results(scenario.step(state, Move("a", "fail"))[0]) == {"a": False}


def test_results_name_only_who_has_finished():
    scenario = cells(opener, increment, door=0, x=0)
    state, _ = scenario.step(scenario.initial(), Move("a"))
    assert scenario.results(state) == {"a": None}


def test_moves_come_in_the_order_of_the_actors():
    def path():
        yield nop()

    assert cells(path, asker, path).moves(cells(path, asker, path).initial()) == [
        Move("a"),
        Move("b", "ok"),
        Move("b", "fail"),
        Move("c"),
    ]


def test_two_actors_can_not_share_a_name():
    with pytest.raises(ModelError, match="two actors share a name"):
        Scenario("twins", Cells(), (Actor("a", opener), Actor("a", opener)))


def test_a_move_prints_as_a_schedule_writes_it():
    assert str(Move("a")) == "a"
    assert str(Move("a", "fail")) == "a:fail"
