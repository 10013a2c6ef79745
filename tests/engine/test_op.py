"""An op is a description: calling one does nothing until somebody runs it."""

from small import Cells, load, store

from mmsim.engine.op import Op, atomic, blocking, choice


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
