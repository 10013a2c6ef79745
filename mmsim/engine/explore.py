"""Every order in which the actors can move, breadth first, each state once.

Interface: explore, search, always, sometimes, Exploration, Finding, Outcome, Property, Verdict,
Contradiction

While a search runs, only the states that wait for their turn are kept (`engine.found`).  It can be
bounded (`preemptions_max`), and it can take actors that are alike for one another (`alike`); both
only choose what counts as the same state and which moves are tried."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mmsim.engine.claims import Finding, Property, Verdict, always, sometimes
from mmsim.engine.found import Exploration, Outcome
from mmsim.engine.op import ModelError
from mmsim.engine.samestate import AlikeKeys, Keys, SearchError
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import render

__all__ = [
    "STATES_MAX",
    "Contradiction",
    "Exploration",
    "Finding",
    "Outcome",
    "Property",
    "SearchError",
    "Verdict",
    "always",
    "explore",
    "search",
    "sometimes",
]

STATES_MAX = 80_000
EVERY = 500

Progress = Callable[[Exploration], bool | None]


class Memory(NamedTuple):
    """What a bounded search remembers beside the state: who moved last, how many interruptions."""

    last: str
    preemptions: int


NOBODY = Memory("", 0)


class Contradiction(ModelError):
    """A step that the model can't take, which is a bug in it: `what` it says, and a shortest
    `schedule` that leads there."""

    def __init__(self, what: str, schedule: Sequence[Move]):
        super().__init__(f"{what}; schedule: {render(schedule)}")
        self.what = what
        self.schedule = tuple(schedule)


class _Search:
    """The work of one search: states that wait for their turn, and the numbers of all."""

    def __init__(
        self, found: Exploration, keys: Keys, states_max: int, preemptions_max: int | None
    ):
        self.found = found
        self.keys = keys
        self.states_max = states_max
        self.preemptions_max = preemptions_max
        self.numbers: dict[int, int] = {}
        self.waiting: deque[tuple[State, Memory]] = deque()
        bounded = preemptions_max is not None
        self.take(found.scenario.initial(), Memory("", 0) if bounded else NOBODY, -1, 0)

    def take(self, state: State, memory: Memory, source: int, move: int) -> int:
        """The number of this state; a new one has to wait for its turn."""
        numbers = self.numbers
        key = self.keys.key(state)
        if memory is not NOBODY:
            key = self._with_memory(key, memory)
        number = numbers.get(key)
        if number is None and self.found.alike:
            number = self._alike(state, memory)
        if number is None:
            number = numbers[key] = len(numbers)
            self.found._add(source, move)
            if self.found._properties:
                self.found._look_at(state, number)
            self.waiting.append((state, memory))
        return number

    def _alike(self, state: State, memory: Memory) -> int | None:
        """The number of a state that a renaming makes out of this one, if it is known."""
        for key, names in self.keys.others(state):
            if memory is not NOBODY:
                last = names.get(memory.last, memory.last)
                key = self._with_memory(key, Memory(last, memory.preemptions))
            if key in self.numbers:
                return self.numbers[key]
        return None

    def _with_memory(self, key: int, memory: Memory) -> int:
        assert self.preemptions_max is not None
        index = self.found.scenario.index
        last = index[memory.last] + 1 if memory.last else 0
        return (key * (len(index) + 1) + last) * (self.preemptions_max + 1) + memory.preemptions

    def expand(self) -> None:
        """Make every move of the state whose turn it is; with too many states it stays its turn."""
        found, scenario = self.found, self.found.scenario
        here = found.expanded
        state, memory = self.waiting[0]
        moves = scenario.moves(state)
        if not moves:
            (found.ends if scenario.finished(state) else found.deadlocks).append(here)
        bounded = self.preemptions_max is not None
        if bounded:
            moves = self._allowed(moves, memory)
        targets, names = [], []
        for move in moves:
            try:
                after, _, _ = scenario.advance(state, move)
            except ModelError as error:
                raise Contradiction(str(error), [*found.schedule_to(here), move]) from error
            name = found._number_of(move)
            memory_after = self._after(moves, move, memory) if bounded else NOBODY
            targets.append(self.take(after, memory_after, here, name))
            names.append(name)
            if found.states > self.states_max:
                return
        found._expanded(targets, names)
        self.waiting.popleft()

    def _allowed(self, moves: list[Move], memory: Memory) -> list[Move]:
        """Without a preemption left, whoever moved last goes on as long as it can."""
        going_on = [move for move in moves if move.actor == memory.last]
        return going_on if going_on and memory.preemptions == self.preemptions_max else moves

    def _after(self, moves: list[Move], move: Move, memory: Memory) -> Memory:
        could = any(other.actor == memory.last for other in moves)
        return Memory(move.actor, memory.preemptions + (could and move.actor != memory.last))


def search(
    scenario: Scenario,
    *,
    states_max: int = STATES_MAX,
    properties: Sequence[Property] = (),
    preemptions_max: int | None = None,
    alike: Sequence[Sequence[str]] = (),
    every: int = EVERY,
) -> Iterator[Exploration]:
    """`explore` bit by bit: yields the growing result after every so many states, and at the end.

    Whoever stops asking has stopped the search; the result so far stays good to ask."""
    found = Exploration(scenario, properties, alike)
    keys = AlikeKeys(scenario, alike) if alike else Keys(scenario)
    work = _Search(found, keys, states_max, preemptions_max)
    next_stop = every
    while work.waiting and found.states <= states_max:
        if found.expanded >= next_stop:
            next_stop += every
            found.stopped = "interrupted"
            yield found
        work.expand()
    found.complete = not work.waiting
    found.stopped = "" if found.complete else f"more than {states_max} states"
    yield found


def explore(
    scenario: Scenario,
    *,
    states_max: int = STATES_MAX,
    properties: Sequence[Property] = (),
    preemptions_max: int | None = None,
    alike: Sequence[Sequence[str]] = (),
    progress: Progress | None = None,
    every: int = EVERY,
) -> Exploration:
    """Search breadth first from the initial state.

    The search ends early, with `complete=False`, once there are more than `states_max` states, or
    if `progress`, which is called with the result so far after every `every` states, returns False.
    `preemptions_max`: schedules in which an actor that could go on is interrupted at most so often;
    a state then includes who moved last and how often that happened.  `alike`: groups of names of
    actors that run the same code; the world needs a method `renamed(names)`."""
    for found in search(
        scenario,
        states_max=states_max,
        properties=properties,
        preemptions_max=preemptions_max,
        alike=alike,
        every=every,
    ):
        if progress is not None and progress(found) is False:
            break
    return found
