"""One atomic step: what a kernel path yields, and the only code that may change the world.

A kernel path calls `folio_trylock(pfn)` and yields what that returns: an `Op`, a description of the
step.  Nothing has happened yet.  The engine runs the function behind it at the moment a scheduler
chooses, and sends the answer back into the generator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Hashable, Mapping
from types import MappingProxyType
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, overload

P = ParamSpec("P")

Guard = Callable[..., str | None]
Choices = Callable[..., tuple[str, ...]]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class ModelError(Exception):
    """The model contradicts itself: a bug in mmsim, never something a kernel could do."""


class Notes(dict[str, Any]):
    """What a path notes about itself for the readers of a run, kept in one of its variables.

    A path never reads it, so the search does not compare it."""


class Atomic(NamedTuple):
    """The function behind an op: how to run it, when it must wait, what the world may answer."""

    name: str
    run: Callable[..., Hashable]
    guard: Guard | None = None
    choices: Choices | None = None


class Op(NamedTuple):
    """One atomic step that is about to happen: which, and on what.

    `site` says where in the algorithm it is taken, `notes` what the path notes about itself there.
    Both are for readers of a run: the step does the same without them, and the search, which
    compares the variables of the path anyway, does not look at them."""

    kind: Atomic
    args: tuple[Any, ...]
    site: str = ""
    notes: Mapping[str, Any] = NOTHING

    def blocked(self, world: Any, me: str) -> str | None:
        """Why this step can't be taken now; None if it can."""
        guard = self.kind.guard
        return None if guard is None else guard(world, me, *self.args)

    def choices(self, world: Any, me: str) -> tuple[str, ...]:
        """What the environment may answer; empty if it has no say."""
        choices = self.kind.choices
        return () if choices is None else choices(world, me, *self.args)

    def __hash__(self) -> int:
        return hash((self.kind, self.args))

    def __str__(self) -> str:
        return f"{self.kind.name}({', '.join(map(str, self.args))})"


class Maker(Protocol[P]):
    """What a path calls to make an op; `site=` and the notes are given by keyword."""

    atomic: Atomic
    __name__: str

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Op: ...
    @overload
    def __call__(self, *args: Any, site: str, **notes: Any) -> Op: ...


def _maker(kind: Atomic) -> Any:
    parameters = frozenset(inspect.signature(kind.run).parameters)

    def make(*args: Any, site: str = "", **notes: Any) -> Op:
        if not notes:
            return Op(kind, args, site)
        if not parameters.isdisjoint(notes):
            raise TypeError(f"{kind.name}() takes its arguments by position, not by name")
        return Op(kind, args, site, MappingProxyType(notes))

    functools.update_wrapper(make, kind.run)
    make.atomic = kind  # type: ignore[attr-defined]
    return make


def atomic(run: Callable[Concatenate[Any, str, P], Hashable]) -> Maker[P]:
    """Mark `run(world, me, *args) -> answer` as one indivisible step; `me` names the actor."""
    return _maker(Atomic(run.__name__, run))  # type: ignore[no-any-return]


def blocking(
    guard: Guard,
) -> Callable[[Callable[Concatenate[Any, str, P], Hashable]], Maker[P]]:
    """Like `atomic`, but the step can't be taken while `guard(world, me, *args)` gives a reason."""
    return lambda run: _maker(Atomic(run.__name__, run, guard=guard))


def choice(
    choices: Choices,
) -> Callable[[Callable[Concatenate[Any, str, str, P], Hashable]], Maker[P]]:
    """Like `atomic`, but the environment decides among `choices(world, me, *args)`.

    The choice is an argument (`run(world, me, choice, *args)`) and part of the move: nothing is
    drawn inside the model, so the same moves give the same run.
    """
    return lambda run: _maker(Atomic(run.__name__, run, choices=choices))


def at_once(world: Any, me: str, path: Generator[Op, Any, Any]) -> Any:
    """Take every step of a path as a part of one atomic step; answers what the path returns.

    For stretches of a run in which nobody else has a say.  Raises ModelError if a step would have
    to wait or if the environment had a choice: then there is somebody else."""
    answer: Any = None
    while True:
        try:
            op = path.send(answer)
        except StopIteration as stop:
            return stop.value
        why, allowed = op.blocked(world, me), op.choices(world, me)
        if why or len(allowed) > 1:
            raise ModelError(f"{op.kind.name} can't be a part of a larger step: {why or allowed}")
        answer = op.kind.run(world, me, *allowed, *op.args)
