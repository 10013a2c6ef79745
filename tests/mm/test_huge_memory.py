"""Ways a split can end that no vector has: its code, its events, and what is left.

The rows are those of the kernel's own order of checks in split_huge_page_to_list(), numbered as in
the specification of the kernel's behaviour (section 3.3).
"""

import pytest
from small import NR, PFN, do, isolated, memory, run

from mmsim.constants import ANON, SPLIT_COUNTERS
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError
from mmsim.errno import EAGAIN, EBUSY
from mmsim.mm import huge_memory
from mmsim.mm.actors import holder, truncater
from mmsim.mm.folio import Page
from mmsim.mm.page_ref import folio_ref_freeze
from mmsim.mm.rmap import unmap_folio
from mmsim.mm.versions import VERSIONS, environment
from mmsim.scenarios.one_page import repeated_split
from mmsim.scenarios.script import Cue, Position, Script

FAILED, PMD = "thp_split_page_failed", "thp_split_pmd"
THREE = {FAILED: 1, PMD: 1, "thp_deferred_split_page": 1}


def split(folio, version, others=(), cues=()):
    """Run the path; answer results, events that counted, the world, and the pieces."""
    main = Actor("split", lambda: repeated_split(Page(PFN, NR), 1, VERSIONS[version]))
    world = memory(folio)
    world.env = environment(VERSIONS[version], world.env)
    trace = run(world, main, *others, script=Script(tuple(cues)))
    results, pieces = trace.results["split"]
    vmstat = trace.last.world.vmstat
    return results, {n: vmstat[n] for n in SPLIT_COUNTERS if vmstat[n]}, trace.last.world, pieces


def comes_at(site, actor=None):
    actor = actor or holder("holder", "A", 0, leaves=False)
    return {"others": (actor,), "cues": (Cue(actor.name, "A", Position.at(site, 0)),)}


def truncated_at(site):
    return comes_at(site, truncater("truncate", "A", 0))


def anon(**fields):
    return isolated(kind=ANON, cached=False, **fields)


# What happens, and then: code with the patch, events, references and mappings (PMD, PTE) left.
# Before the patch -EAGAIN was -EBUSY.  The other rows are vectors (data/conformance/split.json).
ROWS = {
    "2 writeback, anon": (anon(writeback=True), {}, -EBUSY, {}, (2, 1, 0)),
    "3a no anon_vma": (anon(pmd_maps=0), {}, -EBUSY, {FAILED: 1}, (1, 0, 0)),
    "5 anon": (anon(), comes_at("split.check"), -EAGAIN, {FAILED: 1}, (3, 1, 0)),
    "5 truncated": (isolated(), truncated_at("split.check"), -EAGAIN, {FAILED: 1}, (1, 0, 0)),
    "7 truncated": (
        isolated(),
        truncated_at("split.freeze"),
        -EAGAIN,
        {FAILED: 1, PMD: 1},
        (1, 0, 0),
    ),
    "8 shmem": (isolated(), comes_at("unmap"), -EAGAIN, {FAILED: 1, PMD: 1}, (NR + 2, 0, 0)),
    "8 anon": (anon(), comes_at("split.freeze"), -EAGAIN, THREE, (2 + NR, 0, NR)),
}


@pytest.mark.parametrize("version", ["base", "v2", "6.12"])
@pytest.mark.parametrize(("folio", "happens", "rc", "events", "left"), ROWS.values(), ids=ROWS)
def test_row_of_the_table(folio, happens, rc, events, left, version):
    results, counted, world, pieces = split(folio, version, **happens)
    before = version == "base" and rc == -EAGAIN
    if version == "6.12":  # what a PMD maps is never partly unmapped
        events = {name: n for name, n in events.items() if name != "thp_deferred_split_page"}
    assert (results, counted, pieces) == ([-EBUSY if before else rc], events, [])
    after = world.folio(PFN)
    assert (after.refcount, after.pmd_maps, after.pte_maps) == left
    assert (after.order, after.locked_by) == (folio.order, "")


def test_splitting_a_folio_that_somebody_holds_is_a_bug_of_the_model():
    world = memory(isolated(held=(("x", 1),)))
    world.update(PFN, refcount=0)
    with pytest.raises(ModelError, match="A is cut, but is referred to by x"):
        do(world, vars(huge_memory)["__split_huge_page"](PFN))


@pytest.mark.parametrize("pmd", range(3))
@pytest.mark.parametrize("pte", [0, 1, NR, NR + 3])
def test_the_mappings_of_a_huge_page_go_to_its_pieces(pte, pmd):
    world = memory(anon(pmd_maps=pmd, pte_maps=pte))
    do(world, unmap_folio(PFN))
    do(world, folio_ref_freeze(PFN, world.folio(PFN).refcount))
    pieces = do(world, huge_memory.__split_huge_page(PFN))
    maps = [world.folio(each.pfn).pte_maps for each in pieces]
    assert sum(maps) == pmd * NR + pte
    assert max(maps) - min(maps) <= 1
    world.check()
