"""Scripts: where a position is, when a cue fires, and what is counted on the way."""

import random

import pytest
from small import NR, PFN, do, folio, isolated, memory

from mmsim.constants import MIGRATE_SYNC, MR_LONGTERM_PIN
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import record
from mmsim.mm.actors import holder, locker, pin_by_name, pinner
from mmsim.mm.folio import Page
from mmsim.mm.migrate import migrate_pages
from mmsim.mm.page_ref import folio_ref_freeze
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import SITES, Cue, Position, Script, Scripted


def run(*cast, names=("A",), version="v3", **script):
    """Migrate A (huge) and B (huge) for a long-term pin; answer the trace and the scheduler."""
    world = memory(*[isolated(name) for name in names], targets_huge="either")
    pages = [Page(world.find(name, 0), NR) for name in names]

    def path():
        from_ = list(pages)
        rc = yield from migrate_pages(from_, MIGRATE_SYNC, MR_LONGTERM_PIN, VERSIONS[version])
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


def test_positions_are_ordered_by_call_round_pass_and_site():
    rng = random.Random(3)
    made = [
        (rng.randrange(2), rng.randrange(1, 3), rng.randrange(10), rng.choice(SITES))
        for _ in range(200)
    ]
    positions = [Position.at(site, pass_, round_, call) for call, round_, pass_, site in made]
    by_hand = sorted(made, key=lambda m: (m[0], m[1], m[2], SITES.index(m[3])))
    assert [(p.call, p.round, p.pass_, SITES[p.site]) for p in sorted(positions)] == by_hand


@pytest.mark.parametrize(
    ("site", "step"),
    [
        ("alloc", "folio_ref_count"),
        ("split_lock", "folio_lock"),
        ("site1", "can_split_folio"),
        ("unmap", "unmap_folio"),
        ("site2", "xas_load"),
        ("move_freeze", "folio_ref_count"),
    ],
)
def test_a_cue_fires_immediately_before_its_site(site, step):
    """On the way to a split there is no `move_freeze`: it is passed by the next visit."""
    cast = (holder("s", "A", 0, leaves=False), [Cue("s", "A", Position.at(site, 0))])
    trace, _ = run(cast, huge_targets_none=True)
    if site == "move_freeze":  # the split went well, so the folio was never visited again
        assert "s" in [event.actor for event in trace.events]
    else:
        assert next_main_step(trace, "s") == step


@pytest.mark.parametrize(
    ("site", "step"), [("unmap", "try_to_migrate"), ("move_freeze", "folio_ref_freeze")]
)
def test_the_sites_of_a_move(site, step):
    cast = (holder("s", "A", 0, leaves=False), [Cue("s", "A", Position.at(site, 0))])
    trace, _ = run(cast)
    assert next_main_step(trace, "s") == step


def test_a_site_that_is_skipped_is_made_up_for_at_the_next_one():
    """With a destination there is no split: site1 is passed when the mappings are removed."""
    cast = (holder("s", "A", 0, leaves=False), [Cue("s", "A", Position.at("site1", 0))])
    trace, _ = run(cast)
    assert next_main_step(trace, "s") == "try_to_migrate"


def test_a_cue_waits_for_the_visits_of_its_own_folio():
    cast = (holder("s", "B", 0, leaves=False), [Cue("s", "B", Position.at("alloc", 0))])
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
        for name, site in (("third", "unmap"), ("first", "alloc"), ("fourth", "unmap"))
    ]
    cast.append((holder("second", "A", 0, leaves=False), [Cue("second", "A", None)]))
    trace, _ = run(*cast)
    order = [event.actor for event in trace.events if event.actor != "main"]
    assert order == ["second", "first", "third", "fourth"]


def test_a_cue_that_is_never_reached_never_fires():
    cast = (holder("s", "A", 0), [Cue("s", "A", Position.at("alloc", 7))])
    trace, scheduler = run(cast)
    assert {event.actor for event in trace.events} == {"main"}
    assert scheduler.passes == {(0, 1): 1}


def test_attempts_fail_by_their_number_or_all():
    trace, _ = run(targets={"A": frozenset({0})})
    answers = [e.outcome for e in trace.events if e.op.kind.name == "alloc_migration_target"]
    assert answers[0] == "fail"
    assert set(answers[1:]) == {"ok"}
    assert len(answers) == 1 + NR  # then the pieces have theirs
    trace, scheduler = run(huge_targets_none=True, targets={"B": frozenset()}, names=("A", "B"))
    assert scheduler.passes == {(0, 1): 1, (0, 2): 1}
    assert trace.results == {"main": 0}


# -- the holders themselves


def steps(actor, world):
    scenario = Scenario("alone", world, (actor,))
    return record(scenario, Scripted(actor.name, Script()))


def test_holders_leave_the_world_as_it_was():
    for actor in (holder("s", "A", 2, 3), pinner("s", "A", 2, 3), locker("s", "A", 2)):
        trace = steps(actor, memory(folio()))
        assert len(trace) == 2
        trace.state(1).world.check()
        assert trace.state(1).world.folio(PFN) != folio()
        assert trace.last.world.folio(PFN) == folio()


def test_nobody_pins_a_frozen_folio():
    """Found by the search: a pin between freeze and split lost its reference."""
    world = memory(isolated(pmd_maps=0))
    do(world, folio_ref_freeze(PFN, NR + 1))
    op = pin_by_name("A", 0, 1)
    assert "A is frozen" in op.kind.guard(world, "me", *op.args)
