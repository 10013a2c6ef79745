"""A recorded run: every event, and every state when somebody asks for it.

Every state of a short run is kept, of a longer one every second, fourth and so on, so that there
are never more than KEPT_MAX; the ones between are made again by `Scenario.take` from the nearest
kept one.  A run that splits a huge page has thousands of steps over hundreds of folios, and a
reader of a trace looks at a few dozen of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from mmsim.engine.actor import Local
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import Event, Move, Scenario, Scheduler, State
from mmsim.errors import nearest

KEPT_MAX = 64
STEPS_MAX = 1_000_000


class Trace:
    """One run of a scenario.  `len(trace)` counts its steps; position 0 is before the first."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.moves: list[Move] = []
        self.events: list[Event] = []
        self._stride = 1
        self._last = scenario.initial()
        self._kept: dict[int, State] = {0: self._last}
        self._recent: tuple[int, State] = (0, self._last)

    def __len__(self) -> int:
        return len(self.events)

    def append(self, move: Move) -> Event:
        """Take one more step at the end of the run."""
        plain = self.scenario.plain(self._last, move)
        # Nobody may have a state that is not kept, so its world is changed in place.
        kept = len(self) in self._kept
        self._last, event = self.scenario.step(self._last, move, keep=kept)
        self.moves.append(plain)
        self.events.append(event)
        if len(self) % self._stride == 0:
            self._keep(len(self))
        return event

    def _keep(self, position: int) -> None:
        self._kept[position] = self._last
        if len(self._kept) > KEPT_MAX:
            self._stride *= 2
            for position in [p for p in self._kept if p % self._stride and p != len(self)]:
                del self._kept[position]

    def state(self, position: int) -> State:
        """The state after `position` steps; raises IndexError outside 0..len(trace)."""
        if not 0 <= position <= len(self):
            raise IndexError(f"position {position} is outside 0..{len(self)}")
        if position == len(self) and position not in self._kept:
            self._keep(position)
        if position in self._kept:
            return self._kept[position]
        start = position - position % self._stride
        state = self._kept[start]
        if start <= self._recent[0] <= position:
            start, state = self._recent
        for i in range(start, position):
            # The first step leaves its state, which others may have, as it is.
            state, _ = self.scenario.take(state, self.moves[i], keep=i == start)
        self._recent = (position, state)
        return state

    def find(self, step: str, number: int = 1) -> int:
        """The position right after the `number`-th step of this name; ValueError without one."""
        found = 0
        for position, event in enumerate(self.events, start=1):
            if event.op.kind.name == step:
                found += 1
                if found == number:
                    return position
        if found:
            raise ValueError(f"{step!r} comes {found} times in this run, not {number}")
        names = dict.fromkeys(event.op.kind.name for event in self.events)
        raise ValueError(f"no step {step!r} in this run{nearest(step, names)}")

    def at(self, where: int | str = -1, number: int = 1, *, since: int | None = None) -> Moment:
        """One moment: after so many steps (negative: from the end), or after the `number`-th step
        of this name.  `since`: what happened from there on counts as one step."""
        position = self.find(where, number) if isinstance(where, str) else where
        position += len(self) + 1 if position < 0 else 0
        after = self.state(position)
        since = max(position - 1, 0) if since is None else since
        event = self.events[position - 1] if position else None
        return Moment(self, position, event, self.state(0), self.state(since), after)

    @property
    def last(self) -> State:
        """The state at the end; it stays what it is when the run goes on."""
        return self.state(len(self))

    @property
    def results(self) -> dict[str, Any]:
        """What each actor that finished returned."""
        return self.scenario.results(self._last)


class Moment(NamedTuple):
    """One place in a run, with all that a reader may ask about it; `Trace.at` makes it.

    `event`: the step that led here, None before the first one.  `before`: the state in front of
    it.  `start`: the state before anybody moved."""

    run: Trace
    position: int
    event: Event | None
    start: State
    before: State
    after: State

    @property
    def scenario(self) -> Scenario:
        """What is run."""
        return self.run.scenario

    @property
    def world(self) -> Any:
        """The world as it is now."""
        return self.after.world

    @property
    def events(self) -> list[Event]:
        """The steps so far."""
        return self.run.events[: self.position]

    def local(self, actor: str) -> Local:
        """Where an actor stands now."""
        return self.scenario.local(self.after, actor)


def record(scenario: Scenario, scheduler: Scheduler, *, steps_max: int = STEPS_MAX) -> Trace:
    """Run until the scheduler stops it by raising StopIteration; keep every step.

    The next step may change the world that the scheduler was given, so a scheduler keeps none."""
    trace = Trace(scenario)
    while True:
        try:
            move = scheduler(scenario, trace._last)
        except StopIteration:
            return trace
        if len(trace) == steps_max:
            raise ModelError(f"{scenario.name}: not finished after {steps_max} steps")
        trace.append(move)
