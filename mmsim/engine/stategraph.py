"""The graph that a search makes: numbered states and the moves between them, in a few bytes each.

Interface: StateGraph, States

A state is a world and the place where each actor stands.  Of a state that had its turn there are a
number, its moves, and the move by which it was first reached.  Whoever wants to look at the states
walks along these moves once more (`StateGraph.walk`); that costs one step for each state."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import overload

from mmsim.engine.samestate import SearchError
from mmsim.engine.scenario import Move, Scenario, State


class States(Sequence[State]):
    """The states of a search by number.  Each is made again when it is asked for."""

    def __init__(self, graph: StateGraph):
        self._graph = graph

    def __len__(self) -> int:
        return self._graph.states

    @overload
    def __getitem__(self, number: int) -> State: ...
    @overload
    def __getitem__(self, number: slice) -> list[State]: ...
    def __getitem__(self, number: int | slice) -> State | list[State]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"no state {number}; there are {len(self)}")
        scenario = self._graph.scenario
        state = scenario.initial()
        for move in self._graph.schedule_to(number % len(self)):
            state, _, _ = scenario.advance(state, move, keep=False)
        return state

    def __iter__(self) -> Iterator[State]:
        return (state for _, state in self._graph.walk())


class StateGraph:
    """States are numbered in the order in which they were found, 0 is the initial one."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.found = States(self)
        self._first = (array("l"), array("H"))  # of each state: source, move
        self._begin = array("l", [0])  # of each expanded state: where its edges begin
        self._targets = array("l")
        self._moves = array("H")
        self._move_numbers: dict[Move, int] = {}
        self._move_names: list[Move] = []

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

    def number_after(self, schedule: Sequence[Move]) -> int:
        """The number of the state that a schedule leads to; raises SearchError if it has none."""
        number = 0
        for step, move in enumerate(schedule, start=1):
            to = dict(self.edges_of(number)).get(move)
            if to is None:
                raise SearchError(f"move {step}, {move}, was not made in this search")
            number = to
        return number

    def walk(self, to: Collection[int] | None = None) -> Iterator[tuple[int, State]]:
        """Every state with its number, in the order of the numbers; each is made again by one step
        from an earlier one.  With `to`, only these and what lies on the way to them."""
        sources, first = self._first
        advance, names = self.scenario.advance, self._move_names
        wanted = None if to is None else self._on_the_way(to)
        state = self.scenario.initial()
        kept = deque([(0, state)])
        yield 0, state
        for number in range(1, self.states):
            if wanted is not None and not wanted[number]:
                continue
            while kept[0][0] < sources[number]:
                kept.popleft()
            state, _, _ = advance(kept[0][1], names[first[number]])
            kept.append((number, state))
            yield number, state

    def _on_the_way(self, to: Collection[int]) -> bytearray:
        """Marks on states: those of `to`, and by which they were first reached."""
        marks = bytearray(self.states)
        for number in to:
            while number >= 0 and not marks[number]:
                marks[number] = 1
                number = self._first[0][number]
        return marks

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
