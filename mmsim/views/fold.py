"""Long runs, folded: the same steps for 510 further pieces are one row.

What folds is told by shape alone: the actor, the place in its code, the step's name, arguments and
answer, where page frame numbers and page indices may differ, as long as they do so in the same way
in every block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from mmsim.engine.scenario import Event
from mmsim.engine.trace import Moment, Trace
from mmsim.mm.world import FIRST_TARGET_PFN
from mmsim.views.operations import arguments

SHORT = 150
"""Runs of up to so many steps are not folded."""
BLOCK_MAX, REPEATS_MIN, CANDIDATES = 64, 4, 4
# Arguments and fields that say where, not what.  Numbers of one kind are compared with each other.
_FIELDS = {"pfn": "pfn", "index": "index"}
_ARGUMENTS = {**_FIELDS, "nr": "nr", "iova": "iova"} | dict.fromkeys(
    ("src", "dst", "old", "new"), "pfn"
)
Number = tuple[str, int]
Places = list[tuple[Number, ...]]


class Row(NamedTuple):
    """Steps `start`..`end` of a run (from 0): one step, or `times` blocks of `block` steps.

    `renamed`: the blocks deal with one page after the other, not with the same one again."""

    start: int
    end: int
    block: int = 1
    times: int = 1
    renamed: bool = False

    @property
    def folded(self) -> bool:
        """More than one step?"""
        return self.end - self.start > 1

    @property
    def numbers(self) -> str:
        """Which steps, counted from 1."""
        return f"{self.start + 1}-{self.end}" if self.folded else str(self.end)

    def words(self) -> str:
        """What a folded row says."""
        what = "the same step" if self.block == 1 else f"the same {self.block} steps"
        more = "for {} further pieces" if self.renamed else "{} more times"
        return f"{what} {more.format(self.times)}"

    def at(self, trace: Trace) -> Moment:
        """The moment that the row leads to, from the one before it."""
        return trace.at(self.end, since=self.start)


def _blank(value: Any, kind: str, places: list[Number]) -> Hashable:
    """The value without the numbers that say where; they are added to `places`.

    `kind` is "" if only the size of a number can tell."""
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", ("",) * len(value))
        pairs = zip(fields, value, strict=True)
        return tuple(_blank(item, _FIELDS.get(field, ""), places) for field, item in pairs)
    if type(value) is int:
        if not kind and value < FIRST_TARGET_PFN:
            return value
        places.append((kind or "pfn", value))
        return (kind or "pfn",)
    return (type(value).__name__, value)


def _shape(event: Event) -> tuple[Hashable, tuple[Number, ...]]:
    """What an event is apart from its places, and the places."""
    places: list[Number] = []
    names = [*arguments(event.op)] + [""] * len(event.op.args)
    args = [
        _blank(value, _ARGUMENTS.get(name, ""), places)
        for name, value in zip(names, event.op.args, strict=False)
    ]
    answer = _blank(event.answer, "", places)
    where = (len(event.where), *event.where[-1:])
    return (event.actor, event.op.kind.name, event.outcome, where, *args, answer), tuple(places)


def _pattern(places: Places) -> list[tuple[int, ...]]:
    """Places by the order in which they first occur: equal for blocks that differ in names only."""
    order: dict[Number, int] = {}
    return [tuple(order.setdefault(n, len(order)) for n in step) for step in places]


def _repeats(shapes: list[int], places: Places, i: int, block: int) -> int:
    """How many blocks of this length follow one another from `i`."""
    first, times, at = shapes[i : i + block], 1, i + block
    pattern: list[tuple[int, ...]] = []
    while shapes[at : at + block] == first:
        pattern = pattern or _pattern(places[i : i + block])
        if _pattern(places[at : at + block]) != pattern:
            break
        times, at = times + 1, at + block
    return times


def _best(
    shapes: list[int], places: Places, same: list[int], i: int, trace: Trace
) -> tuple[int, int]:
    """The shortest block that is repeated often enough from `i`, and how often; (0, 0) if none."""
    later = bisect_right(same, i)
    for j in same[later : later + CANDIDATES]:
        if j - i > BLOCK_MAX:
            break
        if len({event.actor for event in trace.events[i:j]}) == 1:
            times = _repeats(shapes, places, i, j - i)
            if times >= REPEATS_MIN:
                return j - i, times
    return 0, 0


_KNOWN: WeakKeyDictionary[Trace, tuple[tuple[int, int], list[Row]]] = WeakKeyDictionary()


def fold(trace: Trace, *, short: int = SHORT) -> list[Row]:
    """The rows of a run; each step belongs to exactly one.  Remembered: a slider asks each time."""
    known = _KNOWN.get(trace)
    if known is None or known[0] != (len(trace), short):
        known = _KNOWN[trace] = (len(trace), short), _fold(trace, short)
    return known[1]


def _fold(trace: Trace, short: int) -> list[Row]:
    n = len(trace)
    if n <= short:
        return [Row(i, i + 1) for i in range(n)]
    numbers: dict[Hashable, int] = {}
    shapes: list[int] = []
    places: Places = []
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
        # The first and the last block are shown step by step.
        last, end = i + block * (times - 1), i + block * times
        renamed = places[i : i + block] != places[i + block : i + 2 * block]
        rows += [Row(j, j + 1) for j in range(i, i + block)]
        rows.append(Row(i + block, last, block, times - 2, renamed))
        rows += [Row(j, j + 1) for j in range(last, end)]
        i = end
    return rows
