"""The long-term pin where no vector looks: what it touches, and a hole in the range."""

from functools import partial

import pytest
from small import NR, PFN, folio, memory, run

from mmsim.engine.actor import Actor
from mmsim.errno import EFAULT
from mmsim.mm.actors import isolator
from mmsim.mm.folio import Extent
from mmsim.mm.gup import pin_user_pages, pin_user_pages_remote, unpin_user_pages_dirty_lock
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Cue, Script


def pin(world, *vma, version="v3"):
    """The result, and the run."""
    extents = tuple(Extent(*each) for each in vma)
    trace = run(world, Actor("pin", lambda: pin_user_pages_remote(extents, VERSIONS[version])))
    return trace.results["pin"], trace


def test_nothing_there_is_an_error_and_less_than_asked_is_not():
    assert pin(memory(folio(), in_cma=False), ("B", 1))[0] == -EFAULT
    assert pin(memory(folio(), in_cma=False), ("A", NR), ("B", 1))[0] == NR


@pytest.mark.parametrize("lets_go", [False, True])
@pytest.mark.parametrize("dirty", [False, True])
@pytest.mark.parametrize("write", [False, True])
def test_what_a_device_may_write_to_is_dirty_once_it_is_pinned_or_let_go(dirty, write, lets_go):
    def path():
        found = yield from pin_user_pages("A", 0, 2, write=write and not lets_go)
        if lets_go:
            yield from unpin_user_pages_dirty_lock(found, write)

    world = memory(folio("A", 2 if lets_go else 0, dirty=dirty))
    after = run(world, Actor("me", path)).last.world.folio(PFN)
    assert (after.dirty, after.pincount, after.locked_by) == (dirty or write, not lets_go, "")


def test_a_range_of_no_pages_takes_no_step_and_no_page_is_asked_for_twice():
    result, trace = pin(memory(folio(), in_cma=False), ("E", 0), ("A", NR), ("E", 0))
    assert result == NR
    assert [event.op.args[:3] for event in trace.events if event.site == "gup.pin"] == [
        ("A", 0, NR)
    ]
    assert pin(memory(folio(), in_cma=False), ("E", 0))[0] == 0


@pytest.mark.parametrize(
    ("version", "region", "checks"),
    [("v3", "A", 1), ("6.12", "A", 1), ("v3", "P", 1), ("6.12", "P", 2)],
)
def test_a_page_that_was_pinned_twice_in_a_row_is_looked_at_once(version, region, checks):
    """In 6.12 a single page is looked at again; a huge page is not."""
    world = memory(folio("A"), folio("P", 0), in_cma=False)
    result, trace = pin(world, (region, 1), (region, 1), version=version)
    assert result == 2
    assert [event.site for event in trace.events].count("gup.check") == checks


@pytest.mark.parametrize(("version", "drains"), [("v3", 2), ("6.12", 0)])
def test_a_huge_page_that_somebody_has_isolated_is_moved_once_it_is_put_back(version, drains):
    """The pin goes round until then.  In 6.12 it drains nothing: no batch keeps a huge page."""
    script = Script((Cue("other", "A"), Cue("other", "A", pin_round=3)))
    path = partial(pin_user_pages_remote, (Extent("A", NR),), VERSIONS[version])
    trace = run(memory(folio()), Actor("pin", path), isolator("other", "A", 0), script=script)
    before = [event.op.kind.name for event in trace.events[: trace.find("try_to_migrate")]]
    assert [before.count(name) for name in ("follow_page_mask", "folio_isolate_lru")] == [3, 3]
    assert [n for n in before if "drain" in n] == ["lru_add_drain_all"] * drains
    assert trace.results["pin"] == NR
