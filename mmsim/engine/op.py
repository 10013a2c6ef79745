"""One atomic step: what a kernel path yields, and the only code that may change the world.

Interface: Op, Atomic, atomic, blocking, choice, at_once, ModelError

A kernel path calls `folio_trylock(pfn)` and yields what that returns: an `Op`, a description of the
step.  Nothing has happened yet.  The engine runs the function behind it at the moment a scheduler
chooses, and sends the answer back into the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from typing import Any, Concatenate, NamedTuple, ParamSpec

P = ParamSpec("P")

Guard = Callable[..., str | None]
Outcomes = Callable[..., tuple[str, ...]]


class ModelError(Exception):
    """The model contradicts itself: a bug in mmsim, never something a kernel could do."""


class Atomic(NamedTuple):
    """The function behind an op: how to run it, when it must wait, what the world may answer."""

    name: str
    run: Callable[..., Hashable]
    guard: Guard | None = None
    outcomes: Outcomes | None = None


class Op(NamedTuple):
    """One atomic step that is about to happen: which, and on what."""

    kind: Atomic
    args: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.kind.name}({', '.join(map(str, self.args))})"


def _maker(kind: Atomic, run: Callable[..., Hashable]) -> Callable[..., Op]:
    def make(*args: Any) -> Op:
        return Op(kind, args)

    make.__name__ = make.__qualname__ = kind.name
    make.__doc__ = run.__doc__
    make.__module__ = run.__module__
    make.atomic = kind  # type: ignore[attr-defined]
    return make


def atomic(run: Callable[Concatenate[Any, str, P], Hashable]) -> Callable[P, Op]:
    """Mark `run(world, me, *args) -> answer` as one indivisible step; `me` names the actor."""
    return _maker(Atomic(run.__name__, run), run)


def blocking(
    guard: Guard,
) -> Callable[[Callable[Concatenate[Any, str, P], Hashable]], Callable[P, Op]]:
    """Like `atomic`, but the step can't be taken while `guard(world, me, *args)` gives a reason."""

    def mark(run: Callable[Concatenate[Any, str, P], Hashable]) -> Callable[P, Op]:
        return _maker(Atomic(run.__name__, run, guard=guard), run)

    return mark


def choice(
    outcomes: Outcomes,
) -> Callable[[Callable[Concatenate[Any, str, str, P], Hashable]], Callable[P, Op]]:
    """Like `atomic`, but the environment decides among `outcomes(world, me, *args)`.

    The outcome is an argument (`run(world, me, outcome, *args)`) and part of the move: nothing is
    drawn inside the model, so the same moves give the same run.
    """

    def mark(run: Callable[Concatenate[Any, str, str, P], Hashable]) -> Callable[P, Op]:
        return _maker(Atomic(run.__name__, run, outcomes=outcomes), run)

    return mark


def at_once(world: Any, me: str, path: Generator[Op, Any, Any]) -> Any:
    """Take every step of a path as a part of one atomic step; answers what the path returns.

    For stretches of a run in which nobody else has a say.  Raises ModelError if a step would have
    to wait or if the environment had a choice: then there is somebody else."""
    answer: Any = None
    while True:
        try:
            kind, args = path.send(answer)
        except StopIteration as stop:
            return stop.value
        why = kind.guard(world, me, *args) if kind.guard else None
        allowed = kind.outcomes(world, me, *args) if kind.outcomes else ()
        if why or len(allowed) > 1:
            raise ModelError(f"{kind.name} can't be a part of a larger step: {why or allowed}")
        answer = kind.run(world, me, *allowed, *args)
