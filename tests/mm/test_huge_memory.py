"""Ways a split can end that no vector has: its code, its events, and what is left.

The rows are those of the kernel's own order of checks in split_huge_page_to_list(), numbered as in
the specification of the kernel's behaviour (section 3.3)."""

import pytest
from small import NR, PFN, do, isolated, memory

from mmsim.constants import ANON
from mmsim.engine.op import ModelError
from mmsim.evidence.vectors import run_split
from mmsim.mm import huge_memory
from mmsim.mm.huge_memory import unmap_folio
from mmsim.mm.page_ref import folio_ref_freeze
from mmsim.mm.versions import VERSIONS

FAILED, PMD, IN_ANON = "thp_split_page_failed", "thp_split_pmd", {"kind": "anon"}
AT_CHECK, AT_FREEZE = ({"pass": 0, "site": site} for site in ("site1", "site2"))


def truncated(at):
    return {"events": [{"folio": "A", "at": at, "do": "truncate"}]}


# The folio, what happens, and then: code with the patch, events, references and PMDs left.
# Before the patch EAGAIN was EBUSY.
ROWS = {
    "2 writeback, anon": (IN_ANON | {"writeback": True}, {}, "EBUSY", [], (2, 1)),
    "3a no anon_vma": (IN_ANON | {"pmd_maps": 0}, {}, "EBUSY", [FAILED], (1, 0)),
    "5 anon": (IN_ANON, {"strangers": [{"folio": "A"}]}, "EAGAIN", [FAILED], (3, 1)),
    "5 truncated": ({}, truncated(AT_CHECK), "EAGAIN", [FAILED], (1, 0)),
    "7 truncated": ({}, truncated(AT_FREEZE), "EAGAIN", [FAILED, PMD], (1, 0)),
}


@pytest.mark.parametrize("version", ["base", "v2", "6.12"])
@pytest.mark.parametrize(("fields", "script", "code", "events", "left"), ROWS.values(), ids=ROWS)
def test_row_of_the_table(fields, script, code, events, left, version):
    setup = {"folios": [{"name": "A", "order": 9, "isolated": True, **fields}]}
    vector = {"setup": setup, "script": script, "operation": {"folio": "A", "times": 1}}
    seen = {"ref": left[0], "pmd_maps": left[1], "pte_maps": 0, "split": False}
    found = run_split(vector, VERSIONS[version], {"folios": {"A": seen}})
    assert found["results"] == ["EBUSY" if version == "base" else code]
    assert [name for name, n in found["counters"].items() if n] == events
    assert found["folios"] == {"A": seen}


def test_splitting_a_folio_that_somebody_holds_is_a_bug_of_the_model():
    world = memory(isolated(held=(("x", 1),)))
    world.update(PFN, refcount=0)
    with pytest.raises(ModelError, match="A is cut, but is referred to by x"):
        do(world, huge_memory.__split_huge_page(PFN))


@pytest.mark.parametrize("pmd", range(3))
@pytest.mark.parametrize("pte", [0, 1, NR, NR + 3])
def test_the_mappings_of_a_huge_page_go_to_its_pieces(pte, pmd):
    world = memory(isolated(kind=ANON, cached=False, pmd_maps=pmd, pte_maps=pte))
    do(world, unmap_folio(PFN))
    do(world, folio_ref_freeze(PFN, world.folio(PFN).refcount))
    pieces = do(world, huge_memory.__split_huge_page(PFN))
    maps = [world.folio(each.pfn).pte_maps for each in pieces]
    assert sum(maps) == pmd * NR + pte
    assert max(maps) - min(maps) <= 1
    world.check()
