"""Every inconsistency that can be planted is found, and no run of the model plants one."""

import pytest
from coin import coin
from small import NR, PFN, do, folio, isolated, memory

from mmsim.constants import MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import Scenario
from mmsim.mm.actors import holder, isolator, locker, pinner
from mmsim.mm.folio import ISOLATION, Page
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.migrate import migrate_pages, putback_movable_pages
from mmsim.mm.rmap import remap_page, try_to_migrate
from mmsim.mm.shmem import map_in_another_process
from mmsim.mm.versions import VERSIONS


def plant(do=lambda world: None, *others, order=2, **changes):
    """A world with a folio at PFN that contradicts itself."""
    world = memory(folio("A", order), *others)
    world.update(PFN, **changes)
    do(world)
    return world


def moved(world):
    world.folios[PFN + 1] = world.folios.pop(PFN)
    world.where["A", 0] = PFN + 1


def batch(pfn):
    return lambda world: world.batches.update({("cpu", "lru_add"): (pfn,)})


def held(who):
    return lambda world: world.hold(PFN, who)


DISAGREE = "A: batches and their references disagree"
PLANTED = {
    "one reference too many": (plant(refcount=NR + 2), "refcount 6.*add up to 5"),
    "one reference too few": (plant(refcount=NR), "refcount 4.*add up to 5"),
    "held without a count": (plant(held=(("x", 1),)), "refcount 5.*add up to 6"),
    "negative reference count": (plant(refcount=-1), "refcount -1"),
    "negative pin count": (plant(pincount=-1), "a count is negative"),
    "negative mappings": (plant(pmd_maps=-1, refcount=NR - 1), "a count is negative"),
    "a batch without its reference": (plant(batch(PFN), order=0), DISAGREE),
    "a batch reference without its batch": (plant(held("lru_add batch"), order=0), DISAGREE),
    "a batch with a freed folio": (plant(batch(PFN + 1), order=0), "a batch holds freed folios"),
    "isolated and on an LRU": (plant(held(ISOLATION)), "A: isolated, and on an LRU all the same"),
    "misaligned": (plant(moved), "0x201 is not aligned to order 2"),
    "looked for in the wrong place": (
        plant(lambda w: w.where.update({("A", 0): PFN + NR}), folio("B")),
        r"A\[0\] is looked for at .*, which has B",
    ),
    "looked for at a freed folio": (plant(lambda w: w.folios.clear()), "no folio at pfn 0x200"),
    "more mappings of others than mappings": (plant(other_maps=(2, 0)), "other processes"),
}


@pytest.mark.parametrize(("world", "complaint"), PLANTED.values(), ids=PLANTED)
def test_check_finds_what_was_planted(world, complaint):
    with pytest.raises(ModelError, match=complaint):
        world.check()


# -- writing


def test_references_have_owners():
    world = memory(folio())
    world.hold(PFN, "x", 2)
    world.hold(PFN, "y")
    world.drop(PFN, "x")
    assert world.folio(PFN).held == (("x", 1), ("y", 1))
    world.check()
    with pytest.raises(ModelError, match="'x' drops a reference on A it does not hold"):
        world.drop(PFN, "x", 2)
    with pytest.raises(ModelError, match="'z' drops a reference"):
        world.drop(PFN, "z")


def test_a_pfn_is_taken_once():
    with pytest.raises(ModelError, match="pfn 0x200 is taken"):
        memory(folio()).add(PFN, folio("B"))


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.update(PFN, locked_by="x"),
        lambda w: w.count("pgmigrate_fail"),
        lambda w: w.batches.update({("cpu", "lru_add"): (PFN,)}),
        lambda w: setattr(w, "target_pfn", 1),
        lambda w: w.hold(PFN, "x"),
    ],
)
def test_different_worlds_have_different_keys(change):
    world, other = memory(folio()), memory(folio())
    assert world.key() == other.key()
    change(other)
    assert world.key() != other.key()


# -- seeded random runs, checked after every step


def some_holders():
    return (
        holder("drop_caches", "A", 1),
        pinner("direct_io", "P", 0),
        locker("reclaim", "A", 0),
        isolator("compaction", "P", 0),
        holder("fault", "P", 0),
    )


def run_migrate(version):
    world = memory(isolated("A"), isolated("P", 0), targets_huge="either", targets_base="either")

    def path():
        from_ = [Page(PFN, NR), Page(PFN + NR, 1)]
        rc = yield from migrate_pages(from_, MIGRATE_SYNC, MR_LONGTERM_PIN, version)
        yield from putback_movable_pages(from_)
        return rc

    return Scenario("migrate", world, (Actor("migrate", path), *some_holders()))


def run_pin(version):
    world = memory(folio("A"), folio("P", 0), targets_huge="either")
    vma = (Extent("A", NR), Extent("P", 1))
    pin = Actor("pin", lambda: pin_user_pages_remote(vma, version))
    return Scenario("pin", world, (pin, *some_holders()))


def run_two_pins(version):
    world = memory(folio("A"), folio("B", pmd_maps=0, pte_maps=NR), targets_huge="either")
    vma = (Extent("A", NR), Extent("B", NR))
    actors = [Actor(name, lambda: pin_user_pages_remote(vma, version)) for name in ("one", "two")]
    return Scenario("two pins", world, tuple(actors))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [run_migrate, run_pin, run_two_pins])
@pytest.mark.parametrize("version", ["base", "v2", "v3fix"])
def test_the_world_is_sound_after_every_step_of_a_random_run(make, version, seed):
    scenario = make(VERSIONS[version])
    choose, state = coin(seed), scenario.initial()
    for _ in range(3000):
        if not scenario.moves(state):
            break
        state, _ = scenario.step(state, choose(scenario, state), keep=False)
        state.world.check()
    owners = {who for f in state.world.folios.values() for who, _ in f.held}
    if scenario.finished(state):
        assert all(who.endswith((" batch", "(pin)")) for who in owners)


def test_a_pin_that_goes_round_is_told_apart_by_what_is_pinned_now():
    def key(spins, acquired, released):
        world = memory(folio(), pin_spins=spins)
        world.count("nr_foll_pin_acquired", acquired)
        world.count("nr_foll_pin_released", released)
        return world.key()

    assert key(True, 5, 4) == key(True, 1, 0) != key(True, 2, 0)
    assert key(False, 5, 4) != key(False, 1, 0) == key(False, 1, 0)


@pytest.mark.parametrize(("order", "others"), [(2, (2, 0)), (0, (0, 2))])
def test_mappings_of_others_are_counted_by_their_kind_and_stay_with_a_folio(order, others):
    world = memory(folio("A", order, kind="shmem"))
    for _ in range(2):
        do(world, map_in_another_process("A", 0))
    assert (world.folio(PFN).other_maps, world.folio(PFN).mapcount) == (others, 3)
    do(world, try_to_migrate(PFN))
    do(world, remap_page(PFN))
    made = world.folio(PFN)
    assert made.migration_entries == (0, 0)
    assert (made.pte_maps, made.other_maps) == ((3 * NR, (0, 2 * NR)) if order else (3, (0, 2)))
    world.check()
