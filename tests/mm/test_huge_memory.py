"""Every way a split can end: its code before and after the patch, its events, and what is left.

The rows are those of the kernel's own order of checks in split_huge_page_to_list(), numbered as in
the specification of the kernel's behaviour (section 3.3).
"""

import pytest
from small import NR, PFN, isolated, memory

from mmsim.constants import ANON, HUGE_ZERO, SPLIT_COUNTERS
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import run_to_end
from mmsim.errno import EAGAIN, EBUSY, ENOMEM
from mmsim.mm.actors import stranger, truncater
from mmsim.mm.folio import Page
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.races import repeated_split
from mmsim.scenarios.script import Cue, Position, Script, Scripted

SPLIT = "thp_split_page"
FAILED = "thp_split_page_failed"
PMD = "thp_split_pmd"
DEFERRED = "thp_deferred_split_page"


def split(folio, version, *, others=(), cues=(), faults=None, times=1):
    """Run the path; answer results, events that counted, the world, and the pieces."""
    world = memory(folio, faults=bool(faults))
    page = Page(PFN, NR)
    main = Actor("split", lambda: repeated_split(page, times, VERSIONS[version]))
    scenario = Scenario("split", world, (main, *others))
    script = Script(tuple(cues), faults=faults or {})
    state = run_to_end(scenario, Scripted("split", script))
    state.world.check()
    results, pieces = scenario.results(state)["split"]
    events = {name: state.world.vmstat[name] for name in SPLIT_COUNTERS}
    return results, {name: n for name, n in events.items() if n}, state.world, pieces


def comes_at(site, actor=None):
    actor = actor or stranger("stranger", "A", 0, leaves=False)
    return {"others": (actor,), "cues": (Cue(actor.name, "A", Position.at(site, 0)),)}


def truncated_at(site):
    return comes_at(site, truncater("truncate", "A", 0))


def fault(step, outcome):
    return {"faults": {("A", step): ((None, outcome),)}}


def anon(**fields):
    return isolated(kind=ANON, cached=False, **fields)


def shmem(**fields):
    return isolated(**fields)


MAPPED, ZAPPED = (NR + 2, 1, 0), (NR + 1, 0, 0)  # references, PMD mappings, PTE mappings

# row, folio, what happens, code at base, code with the patch, events, refs and mappings afterwards
ROWS = {
    "1 huge zero page": (
        isolated(kind=HUGE_ZERO),
        {},
        -EBUSY,
        -EBUSY,
        {},
        MAPPED,
    ),
    "2 writeback, shmem": (shmem(writeback=True), {}, -EBUSY, -EBUSY, {}, MAPPED),
    "2 writeback, anon": (anon(writeback=True), {}, -EBUSY, -EBUSY, {}, (2, 1, 0)),
    "3a no anon_vma": (anon(pmd_maps=0), {}, -EBUSY, -EBUSY, {FAILED: 1}, (1, 0, 0)),
    "3b truncated": (shmem(), truncated_at("split_lock"), -EBUSY, -EBUSY, {FAILED: 1}, (1, 0, 0)),
    "3c private data stays": (
        shmem(),
        fault("filemap_release_folio", "kept"),
        -EBUSY,
        -EBUSY,
        {FAILED: 1},
        MAPPED,
    ),
    "3d no memory for nodes": (
        shmem(),
        fault("xas_split_alloc", "nomem"),
        -ENOMEM,
        -ENOMEM,
        {FAILED: 1},
        MAPPED,
    ),
    "5 stranger at site 1, shmem": (
        shmem(),
        comes_at("site1"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1},
        (NR + 3, 1, 0),
    ),
    "5 stranger at site 1, anon": (
        anon(),
        comes_at("site1"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1},
        (3, 1, 0),
    ),
    "5 truncated at site 1": (
        shmem(),
        truncated_at("site1"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1},
        (1, 0, 0),
    ),
    "7 truncated at site 2": (
        shmem(),
        truncated_at("site2"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1, PMD: 1},
        (1, 0, 0),
    ),
    "8 stranger at site 2, shmem": (
        shmem(),
        comes_at("site2"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1, PMD: 1},
        (NR + 2, 0, 0),
    ),
    "8 stranger at site 2, anon": (
        anon(),
        comes_at("site2"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1, PMD: 1, DEFERRED: 1},
        (2 + NR, 0, NR),
    ),
    "8 stranger before unmapping": (
        shmem(),
        comes_at("unmap"),
        -EBUSY,
        -EAGAIN,
        {FAILED: 1, PMD: 1},
        (NR + 2, 0, 0),
    ),
}
PATCHED = [name for name, row in VERSIONS.items() if row.ref_errno == -EAGAIN]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("folio", "happens", "base", "patched", "events", "left"), ROWS.values(), ids=ROWS.keys()
)
def test_row_of_the_table(folio, happens, base, patched, events, left, version):
    results, counted, world, pieces = split(folio, version, **happens)
    assert results == [patched if version in PATCHED else base]
    assert counted == events
    assert pieces == []
    after = world.folio(PFN)
    assert (after.refcount, after.pmd_maps, after.pte_maps) == left
    assert after.order == folio.order
    assert after.locked_by == ""


def test_pieces_inherit_the_flags():
    _, _, world, _ = split(shmem(dirty=False, active=True, referenced=True), "base")
    assert {(f.dirty, f.active, f.referenced) for f in world.folios.values()} == {
        (False, True, True)
    }


@pytest.mark.parametrize("kind", ["shmem", "anon"])
def test_a_second_attempt_after_site_2_splits_no_pmd_again(kind):
    """A file's mappings are gone; anonymous ones came back as PTEs."""
    cue = Cue("stranger", "A", Position.at("split_lock", 1))
    happens = comes_at("site2", stranger("stranger", "A", 0))
    happens["cues"] = (*happens["cues"], cue)
    folio = anon() if kind == "anon" else shmem()
    results, counted, _, pieces = split(folio, "v2", times=2, **happens)
    assert results == [-EAGAIN, 0]
    deferred = {DEFERRED: 1} if kind == "anon" else {}
    assert counted == {SPLIT: 1, FAILED: 1, PMD: 1, **deferred}
    assert len(pieces) == NR


def test_splitting_a_folio_that_somebody_holds_is_a_bug_of_the_model():
    from small import do

    from mmsim.mm.huge_memory import __dict__ as module

    world = memory(shmem(held=(("x", 1),)))
    world.update(PFN, refcount=0)
    with pytest.raises(ModelError, match="A is cut, but is referred to by x"):
        do(world, module["__split_huge_page"](PFN))
