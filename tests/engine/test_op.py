"""An op is a description: calling one does nothing until somebody runs it."""

import doctest

import pytest

from mmsim import engine
from mmsim.engine.op import NOTHING, atomic


@atomic
def add(world, me, cell, n):
    world.cells[cell] += n
    return me


def test_a_path_says_where_it_is_and_what_it_decided():
    plain, said = add("x", 2), add("x", 2, site="sum.second", round_=3, left=("y",))
    assert (plain.site, plain.notes) == ("", NOTHING)
    assert (said.kind, said.args, said.site) == (plain.kind, plain.args, "sum.second")
    assert said.notes == {"round_": 3, "left": ("y",)}
    assert str(said) == str(plain) == "add(x, 2)"
    assert said != plain == add("x", 2)
    assert hash(said) == hash(plain)
    with pytest.raises(TypeError):
        said.notes["round_"] = 4
    with pytest.raises(TypeError, match="takes its arguments by position"):
        add("x", n=2)


def test_the_page_that_shows_the_engine_says_what_happens():
    result = doctest.testmod(engine)
    assert result.attempted >= 15
    assert result.failed == 0
