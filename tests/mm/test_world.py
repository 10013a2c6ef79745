"""Every inconsistency that can be planted is found, and no run of the model plants one."""

import pytest
from small import NR, ORDER, PFN, folio, memory

from mmsim.engine.op import ModelError
from mmsim.mm.folio import ISOLATION
from mmsim.mm.world import Container, IommuMap


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


def reached(pfn):
    return lambda world: setattr(world, "container", Container(maps=(IommuMap(0, pfn, 1),)))


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
    "a device at an unpinned page": (plant(reached(PFN)), "a device reaches 1 .*, 0 are pinned"),
    "a device at no page": (plant(reached(PFN + NR)), "no folio holds pfn"),
}


@pytest.mark.parametrize(("world", "complaint"), PLANTED.values(), ids=PLANTED)
def test_check_finds_what_was_planted(world, complaint):
    with pytest.raises(ModelError, match=complaint):
        world.check()


def test_references_have_owners_and_a_pfn_is_taken_once():
    world = memory(folio())
    assert world.from_elsewhere(ORDER) + NR == world.from_elsewhere(ORDER)
    assert world.parts(PFN + 1, NR - 1) == [(PFN, 1, NR - 1)]
    world.hold(PFN, "x", 2)
    world.drop(PFN, "x")
    assert world.folio(PFN).held == (("x", 1),)
    for who, n in (("x", 2), ("z", 1)):
        with pytest.raises(ModelError, match=f"'{who}' drops a reference on A it does not hold"):
            world.drop(PFN, who, n)
    with pytest.raises(ModelError, match="pfn 0x200 is taken"):
        world.add(PFN, folio("B"))
