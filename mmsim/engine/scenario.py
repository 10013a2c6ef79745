"""The only transition function: `Scenario.take(state, move) -> (state, event)`.

Stepping by hand, replaying a schedule, the exhaustive search and vectors that run a path all come
to it, by `Scenario.step` where the move has to be checked first.  A `State` is a
value: the world and the place where each actor is suspended.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol, Self

from mmsim.engine.actor import Actor, Frame, Local, Program
from mmsim.engine.op import ModelError, Op


class World(Protocol):
    """What the engine asks of a world: a cheap copy, and a key that equal worlds share.

    With a pool the key may be small: equal as far as this pool goes."""

    def branch(self) -> Self: ...
    def key(self, pool: Pool | None = None) -> Hashable: ...


class Pool:
    """Equal values become one object with one number: what keeps a search small and quick.

    A search meets the same folio, the same list of counters in thousands of states.  The first of
    several equal values stays; a later one is recognized by its hash once, and from then on by its
    identity, which is several times quicker for a value with many fields.  Values are immutable.
    `values[n]` is the value with number `n`."""

    __slots__ = ("_at", "_numbers", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}
        self._at: dict[int, int] = {}  # id of a pooled value, which is alive as long as the pool

    def number(self, value: Hashable) -> int:
        """The number of this value, 0, 1, 2 ... in the order in which they were first seen."""
        found = self._at.get(id(value))
        if found is None:
            found = self._numbers.get(value)
            if found is None:
                found = self._numbers[value] = self._at[id(value)] = len(self.values)
                self.values.append(value)
        return found

    def table(self, table: dict[int, Any]) -> bytes:
        """A key of a whole table from small numbers (below 2**32) to values, 8 bytes an entry.

        Equal values are replaced by the pooled object, in the table itself, so that the next look
        at them is quick."""
        at, values = self._at, self.values
        entries = []
        for key, value in table.items():
            number = at.get(id(value))
            if number is None:
                number = self.number(value)
                table[key] = values[number]
            entries.append(key << 32 | number)
        entries.sort()
        return array("Q", entries).tobytes()


class Move(NamedTuple):
    """One decision of a scheduler: who takes the next step, and how the environment answers.

    No choice stands for the only one there is."""

    actor: str
    choice: str = ""

    def __str__(self) -> str:
        return f"{self.actor}:{self.choice}" if self.choice else self.actor


class State(NamedTuple):
    """A world and one Local per actor, in the order of `Scenario.actors`."""

    world: Any
    locals: tuple[Local, ...]


class Event(NamedTuple):
    """What one step did: one row of a trace."""

    actor: str
    op: Op
    choice: str
    answer: Hashable
    local: Local
    """Where the actor stood when it took the step."""

    @property
    def site(self) -> str:
        """Where in the algorithm the step was taken, if its path says so."""
        return self.op.site

    @property
    def notes(self) -> Mapping[str, Any]:
        """What the path noted about itself at this step."""
        return self.op.notes

    @property
    def where(self) -> tuple[Frame, ...]:
        """The stack trace at the step, outermost function first."""
        return self.local.frames()


Scheduler = Callable[["Scenario", State], Move]


class Scenario:
    """A world, the actors that share it, and the rules by which they move.

    `merge` chooses how Locals are compared (see `engine.actor`): merged for the search, exact for
    everything else, where comparing them would only cost time.  `once`: a single run to the end,
    in which nobody asks for an earlier state or for a stack trace.  `as_one`: steps, by site and
    name, that nobody can come before: they follow the one before them as if both were one.
    """

    as_one: frozenset[tuple[str, str]] = frozenset()

    def __init__(
        self,
        name: str,
        world: World,
        actors: tuple[Actor, ...],
        *,
        merge: bool = False,
        once: bool = False,
    ) -> None:
        names = [actor.name for actor in actors]
        if len(set(names)) != len(names):
            raise ModelError(f"two actors share a name in {names}")
        self.name = name
        self.actors = actors
        self.index = {actor.name: i for i, actor in enumerate(actors)}
        self._world = world
        self._plain = tuple(Move(actor.name) for actor in actors)
        self._programs = tuple(Program(actor, merge=merge, once=once) for actor in actors)

    def initial(self) -> State:
        """The state before anybody moved."""
        return State(self._world.branch(), tuple(program.root for program in self._programs))

    def local(self, state: State, actor: str) -> Local:
        """Where this actor stands."""
        try:
            return state.locals[self.index[actor]]
        except KeyError:
            raise ModelError(f"there is no actor {actor!r}") from None

    def blocked(self, state: State, actor: str) -> str | None:
        """Why this actor can't take its next step now; None if it can."""
        local = self.local(state, actor)
        if local.op is None:
            return "finished"
        alone = self._alone(state) if self.as_one else None
        if alone not in (None, actor):
            return f"{alone} is in the middle of what counts as one step"
        return self._waits(state, actor, local.op)

    @staticmethod
    def _waits(state: State, actor: str, op: Op) -> str | None:
        return op.kind.guard(state.world, actor, *op.args) if op.kind.guard else None

    def _alone(self, state: State) -> str | None:
        """Who can't be interrupted now: the first actor in front of a step of `as_one`."""
        for actor, local in zip(self.actors, state.locals, strict=True):
            if local.op is None or self._waits(state, actor.name, local.op) is not None:
                continue
            if (local.op.site, local.op.kind.name) in self.as_one:
                return actor.name
        return None

    def choices(self, state: State, actor: str) -> tuple[str, ...]:
        """What the environment may answer to this actor's next step; `("",)` if it has no say."""
        op = self.local(state, actor).op
        if op is None or op.kind.choices is None:
            return ("",)
        return op.kind.choices(state.world, actor, *op.args)

    def moves(self, state: State) -> list[Move]:
        """Every move that can be made now, in the order of the actors.

        A choice is named where the environment has a say, and only there."""
        world = state.world
        found: list[Move] = []
        alone = self._alone(state) if self.as_one else None
        for plain, local in zip(self._plain, state.locals, strict=True):
            op = local.op
            if op is None:
                continue
            kind, args = op.kind, op.args
            name = plain.actor
            if kind.guard is not None and kind.guard(world, name, *args) is not None:
                continue
            if alone not in (None, name):
                continue
            allowed = kind.choices(world, name, *args) if kind.choices is not None else ()
            if len(allowed) > 1:
                found += [Move(name, choice) for choice in allowed]
            else:
                found.append(plain)
        return found

    def step(self, state: State, move: Move, *, keep: bool = True) -> tuple[State, Event]:
        """Make one move; raises ModelError if it is not possible here.

        The only possible choice may be named or left out.  `keep=False` gives up the old state:
        its world is changed in place."""
        name, choice = move
        if (why := self.blocked(state, name)) is not None:
            raise ModelError(f"{name!r} can't move: {why}")
        allowed = self.choices(state, name)
        if choice not in allowed and (choice or len(allowed) > 1):
            how = f"with choice {choice!r}" if choice else "without a choice"
            there = f"its choices are {', '.join(allowed)}" if any(allowed) else "it has no choice"
            raise ModelError(f"{name!r} can't move {how}; {there}")
        return self.take(state, move, keep=keep)

    def take(self, state: State, move: Move, *, keep: bool = True) -> tuple[State, Event]:
        """Like `step`, for one of `moves(state)`: nothing is checked again."""
        name, choice = move
        i = self.index[name]
        local = state.locals[i]
        op = local.op
        assert op is not None
        kind, args = op.kind, op.args
        world = state.world.branch() if keep else state.world
        if kind.choices is None:
            answer = kind.run(world, name, *args)
        else:
            choice = choice or kind.choices(world, name, *args)[0]
            answer = kind.run(world, name, choice, *args)
        after = local.after(answer)
        locals_ = (*state.locals[:i], after, *state.locals[i + 1 :])
        return State(world, locals_), Event(name, op, choice, answer, local)

    def plain(self, state: State, move: Move) -> Move:
        """The move without its choice if there is only one: how schedules are written."""
        return Move(move.actor) if len(self.choices(state, move.actor)) == 1 else move

    def finished(self, state: State) -> bool:
        """True once every actor has returned."""
        return all(local.finished for local in state.locals)

    def results(self, state: State) -> dict[str, Any]:
        """What each finished actor returned."""
        return {
            a.name: loc.result
            for a, loc in zip(self.actors, state.locals, strict=True)
            if loc.finished
        }
