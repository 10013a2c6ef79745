"""The search: closed forms, brute force, golden counts.  A changed count is a changed meaning."""

from math import factorial

import pytest
from small import cells, increment, locks, states_of, steps

from mmsim.engine.explore import explore
from mmsim.engine.schedule import render


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize(
    ("n", "k"), [(1, 1), (1, 7), (2, 1), (2, 3), (2, 6), (3, 1), (3, 2), (3, 4), (4, 2), (5, 1)]
)
def test_independent_actors_make_a_grid(n, k, merge):
    """n actors with k steps that nobody notices: a grid of side k + 1 in n dimensions."""
    found = explore(cells(*[steps(k)] * n, merge=merge))
    assert found.complete
    assert found.states == (k + 1) ** n
    assert found.edges == n * k * (k + 1) ** (n - 1)
    assert found.schedules() == factorial(n * k) // factorial(k) ** n
    assert len(found.ends) == 1
    assert found.deadlocks == []
    assert len(found.schedule_to(found.ends[0])) == n * k


@pytest.mark.parametrize(("merge", "states", "ends"), [(True, 12, 2), (False, 13, 3)])
def test_a_lost_update_has_twelve_states(merge, states, ends):
    """Two actors add 1 to x: load, store.  By number of steps taken, written `pc of a, pc of b`:

    0 steps: 00                                      1
    1 step:  10, 01                                  2
    2 steps: 20, 11, 02                              3
    3 steps: 21 and 12, each after a load of 0 or 1  4
    4 steps: 22 with x = 1 or x = 2                  2

    makes 12.  Counting the answers too, x = 2 is reached in two ways: 13.
    Edges: 2 + 4 + 4 + 4 = 14, schedules: 4! / (2! 2!) = 6.
    """
    found, again = (explore(cells(increment, increment, merge=merge, x=0)) for _ in range(2))
    assert [found.edges_of(i) for i in range(states)] == [again.edges_of(i) for i in range(states)]
    assert (found.states, found.edges, found.schedules()) == (states, 14, 6)
    assert len(found.ends) == ends
    assert {states_of(found)[i].world.cells["x"] for i in found.ends} == {1, 2}


def test_the_limit_is_the_number_of_states_that_may_be_found():
    assert explore(cells(steps(4), steps(4)), states_max=25).complete
    found = explore(cells(steps(4), steps(4)), states_max=24)
    assert not found.complete
    assert found.states == 25


def test_a_deadlock_is_not_an_end():
    """Opposite orders: one deadlock, reached by each taking its first lock."""
    found = explore(cells(locks("p", "q"), locks("q", "p"), p=0, q=0))
    assert len(found.deadlocks) == 1
    assert len(found.ends) == 1
    stuck = found.schedule_to(found.deadlocks[0])
    assert render(stuck) == "a b"
    state = states_of(found)[found.deadlocks[0]]
    assert found.scenario.blocked(state, "a") == "q is taken"
    assert found.scenario.blocked(state, "b") == "p is taken"
    assert not found.scenario.finished(state)
    found = explore(cells(locks("p", "q"), locks("p", "q"), p=0, q=0))
    assert (found.deadlocks, len(found.ends)) == ([], 1)
