"""drop_caches: who is locked and referenced when, what is dropped, and what is left behind."""

import pytest
from small import NR, ORDER, PFN, do, folio, isolated, memory

from mmsim.constants import DEACTIVATE_FILE, LRU_ADD, PAGEVEC_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.explore import Verdict, explore
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import one_after_another, parse, replaying
from mmsim.engine.trace import record
from mmsim.errno import EINVAL, ENOMEM
from mmsim.mm.actors import holder, truncater
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.filemap import find_get_entry
from mmsim.mm.folio import Extent
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.swap import batch_add, folio_isolate_lru, lru_add_drain_all
from mmsim.mm.versions import BASE, VERSIONS

ME = "drop_caches"


def file_of(world):
    return tuple(Extent(f.region, f.nr_pages) for f in world.folios.values())


def dropping(world, files=None, value=1):
    files = files or (file_of(world),)
    return Actor(ME, lambda: drop_caches(files, BASE, value))


def drop(world, *others, files=None, value=1, schedule=None, merge=False):
    """Run to the end, or along a schedule; the world is sound after every step."""
    scenario = Scenario(ME, world, (dropping(world, files, value), *others), merge=merge)
    moves = parse(schedule, [actor.name for actor in scenario.actors]) if schedule else []
    trace = record(scenario, replaying(moves) if moves else one_after_another)
    for position in range(len(trace) + 1):
        trace.state(position).world.check()
    return trace


def refs(world):
    return [made.refcount for made in world.folios.values()]


def thps(n, **fields):
    return memory(*[folio(f"T{i}", **fields) for i in range(n)])


def pages(n, **fields):
    return memory(*[folio(f"P{i}", 0, **fields) for i in range(n)])


def columns(trace, pfn):
    """(step, change of the reference count, locked, on an LRU) of a folio, step by step."""
    rows = []
    for position, event in enumerate(trace.events, start=1):
        before, after = (trace.state(position - i).world.folios.get(pfn) for i in (1, 0))
        change = (after.refcount if after else 0) - before.refcount
        flags = (bool(after.locked_by), after.lru) if after else None
        rows.append((event.op.kind.name, change, flags))
        if after is None:
            break
    return rows


# -- the eleven steps


LOCKED, FREE, CLAIMED = (True, True), (False, True), (False, False)


@pytest.mark.parametrize("maps", [0, 1])
def test_the_events_of_one_dirty_huge_page(maps):
    """The table of the specification, row by row: what happens, change of ref, lock, PG_lru."""
    trace = drop(thps(1, pmd_maps=maps))
    assert columns(trace, PFN) == [
        ("mapping_empty", 0, FREE),
        ("find_get_entry", +1, FREE),  # 1
        ("folio_trylock", 0, LOCKED),  # 2
        ("folio_mapping", 0, LOCKED),  # 3
        ("folio_test_writeback", 0, LOCKED),
        ("find_get_entry", 0, LOCKED),  # 4: the walk goes on, and finds nothing more
        ("folio_test_dirty", 0, LOCKED),  # 5
        ("folio_unlock", 0, FREE),  # 6
        ("folio_batch_add", +1, FREE),  # 7
        ("folio_test_clear_lru", 0, CLAIMED),  # 8
        ("lru_deactivate_file_fn", 0, FREE),
        ("folios_put", -1, FREE),
        ("lru_add_drain", 0, FREE),  # 10
        ("folio_put", -1, FREE),
        ("cond_resched", 0, FREE),  # 11
        ("find_get_entry", 0, FREE),
        ("count_vm_events", 0, FREE),
    ]


def test_the_events_of_a_clean_unmapped_huge_page():
    rows = columns(drop(thps(1, dirty=False, pmd_maps=0)), PFN)
    start = [row[0] for row in rows].index("folio_ref_count")
    assert rows[start:] == [
        ("folio_ref_count", 0, LOCKED),
        ("folio_ref_freeze", -(NR + 1), LOCKED),
        ("folio_test_dirty", 0, LOCKED),
        ("filemap_remove_folio", +1, LOCKED),
        ("folio_unlock", 0, FREE),
        ("lru_add_drain", 0, FREE),
        ("folio_put", -1, None),  # freed with the reference of the walk, not before
    ]


@pytest.mark.parametrize("n", [1, 14, 15, 16, 20, 31])
def test_a_batch_has_fifteen_entries(n):
    """Their references overlap; those of the next batch come after."""
    trace = drop(thps(n))
    held = [
        sum(dict(made.held).get(ME, 0) for made in trace.state(i).world.folios.values())
        for i in range(len(trace) + 1)
    ]
    assert max(held) == min(n, PAGEVEC_SIZE)
    names = [event.op.kind.name for event in trace.events]
    assert names.count("cond_resched") == -(-n // PAGEVEC_SIZE)
    assert names.count("lru_add_drain") == 1
    assert refs(trace.last.world) == [NR + 1] * n
    assert trace.last.world.batches == {}


# -- who is passed over


def test_a_frozen_folio_makes_the_lookup_wait():
    world = thps(1)
    world.update(PFN, refcount=0)
    guard = find_get_entry.atomic.guard
    assert guard(world, ME, file_of(world), (0, 0)) == "T0 is frozen: its count is 0"
    world.update(PFN, refcount=NR + 1)
    assert do(world, find_get_entry(file_of(world), (0, 0)), ME).page == (PFN, NR)


def skipping(world, *others, schedule=None):
    trace = drop(world, *others, schedule=schedule)
    return trace, [e.op.args[0] for e in trace.events if e.op.kind.name == "folio_put"]


def test_a_locked_folio_costs_a_get_and_a_put():
    world = thps(3)
    world.update(PFN + NR, locked_by="a migrator")
    trace, puts = skipping(world)
    assert puts == [PFN + NR, PFN, PFN + 2 * NR]
    rows = [row for row in columns(trace, PFN + NR) if row[1]]
    assert rows == [("find_get_entry", +1, LOCKED), ("folio_put", -1, LOCKED)]


def test_a_folio_that_left_its_file_after_the_lookup_is_passed_over():
    """mapping_empty, find_get_entry, folio_trylock; then it is truncated."""
    world = thps(1)
    trace, puts = skipping(world, truncater("t", "T0", 0), schedule="drop_caches*3 t drop_caches*6")
    assert puts == [PFN]
    assert trace.scenario.finished(trace.last)
    assert trace.last.world.folios == {}


# -- what is dropped


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("dirty", [False, True])
@pytest.mark.parametrize("mapped", [0, 1])
@pytest.mark.parametrize("strange", [0, 1])
def test_only_clean_unmapped_pages_of_nobody_else_are_dropped(order, dirty, mapped, strange):
    fields = {"dirty": dirty, "held": (("s", strange),) if strange else ()}
    fields["pmd_maps" if order else "pte_maps"] = mapped
    trace = drop(memory(folio("A", order, **fields)))
    dropped = not (dirty or mapped or strange)
    assert trace.results[ME] == ((1 << order) if dropped else 0)
    assert (trace.last.world.folios == {}) is dropped
    assert trace.last.world.find("A", 0) == (None if dropped else PFN)


def test_a_reference_taken_after_the_count_was_read_saves_the_folio():
    world = thps(1, dirty=False, pmd_maps=0)
    names = [e.op.kind.name for e in drop(world).events]
    before = names.index("folio_ref_freeze")
    late = holder("s", "T0", 0)
    schedule = f"drop_caches*{before} s drop_caches*11 s"
    trace = drop(world, late, schedule=schedule)
    assert trace.results[ME] == 0
    assert refs(trace.last.world) == [NR]


def test_written_to_just_before_the_freeze_is_kept():
    """The second look at PG_dirty: somebody pinned, wrote, and was gone before the freeze."""
    world = thps(1, dirty=False, pmd_maps=0)
    scenario = Scenario(ME, world, (dropping(world),))
    state = scenario.initial()
    while True:
        moves = scenario.moves(state)
        if not moves:
            break
        if scenario.local(state, ME).op.kind.name == "folio_ref_freeze":
            state.world.update(PFN, dirty=True)
        state, _ = scenario.step(state, moves[0], keep=False)
        state.world.check()
    assert refs(state.world) == [NR]
    assert state.world.folio(PFN).cached


def test_anonymous_memory_is_in_no_file():
    world = memory(folio("A", kind="anon", cached=True), folio("B", cached=False, kind="anon"))
    trace = drop(world)
    assert [e.op.kind.name for e in trace.events] == ["mapping_empty", "count_vm_events"]


@pytest.mark.parametrize(("value", "result"), [(4, 0), (0, -EINVAL), (5, -EINVAL), (-1, -EINVAL)])
def test_values_that_drop_nothing(value, result):
    trace = drop(thps(1, dirty=False, pmd_maps=0), value=value)
    assert trace.results[ME] == result
    assert trace.last.world.folios


# -- what single pages leave behind


@pytest.mark.parametrize("n", [1, 14, 15, 16, 20, 29, 30, 31, 45, 50])
def test_single_pages_that_keep_a_reference(n):
    """The first release of a file drains; later ones do not."""
    trace = drop(pages(n))
    left = 0 if n <= PAGEVEC_SIZE else n % PAGEVEC_SIZE
    after = trace.last.world
    assert refs(after) == [2] * (n - left) + [3] * left
    assert len(after.batches.get((ME, DEACTIVATE_FILE), ())) == left
    assert all(made.lru for made in after.folios.values())


def test_every_file_drains_once():
    world = pages(36)
    extents = file_of(world)
    trace = drop(world, files=(extents[:18], extents[18:36]))
    # The first file leaves 3; the second finds 12 places, drains at its first release, leaves 3.
    assert refs(trace.last.world) == [2] * 33 + [3] * 3
    assert [e.op.kind.name for e in trace.events].count("lru_add_drain") == 2


def test_the_drain_of_the_first_release_takes_other_batches_along():
    world = memory(folio("P", 0, lru=False), folio("Q", 0))
    batch_add(world, ME, LRU_ADD, PFN)
    batch_add(world, "another cpu", DEACTIVATE_FILE, PFN + 1)
    trace = drop(world)
    assert refs(trace.last.world) == [2, 3]
    assert list(trace.last.world.batches) == [("another cpu", DEACTIVATE_FILE)]


# -- a batch on its way to the lists


def at_step(world, name):
    trace = drop(world)
    names = [event.op.kind.name for event in trace.events]
    return trace.state(names.index(name) + 1).world


def test_while_it_is_moved_nobody_can_isolate_a_folio():
    world = at_step(thps(1), "folio_test_clear_lru")
    assert do(world, folio_isolate_lru(PFN)) is False
    world = at_step(thps(1), "lru_deactivate_file_fn")
    assert do(world, folio_isolate_lru(PFN)) is True


def test_a_drain_of_all_cpus_waits_for_a_batch_that_is_being_moved():
    guard = lru_add_drain_all.atomic.guard
    assert guard(at_step(thps(1), "folio_unlock"), "pin") is None
    for name in ("folio_batch_add", "folio_test_clear_lru", "lru_deactivate_file_fn"):
        assert ME in guard(at_step(thps(1), name), "pin")
    assert guard(at_step(thps(1), "folios_put"), "pin") is None


def test_an_isolated_folio_is_left_alone_by_the_move():
    trace = drop(memory(isolated("A", active=True, referenced=True)))
    names = [event.op.kind.name for event in trace.events]
    assert "folio_test_clear_lru" in names
    assert "lru_deactivate_file_fn" not in names
    made = trace.last.world.folio(PFN)
    assert (made.lru, made.active, made.refcount) == (False, True, NR + 2)


# -- beside a pin


def pin_beside(version, *, merge=True, passes=10, order=ORDER, others=()):
    world = memory(folio("A", order), targets_huge="none")
    row = VERSIONS[version]._replace(passes=passes)
    pin = Actor("pin", lambda: pin_user_pages_remote((Extent("A", 1 << order),), row))
    return Scenario("beside", world, (pin, dropping(world), *others), merge=merge)


def result(state):
    return state.locals[0].result if state.locals[0].finished else None


@pytest.mark.parametrize(("version", "rescued"), [("6.1.0", False), ("v3", True)])
def test_the_walk_can_refuse_a_split_and_the_patch_can_wait_for_it(version, rescued):
    """One pass of the walk over a dirty, mapped huge page is enough to fail the pin."""
    found = explore(pin_beside(version))
    assert found.complete
    assert found.deadlocks == []
    for state in found.found:
        state.world.check()

    def refused(state):
        return state.world.vmstat["thp_split_page_failed"] > 0

    assert found.sometimes(lambda s: refused(s) and result(s) == -ENOMEM) is Verdict.HOLDS
    saved = found.sometimes(lambda s: refused(s) and result(s) == NR)
    assert saved is (Verdict.HOLDS if rescued else Verdict.BROKEN)
    # The walk itself is never harmed: it ends, and keeps nothing of a huge page.
    for end in found.ends:
        owners = {who for f in found.found[end].world.folios.values() for who, _ in f.held}
        assert ME not in owners
