"""Scripts: when a cue fires, beyond what the vectors say of each site."""

import pytest
from small import PFN, isolated, migrate

from mmsim.mm.actors import holder
from mmsim.scenarios.script import Cue, PassSite, Script, Scripted

END = PassSite.at("between_passes", 0)


def run(version, *cast, **script):
    """Migrate the huge pages A and B; each of the cast is (name, folio, when to take it)."""
    others = [holder(name, folio, 0, leaves=False) for name, folio, _ in cast]
    scheduler = Scripted("migrate", Script(tuple(Cue(*each) for each in cast), **script))
    folios = isolated("A"), isolated("B")
    ran = migrate(version, *folios, others=others, scheduler=scheduler, targets_huge="either")
    return ran.trace, scheduler


@pytest.mark.parametrize(
    ("version", "site", "pass_"), [("v3", "visit", 1), ("6.12", "move.expect", 0)]
)
def test_between_passes_is_reached_by_all_together(version, site, pass_):
    """The holder of B comes before A is visited again.  In 6.12 both are in one batch, whose first
    pass of unmapping is over before A is moved."""
    trace, scheduler = run(version, ("A", "A", None), ("B", "B", None), ("s", "B", END))
    at = [event.actor for event in trace.events].index("s")
    then = trace.events[at + 1]
    assert (then.site, then.op.args, then.notes["pass_"]) == (site, (PFN,), pass_)
    assert version != "v3" or scheduler.passes == {(0, 1): 10}


def test_a_pass_that_is_left_is_not_over():
    """base ends the call at the refused split of A, so nobody comes after that pass."""
    trace, _ = run("base", ("A", "A", None), ("s", "B", END), huge_targets_none=True)
    assert "s" not in [event.actor for event in trace.events]
