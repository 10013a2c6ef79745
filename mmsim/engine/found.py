"""What a search found: a graph of states, and what can be asked about it.

Interface: Exploration, Outcome

A state is a world and the place where each actor stands.  Of a state that had its turn there are a
number, its moves, and the move by which it was first reached.  Whoever wants to look at the states
walks along these moves once more (`Exploration.walk`); that costs one step for each state."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, overload

from mmsim.engine.claims import Finding, Property, Test, Verdict
from mmsim.engine.odds import EVEN, Flow, Weights, check_weights, components, flow, ways
from mmsim.engine.samestate import SearchError
from mmsim.engine.scenario import Move, Scenario, State

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


class States(Sequence[State]):
    """The states of a search by number.  Each is made again when it is asked for."""

    def __init__(self, found: Exploration):
        self._found = found

    def __len__(self) -> int:
        return self._found.states

    @overload
    def __getitem__(self, number: int) -> State: ...
    @overload
    def __getitem__(self, number: slice) -> list[State]: ...
    def __getitem__(self, number: int | slice) -> State | list[State]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"no state {number}; there are {len(self)}")
        scenario = self._found.scenario
        state = scenario.initial()
        for move in self._found.schedule_to(number % len(self)):
            state, _, _ = scenario.advance(state, move, keep=False)
        return state

    def __iter__(self) -> Iterator[State]:
        return self._found.walk()


class Exploration:
    """A graph: states are numbered in the order in which they were found, 0 is the initial one.

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
        self.scenario = scenario
        self.alike = tuple(map(tuple, alike))
        self.found = States(self)
        self.ends: list[int] = []
        self.deadlocks: list[int] = []
        self.complete = False
        self.stopped = ""
        self._first = (array("l"), array("H"))  # of each state: source, move
        self._begin = array("l", [0])  # of each expanded state: where its edges begin
        self._targets = array("l")
        self._moves = array("H")
        self._move_numbers: dict[Move, int] = {}
        self._move_names: list[Move] = []
        self._order: tuple[int, list[list[int]]] | None = None
        self._decided: dict[Property, int] = {}
        self._properties = tuple(properties)

    # -- the graph

    @property
    def states(self) -> int:
        """Number of different states."""
        return len(self._first[0])

    @property
    def edges(self) -> int:
        """Number of (state, move) pairs."""
        return len(self._targets)

    @property
    def expanded(self) -> int:
        """How many states had their turn: those with the numbers below this one."""
        return len(self._begin) - 1

    @property
    def waiting(self) -> int:
        """How many states wait for their turn."""
        return self.states - self.expanded

    @property
    def successors(self) -> Sequence[Sequence[int]]:
        """For each state the states that its moves lead to, in the order of the moves."""
        return [[target for _, target in self.edges_of(i)] for i in range(self.states)]

    def edges_of(self, number: int) -> list[tuple[Move, int]]:
        """The moves that were made in a state, each with the state it leads to."""
        if number >= self.expanded:
            return []
        names, moves, targets = self._move_names, self._moves, self._targets
        span = range(self._begin[number], self._begin[number + 1])
        return [(names[moves[i]], targets[i]) for i in span]

    def targets_of(self, number: int) -> Sequence[int]:
        """The states that the moves of a state lead to, one for each move."""
        if number >= self.expanded:
            return ()
        return self._targets[self._begin[number] : self._begin[number + 1]]

    def schedule_to(self, number: int) -> list[Move]:
        """A shortest schedule to the state with this number."""
        sources, first = self._first
        moves: list[Move] = []
        while number > 0:
            moves.append(self._move_names[first[number]])
            number = sources[number]
        return moves[::-1]

    def walk(self) -> Iterator[State]:
        """Every state in the order of the numbers, made again by one step from an earlier one."""
        sources, first = self._first
        advance, names = self.scenario.advance, self._move_names
        state = self.scenario.initial()
        kept = deque([(0, state)])
        yield state
        for number in range(1, self.states):
            while kept[0][0] < sources[number]:
                kept.popleft()
            state, _, _ = advance(kept[0][1], names[first[number]])
            kept.append((number, state))
            yield state

    # -- questions

    def shortest(self, goal: Test) -> list[Move] | None:
        """A shortest schedule to a state where `goal` is true; None if none was found."""
        for number, state in enumerate(self.walk()):
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
        there = {number for number, state in enumerate(self.walk()) if goal(state)}
        running = self._flow(weights, there)
        return sum((running.reach[number] for number in there), Fraction(0))

    def outcomes(self, name: Callable[[State], str], weights: Weights = EVEN) -> list[Outcome]:
        """Every way to end, by name; the one with the shortest schedule first.

        `name` is asked about ends; a deadlock is called "deadlock", and if there is a part of the
        graph that can't be left and has no end, that counts as an outcome too.  In a search that
        was stopped, schedules and odds are those that are known so far."""
        named: dict[str, list[int]] = {}
        ends, deadlocks = set(self.ends), set(self.deadlocks)
        for number, state in enumerate(self.walk()):
            if number in ends:
                named.setdefault(name(state), []).append(number)
            elif number in deadlocks:
                named.setdefault(DEADLOCK, []).append(number)
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

    def _ordered(self) -> list[list[int]]:
        if self._order is None or self._order[0] != self.expanded:
            self._order = (self.expanded, components(self))
        return self._order[1]

    def _ways(self) -> list[int | None]:
        return ways(self, self._ordered())

    def _flow(self, weights: Weights, stop: Collection[int] = ()) -> Flow:
        check_weights(weights, [actor.name for actor in self.scenario.actors])
        for group in self.alike:
            if len({weights.get(name, 1) for name in group}) > 1:
                raise SearchError(f"{', '.join(group)} are alike and need the same weight")
        return flow(self, self._ordered(), weights, stop)

    # -- for the search alone

    def _add(self, source: int, move: int) -> None:
        sources, moves = self._first
        sources.append(source)
        moves.append(move)

    def _expanded(self, targets: list[int], moves: list[int]) -> None:
        self._targets.extend(targets)
        self._moves.extend(moves)
        self._begin.append(len(self._targets))

    def _number_of(self, move: Move) -> int:
        found = self._move_numbers.get(move)
        if found is None:
            found = self._move_numbers[move] = len(self._move_names)
            self._move_names.append(move)
        return found

    def _look_at(self, state: State, number: int) -> None:
        for each in self._properties:
            if each not in self._decided and bool(each.test(state)) is not each.always:
                self._decided[each] = number
