"""States, the moves that can be made in one, and the only transition: `Scenario.take`.

Stepping by hand, replaying a schedule and the exhaustive search all go from one state to another by
`take`.  `Scenario.step` is `take` for a move that has to be checked first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol, Self

from mmsim.engine.actor import Actor, Frame, Local, Program
from mmsim.engine.op import ModelError, Op
from mmsim.engine.pool import Pool


class World(Protocol):
    """What the engine asks of a world: a cheap copy, and a key that equal worlds share.

    With a pool the key may be small: equal as far as this pool goes."""

    def branch(self) -> Self: ...
    def key(self, pool: Pool | None = None) -> Hashable: ...


class Move(NamedTuple):
    """One decision of a scheduler: who takes the next step, and how the environment answers.

    No choice stands for the only one there is."""

    actor: str
    choice: str = ""

    def __str__(self) -> str:
        return f"{self.actor}:{self.choice}" if self.choice else self.actor


class State(NamedTuple):
    """A value: a world, and where each actor is suspended, in the order of `Scenario.actors`."""

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
        self._moves_without_choice = tuple(Move(actor.name) for actor in actors)
        self._programs = tuple(Program(actor, merge=merge, once=once) for actor in actors)

    def initial(self) -> State:
        """The state before anybody moved."""
        return State(self._world.branch(), tuple(program.root for program in self._programs))

    def moves(self, state: State) -> list[Move]:
        """Every move that can be made now, in the order of the actors.

        A choice is named where the environment has a say, and only there."""
        world = state.world
        found: list[Move] = []
        alone = self._alone(state)
        for move, local in zip(self._moves_without_choice, state.locals, strict=True):
            op, name = local.op, move.actor
            if op is None or alone not in (None, name) or op.blocked(world, name) is not None:
                continue
            allowed = op.choices(world, name)
            if len(allowed) > 1:
                found += [Move(name, choice) for choice in allowed]
            else:
                found.append(move)
        return found

    def take(self, state: State, move: Move, *, keep: bool = True) -> tuple[State, Event]:
        """The transition: makes one of `moves(state)`, and checks nothing again.

        `keep=False` gives up the old state: its world is changed in place."""
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

    def step(self, state: State, move: Move, *, keep: bool = True) -> tuple[State, Event]:
        """`take` for any move; raises ModelError if it is not possible here."""
        name, choice = move
        if (why := self.blocked(state, name)) is not None:
            raise ModelError(f"{name!r} can't move: {why}")
        if (allowed := self.wrong_choice(state, move)) is not None:
            how = f"with choice {choice!r}" if choice else "without a choice"
            there = f"its choices are {', '.join(allowed)}" if any(allowed) else "it has no choice"
            raise ModelError(f"{name!r} can't move {how}; {there}")
        return self.take(state, move, keep=keep)

    # -- what can be asked of a state

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
        alone = self._alone(state)
        if alone not in (None, actor):
            return f"{alone} is in the middle of what counts as one step"
        return local.op.blocked(state.world, actor)

    def _alone(self, state: State) -> str | None:
        """Who can't be interrupted now: the first actor in front of a step of `as_one`."""
        if not self.as_one:
            return None
        for actor, local in zip(self.actors, state.locals, strict=True):
            op = local.op
            if op is None or (op.site, op.kind.name) not in self.as_one:
                continue
            if op.blocked(state.world, actor.name) is None:
                return actor.name
        return None

    def choices(self, state: State, actor: str) -> tuple[str, ...]:
        """What the environment may answer to this actor's next step; `("",)` if it has no say."""
        op = self.local(state, actor).op
        return (op.choices(state.world, actor) if op is not None else ()) or ("",)

    def wrong_choice(self, state: State, move: Move) -> tuple[str, ...] | None:
        """The possible choices, if the move names none of them; None if its choice is right.

        The only possible choice may be named or left out."""
        allowed = self.choices(state, move.actor)
        left_out = not move.choice and len(allowed) == 1
        return None if left_out or move.choice in allowed else allowed

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
