"""Small worlds for tests: huge pages of four pages, so that every order of steps can be tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MIGRATE_CMA,
    MIGRATE_PASSES,
    MIGRATE_SYNC,
    MR_LONGTERM_PIN,
)
from mmsim.engine.actor import Actor
from mmsim.engine.explore import Exploration
from mmsim.engine.op import Op, atomic, blocking, choice
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import one_after_another, parse, replaying
from mmsim.engine.trace import Trace, record
from mmsim.mm.folio import ISOLATION, Folio, Page
from mmsim.mm.versions import VERSIONS, environment
from mmsim.mm.world import Environment, World
from mmsim.scenarios.script import Script, Scripted

ORDER = 2
NR = 1 << ORDER
PFN = 0x200


# -- the smallest world the engine accepts: a few numbers


class Cells:
    """Named numbers."""

    def __init__(self, **cells: int) -> None:
        self.cells = cells

    def branch(self) -> Cells:
        return Cells(**self.cells)

    def key(self, pool: Any = None) -> Any:
        return tuple(self.cells.items())


@atomic
def nop(world: Any, me: str) -> None:
    """Changes nothing."""


@choice(lambda world, me: ("ok", "fail"))
def ask(world: Any, me: str, choice: str) -> bool:
    """The environment says yes or no."""
    return choice == "ok"


@blocking(lambda world, me: None if world.cells["x"] else "x is 0")
def wait_for_x(world: Cells, me: str) -> None:
    """Can be taken once x is set."""


@atomic
def load(world: Cells, me: str, cell: str) -> int:
    return world.cells[cell]


@atomic
def store(world: Cells, me: str, cell: str, value: int) -> None:
    world.cells[cell] = value


def cells(*paths: Any, merge: bool = False, **start: int) -> Scenario:
    """A scenario over cells; actors are called a, b, c ... in the order of `paths`."""
    actors = tuple(Actor("abcdefgh"[i], path) for i, path in enumerate(paths))
    return Scenario("cells", Cells(**start), actors, merge=merge)


def steps(k: int) -> Any:
    """A path of k steps that nobody notices."""

    def path() -> Any:
        for _ in range(k):
            yield nop()

    return path


def forever() -> Any:
    while True:
        yield nop()


def increment() -> Any:
    """Load x, store x + 1: two of these at once lose an update."""
    value = yield load("x")
    yield store("x", value + 1)


@blocking(lambda world, me, name: f"{name} is taken" if world.cells[name] else None)
def lock(world: Cells, me: str, name: str) -> None:
    world.cells[name] = 1


def locks(*names: str) -> Any:
    """A path that takes locks, cells of these names, and gives them back."""

    def path() -> Any:
        for _index, name in enumerate(names):
            yield lock(name)
        for _index, name in enumerate(names):
            yield store(name, 0)

    return path


# -- memory


def folio(name: str = "A", order: int = ORDER, **fields: Any) -> Folio:
    """A folio mapped once, with the reference count that its holders add up to."""
    fields.setdefault("pmd_maps" if order else "pte_maps", 1)
    made = Folio(name, name, 0, order, **fields)
    return made._replace(refcount=made.owned)


def isolated(name: str = "A", order: int = ORDER, **fields: Any) -> Folio:
    """The same, taken off its LRU by whoever is going to move or split it."""
    held = tuple(sorted([*fields.pop("held", ()), (ISOLATION, 1)]))
    return folio(name, order, held=held, lru=False, **fields)


def memory(*folios: Folio, in_cma: bool = True, **env: Any) -> World:
    """Folios in a row from PFN on, each aligned, all of them in CMA or none."""
    world = World(Environment(**env))
    pfn = PFN
    for each in folios:
        pfn = -(-pfn // each.nr_pages) * each.nr_pages
        world.add(pfn, each)
        if in_cma:
            world.pageblocks[pfn >> HPAGE_PMD_ORDER] = MIGRATE_CMA
        pfn += each.nr_pages
    world.check()
    return world


def do(world: World, op: Op, me: str = "test", choice: str = "") -> Any:
    """Take one step outside of any path."""
    if op.kind.guard is not None:
        assert op.kind.guard(world, me, *op.args) is None
    if op.kind.choices is not None:
        choice = choice or op.kind.choices(world, me, *op.args)[0]
        return op.kind.run(world, me, choice, *op.args)
    return op.kind.run(world, me, *op.args)


def run(world: World, *actors: Actor, schedule: str = "", script: Script | None = None) -> Trace:
    """One actor after the other, along a schedule, or by the script of the first actor.

    The world has to be sound after every step."""
    scenario = Scenario("run", world, actors)
    scheduler: Any = one_after_another
    if script is not None:
        scheduler = Scripted(actors[0].name, script)
    elif schedule:
        scheduler = replaying(parse(schedule, [actor.name for actor in actors]))
    trace = record(scenario, scheduler)
    for position in range(len(trace) + 1):
        trace.state(position).world.check()
    return trace


class Migrated(NamedTuple):
    """A call of migrate_pages(): its result, what it left, the run, and the world at its end.

    `visits`: the round and the pass of each.  `counts`: the counters that have moved."""

    rc: int
    left: list[Page]
    trace: Trace
    world: World
    visits: list[tuple[int, int]]
    counts: dict[str, int]


def migrate(
    version: str,
    *folios: Folio,
    others: Iterable[Actor] = (),
    scheduler: Any = None,
    mode: int = MIGRATE_SYNC,
    passes: int = MIGRATE_PASSES,
    **env: Any,
) -> Migrated:
    """Call migrate_pages() of a version for a long-term pin of these folios, in their order.

    Whoever schedules knows the caller by the name "migrate"."""
    world, row = memory(*folios, **env), VERSIONS[version]._replace(passes=passes)
    world.env = environment(row, world.env)

    def path() -> Any:
        left = [Page(pfn, each.nr_pages) for pfn, each in world.folios.items()]
        rc = yield from row.migrate_pages(left, mode, MR_LONGTERM_PIN, row)
        return rc, left

    scenario = Scenario("migrate", world, (Actor("migrate", path), *others))
    trace = record(scenario, scheduler or Scripted("migrate", Script()))
    after = trace.last.world
    after.check()
    visits = [(e.notes["round_"], e.notes["pass_"]) for e in trace.events if e.site == "visit"]
    counts = {name: n for name, n in after.vmstat.items() if n}
    return Migrated(*trace.results["migrate"], trace, after, visits, counts)


def states_of(found: Exploration) -> list[Any]:
    """Every state of a search, by its number."""
    return [state for _, state in found.walk()]


def ever(found: Exploration, goal: Callable[[Any], bool]) -> bool:
    """Is this true in some state of a finished search?"""
    assert found.complete
    return any(goal(state) for _, state in found.walk())


def sound(found: Exploration) -> Exploration:
    """The search, if it is finished, nobody is stuck, and every state is free of contradictions.

    Nothing that has left its file is mapped.  At the end no page is locked or isolated, and no
    migration entry is left."""
    assert found.complete
    assert found.deadlocks == []
    ends = {*found.ends}
    for number, state in found.walk():
        state.world.check()
        assert all(each.mapping or not each.mapcount for each in state.world.folios.values())
        for folio in state.world.folios.values() if number in ends else ():
            assert not folio.locked_by
            assert ISOLATION not in dict(folio.held)
            assert folio.migration_entries == (0, 0)
    return found


# -- an enumerator that shares no code with the explorer


def all_runs(scenario: Scenario) -> list[tuple[tuple[Any, ...], Any]]:
    """Every maximal schedule and the state it ends in, by trying them one after another."""
    runs, todo = [], [((), scenario.initial())]
    while todo:
        moves, state = todo.pop()
        free = scenario.moves(state)
        if not free:
            runs.append((moves, state))
        for move in free:
            todo.append(((*moves, move), scenario.step(state, move)[0]))
    return runs


def odds_by_layers(
    scenario: Scenario, name: Any, weights: Any = MappingProxyType({}), start: Any = None
) -> dict[Any, tuple[int, Fraction]]:
    """(number of schedules, odds) of each end by name, of runs that begin at `start`.

    One step at a time: what can be after n steps, each state known by its world and by everything
    that its actors have been answered.  No schedule is left out, and none is followed alone."""
    nobody = ((),) * len(scenario.actors)
    start = start or scenario.initial()
    layer = {(start.world.key(), nobody): (1, Fraction(1), start)}
    ends: dict[Any, tuple[int, Fraction]] = {}
    while layer:
        after: dict[Any, tuple[int, Fraction, Any]] = {}
        for (_, answers), (count, odds, state) in layer.items():
            moves = scenario.moves(state)
            if not moves:
                known = ends.get(name(state), (0, Fraction(0)))
                ends[name(state)] = (known[0] + count, known[1] + odds)
            sides = {move.actor: Fraction(weights.get(move.actor, 1)) for move in moves}
            for move in moves:
                mine = [other for other in moves if other.actor == move.actor]
                shares = {other: Fraction(weights.get(str(other), 1)) for other in mine}
                part = sides[move.actor] / sum(sides.values()) * shares[move] / sum(shares.values())
                then, event = scenario.step(state, move)
                i = scenario.index[move.actor]
                told = (*answers[:i], (*answers[i], event.answer), *answers[i + 1 :])
                key = (then.world.key(), told)
                more, likely, _ = after.get(key, (0, Fraction(0), then))
                after[key] = (more + count, likely + odds * part, then)
        layer = after
    return ends


def outcome_of(scenario: Scenario, state: Any) -> tuple[Any, ...]:
    """What a person would call the outcome: the world, and what everybody returned."""
    return (state.world.key(), tuple(sorted(scenario.results(state).items())))
