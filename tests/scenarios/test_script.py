"""Scripts: where a position is, when a cue fires, and what is counted on the way."""

import pytest
from small import NR, PFN, isolated, memory

from mmsim.constants import MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.mm.actors import holder
from mmsim.mm.folio import Page
from mmsim.mm.migrate import migrate_pages
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Cue, Position, Script, Scripted


def run(*cast, names=("A",), **script):
    """Migrate A (huge) and B (huge) for a long-term pin; answer the trace and the scheduler."""
    world = memory(*[isolated(name) for name in names], targets_huge="either")

    def path():
        from_ = [Page(PFN + i * NR, NR) for i in range(len(names))]
        rc = yield from migrate_pages(from_, MIGRATE_SYNC, MR_LONGTERM_PIN, VERSIONS["v3"])
        return rc

    cues = tuple(cue for _, cues in cast for cue in cues)
    scenario = Scenario("script", world, (Actor("main", path), *(actor for actor, _ in cast)))
    scheduler = Scripted("main", Script(cues, **script))
    return record(scenario, scheduler), scheduler


def next_main_step(trace, actor):
    """The step of the main actor before which the other made its first move."""
    at = [event.actor for event in trace.events].index(actor)
    after = [event for event in trace.events[at:] if event.actor == "main"]
    return after[0].op.kind.name if after else None


SPLIT = {
    "visit": "folio_ref_count",
    "split.lock": "folio_lock",
    "split.check": "can_split_folio",
    "unmap": "unmap_folio",
    "split.freeze": "xas_load",
}
# With a destination there is no split: its check is passed when the mappings are removed.
MOVE = {
    "split.check": "try_to_migrate",
    "unmap": "try_to_migrate",
    "move.freeze": "folio_ref_freeze",
}


@pytest.mark.parametrize(
    ("site", "step", "splits"),
    [*((*item, True) for item in SPLIT.items()), *((*item, False) for item in MOVE.items())],
)
def test_a_cue_fires_immediately_before_its_site(site, step, splits):
    cast = (holder("s", "A", 0, leaves=False), [Cue("s", "A", Position.at(site, 0))])
    trace, _ = run(cast, huge_targets_none=splits)
    assert next_main_step(trace, "s") == step


def test_a_cue_waits_for_the_visits_of_its_own_folio():
    cast = (holder("s", "B", 0, leaves=False), [Cue("s", "B", Position.at("visit", 0))])
    trace, _ = run(cast, names=("A", "B"))
    at = [event.actor for event in trace.events].index("s")
    following = trace.events[at + 1]
    assert following.op.args == (PFN + NR,)


def test_between_passes_is_reached_by_all_together():
    keep = holder("keep", "A", 0, leaves=False)
    cast = [
        (keep, [Cue("keep", "A")]),
        (holder("s", "B", 0), [Cue("s", "B", Position.at("between_passes", 0))]),
    ]
    trace, scheduler = run(*cast, names=("A", "B"))
    before = [event.op.args for event in trace.events if event.actor == "main"]
    assert (PFN + NR,) in before
    assert next_main_step(trace, "s") == "folio_ref_count"
    assert scheduler.passes == {(0, 1): 10}


def test_several_cues_fire_by_position_then_by_their_order():
    cast = [
        (holder(name, "A", 0, leaves=False), [Cue(name, "A", Position.at(site, 0))])
        for name, site in (("third", "unmap"), ("first", "visit"), ("fourth", "unmap"))
    ]
    cast.append((holder("second", "A", 0, leaves=False), [Cue("second", "A", None)]))
    trace, _ = run(*cast)
    order = [event.actor for event in trace.events if event.actor != "main"]
    assert order == ["second", "first", "third", "fourth"]
