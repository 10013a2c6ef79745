"""Scripts: when a cue fires, beyond what the vectors say of each site."""

import pytest
from small import NR, PFN, isolated, memory

from mmsim.constants import MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.mm.actors import holder
from mmsim.mm.folio import Page
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Cue, Position, Script, Scripted


def run(*cast, names="A", version="v3", **script):
    """Migrate huge pages for a long-term pin; each of the cast is (name, folio, position of its
    only move).  Answers the trace and the scheduler."""
    world = memory(*[isolated(name) for name in names], targets_huge="either")
    row = VERSIONS[version]

    def path():
        from_ = [Page(PFN + i * NR, NR) for i in range(len(names))]
        rc = yield from row.migrate_pages(from_, MIGRATE_SYNC, MR_LONGTERM_PIN, row)
        return rc

    cues = tuple(Cue(*each) for each in cast)
    others = (holder(name, folio, 0, leaves=False) for name, folio, _ in cast)
    scheduler = Scripted("main", Script(cues, **script))
    return record(Scenario("script", world, (Actor("main", path), *others)), scheduler), scheduler


@pytest.mark.parametrize(
    ("version", "site", "pass_"), [("v3", "visit", 1), ("6.12", "move.expect", 0)]
)
def test_between_passes_is_reached_by_all_together(version, site, pass_):
    """The holder of B comes before A is visited again.  In 6.12 both are in one batch, whose first
    pass of unmapping is over before A is moved."""
    cast = [(name, name, None) for name in "AB"]
    trace, scheduler = run(
        *cast, ("s", "B", Position.at("between_passes", 0)), names="AB", version=version
    )
    at = [event.actor for event in trace.events].index("s")
    then = trace.events[at + 1]
    assert (then.site, then.op.args, then.notes["pass_"]) == (site, (PFN,), pass_)
    assert version != "v3" or scheduler.passes == {(0, 1): 10}


def test_a_pass_that_is_left_is_not_over():
    """base ends the call at the refused split of A, so nobody comes after that pass."""
    end = Position.at("between_passes", 0)
    trace, _ = run(
        ("A", "A", None), ("s", "B", end), names="AB", version="base", huge_targets_none=True
    )
    assert "s" not in [event.actor for event in trace.events]
