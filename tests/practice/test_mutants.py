"""The mutation lab: the sound model keeps every property, each mutation kills one."""

from __future__ import annotations

import importlib

import lint
import pytest

from mmsim import scenarios
from mmsim.engine.explore import Verdict, explore
from mmsim.engine.op import ModelError
from mmsim.engine.schedule import render
from mmsim.mm import mutations
from mmsim.mm.mutations import MUTATIONS, Mutation
from mmsim.practice import mutants
from mmsim.practice.mutants import CONTRADICTION, LABS, deaths
from mmsim.practice.properties import always_properties, properties, sometimes_properties

# What the search finds; here as documentation, and to notice when it changes.
KILLED = {
    "no first look": "the first look can refuse a split",
    "freeze without comparing": CONTRADICTION,
    "own reference forgotten": "the pin can succeed",
    "isolation not expected": "the pin can succeed",
    "never again": "the pin can succeed after a refused split",
    "again for everybody": "a refused split is tried again only where that can help",
    "again whatever was wrong": "a refused split is tried again only where that can help",
    "one pass for all": "the pin can succeed after a refused split",
    "no second round": "at the end no page is isolated",
    "retries not reset": "no huge page is counted as failed twice",
    "failure not taken back": "no huge page is counted as failed twice",
    "result of the split returned": "whoever gives up says -ENOMEM",
    "no putback": "at the end no page is isolated",
    "waiting pieces forgotten": "at the end no page is isolated",
    "no unlock after the split": "at the end no page is locked",
    "mappings not put back": "at the end no migration entry is left",
    "pinned while it moves": "a pin that failed leaves nothing pinned",
    "CMA is good enough": "what is pinned for a long time lies outside CMA",
    "no rollback": "a pin that failed leaves nothing pinned",
    "rolled back twice": CONTRADICTION,
}


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.what)
def test_the_sound_model_keeps_what_is_always_true(lab):
    situation = scenarios.make(lab.scenario, "v3fix", lab.knobs, merge=True)
    found = explore(situation, properties=properties(situation))
    assert found.complete
    assert found.deadlocks == []
    always = {each.name for each in always_properties(situation)}
    assert len(always) == 11
    dead = [each.name for each in found.findings if each.name in always and each.schedule]
    assert dead == []
    assert found.states < mutants.STATES_MAX / 5


def test_the_sound_model_shows_what_is_sometimes_true():
    """Each in some lab: otherwise nothing could kill it."""
    shown = {
        each.name for lab in LABS for each in mutants.holds(lab) if each.verdict is Verdict.HOLDS
    }
    situation = scenarios.vfio_map()
    assert {each.name for each in sometimes_properties(situation)} <= shown


@pytest.mark.parametrize("name", ["no putback", "never again", "no rollback"])
def test_a_mutation_that_changes_nothing_kills_nothing(name):
    mutation = mutations.get(name)
    same = mutation._replace(name="unchanged", instead=mutation.line)
    assert mutations.diff(same) == ""
    assert deaths(same) == []


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_kills_a_property(name):
    found = deaths(name)
    assert found, f"{name} kills nothing"
    assert found[0].property == KILLED[name]
    assert set(KILLED) == set(MUTATIONS)


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_trace_shows_the_death(name):
    """Replayed in the mutated model the claim breaks, and not before the last step; what is lost is
    shown by the sound model."""
    death = deaths(name)[0]
    lab = death.lab
    mutated = mutants.make(name, lab.scenario, lab.knobs)
    sound = scenarios.make(lab.scenario, "v3fix", lab.knobs)
    if death.property == CONTRADICTION:
        *before, last = death.schedule
        trace = mutated.replay(render(before))
        with pytest.raises(ModelError) as error:
            trace.append(last)
        assert str(error.value) == death.why != ""
        return
    shown = sound if death.lost else mutated
    claim = {each.name: each for each in properties(shown)}[death.property]
    trace = shown.replay(render(death.schedule))
    told = [claim.test(trace.state(position)) for position in range(len(trace) + 1)]
    assert told == [not death.lost] * len(trace) + [death.lost]


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=lambda mutation: mutation.name)
def test_a_mutation_is_one_line_and_keeps_the_shape_of_a_path(mutation):
    changed = [line for line in mutations.diff(mutation).splitlines() if line[:1] in "+-"]
    assert len(changed) == 4  # two names of files, one line less, one more
    assert changed[2].removeprefix("-").strip() == mutation.line
    assert changed[3].removeprefix("+").strip() == mutation.instead
    assert lint.problems(mutations.source(mutation), mutation.file) == []
    assert mutation.what.endswith(".")


def test_a_line_that_is_not_there_is_a_bug():
    gone = Mutation("gone", "A line that nobody wrote.", "mm/gup.py", "no_such_line()", "pass")
    with pytest.raises(ModelError, match=r"mm/gup.py has 0 lines 'no_such_line\(\)', not one"):
        mutations.source(gone)
    twice = gone._replace(line="rc = -EAGAIN", file="mm/migrate.py")
    with pytest.raises(ModelError, match="lines 'rc = -EAGAIN', not one"):
        mutations.source(twice)


def test_the_sound_model_is_left_alone():
    """Mutants have modules of their own; those that everybody imports stay as they are."""
    before = {name: dict(vars(importlib.import_module(name))) for name in mutants.PATHS}
    mutants._mutated.cache_clear()
    mutants.make("no putback", "vfio_map", {})
    for name, content in before.items():
        assert dict(vars(importlib.import_module(name))) == content, name
    for name in mutants.PATHS:
        mutated = mutants._mutated(mutations.get("no putback"))[name]
        assert mutated is not importlib.import_module(name)


def test_mutants_use_mutants():
    """Whatever a mutated path imports is mutated, too: no sound path is called by the way."""
    made = mutants._mutated(mutations.get("no first look"))
    for name, module in made.items():
        for word, value in vars(module).items():
            home = getattr(value, "__module__", None)
            if home in made and callable(value) and hasattr(made[home], word):
                assert value is getattr(made[home], word), f"{name}.{word}"
    split = made["mmsim.mm.huge_memory"].split_huge_page_to_list
    assert made["mmsim.mm.migrate"].split_huge_page_to_list is split


def test_a_mutant_keeps_its_name_when_its_knobs_are_turned():
    situation = mutants.make("no putback", "vfio_map", {"order": 1})
    assert situation.version.name == "v3fix, no putback"
    assert situation.with_(passes=3).version.name == "v3fix, no putback"


def test_what_is_unknown_gets_the_nearest_name():
    with pytest.raises(ValueError, match="no mutation 'no put back'; did you mean 'no putback'"):
        deaths("no put back")
    with pytest.raises(ValueError, match=r"no mutant of scenario 'vfio'.*vfio_map, pin_versus"):
        mutants.make("no putback", "vfio", {})
    with pytest.raises(ValueError, match="no version 'v9'"):
        mutants.make("no putback", "vfio_map", {}, version="v9")
