"""What a debugger would show of a suspended generator, as something that can be compared.

Interface: Path, chain, variables, freeze, Pictures

Two places of an actor count as the same if their pictures are equal (`engine.actor`)."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any

from mmsim.engine.op import ModelError, Op, Told

Path = Generator[Op, Any, Any]

PLAIN = frozenset({int, str, bool, type(None)})
WAITING_MAX = 1024
_CHANGING = object()


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


def freeze(value: Any) -> Hashable:
    """A hashable picture of a local variable; raises ModelError for what can't be pictured."""
    kind = type(value)
    if kind in PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, (tuple, list)):
        return (kind, *map(freeze, value))
    if kind is Told:
        return None  # for readers only: no path depends on it
    if isinstance(value, dict):
        return (kind, *((key, freeze(item)) for key, item in value.items()))
    if dataclasses.is_dataclass(kind):
        return (kind, *map(freeze, _values(kind)(value)))
    try:
        hash(value)
    except TypeError:
        raise ModelError(f"a local variable of type {kind.__name__} can't be compared") from None
    return value  # type: ignore[no-any-return]


@functools.cache
def _values(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """A function that reads all fields of a dataclass."""
    names = [field.name for field in dataclasses.fields(kind)]
    if len(names) < 2:  # attrgetter answers no tuple then
        return lambda value: tuple(getattr(value, name) for name in names)
    return operator.attrgetter(*names)


def _is_value(value: Any) -> bool:
    """Can it never change?  Functions are compared by identity, so they count."""
    if isinstance(value, tuple):
        return all(map(_is_value, value))
    return type(value) in PLAIN or isinstance(value, FunctionType)


class Pictures:
    """`freeze` for many looks at the same things: equal pictures are one object.

    Whatever can't change is pictured once and recognized by its identity from then on: tuples of
    plain values, and the variables of a frame that only waits for the generator it delegates to."""

    def __init__(self) -> None:
        self._pictures: dict[Hashable, object] = {}
        self._fixed: dict[int, tuple[Any, object]] = {}
        self._waiting: dict[int, tuple[Any, object, list[Any]]] = {}
        self._now: dict[int, object] = {}

    def place(self, op: Op, gen: Path) -> Hashable:
        """The picture of an actor suspended before `op`."""
        self._now.clear()
        return (op.kind.name, *self._all(op.args), *map(self._frame, generators(gen)))

    def result(self, value: Any) -> Hashable:
        """The picture of an actor that has returned."""
        self._now.clear()
        return ("finished", self.of(value))

    def of(self, value: Any) -> Hashable:
        """The picture of one value: itself if it is plain, else an object that stands for it."""
        kind = type(value)
        if kind in PLAIN:
            return value  # type: ignore[no-any-return]
        if kind is Told:
            return None
        fixed = self._fixed.get(id(value))
        if fixed is not None:
            return fixed[1]
        now = self._now.get(id(value))
        if now is not None:
            return now
        if _is_value(value):
            picture = self._same(freeze(value))
            self._fixed[id(value)] = (value, picture)
            return picture
        if kind is list:
            picture = self._same((list, *self._all(value)))
        elif dataclasses.is_dataclass(kind):
            picture = self._same((kind, *self._all(_values(kind)(value))))
        else:
            picture = self._same(freeze(value))
        self._now[id(value)] = picture
        return picture

    def _all(self, values: Iterable[Any]) -> list[Hashable]:
        return [value if type(value) in PLAIN else self.of(value) for value in values]

    def _same(self, inside: Hashable) -> object:
        found = self._pictures.get(inside)
        if found is None:
            found = self._pictures[inside] = object()
        return found

    def _frame(self, gen: Any) -> object:
        inner = gen.gi_yieldfrom
        known = self._waiting.get(id(gen))
        if known is not None and known[0] is inner:
            _, fixed, changing = known
        else:
            frame = gen.gi_frame
            bound = variables(frame)
            pictures, changing = self._apart(bound.values())
            fixed = self._same((id(frame.f_code), frame.f_lasti, *bound, *pictures))
            # A cell can be rebound by somebody else while the frame waits.
            if inner is not None and not frame.f_code.co_cellvars and not frame.f_code.co_freevars:
                if len(self._waiting) >= WAITING_MAX:
                    self._waiting.clear()
                self._waiting[id(gen)] = (inner, fixed, changing)
        return self._same((fixed, *self._all(changing)))

    def _apart(self, values: Iterable[Any]) -> tuple[list[Hashable], list[Any]]:
        """Pictures of what can't change, and what can; each of these leaves a mark in its place."""
        pictures: list[Hashable] = []
        changing = []
        for value in values:
            if type(value) in PLAIN:
                pictures.append(value)
            elif type(value) is Told:
                pictures.append(None)
            elif id(value) in self._fixed or _is_value(value):
                pictures.append(self.of(value))
            else:
                pictures.append(_CHANGING)
                changing.append(value)
        return pictures, changing
