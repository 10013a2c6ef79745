"""The sound model keeps every property; each mutation kills one, and each claim can be broken."""

from __future__ import annotations

import pytest

from mmsim.engine.explore import Verdict, explore
from mmsim.engine.op import ModelError, atomic
from mmsim.engine.schedule import render
from mmsim.mm.versions import LATEST
from mmsim.scenarios import split_race, vfio_map
from mmsim.scenarios.mutants import CONTRADICTION, LABS, MUTATIONS, deaths, findings, mutated
from mmsim.scenarios.properties import always_properties, properties, sometimes_properties

# What the search finds; here as documentation, and to notice when it changes.
KILLED = {
    "no check": "the first look can refuse a split",
    "freeze without comparing": CONTRADICTION,
    "own reference forgotten": "the pin can succeed",
    "never again": "the pin can succeed after a refused split",
    "again for everybody": "a refused split is tried again only where that can help",
    "again whatever was wrong": "a refused split is tried again only where that can help",
    "failure not taken back": "no huge page is counted as failed twice",
    "result of the split returned": "whoever gives up says -ENOMEM",
    "no companion": "a pin fails only if something could not be moved",
    "no unlock": "at the end no page is locked",
    "no putback": "at the end no page is isolated",
    "mappings not put back": "at the end no migration entry is left",
    "pins kept": "a pin that failed leaves nothing pinned",
    "CMA is good enough": "what is pinned for a long time lies outside CMA",
}


@atomic
def count_kept(world, me, pfn):
    """Unmap, but leave the references of the mappings where they are."""
    world.update(pfn, pmd_maps=0, pte_maps=0)


def some_situation():
    return vfio_map(LATEST.name, order=1, passes=2, released="1")


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.what)
def test_the_sound_model_keeps_what_is_always_true(lab):
    situation = lab.situation.merged()
    found = explore(situation, properties=properties(situation))
    assert found.complete
    assert found.deadlocks == []
    always = {each.name for each in always_properties(situation)}
    assert len(always) == 11
    assert [each.name for each in found.findings if each.name in always and each.schedule] == []


def test_the_sound_model_shows_what_is_sometimes_true():
    """Each in some lab: otherwise nothing could kill it."""
    held = [each for lab in LABS for each in findings(lab.situation)]
    shown = {each.name for each in held if each.verdict is Verdict.HOLDS}
    assert {each.name for each in sometimes_properties(some_situation())} <= shown


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_kills_a_property(name):
    assert deaths(name)[0].property == KILLED[name]
    assert {*KILLED} == {*MUTATIONS}


def test_every_claim_about_all_states_can_be_broken():
    """One needs a count that is wrong, one somebody who waits; no mutation of the table has it."""
    wrong = some_situation().replacing(unmap_folio=count_kept)
    broken = {each.name for each in findings(wrong) if each.verdict is Verdict.BROKEN}
    assert "every reference has an owner" in broken
    waits = mutated(vfio_map(LATEST.name, order=1, trouble="truncated", holder=0), "no unlock")
    broken |= {each.name for each in findings(waits) if each.verdict is Verdict.BROKEN}
    claims = {each.name for each in always_properties(some_situation())}
    assert claims - {*KILLED.values(), *broken} == set()


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_run_shows_the_death(name):
    """Replayed in the mutated model the claim breaks, and not before the last step; what is lost is
    shown by the sound model."""
    death = deaths(name)[0]
    sound = death.lab.situation
    changed = mutated(sound, name)
    if death.property == CONTRADICTION:
        *before, last = death.schedule
        trace = changed.replay(render(before))
        with pytest.raises(ModelError) as error:
            trace.append(last)
        assert str(error.value) == death.why != ""
        return
    shown = sound if death.lost else changed
    claim = {each.name: each for each in properties(shown)}[death.property]
    trace = shown.replay(render(death.schedule))
    told = [claim.test(trace.state(position)) for position in range(len(trace) + 1)]
    assert told == [not death.lost] * len(trace) + [death.lost]


def test_a_replaced_step_keeps_its_name_and_leaves_the_sound_model_alone():
    race = split_race(released="1")
    blind = mutated(race, "no check")
    text = "split*6 holder split*3"
    names = [[e.op.kind.name for e in each.replay(text).events] for each in (race, blind)]
    assert names[0][:7] == names[1][:7]
    assert names[0][7] == "can_split_folio"
    assert race.replay(text).events[7].answer is None
    assert blind.replay(text).events[7].answer is not None
    # Searching, other knobs and steps that count as one keep what was replaced.
    made = blind.together("folio_get", "folio_put").with_(passes=2).merged()
    assert made.replaced.keys() == {"can_split_folio"}
    assert race.replaced == {}
    assert made.version.name == "base, no check"


def test_what_is_unknown_gets_the_nearest_name():
    with pytest.raises(ValueError, match="no mutation 'no put back'; did you mean 'no putback'"):
        deaths("no put back")
