"""The long-term pin where no vector looks: what it touches, and a hole in the range."""

from small import NR, PFN, folio, memory, run

from mmsim.engine.actor import Actor
from mmsim.errno import EFAULT
from mmsim.mm.gup import Extent, pin_user_pages_remote
from mmsim.mm.versions import VERSIONS


def pin(world, *vma):
    """The result, and the world afterwards."""
    extents = tuple(Extent(region, pages) for region, pages in vma)
    pin = Actor("pin", lambda: pin_user_pages_remote(extents, VERSIONS["v3"]))
    trace = run(world, pin)
    return trace.results["pin"], trace.last.world


def test_a_pmd_is_touched_without_marking_the_folio():
    _, world = pin(memory(folio(dirty=False), in_cma=False), ("A", NR))
    assert not world.folio(PFN).referenced
    assert not world.folio(PFN).dirty
    mapped_by_ptes = folio(dirty=False, pmd_maps=0, pte_maps=NR)
    _, world = pin(memory(mapped_by_ptes, in_cma=False), ("A", NR))
    assert world.folio(PFN).dirty


def test_nothing_there_is_an_error_and_less_than_asked_is_not():
    assert pin(memory(folio(), in_cma=False), ("B", 1))[0] == -EFAULT
    assert pin(memory(folio(), in_cma=False), ("A", NR), ("B", 1))[0] == NR
