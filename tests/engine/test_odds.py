"""Odds and numbers of schedules: every schedule followed, closed forms, runs of a coin."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import pytest
from small import (
    ask,
    cells,
    forever,
    increment,
    load,
    locks,
    nop,
    odds_by_layers,
    outcome_of,
    steps,
    store,
    wait_for_x,
)

from mmsim.engine.explore import explore
from mmsim.engine.odds import SearchError, components, odds_along, spread_odds
from mmsim.engine.op import choice
from mmsim.engine.schedule import parse


@choice(lambda world, me, at, top: ("up", "down"))
def drift(world, me, choice, at, top):
    return 1 if choice == "up" else -1


def asker():
    good = yield ask()
    again = yield ask()
    yield store("x", good + again)
    return good


def waiter():
    yield wait_for_x()
    value = yield load("x")
    return value


SCENARIOS = {
    "lost update": lambda merge: cells(increment, increment, steps(2), x=0, merge=merge),
    "choices": lambda merge: cells(asker, steps(3), x=0, merge=merge),
    "waiting": lambda merge: cells(asker, waiter, steps(2), x=0, merge=merge),
    "deadlock": lambda merge: cells(locks("p", "q"), locks("q", "p"), p=0, q=0, merge=merge),
}
WEIGHTS = {
    "fair": {},
    "loaded": {"a": 3, "a:fail": 5},
    "slow": {"b": Fraction(1, 2)},
}


def end_of(scenario):
    """A function: the name of the end that a state is."""
    return lambda s: outcome_of(scenario, s) if scenario.finished(s) else "deadlock"


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_against_following_every_schedule(name, weights, merge):
    scenario, exact = SCENARIOS[name](merge), SCENARIOS[name](False)
    expected = odds_by_layers(exact, end_of(exact), weights)
    found = explore(scenario)
    outcomes = {each.name: each for each in found.outcomes(end_of(scenario), weights)}
    assert {end: (each.schedules, each.odds) for end, each in outcomes.items()} == expected
    assert sum(each.odds for each in outcomes.values()) == 1
    for each in outcomes.values():
        assert each.odds >= prod(odds_along(scenario, each.shortest, weights)) > 0
    assert found.schedules() == sum(count for count, _ in expected.values())
    assert (name in ("deadlock", "waiting")) == ("deadlock" in expected)


def walk(start, top):
    """A random walk between 0 and `top`, which both end it."""

    def path():
        at, by = start, None
        while 0 < at < top:
            by = yield drift(at, top)
            at += by
            by = None
        return at

    return path


@pytest.mark.parametrize(("start", "top"), [(1, 3), (1, 5), (3, 5), (6, 7)])
def test_the_ruin_of_a_gambler(start, top):
    """States on a cycle.  A fair walk gets to the top with odds start/top, one that goes up r times
    as often as down with (1 - r^-start) / (1 - r^-top)."""
    found = explore(cells(walk(start, top), merge=True))
    assert found.schedules() is None
    assert spread_odds(found, components(found), {}, {1: Fraction(1)}).for_ever == 0
    r = Fraction(3, 2)
    loaded = (1 - r**-start) / (1 - r**-top)
    weights = [
        ({}, Fraction(start, top)),
        ({"a:up": 3, "a:down": 2}, loaded),
        ({"a:up": r}, loaded),
        ({"a:down": 0}, 1),
        ({"a:up": 0}, 0),
    ]
    for given, expected in weights:
        outcomes = found.outcomes(lambda state: state.locals[0].result, given)
        assert {each.name: each.odds for each in outcomes} == {top: expected, 0: 1 - expected}
        assert {each.schedules for each in outcomes} == {None}


def test_what_goes_on_for_ever_is_an_outcome():
    """One time out of four, asked twice, the answer is yes both times; else it spins."""

    def path():
        first = yield ask()
        second = yield ask()
        while not (first and second):
            yield nop()
        return 1

    found = explore(cells(path, merge=True))
    outcomes = found.outcomes(lambda state: "returned")
    assert [each[:4] for each in outcomes] == [
        ("returned", 1, 1, Fraction(1, 4)),
        ("goes on for ever", 0, None, Fraction(3, 4)),
    ]
    assert outcomes[1].shortest is None
    spinning = explore(cells(forever, forever, merge=True), preemptions_max=0)
    assert spinning.states == 3  # by who moved last: nobody, one, the other


def test_a_way_out_that_is_never_taken_is_none():
    def path():
        while not (yield ask()):
            pass

    ends = explore(cells(path, merge=True)).outcomes(lambda state: "returned", {"a:ok": 0})
    assert [(each.name, each.odds) for each in ends] == [("returned", 0), ("goes on for ever", 1)]


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"a": 0}, "nothing but a is possible, and its weight is 0"),
        ({"a:ok": 0, "a:fail": 0}, "nothing but a:ok, a:fail is possible"),
        ({"a": -1}, "the weight of 'a' is -1; it has to be 0 or more"),
        ({"pin:ok": 2}, "the weight of 'pin:ok' is of no actor in this scenario; there are: a, b"),
    ],
)
def test_weights_that_can_not_be_used_get_one_sentence(weights, says):
    scenario = SCENARIOS["choices"](True)
    with pytest.raises(SearchError, match=says):
        explore(scenario).outcomes(str, weights)
    with pytest.raises(SearchError, match=says):
        odds_along(scenario, parse("b*3 a:ok*2 a", "ab"), weights)


def test_a_cycle_may_be_too_large(monkeypatch):
    monkeypatch.setattr("mmsim.engine.odds.CYCLE_MAX", 5)

    def cycle(size):
        number = 0
        while True:
            yield nop()
            number = (number + 1) % size

    assert len(explore(cells(lambda: cycle(5), merge=True)).outcomes(lambda state: "end")) == 1
    with pytest.raises(SearchError, match="a system of 6 equations"):
        explore(cells(lambda: cycle(6), merge=True)).outcomes(lambda state: "end")


def test_a_stopped_search_knows_a_part():
    """Wherever it stops: numbers are those so far, never more than the truth."""
    scenario = SCENARIOS["waiting"](True)
    whole = explore(scenario)
    truth = {each.name: each for each in whole.outcomes(end_of(scenario))}
    parts = 0
    for states_max in range(1, whole.states):
        found = explore(scenario, states_max=states_max)
        assert not found.complete
        assert found.stopped == f"more than {states_max} states"
        so_far = found.outcomes(end_of(scenario))
        for each in so_far:
            assert each.odds <= truth[each.name].odds
            assert each.schedules <= truth[each.name].schedules
            assert each.shortest == truth[each.name].shortest
        assert sum(each.odds for each in so_far) < 1
        parts += bool(so_far)
    assert parts > 2


def test_a_schedule_that_can_not_be_has_no_odds():
    for moves, says in (("b", "move 1, b, .*: a"), ("a a", "move 2, a, .*: none")):
        with pytest.raises(ValueError, match=says):
            odds_along(cells(steps(1)), parse(moves, "ab"))
