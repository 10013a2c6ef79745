"""An op is a description: calling one does nothing until somebody runs it."""

import doctest
import itertools

import pytest
from small import Cells, cells, load, store

from mmsim import engine
from mmsim.engine.explore import explore
from mmsim.engine.op import NOTHING, Op, atomic, blocking, choice
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import record


@atomic
def add(world, me, cell, n):
    """Add to a cell."""
    world.cells[cell] += n
    return me


def _empty(world, me, cell):
    return f"{cell} is empty" if not world.cells[cell] else None


@blocking(_empty)
def take(world, me, cell):
    world.cells[cell] -= 1


def _faces(world, me, cell):
    return ("heads", "tails")


@choice(_faces)
def toss(world, me, outcome, cell):
    world.cells[cell] = outcome == "heads"
    return outcome


def test_calling_an_atomic_function_changes_nothing():
    world = Cells(x=1)
    op = add("x", 2)
    assert isinstance(op, Op)
    assert op.args == ("x", 2)
    assert world.cells == {"x": 1}
    assert op.kind.run(world, "me", *op.args) == "me"
    assert world.cells == {"x": 3}


def test_an_op_prints_as_the_call_it_is():
    assert str(store("x", 7)) == "store(x, 7)"
    assert str(load("x")) == "load(x)"


def test_the_maker_keeps_name_docstring_and_module():
    assert add.__name__ == add.__qualname__ == "add"
    assert add.__doc__ == "Add to a cell."
    assert add.__module__ == __name__
    assert add.atomic is add("x", 1).kind


def test_a_guard_gives_the_reason_to_wait():
    op = take("x")
    assert op.kind.guard(Cells(x=0), "me", *op.args) == "x is empty"
    assert op.kind.guard(Cells(x=1), "me", *op.args) is None
    assert op.kind.outcomes is None


def test_a_choice_is_told_its_outcome():
    op, world = toss("x"), Cells(x=0)
    assert op.kind.outcomes(world, "me", *op.args) == ("heads", "tails")
    assert op.kind.run(world, "me", "heads", *op.args) == "heads"
    assert world.cells["x"] is True
    assert op.kind.guard is None


def test_equal_calls_are_equal_values():
    assert add("x", 1) == add("x", 1)
    assert hash(add("x", 1)) == hash(add("x", 1))
    assert add("x", 1) != add("x", 2)
    assert add("x", 1) != store("x", 1)


def test_a_path_says_where_it_is_and_what_it_decided():
    plain, said = add("x", 2), add("x", 2, site="sum.second", round_=3, left=("y",))
    assert (plain.site, plain.told) == ("", NOTHING)
    assert (said.kind, said.args, said.site) == (plain.kind, plain.args, "sum.second")
    assert said.told == {"round_": 3, "left": ("y",)}
    assert str(said) == str(plain) == "add(x, 2)"
    assert said != plain
    assert said == add("x", 2, site="sum.second", left=("y",), round_=3)
    assert hash(said) == hash(plain)
    for made in (plain, said):
        with pytest.raises(TypeError):
            made.told["round_"] = 4
    for maker in (take, toss):
        assert maker("x", site="here", why="so").told == {"why": "so"}


def test_an_argument_by_name_is_no_remark():
    for call in (lambda: add("x", n=2), lambda: add(cell="x", n=2), lambda: toss(cell="x")):
        with pytest.raises(TypeError, match="takes its arguments by position"):
            call()


def _path(talks):
    """Add 1, then 2; one that talks says what no variable of it shows."""
    for i in range(2):
        yield add("x", i + 1, **({"site": "sum", "age": next(_AGE)} if talks else {}))


_AGE = itertools.count()


def test_readers_find_it_at_the_event_and_the_search_does_not_look_at_it():
    talking, quiet = (
        cells(lambda t=t: _path(t), lambda t=t: _path(t), x=0, merge=True) for t in (True, False)
    )
    first, *_ = record(talking, one_after_another).events
    assert (first.site, list(first.told)) == ("sum", ["age"])
    first, *_ = record(quiet, one_after_another).events
    assert (first.site, first.told) == ("", NOTHING)
    found = [explore(each) for each in (talking, quiet)]
    assert found[0].states == found[1].states
    assert found[0].edges == found[1].edges


def test_the_page_that_shows_the_engine_says_what_happens():
    result = doctest.testmod(engine)
    assert result.attempted >= 15
    assert result.failed == 0
