"""A suspended generator as a value: what is shown, how it is rebuilt, when two are the same."""

import pytest
from small import ask, cells, load, nop, store

from mmsim.engine.actor import Actor, Program
from mmsim.engine.explore import explore
from mmsim.engine.op import ModelError


def inner(cell):
    value = yield load(cell)
    return value + 1


def outer():
    value = yield from inner("x")
    yield store("x", value)
    return value


def program(path, merge=False):
    return Program(Actor("a", path), merge=merge)


def test_a_place_shows_its_next_step_and_its_frames_and_an_end_its_result():
    root = program(outer).root
    assert str(root.op) == "load(x)"
    first = outer.__code__.co_firstlineno, inner.__code__.co_firstlineno
    assert [(f.function, f.line) for f in root.frames()] == [
        ("outer", first[0] + 1),
        ("inner", first[1] + 1),
    ]
    second = root.after(5)
    assert str(second.op) == "store(x, 6)"
    end = second.after(None)
    assert (end.finished, end.result, end.frames()) == (True, 6, ())


def test_what_runs_once_comes_to_the_same_end_and_never_back():
    root = Program(Actor("a", outer), merge=False, once=True).root
    assert root.after(5).after(None).result == 6
    with pytest.raises(ModelError, match="'a' runs once: it can't come back here"):
        root.after(5)


def test_yielding_something_else_than_an_op_is_a_bug_of_the_model():
    def path():
        yield "not an op"

    with pytest.raises(ModelError, match="'a' yielded 'not an op' instead of an atomic step"):
        program(path)


def test_a_path_with_such_a_variable_is_refused_only_when_merging():
    def path():
        strange = {1, 2}
        yield nop()
        return len(strange)

    assert program(path).root.after(None).result == 2
    with pytest.raises(ModelError, match="a local variable of type set can't be compared"):
        program(path, merge=True)


def test_the_order_in_which_variables_were_bound_makes_no_difference():
    """Two ways to the same place, on which two variables get their values in opposite orders.

    Before Python 3.13 `f_locals` keeps the order in which it saw them first."""

    def path():
        answer = yield ask()
        if answer:
            first = 1
            yield nop()
            second = 2
        else:
            second = 2
            yield nop()
            first = 1
        answer = None
        yield store("x", first + second)

    start = program(path, merge=True).root
    ways = [start.after(answer).after(None) for answer in (True, False)]
    assert [str(way.op) for way in ways] == ["store(x, 3)"] * 2
    assert ways[0] is ways[1]


def counter():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    def path():
        yield from up_to_four(count)
        return n

    return path


def up_to_four(count):
    while count() < 4:
        yield nop()


def owner():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    yield from up_to_four(count)


def test_a_waiting_path_sees_what_others_do_to_the_variables_they_share():
    found = explore(cells(lambda: (yield from counter()()), owner, merge=True))
    assert (found.states, len(found.ends)) == (4 * 4, 1)
