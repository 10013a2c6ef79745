"""The model changed in one place: which claim dies, and the shortest run that shows it.

A mutation is a seam of a version with another value, or an atomic step that does something else.
No kernel ever had most of these: each is a mistake that can be made, or a check that looks
needless.  An `always` without a `sometimes` beside it proves little: a pin that never begins breaks
nothing."""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
import re

import pytest

from mmsim import mm
from mmsim.constants import MR_LONGTERM_PIN, REASONS
from mmsim.engine.explore import Contradiction, Verdict, always, sometimes
from mmsim.engine.op import ModelError, atomic
from mmsim.engine.schedule import render
from mmsim.errno import EAGAIN, ENOMEM
from mmsim.mm.folio import ISOLATION, extra_pins
from mmsim.mm.seams import final_rc_as_counted, never_retry_split, rc_is_overwritten
from mmsim.mm.versions import LATEST
from mmsim.mm.world import Container
from mmsim.scenarios import vfio_map
from mmsim.scenarios.situation import ALL_MOVED, MISSED

STATES_MAX = 5_000

# -- what is claimed


def owned(state):
    try:
        state.world.check()
    except ModelError:
        return False
    return True


def pinned(situation, state):
    """Where the pages are that the main actor has pinned: in CMA or not."""
    pin = f"{situation.main} (pin)"
    folios = state.world.folios.items()
    return [state.world.in_cma(pfn) for pfn, folio in folios if pin in dict(folio.held)]


def splits_max(situation):
    """How often splits may be refused: once for each huge page, or once for each in every pass."""
    knobs = situation.knobs
    again = knobs["reason"] == REASONS[MR_LONGTERM_PIN] and knobs["trouble"] == "none"
    return knobs["thps"] * (knobs["passes"] if again else 1)


def always_claims(situation):
    """True in every state of every run, in every version whose counting is repaired."""

    def failed(state):
        local = situation.local(state, situation.main)
        return local.finished and not situation.succeeded(state)

    def at_the_end(good):
        return lambda state: (
            not situation.finished(state) or all(map(good, state.world.folios.values()))
        )

    def vmstat(name, most):
        return lambda state: state.world.vmstat[name] <= most

    return {
        "every reference has an owner": owned,
        "nobody waits for ever": lambda state: (
            situation.finished(state) or situation.moves(state) != []
        ),
        "what is pinned for a long time lies outside CMA": lambda state: (
            not situation.succeeded(state) or not any(pinned(situation, state))
        ),
        "a pin that failed leaves nothing pinned": lambda state: (
            not failed(state)
            or (not pinned(situation, state) and state.world.container == Container())
        ),
        "at the end no page is isolated": at_the_end(lambda f: ISOLATION not in dict(f.held)),
        "at the end no page is locked": at_the_end(lambda f: not f.locked_by),
        "at the end no migration entry is left": at_the_end(lambda f: not any(f.migration_entries)),
        "a pin fails only if something could not be moved": lambda state: (
            situation.outcome(state) != ALL_MOVED
        ),
        "whoever gives up says -ENOMEM": lambda state: (
            not failed(state)
            or (rc := situation.local(state, situation.main).result) >= 0
            or rc == -ENOMEM
        ),
        "a refused split is tried again only where that can help": vmstat(
            "thp_split_page_failed", splits_max(situation)
        ),
        "no huge page is counted as failed twice": vmstat(
            "thp_migration_fail", situation.knobs["thps"]
        ),
    }


def sometimes_claims(situation):
    """What some run has to show; not every situation can show all of it."""

    def moved(state, name):
        return state.world.vmstat[name] > 0

    return {
        "the pin can succeed": situation.succeeded,
        "the pin can succeed after a refused split": lambda state: (
            situation.succeeded(state) and moved(state, "thp_split_page_failed")
        ),
        "the first look can refuse a split": lambda state: (
            moved(state, "thp_split_page_failed") and not moved(state, "thp_split_pmd")
        ),
        "the freeze can refuse a split": lambda state: (
            situation.local(state, situation.main).finished
            and moved(state, "thp_split_pmd")
            and not moved(state, "thp_split_page")
        ),
        "a piece can miss its one pass": lambda state: situation.outcome(state) == MISSED,
    }


def found(situation):
    """What a search says: the exploration, with a finding for each claim."""
    claims = [always(*claim) for claim in always_claims(situation).items()]
    claims += [sometimes(*claim) for claim in sometimes_claims(situation).items()]
    return situation.explore(properties=claims, states_max=STATES_MAX)


# -- the mutations


def look_at_nothing(world, me, pfn):
    """can_split_folio() that never says no."""
    return extra_pins(world.folio(pfn))


def forget_own_reference(world, me, pfn):
    """can_split_folio() without its "- 1"."""
    folio = world.folio(pfn)
    pins = extra_pins(folio)
    return pins if folio.mapcount == folio.refcount - pins else None


def freeze_without_comparing(world, me, pfn, expected):
    """folio_ref_freeze() that claims whatever is there."""
    world.update(pfn, refcount=0)
    return True


def nothing(world, me, *args):
    """Any step, left out."""


def yes(world, me, pfn):
    """Any question, answered yes."""
    return True


def count_kept(world, me, pfn):
    """Unmap, but leave the references of the mappings where they are."""
    world.update(pfn, pmd_maps=0, pte_maps=0)


def for_everybody(reason, ret):
    """retry_split that does not ask for the reason."""
    return ret == -EAGAIN


def for_every_refusal(reason, ret):
    """retry_split that does not ask why the split was refused."""
    return reason == MR_LONGTERM_PIN


AGAIN = "a refused split is tried again only where that can help"
ONE = {"order": 1, "passes": 2, "released": "1"}
ALONE = {**ONE, "holder": 0}
PLACES = {
    "nobody else is there": ALONE,
    "somebody holds a huge page": ONE,
    "a free huge page can be had": {**ONE, "targets": "available"},
    "compaction migrates two": {**ONE, "thps": 2, "holder": 2, "passes": 3, "reason": "compaction"},
    "memory for a split may be missing": {**ALONE, "trouble": "nomem"},
    "the page leaves its file": {"order": 1, "passes": 2, "trouble": "truncated", "holder": 0},
}
"""Small situations, each for what shows in it."""
NOBODY, HELD, FREE, TWO, MEMORY, TRUNCATED = PLACES
MUTATIONS = {
    # mutation -> where it shows; the claim that dies; the seams or the step that are changed
    "never again": (
        HELD,
        "the pin can succeed after a refused split",
        {"retry_split": never_retry_split},
    ),
    "again for everybody": (TWO, AGAIN, {"retry_split": for_everybody}),
    "again whatever was wrong": (MEMORY, AGAIN, {"retry_split": for_every_refusal}),
    "failure not taken back": (HELD, "no huge page is counted as failed twice", {"taken_back": 0}),
    "result of the split returned": (
        TWO,
        "whoever gives up says -ENOMEM",
        {"rc_after_split": rc_is_overwritten},
    ),
    "no companion": (
        NOBODY,
        "a pin fails only if something could not be moved",
        {"final_rc": final_rc_as_counted},
    ),
    "no check": (HELD, "the first look can refuse a split", {"can_split_folio": look_at_nothing}),
    "own reference forgotten": (
        NOBODY,
        "the pin can succeed",
        {"can_split_folio": forget_own_reference},
    ),
    "count kept": (HELD, "every reference has an owner", {"unmap_folio": count_kept}),
    "no unlock": (NOBODY, "at the end no page is locked", {"folio_unlock": nothing}),
    "no unlock, waited for": (TRUNCATED, "nobody waits for ever", {"folio_unlock": nothing}),
    "no putback": (HELD, "at the end no page is isolated", {"putback_lru_page": nothing}),
    "mappings not put back": (
        FREE,
        "at the end no migration entry is left",
        {"remove_migration_ptes": nothing},
    ),
    "pins kept": (NOBODY, "a pin that failed leaves nothing pinned", {"gup_put_folio": nothing}),
    "CMA is good enough": (
        NOBODY,
        "what is pinned for a long time lies outside CMA",
        {"is_longterm_pinnable_page": yes},
    ),
}


@contextlib.contextmanager
def mutated(where, changes):
    """The situation in a model with this mutation."""
    seams = {name: value for name, value in changes.items() if name in LATEST._fields}
    with pytest.MonkeyPatch.context() as patch:
        for name in changes.keys() - seams.keys():

            def step(world, me, *args, run=changes[name]):
                return run(world, me, *args)

            step.__name__ = name
            for each in pkgutil.iter_modules(mm.__path__):
                module = importlib.import_module(f"mmsim.mm.{each.name}")
                if hasattr(module, name):
                    patch.setattr(module, name, atomic(step))
        yield vfio_map(LATEST._replace(**seams), **PLACES[where])


@functools.cache
def sound(where):
    return found(vfio_map(LATEST, **PLACES[where]))


def verdicts(exploration):
    return {each.name: each for each in exploration.findings}


@pytest.mark.parametrize("where", [NOBODY, HELD, FREE, TWO, MEMORY])
def test_the_sound_model_keeps_what_is_always_true(where):
    assert sound(where).complete
    assert sound(where).deadlocks == []
    claims = always_claims(sound(where).scenario)
    assert [name for name in claims if verdicts(sound(where))[name].schedule] == []


def test_every_claim_dies_of_a_mutation_or_is_shown_by_the_sound_model():
    situation = sound(HELD).scenario
    assert {*always_claims(situation)} <= {claim for _, claim, _ in MUTATIONS.values()}
    findings = [each for where in PLACES for each in sound(where).findings]
    shown = {each.name for each in findings if each.verdict is Verdict.HOLDS}
    assert {*sometimes_claims(situation)} <= shown


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_kills_a_claim_and_a_run_shows_it(name):
    """Replayed in the mutated model the claim breaks, and not before the last step; what is lost is
    shown by the sound model."""
    where, claim, changes = MUTATIONS[name]
    was = verdicts(sound(where))[claim]
    assert was.verdict is Verdict.HOLDS
    with mutated(where, changes) as changed:
        now = verdicts(found(changed))[claim]
        assert now.verdict is Verdict.BROKEN
        if claim in sometimes_claims(changed):
            return
        trace = changed.replay(render(now.schedule))
        holds = always_claims(changed)[claim]
        told = [bool(holds(trace.state(position))) for position in range(len(trace) + 1)]
    assert told == [True] * len(trace) + [False]


def test_a_step_that_meets_what_can_not_be_is_told_with_its_schedule():
    with mutated(HELD, {"folio_ref_freeze": freeze_without_comparing}) as changed:
        with pytest.raises(Contradiction) as seen:
            found(changed)
        *before, last = seen.value.schedule
        with pytest.raises(ModelError, match=re.escape(seen.value.what)):
            changed.replay(render(before)).append(last)
