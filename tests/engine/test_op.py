"""An op is a description: calling one does nothing until somebody runs it."""

import doctest
import itertools

import pytest
from small import cells

from mmsim import engine
from mmsim.engine.explore import explore
from mmsim.engine.op import NOTHING, atomic
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import record


@atomic
def add(world, me, cell, n):
    world.cells[cell] += n
    return me


def test_a_path_says_where_it_is_and_what_it_decided():
    plain, said = add("x", 2), add("x", 2, site="sum.second", round_=3, left=("y",))
    assert (plain.site, plain.told) == ("", NOTHING)
    assert (said.kind, said.args, said.site) == (plain.kind, plain.args, "sum.second")
    assert said.told == {"round_": 3, "left": ("y",)}
    assert str(said) == str(plain) == "add(x, 2)"
    assert said != plain == add("x", 2)
    assert hash(said) == hash(plain)
    with pytest.raises(TypeError):
        said.told["round_"] = 4
    with pytest.raises(TypeError, match="takes its arguments by position"):
        add("x", n=2)


def test_readers_find_it_at_the_event_and_the_search_does_not_look_at_it():
    age = itertools.count()

    def path(talks):
        for i in range(2):
            yield add("x", i + 1, **({"site": "sum", "age": next(age)} if talks else {}))

    talking, quiet = (
        cells(lambda t=t: path(t), lambda t=t: path(t), x=0, merge=True) for t in (True, False)
    )
    first, *_ = record(talking, one_after_another).events
    assert (first.site, list(first.told)) == ("sum", ["age"])
    found = [explore(each) for each in (talking, quiet)]
    assert found[0].states == found[1].states
    assert found[0].edges == found[1].edges


def test_the_page_that_shows_the_engine_says_what_happens():
    result = doctest.testmod(engine)
    assert result.attempted >= 15
    assert result.failed == 0
