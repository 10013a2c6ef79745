"""An actor's generator, turned into values that can be stored, compared and branched from.

Interface: Actor, Program, Local, Frame, Path

A Python generator can't be copied, so an actor is unfolded lazily into a graph: a `Local` is one
place where the generator can be suspended, its `edges` lead on by the answer that was sent.  Only
the newest Local of a line holds the live generator; an older one that is asked to go another way is
rebuilt by sending the same answers to a fresh generator.

With `merge=True` two Locals are one if a debugger would show the same at both: the same frames at
the same instructions with the same local variables.  That is sound as long as nothing hides on the
evaluation stack, which `engine.lint` checks.  With `merge=False` a Local is the list of answers
that led to it: slower, and right without any condition.  A test compares the two."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Generator, Hashable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple

from mmsim.engine.op import ModelError, Op

Path = Generator[Op, Any, Any]


class Actor(NamedTuple):
    """Somebody who runs: a name and a function that starts its path afresh."""

    name: str
    start: Callable[[], Path]


class Frame(NamedTuple):
    """One row of a stack trace: function, file, line."""

    function: str
    file: str
    line: int


@functools.cache
def _frame(code: CodeType, lasti: int) -> Frame:
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= lasti < end and number is not None:
            line = number
    return Frame(code.co_name, code.co_filename, line)


def _chain(gen: Path) -> Iterator[FrameType]:
    """The frames of a suspended generator, outermost first."""
    inner: Any = gen
    while inner is not None and getattr(inner, "gi_frame", None) is not None:
        yield inner.gi_frame
        inner = inner.gi_yieldfrom


def freeze(value: Any) -> Hashable:
    """A hashable picture of a local variable; raises ModelError for what can't be pictured."""
    kind = type(value)
    if kind in (int, str, bool, type(None)):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (tuple, list)):
        return (kind, *map(freeze, value))
    if isinstance(value, dict):
        return (kind, *((key, freeze(item)) for key, item in value.items()))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (kind, *(freeze(getattr(value, f.name)) for f in dataclasses.fields(value)))
    try:
        hash(value)
    except TypeError:
        raise ModelError(f"a local variable of type {kind.__name__} can't be compared") from None
    return value  # type: ignore[no-any-return]


class Local:
    """One place where an actor can be suspended: `op` is its next step, or it has `finished`."""

    __slots__ = (
        "_gen",
        "_program",
        "answer",
        "edges",
        "finished",
        "op",
        "parent",
        "result",
        "where",
    )

    def __init__(self, program: Program, parent: Local | None, answer: Hashable) -> None:
        self._program = program
        self.parent = parent
        self.answer = answer
        self.edges: dict[Hashable, Local] | None = None
        self.op: Op | None = None
        self.finished = False
        self.result: Any = None
        self.where: tuple[tuple[CodeType, int], ...] = ()
        self._gen: Path | None = None

    def after(self, answer: Hashable, *, remember: bool = True) -> Local:
        """Where the actor stands once its pending op has been answered.

        `remember=False` spares the edge when nobody will come back to this Local.
        """
        found = self.edges.get(answer) if self.edges is not None else None
        if found is None:
            found = self._program.advance(self, answer)
            if remember:
                if self.edges is None:
                    self.edges = {}
                self.edges[answer] = found
        return found

    def frames(self) -> tuple[Frame, ...]:
        """The stack trace, outermost function first; empty once finished."""
        return tuple(_frame(code, lasti) for code, lasti in self.where)

    def variable(self, function: str, name: str) -> Any:
        """The value of a local variable of a function on the stack, or None if there is none."""
        for frame in _chain(self.generator()):
            if frame.f_code.co_name == function and name in frame.f_locals:
                return frame.f_locals[name]
        return None

    def generator(self) -> Path:
        """A generator suspended here: the live one, or one rebuilt from the answers."""
        if self._gen is None:
            answers = []
            node: Local = self
            while node.parent is not None:
                answers.append(node.answer)
                node = node.parent
            gen = self._program.actor.start()
            next(gen)
            for answer in reversed(answers):
                gen.send(answer)
            self._gen = gen
        return self._gen

    def release(self) -> Path:
        """Hand the live generator over: it is about to move on."""
        gen = self.generator()
        self._gen = None
        return gen


class Program:
    """The graph of one actor's Locals, unfolded as far as somebody asked."""

    def __init__(self, actor: Actor, *, merge: bool) -> None:
        self.actor = actor
        self.merge = merge
        self._known: dict[Hashable, Local] = {}
        root = Local(self, None, None)
        gen = actor.start()
        try:
            root.op = next(gen)
        except StopIteration as stop:
            root.finished, root.result = True, stop.value
        else:
            self._settle(root, gen)
        self.root = self._same_as_known(root, gen)

    def advance(self, node: Local, answer: Hashable) -> Local:
        """Send `answer` to the generator suspended at `node`."""
        gen = node.release()
        new = Local(self, node, answer)
        try:
            new.op = gen.send(answer)
        except StopIteration as stop:
            new.finished, new.result = True, stop.value
        else:
            self._settle(new, gen)
        return self._same_as_known(new, gen)

    def _settle(self, node: Local, gen: Path) -> None:
        if not isinstance(node.op, Op):
            raise ModelError(f"{self.actor.name!r} yielded {node.op!r} instead of an atomic step")
        node.where = tuple([(frame.f_code, frame.f_lasti) for frame in _chain(gen)])
        node._gen = gen

    def _same_as_known(self, node: Local, gen: Path) -> Local:
        if not self.merge:
            return node
        if node.finished:
            key: Hashable = ("finished", freeze(node.result))
        else:
            assert node.op is not None
            locals_ = tuple(
                tuple((name, freeze(value)) for name, value in frame.f_locals.items())
                for frame in _chain(gen)
            )
            key = (node.where, node.op.kind.name, freeze(node.op.args), locals_)
        return self._known.setdefault(key, node)
