"""An actor's generator, turned into values that can be stored, compared and branched from.

Interface: Actor, Program, Local, Frame, Path, picture

A Python generator can't be copied, so an actor is unfolded lazily into a graph: a `Local` is one
place where the generator can be suspended, and leads on by the answer that is sent.  Only
the newest Local of a line holds the live generator; an older one that is asked to go another way is
rebuilt by sending the same answers to a fresh generator.

With `merge=True` two Locals are one if a debugger would show the same at both: the same frames at
the same instructions with the same local variables.  That is sound as long as nothing hides on the
evaluation stack, which `engine.lint` checks.  With `merge=False` a Local is the list of answers
that led to it: slower, and right without any condition.  A test compares the two."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from types import CodeType, MappingProxyType
from typing import Any, NamedTuple

from mmsim.engine.op import Atomic, ModelError, Op
from mmsim.engine.pictures import Path as Path
from mmsim.engine.pictures import Pictures, chain, freeze, variables


class Actor(NamedTuple):
    """Somebody who runs: a name and a function that starts its path afresh.

    `replaced`: atomic steps that do something else when this actor takes them, by their names."""

    name: str
    start: Callable[[], Path]
    replaced: Mapping[str, Atomic] = MappingProxyType({})


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


def picture(local: Local) -> Hashable:
    """What a debugger would show of a suspended actor, as plain values; equal wherever it runs."""
    if local.op is None:
        return ("finished", freeze(local.result))
    frames = [
        (id(frame.f_code), frame.f_lasti, *[(k, freeze(v)) for k, v in variables(frame).items()])
        for frame in chain(local.generator())
    ]
    return (local.op.kind.name, freeze(local.op.args), *frames)


class Local:
    """One place where an actor can be suspended: `op` is its next step, or it has `finished`."""

    __slots__ = (
        "_after",
        "_after_others",
        "_gen",
        "_program",
        "answer",
        "finished",
        "number",
        "op",
        "parent",
        "result",
        "where",
    )

    def __init__(self, program: Program, parent: Local | None, answer: Hashable) -> None:
        self._program = program
        self.parent = parent
        self.answer = answer
        # Most places are left by one answer only, and a dict for each would cost too much.
        self._after: tuple[Hashable, Local] | None = None
        self._after_others: dict[Hashable, Local] | None = None
        self.op: Op | None = None
        self.finished = False
        self.number = 0
        self.result: Any = None
        self.where: tuple[tuple[CodeType, int], ...] = ()
        self._gen: Path | None = None

    def after(self, answer: Hashable, *, remember: bool = True) -> Local:
        """Where the actor stands once its pending op has been answered.

        `remember=False` spares the edge when nobody will come back to this Local.
        """
        first, others = self._after, self._after_others
        if first is not None and first[0] == answer:
            return first[1]
        found = others.get(answer) if others is not None else None
        if found is None:
            found = self._program.advance(self, answer)
            if remember and first is None:
                self._after = (answer, found)
            elif remember:
                others = self._after_others = others or {}
                others[answer] = found
        return found

    def frames(self) -> tuple[Frame, ...]:
        """The stack trace, outermost function first; empty once finished."""
        return tuple(_frame(code, lasti) for code, lasti in self.where)

    def variable(self, function: str, name: str) -> Any:
        """The value of a local variable of a function on the stack, or None if there is none."""
        for frame in chain(self.generator()):
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
        self.size = 0
        self._known: dict[Hashable, Local] = {}
        self._wheres: dict[tuple[int, ...], tuple[tuple[CodeType, int], ...]] = {}
        self._pictures = Pictures()
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
        instead = self.actor.replaced.get(node.op.kind.name)
        if instead is not None:
            node.op = node.op._replace(kind=instead)
        at = [(frame.f_code, frame.f_lasti) for frame in chain(gen)]
        known = tuple([number for code, lasti in at for number in (id(code), lasti)])
        where = self._wheres.get(known)
        if where is None:
            where = self._wheres[known] = tuple(at)
        node.where = where
        node._gen = gen

    def _same_as_known(self, node: Local, gen: Path) -> Local:
        if self.merge:
            if node.op is None:
                key = self._pictures.result(node.result)
            else:
                key = self._pictures.place(node.op, gen)
            known = self._known.setdefault(key, node)
            if known is not node:
                return known
        node.number = self.size
        self.size += 1
        return node
