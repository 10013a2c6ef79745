"""The long-term pin where no vector looks: what it touches, and a hole in the range."""

from small import NR, PFN, folio, memory, run

from mmsim.constants import LRU_ADD
from mmsim.engine.actor import Actor
from mmsim.errno import EFAULT
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.swap import batch_add
from mmsim.mm.versions import VERSIONS


def pin(world, *vma):
    """The result, and the run."""
    extents = tuple(Extent(region, pages) for region, pages in vma)
    trace = run(world, Actor("pin", lambda: pin_user_pages_remote(extents, VERSIONS["v3"])))
    return trace.results["pin"], trace


def test_a_pmd_is_touched_without_marking_the_folio():
    _, trace = pin(memory(folio(dirty=False), in_cma=False), ("A", NR))
    touched = trace.last.world.folio(PFN)
    assert (touched.referenced, touched.dirty) == (False, False)
    mapped_by_ptes = folio(dirty=False, pmd_maps=0, pte_maps=NR)
    _, trace = pin(memory(mapped_by_ptes, in_cma=False), ("A", NR))
    assert trace.last.world.folio(PFN).dirty


def test_nothing_there_is_an_error_and_less_than_asked_is_not():
    assert pin(memory(folio(), in_cma=False), ("B", 1))[0] == -EFAULT
    assert pin(memory(folio(), in_cma=False), ("A", NR), ("B", 1))[0] == NR


def test_the_drain_happens_once_in_a_round():
    world = memory(folio("P", 0, lru=False), folio("Q", 0, lru=False))
    for i, cpu in enumerate(("one", "two")):
        batch_add(world, cpu, LRU_ADD, PFN + i)
    result, trace = pin(world, ("P", 1), ("Q", 1))
    assert result == 2
    assert [event.op.kind.name for event in trace.events].count("lru_add_drain_all") == 1
