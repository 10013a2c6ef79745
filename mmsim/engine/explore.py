"""Every order in which the actors can move, breadth first, each state once.

Of a state that had its turn there are a number, its moves, and the move by which it was first
reached: a few bytes.  Whole states are kept only while they wait for their turn.  Whoever wants to
look at the states walks along these moves once more (`Exploration.walk`); that costs one step for
each state.

A search can be bounded (`preemptions_max`): that only chooses which moves are tried, and a state
then includes what it needs to know for that."""

from __future__ import annotations

import enum
from array import array
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from mmsim.engine.odds import (
    EVEN,
    Weights,
    check_weights,
    components,
    schedules_to,
    spread_odds,
)
from mmsim.engine.op import ModelError
from mmsim.engine.pool import Pool
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import render

STATES_MAX = 80_000
EVERY = 500
BITS = 32
DEADLOCK, FOR_EVER = "deadlock", "goes on for ever"

Test = Callable[[State], bool]


# -- what can be claimed, and what a search says of it


class Verdict(enum.Enum):
    """What a search can honestly say."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_FINISHED = "search not finished"


class Property(NamedTuple):
    """A claim with a name: `test` is true in every state (`always`), or in at least one."""

    name: str
    test: Test
    always: bool = True


def always(name: str, test: Test) -> Property:
    """The claim that `test` is true in every state."""
    return Property(name, test)


def sometimes(name: str, test: Test) -> Property:
    """The claim that `test` is true in some state: without one, an `always` proves little."""
    return Property(name, test, always=False)


class Finding(NamedTuple):
    """What a search says of a property.

    `schedule` is a shortest one to a state that decides it: a counterexample of an `always`, an
    example of a `sometimes`; None if there is none."""

    name: str
    verdict: Verdict
    schedule: tuple[Move, ...] | None


class Outcome(NamedTuple):
    """Ends that go by one name.

    `schedules`: how many lead there, None if there is no limit.  `odds`: how likely it is to get
    there.  `shortest`: a shortest schedule that does, None for what never ends."""

    name: str
    states: int
    schedules: int | None
    odds: Fraction
    shortest: tuple[Move, ...] | None


class Contradiction(ModelError):
    """A step that the model can't take, which is a bug in it: `what` it says, and a shortest
    `schedule` that leads there."""

    def __init__(self, what: str, schedule: Sequence[Move]):
        super().__init__(f"{what}; schedule: {render(schedule)}")
        self.what = what
        self.schedule = tuple(schedule)


# -- the result: a graph of states, and questions about it


class Exploration:
    """The graph, as far as it was searched.

    States are numbered in the order in which they were found, 0 is the initial one.  `ends` are the
    states in which every actor has returned, `deadlocks` those in which nobody can move although
    somebody has not.  `complete` is False as long as states wait for their turn; `stopped` says why
    in that case.  Whatever is asked then is about the part that was searched."""

    def __init__(self, scenario: Scenario, properties: Sequence[Property] = ()):
        self.scenario = scenario
        self.ends: list[int] = []
        self.deadlocks: list[int] = []
        self.complete = False
        self.stopped = ""
        self._properties = tuple(properties)
        self._decided: dict[Property, int] = {}
        self._first = (array("l"), array("H"))  # of each state: source, move
        self._begin = array("l", [0])  # of each expanded state: where its edges begin
        self._targets = array("l")
        self._moves = array("H")
        self._move_numbers: dict[Move, int] = {}
        self._move_names: list[Move] = []
        self._order: tuple[int, list[list[int]]] | None = None

    # -- for the search: the graph grows

    def add(self, state: State, source: int, move: int) -> None:
        """One more state, reached from the state `source` by the move with this number."""
        sources, moves = self._first
        number = len(sources)
        sources.append(source)
        moves.append(move)
        for each in self._properties:
            if each not in self._decided and bool(each.test(state)) is not each.always:
                self._decided[each] = number

    def expand(self, targets: list[int], moves: list[int]) -> None:
        """The next state had its turn: these moves lead to these states."""
        self._targets.extend(targets)
        self._moves.extend(moves)
        self._begin.append(len(self._targets))

    def number_of(self, move: Move) -> int:
        """The number under which a move is kept."""
        found = self._move_numbers.get(move)
        if found is None:
            found = self._move_numbers[move] = len(self._move_names)
            self._move_names.append(move)
        return found

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

    def walk(self, to: Collection[int] | None = None) -> Iterator[tuple[int, State]]:
        """Every state with its number, in the order of the numbers; each is made again by one step
        from an earlier one.  With `to`, only these and what lies on the way to them."""
        sources, first = self._first
        take, names = self.scenario.take, self._move_names
        wanted = None if to is None else self._on_the_way(to)
        state = self.scenario.initial()
        kept = deque([(0, state)])
        yield 0, state
        for number in range(1, self.states):
            if wanted is not None and not wanted[number]:
                continue
            while kept[0][0] < sources[number]:
                kept.popleft()
            state, _ = take(kept[0][1], names[first[number]])
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

    # -- questions

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
        to = schedules_to(self, self._ordered())
        if None in to:
            return None
        return sum(to[number] or 0 for number in (*self.ends, *self.deadlocks))

    def outcomes(self, name: Callable[[State], str], weights: Weights = EVEN) -> list[Outcome]:
        """Every way to end, by name; the one with the shortest schedule first.

        `name` is asked about ends; a deadlock is called "deadlock", and if there is a part of the
        graph that can't be left and has no end, that counts as an outcome too.  In a search that
        was stopped, schedules and odds are those that are known so far.  Raises SearchError for
        weights that can't be used."""
        check_weights(weights, self.scenario)
        named = self._named(name)
        to = schedules_to(self, self._ordered())
        running = spread_odds(self, self._ordered(), weights)
        found = []
        for word, numbers in named.items():
            counts = [to[number] for number in numbers]
            schedules = None if None in counts else sum(count or 0 for count in counts)
            shortest = tuple(self.schedule_to(numbers[0]))
            odds = sum((running.reach[number] for number in numbers), Fraction(0))
            found.append(Outcome(word, len(numbers), schedules, odds, shortest))
        if running.for_ever:
            found.append(Outcome(FOR_EVER, 0, None, running.for_ever, None))
        return found

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


# -- the search


def search(
    scenario: Scenario,
    *,
    states_max: int = STATES_MAX,
    properties: Sequence[Property] = (),
    preemptions_max: int | None = None,
    every: int = EVERY,
) -> Iterator[Exploration]:
    """`explore` bit by bit: yields the growing result after every so many states, and at the end.

    Whoever stops asking has stopped the search; the result so far stays good to ask."""
    found = Exploration(scenario, properties)
    work = _Search(found, states_max, preemptions_max)
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
) -> Exploration:
    """Search breadth first from the initial state.

    The search ends early, with `complete=False`, once there are more than `states_max` states.
    `preemptions_max`: schedules in which an actor that could go on is interrupted at most so often;
    a state then includes who moved last and how often that happened."""
    (found,) = search(
        scenario,
        states_max=states_max,
        properties=properties,
        preemptions_max=preemptions_max,
        every=states_max + 1,
    )
    return found


class History(NamedTuple):
    """What a bounded search knows beside the state: who moved last, how many preemptions."""

    last: str
    preemptions: int


class _Search:
    """The work of one search: states that wait for their turn, and the numbers of all."""

    def __init__(self, found: Exploration, states_max: int, preemptions_max: int | None):
        self.found = found
        self.states_max = states_max
        self.preemptions_max = preemptions_max
        self.pool = Pool()
        self.worlds: dict[Hashable, int] = {}
        self.numbers: dict[int, int] = {}
        self.waiting: deque[tuple[State, History | None]] = deque()
        history = None if preemptions_max is None else History("", 0)
        self.enqueue(found.scenario.initial(), history, -1, 0)

    def enqueue(self, state: State, history: History | None, source: int, move: int) -> int:
        """The number of this state; a new one has to wait for its turn."""
        numbers = self.numbers
        key = self.key(state, history)
        number = numbers.get(key)
        if number is None:
            number = numbers[key] = len(numbers)
            self.found.add(state, source, move)
            self.waiting.append((state, history))
        return number

    def key(self, state: State, history: History | None) -> int:
        """The number of the world, that of the place of each actor, and the history, side by side:
        equal for states that count as the same."""
        worlds = self.worlds
        key = worlds.setdefault(state.world.key(self.pool), len(worlds))
        for local in state.locals:
            key = key << BITS | local.number
        if history is not None:
            last = self.found.scenario.index[history.last] + 1 if history.last else 0
            key = (key << BITS | last) << BITS | history.preemptions
        return key

    def expand(self) -> None:
        """Make every move of the state whose turn it is; with too many states it stays its turn."""
        found, scenario = self.found, self.found.scenario
        here = found.expanded
        state, history = self.waiting[0]
        moves = scenario.moves(state)
        if not moves:
            (found.ends if scenario.finished(state) else found.deadlocks).append(here)
        if history is not None:
            moves = self._allowed(moves, history)
        targets, names = [], []
        for move in moves:
            try:
                after, _ = scenario.take(state, move)
            except ModelError as error:
                raise Contradiction(str(error), [*found.schedule_to(here), move]) from error
            name = found.number_of(move)
            history_after = None if history is None else self._after(moves, move, history)
            targets.append(self.enqueue(after, history_after, here, name))
            names.append(name)
            if found.states > self.states_max:
                return
        found.expand(targets, names)
        self.waiting.popleft()

    def _allowed(self, moves: list[Move], history: History) -> list[Move]:
        """Without a preemption left, whoever moved last goes on as long as it can."""
        going_on = [move for move in moves if move.actor == history.last]
        return going_on if going_on and history.preemptions == self.preemptions_max else moves

    def _after(self, moves: list[Move], move: Move, history: History) -> History:
        could = any(other.actor == history.last for other in moves)
        return History(move.actor, history.preemptions + (could and move.actor != history.last))
