"""An actor's generator, turned into values that can be stored, compared and branched from.

A Python generator can't be copied, so an actor is unfolded lazily into a graph: a `Local` is one
place where the generator can be suspended, and leads on by the answer that is sent.  Only
the newest Local of a line holds the live generator; an older one that is asked to go another way is
rebuilt by sending the same answers to a fresh generator.

With `merge=True` two Locals are one if a debugger would show the same at both: the same frames at
the same instructions with the same local variables.  That is sound as long as nothing hides on the
evaluation stack, which a lint of the tests checks.  With `merge=False` a Local is the list of
answers that led to it: slower, and right without any condition.  A test compares the two.  With
`once=True` no place is kept, for a run that nobody looks back at."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from mmsim.engine.op import ModelError, Notes, Op

Path = Generator[Op, Any, Any]

PLAIN = frozenset({int, str, bool, type(None)})
FIXED = PLAIN | {Notes}
WAITING_MAX = 1024
_CHANGING = object()


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


class Local:
    """One place where an actor can be suspended: `op` is its next step, or it has `finished`."""

    __slots__ = (
        "_after",
        "_gen",
        "_program",
        "answer",
        "finished",
        "number",
        "op",
        "parent",
        "result",
        "stack",
    )

    def __init__(self, program: Program, parent: Local | None, answer: Hashable) -> None:
        self._program = program
        self.parent = parent
        self.answer = answer
        self._after: dict[Hashable, Local] = {}
        self.op: Op | None = None
        self.finished = False
        self.number = 0
        self.result: Any = None
        self.stack: tuple[tuple[CodeType, int], ...] = ()
        self._gen: Path | None = None

    def after(self, answer: Hashable) -> Local:
        """Where the actor stands once its pending op has been answered."""
        found = self._after.get(answer)
        if found is None:
            found = self._program.advance(self, answer)
            if not self._program.once:
                self._after[answer] = found
        return found

    def frames(self) -> tuple[Frame, ...]:
        """The stack trace, outermost function first; empty once finished."""
        return tuple(_frame(code, lasti) for code, lasti in self.stack)

    def generator(self) -> Path:
        """A generator suspended here: the live one, or one rebuilt from the answers."""
        if self._gen is None:
            if self._program.once:
                raise ModelError(f"{self._program.actor.name!r} runs once: it can't come back here")
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

    def __init__(self, actor: Actor, *, merge: bool, once: bool = False) -> None:
        self.actor = actor
        self.merge = merge
        self.once = once
        self.size = 0
        self._known: dict[Hashable, Local] = {}
        self._stacks: dict[tuple[int, ...], tuple[tuple[CodeType, int], ...]] = {}
        self._snapshots = Snapshots()
        self.root = self._arrive(Local(self, None, None), actor.start(), None)

    def advance(self, node: Local, answer: Hashable) -> Local:
        """Send `answer` to the generator suspended at `node`."""
        parent = None if self.once else node
        return self._arrive(Local(self, parent, answer), node.release(), answer)

    def _arrive(self, node: Local, gen: Path, answer: Hashable) -> Local:
        """Send `answer`, and fill in where the actor stands then; a known place takes its place."""
        try:
            op = node.op = gen.send(answer)
        except StopIteration as stop:
            op, node.finished, node.result = None, True, stop.value
        else:
            if not isinstance(op, Op):
                raise ModelError(f"{self.actor.name!r} yielded {op!r} instead of an atomic step")
            node._gen = gen
        if self.merge:
            snapshots = self._snapshots
            key = snapshots.result(node.result) if op is None else snapshots.place(op, gen)
            known = self._known.setdefault(key, node)
            if known is not node:
                return known
        if op is not None and not self.once:
            node.stack = self._stack(gen)
        node.number = self.size
        self.size += 1
        return node

    def _stack(self, gen: Path) -> tuple[tuple[CodeType, int], ...]:
        """The instructions at which a generator is suspended; equal ones are one object."""
        at = [(frame.f_code, frame.f_lasti) for frame in chain(gen)]
        seen = tuple([number for code, lasti in at for number in (id(code), lasti)])
        stack = self._stacks.get(seen)
        if stack is None:
            stack = self._stacks[seen] = tuple(at)
        return stack


# -- what a debugger would show of a suspended generator, as something that can be compared


def generators(gen: Path) -> Iterator[Any]:
    """A suspended generator, the one it delegates to, and so on."""
    inner: Any = gen
    while inner is not None and getattr(inner, "gi_frame", None) is not None:
        yield inner
        inner = inner.gi_yieldfrom


def chain(gen: Path) -> Iterator[FrameType]:
    """The frames of a suspended generator, outermost first."""
    return (inner.gi_frame for inner in generators(gen))


def variables(frame: FrameType) -> dict[str, Any]:
    """The local variables of a frame that are bound, in the order of the code.

    Before Python 3.13 the order of `f_locals` depends on who has looked at the frame before."""
    found = frame.f_locals
    return {name: found[name] for name in _names(frame.f_code) if name in found}


@functools.cache
def _names(code: CodeType) -> tuple[str, ...]:
    return (*code.co_varnames, *code.co_cellvars, *code.co_freevars)


def _is_value(value: Any) -> bool:
    """Can it never change?  Functions are compared by identity, so they count."""
    if isinstance(value, tuple):
        return all(map(_is_value, value))
    return type(value) in PLAIN or isinstance(value, FunctionType)


class Snapshots:
    """What a path has in its variables, as something hashable; equal snapshots are one object.

    What can't change is looked at once and recognized by its identity from then on: tuples of
    plain values, and the variables of a frame that only waits for the generator it delegates to."""

    def __init__(self) -> None:
        self._snapshots: dict[Hashable, object] = {}
        self._fixed: dict[int, tuple[Any, object]] = {}
        self._waiting: dict[int, tuple[Any, object, list[Any]]] = {}

    def place(self, op: Op, gen: Path) -> Hashable:
        """The snapshot of an actor suspended before `op`."""
        return (op.kind.name, *self._all(op.args), *map(self._frame, generators(gen)))

    def result(self, value: Any) -> Hashable:
        """The snapshot of an actor that has returned."""
        return ("finished", self.of(value))

    def of(self, value: Any) -> Hashable:
        """The snapshot of one value: itself if it is plain, else an object that stands for it."""
        kind = type(value)
        if kind in PLAIN:
            return value  # type: ignore[no-any-return]
        if kind is Notes:
            return None
        fixed = self._fixed.get(id(value))
        if fixed is not None:
            return fixed[1]
        if isinstance(value, (tuple, list)):
            snapshot = self._same((kind, *self._all(value)))
        elif isinstance(value, dict):
            snapshot = self._same((kind, *value, *self._all(value.values())))
        elif dataclasses.is_dataclass(kind):
            snapshot = self._same((kind, *self._all(vars(value).values())))
        else:
            try:
                snapshot = self._same(value)
            except TypeError:
                why = f"a local variable of type {kind.__name__} can't be compared"
                raise ModelError(why) from None
        if _is_value(value):
            self._fixed[id(value)] = (value, snapshot)
        return snapshot

    def _all(self, values: Iterable[Any]) -> list[Hashable]:
        return [value if type(value) in PLAIN else self.of(value) for value in values]

    def _same(self, inside: Hashable) -> object:
        found = self._snapshots.get(inside)
        if found is None:
            found = self._snapshots[inside] = object()
        return found

    def _frame(self, gen: Any) -> object:
        inner = gen.gi_yieldfrom
        known = self._waiting.get(id(gen))
        if known is not None and known[0] is inner:
            _, fixed, changing = known
        else:
            frame = gen.gi_frame
            bound = variables(frame)
            snapshots, changing = self._apart(bound.values())
            fixed = self._same((id(frame.f_code), frame.f_lasti, *bound, *snapshots))
            # A cell can be rebound by somebody else while the frame waits.
            if inner is not None and not frame.f_code.co_cellvars and not frame.f_code.co_freevars:
                if len(self._waiting) >= WAITING_MAX:
                    self._waiting.clear()
                self._waiting[id(gen)] = (inner, fixed, changing)
        return self._same((fixed, *self._all(changing))) if changing else fixed

    def _apart(self, values: Iterable[Any]) -> tuple[list[Hashable], list[Any]]:
        """Snapshots of what can't change, and what can; each of the latter leaves a mark there."""
        snapshots: list[Hashable] = []
        changing = []
        for value in values:
            if type(value) in FIXED or id(value) in self._fixed or _is_value(value):
                snapshots.append(self.of(value))
            else:
                snapshots.append(_CHANGING)
                changing.append(value)
        return snapshots, changing
