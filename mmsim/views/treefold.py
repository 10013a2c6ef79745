"""All schedules as a tree of their beginnings, folded until somebody can read it.

Interface: fold, rows, Fold, Stop, Side, Row

A schedule begins at the root and branches wherever it decides who moves next.  Written out, the
tree of a small race has thousands of leaves.  It is folded in three ways, and none of them loses a
schedule: a part whose schedules all end alike is one leaf; along the way of one actor, places at
which the others can do the same with the same consequences are one branch; and what is left is
opened from its largest part on, as long as there are rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from mmsim.engine.explore import DEADLOCK, FOR_EVER, Exploration
from mmsim.engine.odds import components, is_cycle
from mmsim.engine.scenario import Move, State

NOT_SEARCHED = "not searched"
Counts = tuple[tuple[str, int], ...]
Span = tuple[int, int]


class Side(NamedTuple):
    """A move of somebody else, the step that it makes, and how schedules go on from there."""

    move: Move
    step: str
    to: Fold


class Stop(NamedTuple):
    """Places in a row along the way of one actor, before its steps from `first` to `last`, at which
    the others can do the same.  `places`: how many, at least and at most."""

    places: Span
    first: str
    last: str
    sides: tuple[Side, ...]


class Fold(NamedTuple):
    """Schedules with a common beginning.

    `counts`: how many of them end how.  `along`: the actor whose way they follow, past `stops` and
    on to `rest`; no actor: a leaf, or (`stops` alone) a choice of the environment.  `shape` is
    equal for folds that differ in numbers only."""

    counts: Counts
    shape: int
    along: str = ""
    stops: tuple[Stop, ...] = ()
    rest: Fold | None = None

    @property
    def schedules(self) -> int:
        """How many there are."""
        return sum(n for _, n in self.counts)


def _added(all_: Iterable[Counts]) -> Counts:
    found: dict[str, int] = {}
    for counts in all_:
        for name, n in counts:
            found[name] = found.get(name, 0) + n
    return tuple(sorted(found.items()))


def _plus(a: Span, b: Span) -> Span:
    return a[0] + b[0], a[1] + b[1]


def _both(a: Span, b: Span) -> Span:
    return min(a[0], b[0]), max(a[1], b[1])


def _join(a: Fold, b: Fold) -> Fold:
    """Two folds of one shape as one: the schedules of both."""
    stops = tuple(
        Stop(_both(x.places, y.places), x.first, y.last, _join_sides(x.sides, y.sides))
        for x, y in zip(a.stops, b.stops, strict=True)
    )
    rest = _join(a.rest, b.rest) if a.rest and b.rest else None
    return Fold(_added((a.counts, b.counts)), a.shape, a.along, stops, rest)


def _join_sides(a: tuple[Side, ...], b: tuple[Side, ...]) -> tuple[Side, ...]:
    return tuple(x._replace(to=_join(x.to, y.to)) for x, y in zip(a, b, strict=True))


class _Folder:
    """Folds the tree of a graph, from its ends to its beginning."""

    def __init__(self, found: Exploration, name: Callable[[State], str]):
        self.found = found
        self.index = found.scenario.index
        self.shapes: dict[object, int] = {}
        self.names: dict[int, str] = dict.fromkeys(found.deadlocks, DEADLOCK)
        self.steps: list[tuple[str, ...]] = []
        ends = set(found.ends)
        for number, state in found.walk():
            if number in ends:
                self.names[number] = name(state)
            ops = [local.op for local in state.locals]
            self.steps.append(tuple(op.kind.name if op else "" for op in ops))

    def fold(self) -> Fold:
        folds: dict[int, Fold] = {}
        for component in reversed(components(self.found)):
            if is_cycle(self.found, component):
                folds |= dict.fromkeys(component, self._made(((FOR_EVER, 1),)))
            else:
                folds[component[0]] = self._at(component[0], folds)
        return folds[0]

    def _at(self, number: int, folds: dict[int, Fold]) -> Fold:
        edges = self.found.edges_of(number)
        if not edges:
            return self._made(((self.names.get(number, NOT_SEARCHED), 1),))
        counts = _added(folds[target].counts for _, target in edges)
        if len(counts) == 1:
            return self._made(counts)
        actor, steps = edges[0][0].actor, self.steps[number]
        all_ = [Side(m, steps[self.index[m.actor]], folds[target]) for m, target in edges]
        sides = tuple(side for side in all_ if side.move.actor != actor)
        step = steps[self.index[actor]]
        if len(all_) - len(sides) > 1:
            return self._made(counts, "", (Stop((1, 1), step, step, tuple(all_)),))
        stop, rest = Stop((1, 1), step, step, sides), all_[0].to
        if rest.along != actor:
            return self._made(counts, actor, (stop,), rest)
        return self._made(counts, actor, self._before(stop, rest.stops), rest.rest)

    def _before(self, stop: Stop, later: tuple[Stop, ...]) -> tuple[Stop, ...]:
        """One more place at the beginning of a way."""
        after = later[0]
        if _shape(stop) != _shape(after):
            return (stop, *later)
        sides = _join_sides(stop.sides, after.sides)
        joined = Stop(_plus(stop.places, after.places), stop.first, after.last, sides)
        return (joined, *later[1:])

    def _made(
        self,
        counts: Counts,
        along: str = "",
        stops: tuple[Stop, ...] = (),
        rest: Fold | None = None,
    ) -> Fold:
        key = (tuple(dict(counts)), along, tuple(map(_shape, stops)), rest.shape if rest else -1)
        shape = self.shapes.setdefault(key, len(self.shapes))
        return Fold(counts, shape, along, stops, rest)


def _shape(stop: Stop) -> tuple[tuple[Move, str, int], ...]:
    return tuple((side.move, side.step, side.to.shape) for side in stop.sides)


def fold(found: Exploration, name: Callable[[State], str]) -> Fold:
    """The folded tree of a search; `name` says what an end is called.

    What a stopped search has not reached counts as "not searched"."""
    return _Folder(found, name).fold()


# -- as rows


class Row(NamedTuple):
    """One line of the tree.  `side`: what is done there; None: `along` goes on to `last`.

    `stop`: where.  `opened`: the rows below it, one level deeper, say how it goes on."""

    depth: int
    along: str
    stop: Stop | None
    side: Side | None
    fold: Fold
    opened: bool


Path = tuple[int, ...]


def _children(parent: Fold) -> list[tuple[Stop | None, Side | None, Fold]]:
    found: list[tuple[Stop | None, Side | None, Fold]] = [
        (stop, side, side.to) for stop in parent.stops for side in stop.sides
    ]
    if parent.rest is not None:
        found.append((None, None, parent.rest))
    return found


def rows(root: Fold, rows_max: int) -> list[Row]:
    """The tree as at most so many lines, the largest parts opened first."""
    opened: set[Path] = set()
    waiting: list[tuple[int, Path, Fold]] = [(-root.schedules, (), root)]
    lines = 1
    while waiting:
        heapify(waiting)
        _, path, here = heappop(waiting)
        children = _children(here)
        if not children or lines + len(children) > rows_max:
            continue
        lines += len(children)
        opened.add(path)
        for number, (_, _, child) in enumerate(children):
            heappush(waiting, (-child.schedules, (*path, number), child))
    found: list[Row] = []
    _write(Row(0, "", None, None, root, () in opened), (), opened, found)
    return found


def _write(row: Row, path: Path, opened: set[Path], found: list[Row]) -> None:
    found.append(row)
    if not row.opened:
        return
    for number, (stop, side, child) in enumerate(_children(row.fold)):
        below = (*path, number)
        line = Row(row.depth + 1, row.fold.along, stop, side, child, below in opened)
        _write(line, below, opened, found)
