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


CONTRADICTION = "no step meets what can't be"
AGAIN = "a refused split is tried again only where that can help"
SEAMS = {
    # mutation -> the claim that dies; the seams that are changed
    "never again": (
        "the pin can succeed after a refused split",
        {"retry_split": never_retry_split},
    ),
    "again for everybody": (AGAIN, {"retry_split": for_everybody}),
    "again whatever was wrong": (AGAIN, {"retry_split": for_every_refusal}),
    "failure not taken back": ("no huge page is counted as failed twice", {"taken_back": 0}),
    "result of the split returned": (
        "whoever gives up says -ENOMEM",
        {"rc_after_split": rc_is_overwritten},
    ),
    "no companion": (
        "a pin fails only if something could not be moved",
        {"final_rc": final_rc_as_counted},
    ),
}
STEPS = {
    # mutation -> the claim that dies; the step that does something else
    "no check": ("the first look can refuse a split", {"can_split_folio": look_at_nothing}),
    "freeze without comparing": (CONTRADICTION, {"folio_ref_freeze": freeze_without_comparing}),
    "own reference forgotten": ("the pin can succeed", {"can_split_folio": forget_own_reference}),
    "no unlock": ("at the end no page is locked", {"folio_unlock": nothing}),
    "no putback": ("at the end no page is isolated", {"putback_lru_page": nothing}),
    "mappings not put back": (
        "at the end no migration entry is left",
        {"remove_migration_ptes": nothing},
    ),
    "pins kept": ("a pin that failed leaves nothing pinned", {"gup_put_folio": nothing}),
    "CMA is good enough": (
        "what is pinned for a long time lies outside CMA",
        {"is_longterm_pinnable_page": yes},
    ),
}
KILLED = {name: claim for name, (claim, _) in (SEAMS | STEPS).items()}


@contextlib.contextmanager
def replaced(**steps):
    """Every path takes these functions as its atomic steps of these names."""
    with pytest.MonkeyPatch.context() as patch:
        for name, run in steps.items():

            def step(world, me, *args, run=run):
                return run(world, me, *args)

            step.__name__ = name
            for each in pkgutil.iter_modules(mm.__path__):
                module = importlib.import_module(f"mmsim.mm.{each.name}")
                if hasattr(module, name):
                    patch.setattr(module, name, atomic(step))
        yield


@contextlib.contextmanager
def mutated(where, name):
    """The situation in a model with this mutation."""
    with replaced(**STEPS[name][1] if name in STEPS else {}):
        row = LATEST._replace(name=name, **SEAMS[name][1]) if name in SEAMS else LATEST
        yield vfio_map(row, **PLACES[where])


# -- small situations in which it shows, the smallest first

ONE = {"order": 1, "passes": 2, "released": "1"}
ALONE = {**ONE, "holder": 0}
PLACES = {
    "nobody else is there": ALONE,
    "somebody holds a huge page": ONE,
    "a free huge page can be had": {**ONE, "targets": "available"},
    "compaction migrates two": {**ONE, "thps": 2, "holder": 2, "passes": 3, "reason": "compaction"},
    "memory for a split may be missing": {**ALONE, "trouble": "nomem"},
}


def place(name):
    return vfio_map(LATEST, **PLACES[name])


@functools.cache
def sound(name):
    return found(place(name))


@pytest.mark.parametrize("name", PLACES)
def test_the_sound_model_keeps_what_is_always_true(name):
    assert sound(name).complete
    assert sound(name).deadlocks == []
    claims = always_claims(place(name))
    assert len(claims) == 11
    assert [f.name for f in sound(name).findings if f.name in claims and f.schedule] == []


def test_the_sound_model_shows_what_is_sometimes_true():
    """Each in some place: otherwise nothing could kill it."""
    findings = [each for name in PLACES for each in sound(name).findings]
    shown = {each.name for each in findings if each.verdict is Verdict.HOLDS}
    assert {*sometimes_claims(place("nobody else is there"))} <= shown


def test_every_claim_about_all_states_can_be_broken():
    """One needs a count that is wrong, one somebody who waits; no mutation of the table has it."""
    broken = set()
    for steps, knobs in (
        ({"unmap_folio": count_kept}, ONE),
        ({"folio_unlock": nothing}, {"order": 1, "trouble": "truncated", "holder": 0}),
    ):
        with replaced(**steps):
            findings = found(vfio_map(LATEST, **knobs)).findings
        broken |= {each.name for each in findings if each.verdict is Verdict.BROKEN}
    assert "every reference has an owner" in broken
    assert {*always_claims(place("nobody else is there"))} <= {*KILLED.values(), *broken}


def killed(name):
    """Where a mutation is seen first, and what is seen: a contradiction, or findings."""
    for where in PLACES:
        good = sound(where).findings
        with mutated(where, name) as changed:
            try:
                findings = found(changed).findings
            except Contradiction as contradiction:
                return where, contradiction
        dead = [
            # an `always` is broken by a run of the mutated model; a `sometimes` has none left
            (was.schedule is not None, len(was.schedule or now.schedule), was, now)
            for was, now in zip(good, findings, strict=True)
            if (was.verdict, now.verdict) == (Verdict.HOLDS, Verdict.BROKEN)
        ]
        if dead:
            return where, min(dead, key=lambda each: each[:2])
    raise AssertionError(f"{name} is never seen")


@pytest.mark.parametrize("name", KILLED)
def test_each_mutation_kills_a_claim_and_a_run_shows_it(name):
    """Replayed in the mutated model the claim breaks, and not before the last step; what is lost is
    shown by the sound model."""
    where, seen = killed(name)
    if isinstance(seen, Contradiction):
        assert KILLED[name] == CONTRADICTION
        *before, last = seen.schedule
        with mutated(where, name) as changed, pytest.raises(ModelError, match=re.escape(seen.what)):
            changed.replay(render(before)).append(last)
        return
    lost, _, was, now = seen
    assert was.name == KILLED[name]
    with contextlib.nullcontext(place(where)) if lost else mutated(where, name) as shown:
        claim = (always_claims(shown) | sometimes_claims(shown))[was.name]
        trace = shown.replay(render(was.schedule if lost else now.schedule))
        told = [bool(claim(trace.state(position))) for position in range(len(trace) + 1)]
    assert told == [not lost] * len(trace) + [lost]
