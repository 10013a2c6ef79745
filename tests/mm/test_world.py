"""Every inconsistency that can be planted is found, and no run of the model plants one."""

import pytest
from small import NR, PFN, folio, memory

from mmsim.engine.op import ModelError
from mmsim.mm.folio import ISOLATION


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


def test_pages_in_a_row_belong_to_the_folios_around_them():
    world = memory(folio("A", 9), folio("B"))
    assert world.parts(PFN + 300, 214) == [(PFN, 300, 212), (PFN + 512, 0, 2)]
    assert world.parts(PFN + 513, 1) == [(PFN + 512, 1, 1)]


def test_a_pfn_is_taken_once():
    with pytest.raises(ModelError, match="pfn 0x200 is taken"):
        memory(folio()).add(PFN, folio("B"))


# -- seeded random runs, checked after every step


@pytest.mark.parametrize("turned", [False, True])
def test_a_pin_that_goes_round_is_told_apart_by_what_is_pinned_now(turned):
    """In whichever order the counters stand."""

    def key(spins, acquired, released):
        world = memory(folio(), pin_spins=spins)
        if turned:
            world.vmstat = dict(reversed(world.vmstat.items()))
        world.count("nr_foll_pin_acquired", acquired)
        world.count("nr_foll_pin_released", released)
        return world.key()

    assert key(True, 5, 4) == key(True, 1, 0) != key(True, 2, 0)
    assert key(False, 5, 4) != key(False, 1, 0) == key(False, 1, 0)
