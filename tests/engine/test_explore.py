"""The search: closed forms, brute force, golden counts, and its own switches.

A changed count is a changed meaning."""

from __future__ import annotations

from math import factorial

import pytest
from small import all_runs, cells, increment, locks, nop, outcome_of, states_of, steps, wait_for_x

from mmsim.engine.explore import Verdict, always, explore, search, sometimes
from mmsim.engine.op import ModelError, atomic
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
    """Two actors add 1 to x: load, store.  After 0 to 4 steps there are 1, 2, 3, 4 and 2 states.

    Counting the answers too, x = 2 is reached in two ways: 13.
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


def waiter():
    yield nop()
    yield wait_for_x()


# -- preemptions


def preemptions(scenario, moves):
    """How often somebody moved although whoever moved before could have gone on."""
    state, last, count = scenario.initial(), "", 0
    for move in moves:
        could = any(each.actor == last for each in scenario.moves(state))
        count += could and move.actor != last
        state, _ = scenario.step(state, move)
        last = move.actor
    return count


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("bound", range(5))
@pytest.mark.parametrize(
    "paths", [(increment, increment), (steps(2), steps(3)), (waiter, increment, steps(1))]
)
def test_a_bound_leaves_the_schedules_with_few_preemptions(paths, bound, merge):
    """Against all schedules, counted one by one."""
    within = [
        (moves, outcome_of(scenario, end))
        for scenario in [cells(*paths, x=0)]
        for moves, end in all_runs(scenario)
        if preemptions(scenario, moves) <= bound
    ]
    scenario = cells(*paths, x=0, merge=merge)
    found = explore(scenario, preemptions_max=bound)
    assert found.complete
    assert found.schedules() == len(within)
    outcomes = found.outcomes(lambda state: outcome_of(scenario, state))
    assert {each.name: each.schedules for each in outcomes} == {
        end: sum(other == end for _, other in within) for _, end in within
    }
    for each in outcomes:
        assert preemptions(scenario, each.shortest) <= bound
        assert len(each.shortest) == min(len(moves) for moves, end in within if end == each.name)


# -- properties


def test_properties_have_names_verdicts_and_schedules():
    claims = [
        always("x stays small", lambda state: state.world.cells["x"] <= 2),
        always("x is never 1", lambda state: state.world.cells["x"] != 1),
        sometimes("x gets 2", lambda state: state.world.cells["x"] == 2),
        sometimes("x gets 1", lambda state: state.world.cells["x"] == 1),
        sometimes("x gets 3", lambda state: state.world.cells["x"] == 3),
    ]
    H, B, N = Verdict.HOLDS, Verdict.BROKEN, Verdict.NOT_FINISHED
    for states_max, verdicts in ((99, [H, B, H, H, B]), (5, [N, B, N, H, N])):
        found = explore(cells(increment, increment, x=0), properties=claims, states_max=states_max)
        assert [each.name for each in found.findings] == [each.name for each in claims]
        assert [each.verdict for each in found.findings] == verdicts
        schedules = [each.schedule and render(each.schedule) for each in found.findings]
        assert schedules == [None, "a*2", "a*2 b*2" if found.complete else None, "a*2", None]
    assert N.value == "search not finished"


# -- bit by bit, and a stop


def test_a_search_can_be_left_asked_and_taken_up_again():
    """The same result grows; what is asked in between is about the part that was searched."""
    bits, seen = search(cells(*[steps(6)] * 3), every=50), []
    for found in bits:
        seen.append((found.expanded, found.complete, found.stopped))
        if found.expanded == 50:
            first = found
            assert found.expanded < found.states < 7**3
            assert found.schedules() == 0
            assert found.edges == sum(len(found.targets_of(n)) for n in range(found.states))
    assert seen == [(n, False, "interrupted") for n in range(50, 343, 50)] + [(343, True, "")]
    assert found is first
    assert found.schedules() == factorial(18) // factorial(6) ** 3


def test_a_bug_of_the_model_comes_with_its_schedule():
    @atomic
    def explode(world, me):
        if world.cells["x"]:
            raise ModelError("both at once")
        world.cells["x"] = 1

    def path():
        yield nop()
        yield explode()

    with pytest.raises(ModelError, match=r"both at once; schedule: a\*2 b\*2"):
        explore(cells(path, path, x=0, merge=True))
