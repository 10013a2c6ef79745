"""Long runs, folded: the same steps for 510 further pieces are one row.

Interface: Row, fold, fold_once, arguments, SHORT

A row stands for the steps `start`..`end`; the state it leads to is `trace.state(row.end)`.  What
folds is told by shape alone: the actor, the place in its code, the step's name, arguments and
answer, where page frame numbers and page indices may differ, as long as they do so in the same way
in every block.
"""

from __future__ import annotations

import inspect
from bisect import bisect_right
from collections.abc import Hashable, Iterator
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from mmsim.engine.op import Op
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Trace
from mmsim.mm.world import FIRST_TARGET_PFN

SHORT = 150
"""Traces of up to so many steps are not folded."""
BLOCK_MAX = 64
REPEATS_MIN = 4
CANDIDATES = 4

# Arguments and fields that say where, not what.  Numbers of one kind are compared with each other.
_FIELDS = {"pfn": "pfn", "index": "index"}
_ARGUMENTS = {
    **_FIELDS,
    "nr": "nr",
    "iova": "iova",
    "src": "pfn",
    "dst": "pfn",
    "old": "pfn",
    "new": "pfn",
}


class Row(NamedTuple):
    """Steps `start`..`end` of a trace (from 0): one step, or `times` blocks of `block` steps.

    `renamed`: the blocks deal with one page after the other, not with the same one again.
    """

    start: int
    end: int
    block: int = 1
    times: int = 1
    renamed: bool = False

    @property
    def steps(self) -> int:
        """How many steps the row stands for."""
        return self.end - self.start

    @property
    def folded(self) -> bool:
        """More than one step?"""
        return self.steps > 1

    def words(self) -> str:
        """What a folded row says."""
        if not self.folded:
            return ""
        what = "the same step" if self.block == 1 else f"the same {self.block} steps"
        return (
            f"{what} for {self.times} further pieces"
            if self.renamed
            else f"{what} {self.times} more times"
        )


Number = tuple[str, int]


@cache
def _parameters(run: Any) -> tuple[str, ...]:
    names = [p.name for p in inspect.signature(run).parameters.values()]
    return tuple(name for name in names[2:] if name != "outcome")


def arguments(op: Op) -> dict[str, Any]:
    """The named arguments of a step, without the world, the actor and the outcome."""
    return dict(zip(_parameters(op.kind.run), op.args, strict=False))


def _places(value: Any, kind: str) -> Iterator[Number]:
    """Every number in a value that says where; `kind` "" if only its size can tell."""
    if isinstance(value, tuple):
        fields: tuple[str, ...] = getattr(value, "_fields", ())
        for i, item in enumerate(value):
            yield from _places(item, _FIELDS.get(fields[i], "") if fields else "")
    elif type(value) is int and (kind or value >= FIRST_TARGET_PFN):
        yield kind or "pfn", value


def _rest(value: Any, kind: str) -> Hashable:
    """The value with those numbers blanked."""
    if isinstance(value, tuple):
        fields: tuple[str, ...] = getattr(value, "_fields", ())
        return tuple(
            _rest(item, _FIELDS.get(fields[i], "") if fields else "")
            for i, item in enumerate(value)
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return (kind or "pfn",) if kind or value >= FIRST_TARGET_PFN else value
    return (type(value).__name__, value)


def _shape(event: Event) -> tuple[Hashable, tuple[Number, ...]]:
    """What an event is apart from its places, and the places."""
    op: Op = event.op
    names = _parameters(op.kind.run)
    kinds = [_ARGUMENTS.get(names[i], "") if i < len(names) else "" for i in range(len(op.args))]
    places = [n for value, kind in zip(op.args, kinds, strict=True) for n in _places(value, kind)]
    places += _places(event.answer, "")
    rest = tuple(_rest(value, kind) for value, kind in zip(op.args, kinds, strict=True))
    frames = event.where
    where = (len(frames), frames[-1].file, frames[-1].line) if frames else ()
    shape = (event.actor, op.kind.name, event.outcome, where, rest, _rest(event.answer, ""))
    return shape, tuple(places)


def _pattern(places: list[tuple[Number, ...]]) -> list[tuple[int, ...]]:
    """Places by the order in which they first occur: equal for blocks that differ in names only."""
    order: dict[Number, int] = {}
    return [tuple(order.setdefault(n, len(order)) for n in step) for step in places]


def _blocks(shapes: list[int], places: list[tuple[Number, ...]], i: int, block: int) -> int:
    """How many blocks of this length follow one another from `i`."""
    first = shapes[i : i + block]
    pattern = _pattern(places[i : i + block])
    times, at = 1, i + block
    while shapes[at : at + block] == first and _pattern(places[at : at + block]) == pattern:
        times, at = times + 1, at + block
    return times


_KNOWN: WeakKeyDictionary[Trace, tuple[int, list[Row]]] = WeakKeyDictionary()


def fold_once(trace: Trace) -> list[Row]:
    """`fold`, remembered as long as the trace lives and does not grow: a slider asks each time."""
    known = _KNOWN.get(trace)
    if known is None or known[0] != len(trace):
        known = _KNOWN[trace] = (len(trace), fold(trace))
    return known[1]


def fold(trace: Trace, *, short: int = SHORT) -> list[Row]:
    """The rows of a run; each step of it belongs to exactly one."""
    n = len(trace)
    if n <= short:
        return [Row(i, i + 1) for i in range(n)]
    numbers: dict[Hashable, int] = {}
    shapes: list[int] = []
    places: list[tuple[Number, ...]] = []
    at: dict[int, list[int]] = {}
    for i, event in enumerate(trace.events):
        shape, where = _shape(event)
        shapes.append(numbers.setdefault(shape, len(numbers)))
        places.append(where)
        at.setdefault(shapes[-1], []).append(i)
    rows: list[Row] = []
    i = 0
    while i < n:
        block, times = _best(shapes, places, at[shapes[i]], i, trace)
        if not block:
            rows.append(Row(i, i + 1))
            i += 1
            continue
        last = i + block * (times - 1)
        rows += [Row(j, j + 1) for j in range(i, i + block)]
        renamed = places[i : i + block] != places[i + block : i + 2 * block]
        rows.append(Row(i + block, last, block, times - 2, renamed))
        rows += [Row(j, j + 1) for j in range(last, last + block)]
        i = last + block
    return rows


def _best(
    shapes: list[int], places: list[tuple[Number, ...]], same: list[int], i: int, trace: Trace
) -> tuple[int, int]:
    """The shortest block that is repeated often enough from `i`, and how often; (0, 0) if none."""
    later = bisect_right(same, i)
    for j in same[later : later + CANDIDATES]:
        block = j - i
        if block > BLOCK_MAX:
            break
        if (
            shapes[i:j] != shapes[j : j + block]
            or shapes[i + 3 * block : j + 3 * block] != shapes[i:j]
        ):
            continue
        if len({event.actor for event in trace.events[i:j]}) > 1:
            continue
        times = _blocks(shapes, places, i, block)
        if times >= REPEATS_MIN:
            return block, times
    return 0, 0
