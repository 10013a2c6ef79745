"""Every inconsistency that can be planted is found, and no run of the model plants one."""

import pytest
from small import NR, PFN, folio, isolated, memory

from mmsim.constants import MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import coin
from mmsim.mm.actors import holder, isolator, locker, pinner
from mmsim.mm.folio import ISOLATION, Page
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.migrate import migrate_pages, putback_movable_pages
from mmsim.mm.versions import VERSIONS


def plant(**changes):
    world = memory(folio())
    world.update(PFN, **changes)
    return world


PLANTED = {
    "one reference too many": (lambda: plant(refcount=NR + 2), "refcount 6.*add up to 5"),
    "one reference too few": (lambda: plant(refcount=NR), "refcount 4.*add up to 5"),
    "held without a count": (lambda: plant(held=(("x", 1),)), "refcount 5.*add up to 6"),
    "negative reference count": (lambda: plant(refcount=-1), "refcount -1"),
    "negative pin count": (lambda: plant(pincount=-1), "a count is negative"),
    "negative mappings": (
        lambda: plant(pmd_maps=-1, refcount=NR - 1),
        "a count is negative",
    ),
    "a batch without its reference": (
        lambda: batch(memory(folio("P", 0)), PFN),
        "P: batches and their references disagree",
    ),
    "a batch reference without its batch": (
        lambda: held(memory(folio("P", 0)), "lru_add batch"),
        "P: batches and their references disagree",
    ),
    "a batch with a freed folio": (
        lambda: batch(memory(folio("P", 0)), PFN + 1),
        "a batch holds freed folios",
    ),
    "isolated and on an LRU": (
        lambda: held(memory(folio()), ISOLATION),
        "A: isolated, and on an LRU all the same",
    ),
    "misaligned": (lambda: moved(memory(folio()), PFN + 1), "0x201 is not aligned to order 2"),
    "looked for in the wrong place": (
        lambda: renamed(memory(folio("A"), folio("B"))),
        r"A\[0\] is looked for at .*, which has B",
    ),
    "looked for at a freed folio": (lambda: vanished(memory(folio())), "no folio at pfn 0x200"),
}


def batch(world, pfn):
    world.batches["cpu", "lru_add"] = (pfn,)
    return world


def held(world, who):
    world.hold(PFN, who)
    return world


def moved(world, pfn):
    world.folios[pfn] = world.folios.pop(PFN)
    world.where["A", 0] = pfn
    return world


def renamed(world):
    world.where["A", 0] = PFN + NR
    return world


def vanished(world):
    del world.folios[PFN]
    return world


@pytest.mark.parametrize(("make", "complaint"), PLANTED.values(), ids=PLANTED.keys())
def test_check_finds_what_was_planted(make, complaint):
    with pytest.raises(ModelError, match=complaint):
        make().check()


def test_a_frozen_folio_is_no_contradiction():
    world = memory(isolated(pmd_maps=0))
    world.update(PFN, refcount=0)
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


def test_a_branch_is_independent_and_shares_its_values():
    world = memory(folio("A"), folio("B"))
    branch = world.branch()
    assert branch.key() == world.key()
    branch.update(PFN, dirty=False)
    branch.count("thp_split_page")
    branch.batches["cpu", "lru_add"] = ()
    assert world.folio(PFN).dirty
    assert world.vmstat["thp_split_page"] == 0
    assert world.batches == {}
    assert branch.key() != world.key()
    assert branch.folios[PFN + NR] is world.folios[PFN + NR]


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


def migrater(version, *pages):
    def path():
        from_ = list(pages)
        rc = yield from migrate_pages(from_, MIGRATE_SYNC, MR_LONGTERM_PIN, version)
        yield from putback_movable_pages(from_)
        return rc

    return Actor("migrate", path)


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
    pages = [Page(PFN, NR), Page(PFN + NR, 1)]
    return Scenario("migrate", world, (migrater(version, *pages), *some_holders()))


def run_pin(version):
    world = memory(folio("A"), folio("P", 0), targets_huge="either")
    vma = (Extent("A", NR), Extent("P", 1))
    return Scenario(
        "pin",
        world,
        (Actor("pin", lambda: pin_user_pages_remote(vma, version)), *some_holders()),
    )


def run_two_pins(version):
    world = memory(folio("A"), folio("B", pmd_maps=0, pte_maps=NR), targets_huge="either")
    vma = (Extent("A", NR), Extent("B", NR))
    actors = [Actor(name, lambda: pin_user_pages_remote(vma, version)) for name in ("one", "two")]
    return Scenario("two pins", world, tuple(actors))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("make", [run_migrate, run_pin, run_two_pins])
@pytest.mark.parametrize("version", ["base", "v2", "v3fix"])
def test_the_world_is_sound_after_every_step_of_a_random_run(make, version, seed):
    scenario = make(VERSIONS[version])
    choose, state = coin(seed), scenario.initial()
    for _ in range(3000):
        try:
            move = choose(scenario, state)
        except StopIteration:
            break
        state, _ = scenario.step(state, move, keep=False)
        state.world.check()
    owners = {who for f in state.world.folios.values() for who, _ in f.held}
    if scenario.finished(state):
        assert all(who.endswith((" batch", "(pin)")) for who in owners)
