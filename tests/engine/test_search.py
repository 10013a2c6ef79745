"""The search's own switches: bounds, actors that are alike, properties, progress, a stop."""

from __future__ import annotations

from math import comb, factorial

import pytest
from small import Cells, all_runs, cells, increment, nop, outcome_of, steps, wait_for_x

from mmsim.engine.actor import Actor
from mmsim.engine.explore import SearchError, Verdict, always, explore, search, sometimes
from mmsim.engine.op import ModelError, atomic
from mmsim.engine.scenario import Scenario
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
    assert all(preemptions(scenario, each.shortest) <= bound for each in outcomes)


# -- actors that are alike


class Named(Cells):
    """Cells that know who wrote them, and can be told that the actors have other names."""

    def branch(self):
        return Named(**self.cells)

    def renamed(self, names):
        return Named(**{key: names.get(value, value) for key, value in self.cells.items()})


@atomic
def sign(world, me, cell):
    world.cells[cell] = me


def signer(k):
    def path():
        for _ in range(k):
            yield nop()
        yield sign("last")

    return path


def signers(n, k, merge=True, others=()):
    paths = [*[signer(k)] * n, *others]
    actors = tuple(Actor("abcdefgh"[i], path) for i, path in enumerate(paths))
    return Scenario("signers", Named(last=""), actors, merge=merge)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (2, 4), (3, 1), (3, 2), (4, 1)])
def test_alike_actors_make_fewer_states_and_the_same_schedules(n, k):
    """n signers with k steps and a signature.  Without names, a state is how many actors have
    taken how many steps; and, if anybody is through, whether the last is one of those: always."""
    names = "abcdefgh"[:n]
    whole, folded = explore(signers(n, k)), explore(signers(n, k), alike=[names])
    assert folded.complete
    assert (
        folded.schedules() == whole.schedules() == factorial(n * (k + 1)) // factorial(k + 1) ** n
    )
    assert folded.states == comb(n + k + 1, n)  # multisets of n places out of k + 2
    assert len(folded.ends) == 1
    assert len(whole.ends) == n
    shares = whole.outcomes(lambda state: state.world.cells["last"])
    assert sum(each.odds for each in shares) == 1
    assert {each.odds for each in shares} == {shares[0].odds}


@pytest.mark.parametrize("bound", [None, 0, 1, 2])
def test_alike_actors_beside_another_one(bound):
    """Two alike and one that is not: outcomes and odds as in the whole search, bounded or not."""
    whole = explore(signers(2, 2, others=[steps(2)]), preemptions_max=bound)
    folded = explore(signers(2, 2, others=[steps(2)]), preemptions_max=bound, alike=["ab"])

    def name(state):
        return "c is through" if state.locals[2].finished else ""

    assert folded.states < whole.states
    assert folded.schedules() == whole.schedules()
    for weights in ({}, {"c": 5}, {"a": 2, "b": 2}):
        mine, theirs = (found.outcomes(name, weights) for found in (folded, whole))
        assert [each._replace(states=0) for each in mine] == [
            each._replace(states=0, shortest=mine[i].shortest) for i, each in enumerate(theirs)
        ]
        early = [
            found.odds(
                lambda s: (
                    s.locals[2].finished and not s.locals[0].finished and not s.locals[1].finished
                ),
                weights,
            )
            for found in (folded, whole)
        ]
        assert early[0] == early[1]


def test_who_is_alike_is_checked():
    place = lambda: signers(2, 1, others=[steps(1)])  # noqa: E731
    with pytest.raises(SearchError, match="'z' must be one of a, b, c, named once"):
        explore(place(), alike=["az"])
    with pytest.raises(SearchError, match="'a' must be one of"):
        explore(place(), alike=["ab", "ac"])
    with pytest.raises(SearchError, match="are not alike: changing places changes the start"):
        explore(place(), alike=["bc"])
    with pytest.raises(SearchError, match="can't rename actors"):
        explore(cells(steps(1), steps(1)), alike=["ab"])
    with pytest.raises(SearchError, match="a, b are alike and need the same weight"):
        explore(signers(2, 1), alike=["ab"]).outcomes(str, {"a": 2})


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
        ask = [found.always if each.always else found.sometimes for each in claims]
        assert [do(each.test) for do, each in zip(ask, claims, strict=True)] == verdicts
        schedules = [each.schedule and render(each.schedule) for each in found.findings]
        assert schedules == [None, "a*2", "a*2 b*2" if found.complete else None, "a*2", None]
        assert found.shortest(claims[4].test) is None
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
            assert found.always(lambda state: True) is Verdict.NOT_FINISHED
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
