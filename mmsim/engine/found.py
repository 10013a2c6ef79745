"""What a search found, and what can be asked about it.

Interface: Exploration, Outcome"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from mmsim.engine.claims import Finding, Property, Test, Verdict
from mmsim.engine.odds import (
    AT_THE_START,
    EVEN,
    Flow,
    Weights,
    check_weights,
    components,
    flow,
    ways,
)
from mmsim.engine.samestate import SearchError
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.stategraph import StateGraph

DEADLOCK, FOR_EVER = "deadlock", "goes on for ever"


class Outcome(NamedTuple):
    """Ends that go by one name.

    `schedules`: how many lead there, None if there is no limit.  `odds`: how likely it is to get
    there.  `shortest`: a shortest schedule that does, None for what never ends."""

    name: str
    states: int
    schedules: int | None
    odds: Fraction
    shortest: tuple[Move, ...] | None


class Exploration(StateGraph):
    """The graph, as far as it was searched.

    `ends` are the states in which every actor has returned, `deadlocks` those in which nobody can
    move although somebody has not.  `complete` is False as long as states wait for their turn;
    `stopped` says why in that case.  Whatever is asked then is about the part that was searched.
    """

    def __init__(
        self,
        scenario: Scenario,
        properties: Sequence[Property] = (),
        alike: Sequence[Sequence[str]] = (),
    ):
        super().__init__(scenario)
        self.alike = tuple(map(tuple, alike))
        self.ends: list[int] = []
        self.deadlocks: list[int] = []
        self.complete = False
        self.stopped = ""
        self._order: tuple[int, list[list[int]]] | None = None
        self._decided: dict[Property, int] = {}
        self._properties = tuple(properties)

    # -- questions

    def shortest(self, goal: Test) -> list[Move] | None:
        """A shortest schedule to a state where `goal` is true; None if none was found."""
        for number, state in self.walk():
            if goal(state):
                return self.schedule_to(number)
        return None

    def always(self, safe: Test) -> Verdict:
        """Is `safe` true in every state?"""
        return self._verdict(True, self.shortest(lambda state: not safe(state)) is not None)

    def sometimes(self, goal: Test) -> Verdict:
        """Is `goal` true in at least one state?  Safety without it proves little."""
        return self._verdict(False, self.shortest(goal) is not None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the search says of each property that it was given, in their order."""
        found = []
        for each in self._properties:
            at = self._decided.get(each)
            schedule = None if at is None else tuple(self.schedule_to(at))
            found.append(Finding(each.name, self._verdict(each.always, at is not None), schedule))
        return tuple(found)

    def _verdict(self, always: bool, decided: bool) -> Verdict:
        if decided:
            return Verdict.BROKEN if always else Verdict.HOLDS
        if not self.complete:
            return Verdict.NOT_FINISHED
        return Verdict.HOLDS if always else Verdict.BROKEN

    # -- numbers

    def schedules(self) -> int | None:
        """Number of maximal schedules; None if some schedule can go on for ever.

        Maximal: to an end or a deadlock, where nobody can move any more."""
        to = self._ways()
        if None in to:
            return None
        return sum(to[number] or 0 for number in (*self.ends, *self.deadlocks))

    def odds(self, goal: Test, weights: Weights = EVEN) -> Fraction:
        """The probability to come to a state where `goal` is true, now or later (`engine.odds`)."""
        there = {number for number, state in self.walk() if goal(state)}
        running = self._flow(weights, there)
        return sum((running.reach[number] for number in there), Fraction(0))

    def outcomes(self, name: Callable[[State], str], weights: Weights = EVEN) -> list[Outcome]:
        """Every way to end, by name; the one with the shortest schedule first.

        `name` is asked about ends; a deadlock is called "deadlock", and if there is a part of the
        graph that can't be left and has no end, that counts as an outcome too.  In a search that
        was stopped, schedules and odds are those that are known so far."""
        named = self._named(name)
        to, running = self._ways(), self._flow(weights)
        found = []
        for word, numbers in named.items():
            counts = [to[number] for number in numbers]
            schedules = None if None in counts else sum(count or 0 for count in counts)
            likely = sum((running.reach[number] for number in numbers), Fraction(0))
            shortest = tuple(self.schedule_to(numbers[0]))
            found.append(Outcome(word, len(numbers), schedules, likely, shortest))
        if running.for_ever:
            found.append(Outcome(FOR_EVER, 0, None, running.for_ever, None))
        return found

    def odds_from(
        self,
        name: Callable[[State], str],
        starts: Sequence[Sequence[Move]],
        weights: Weights = EVEN,
    ) -> dict[str, Fraction]:
        """The odds of every outcome for a run that begins after one of these schedules.

        Each is as likely as any other, and what it takes to get there is not counted."""
        begin: dict[int, Fraction] = {}
        for start in starts:
            number = self.number_after(start)
            begin[number] = begin.get(number, Fraction(0)) + Fraction(1, len(starts))
        running = self._flow(weights, begin=begin)
        found = {
            word: sum((running.reach[number] for number in numbers), Fraction(0))
            for word, numbers in self._named(name).items()
        }
        return found | ({FOR_EVER: running.for_ever} if running.for_ever else {})

    def _named(self, name: Callable[[State], str]) -> dict[str, list[int]]:
        """Where runs end, by the name of the end; the nearest first."""
        named: dict[str, list[int]] = {}
        ends, deadlocks = set(self.ends), set(self.deadlocks)
        for number, state in self.walk(ends | deadlocks):
            if number in ends:
                named.setdefault(name(state), []).append(number)
            elif number in deadlocks:
                named.setdefault(DEADLOCK, []).append(number)
        return named

    def _ordered(self) -> list[list[int]]:
        if self._order is None or self._order[0] != self.expanded:
            self._order = (self.expanded, components(self))
        return self._order[1]

    def _ways(self) -> list[int | None]:
        return ways(self, self._ordered())

    def _flow(
        self,
        weights: Weights,
        stop: Collection[int] = (),
        begin: Mapping[int, Fraction] = AT_THE_START,
    ) -> Flow:
        check_weights(weights, [actor.name for actor in self.scenario.actors])
        for group in self.alike:
            if len({weights.get(name, 1) for name in group}) > 1:
                raise SearchError(f"{', '.join(group)} are alike and need the same weight")
        return flow(self, self._ordered(), weights, stop, begin)

    # -- for the search alone

    def _look_at(self, state: State, number: int) -> None:
        for each in self._properties:
            if each not in self._decided and bool(each.test(state)) is not each.always:
                self._decided[each] = number
