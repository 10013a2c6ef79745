"""The search's own switches: bounds, properties, progress, a stop."""

from __future__ import annotations

from math import factorial

import pytest
from small import all_runs, cells, increment, nop, outcome_of, steps, wait_for_x

from mmsim.engine.explore import Verdict, always, explore, search, sometimes
from mmsim.engine.op import ModelError, atomic
from mmsim.engine.schedule import render


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


def spinner():
    while True:
        yield nop()


@pytest.mark.parametrize("bound", range(3))
def test_a_bounded_search_tells_states_apart_by_who_moved_last_and_how_often(bound):
    """Whoever spins comes back to the initial state, where nobody had moved."""
    scenario = cells(spinner, increment, steps(1), x=0, merge=True)
    seen, todo = set(), [(scenario.initial(), "", 0)]
    while todo:
        state, last, count = todo.pop()
        here = (state.world.key(), tuple(map(id, state.locals)), last, count)
        if here in seen:
            continue
        seen.add(here)
        could = any(each.actor == last for each in scenario.moves(state))
        for move in scenario.moves(state):
            after = count + (could and move.actor != last)
            if after <= bound:
                todo.append((scenario.step(state, move)[0], move.actor, after))
    assert explore(scenario, preemptions_max=bound).states == len(seen)


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
