"""The model changed in one place: which claim about every run dies.

A mutation is a seam of a version with another value, or an atomic step that does something else.
No kernel ever had most of these: each is a mistake that can be made, or a check that looks
needless.  An `always` without a `sometimes` beside it proves little: a pin that never begins breaks
nothing.  `make mutants` changes every line; it does not know what is claimed."""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
from functools import partial

import pytest

from mmsim import mm
from mmsim.constants import MR_LONGTERM_PIN, REASONS
from mmsim.engine.explore import Contradiction, Verdict, always, sometimes
from mmsim.engine.op import ModelError, atomic
from mmsim.errno import EAGAIN, ENOMEM
from mmsim.mm.folio import ISOLATION, extra_pins
from mmsim.mm.seams import final_rc_as_counted, never_retry_split, rc_is_overwritten
from mmsim.mm.versions import LATEST
from mmsim.mm.world import Container
from mmsim.scenarios import vfio_map
from mmsim.scenarios.situation import ALL_MOVED, MISSED

# -- small situations


ONE = {"order": 1, "passes": 2, "released": "1"}
SITUATIONS = {
    "alone": {**ONE, "holder": 0},
    "held": ONE,
    "target": {**ONE, "targets": "available"},
    "two": {**ONE, "thps": 2, "holder": 2, "passes": 3, "reason": "compaction"},
    "nomem": {**ONE, "holder": 0, "trouble": "nomem"},
    "truncated": {"order": 1, "holder": 0, "trouble": "truncated"},
}

# -- what is claimed of a state of a situation


def owned(situation, state):
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


def failed(situation, state):
    local = situation.local(state, situation.main)
    return local.finished and not situation.succeeded(state)


def no_folio_at_the_end(bad):
    return lambda situation, state: (
        not situation.finished(state) or not any(map(bad, state.world.folios.values()))
    )


def splits_max(situation):
    """How often splits may be refused: once for each huge page, or once for each in every pass."""
    knobs = situation.knobs
    again = knobs["reason"] == REASONS[MR_LONGTERM_PIN] and knobs["trouble"] == "none"
    return knobs["thps"] * (knobs["passes"] if again else 1)


# True in every state of every run, in every version whose counting is repaired.
ALWAYS = {
    "every reference has an owner": owned,
    "nobody waits for ever": lambda s, state: s.finished(state) or s.moves(state) != [],
    "what is pinned for a long time lies outside CMA": lambda s, state: (
        not s.succeeded(state) or not any(pinned(s, state))
    ),
    "a pin that failed leaves nothing pinned": lambda s, state: (
        not failed(s, state) or (not pinned(s, state) and state.world.container == Container())
    ),
    "at the end no page is isolated": no_folio_at_the_end(lambda f: ISOLATION in dict(f.held)),
    "at the end no page is locked": no_folio_at_the_end(lambda f: f.locked_by),
    "at the end no migration entry is left": no_folio_at_the_end(
        lambda f: any(f.migration_entries)
    ),
    "a pin fails only if something could not be moved": lambda s, state: (
        s.outcome(state) != ALL_MOVED
    ),
    "whoever gives up says -ENOMEM": lambda s, state: (
        not failed(s, state) or (rc := s.local(state, s.main).result) >= 0 or rc == -ENOMEM
    ),
    "a refused split is tried again only where that can help": lambda s, state: (
        state.world.vmstat["thp_split_page_failed"] <= splits_max(s)
    ),
    "no huge page is counted as failed twice": lambda s, state: (
        state.world.vmstat["thp_migration_fail"] <= s.knobs["thps"]
    ),
}


def refused(state, *, at_freeze):
    """A split was refused, and mappings were taken away before, or not."""
    vmstat = state.world.vmstat
    return vmstat["thp_split_page_failed"] > 0 and (vmstat["thp_split_pmd"] > 0) == at_freeze


# What some run has to show; not every situation can show all of it.
SOMETIMES = {
    "the pin can succeed": lambda s, state: s.succeeded(state),
    "the pin can succeed after a refused split": lambda s, state: (
        s.succeeded(state) and state.world.vmstat["thp_split_page_failed"] > 0
    ),
    "the first look can refuse a split": lambda s, state: refused(state, at_freeze=False),
    "the freeze can refuse a split": lambda s, state: refused(state, at_freeze=True),
    "a piece can miss its one pass": lambda s, state: s.outcome(state) == MISSED,
}


def found(situation):
    """The verdict on each claim by its name, after a search of all states."""
    claims = [always(name, partial(claim, situation)) for name, claim in ALWAYS.items()]
    claims += [sometimes(name, partial(claim, situation)) for name, claim in SOMETIMES.items()]
    search = situation.explore(properties=claims, states_max=5_000)
    assert search.complete
    return {each.name: each.verdict for each in search.findings}


@functools.cache
def sound(situation):
    return found(vfio_map(LATEST, **SITUATIONS[situation]))


# A pin of a page that is gone fails in another way, although all could be moved.
@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "truncated"])
def test_the_sound_model_keeps_what_is_always_true(situation):
    assert {sound(situation)[name] for name in ALWAYS} == {Verdict.HOLDS}


def test_the_sound_model_shows_what_is_sometimes_true():
    """Each in some place: otherwise nothing could kill it."""
    for name in SOMETIMES:
        assert Verdict.HOLDS in {sound(situation)[name] for situation in SITUATIONS}


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
CONTRADICTION = "no step meets what can't be"
# seam or step, what it is or does instead, the claim that dies, the situation that shows it
MUTATIONS = [
    ("retry_split", never_retry_split, "the pin can succeed after a refused split", "held"),
    ("retry_split", for_everybody, AGAIN, "two"),
    ("retry_split", for_every_refusal, AGAIN, "nomem"),
    ("taken_back", 0, "no huge page is counted as failed twice", "held"),
    ("rc_after_split", rc_is_overwritten, "whoever gives up says -ENOMEM", "two"),
    ("final_rc", final_rc_as_counted, "a pin fails only if something could not be moved", "alone"),
    ("can_split_folio", look_at_nothing, "the first look can refuse a split", "held"),
    ("can_split_folio", forget_own_reference, "the pin can succeed", "alone"),
    ("folio_ref_freeze", freeze_without_comparing, CONTRADICTION, "held"),
    ("folio_unlock", nothing, "at the end no page is locked", "alone"),
    ("folio_unlock", nothing, "nobody waits for ever", "truncated"),
    ("putback_lru_page", nothing, "at the end no page is isolated", "held"),
    ("remove_migration_ptes", nothing, "at the end no migration entry is left", "target"),
    ("gup_put_folio", nothing, "a pin that failed leaves nothing pinned", "alone"),
    (
        "is_longterm_pinnable_page",
        yes,
        "what is pinned for a long time lies outside CMA",
        "alone",
    ),
    ("unmap_folio", count_kept, "every reference has an owner", "held"),
]


@contextlib.contextmanager
def replaced(name, run):
    """Every path takes this function as its atomic step of this name."""

    def step(world, me, *args):
        return run(world, me, *args)

    step.__name__ = name
    modules = [
        importlib.import_module(f"mmsim.mm.{m.name}") for m in pkgutil.iter_modules(mm.__path__)
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            if hasattr(module, name):
                patch.setattr(module, name, atomic(step))
        yield


@pytest.mark.parametrize(("name", "instead", "claim", "situation"), MUTATIONS)
def test_each_mutation_kills_a_claim(name, instead, claim, situation):
    if name in LATEST._fields:
        verdicts = found(vfio_map(LATEST._replace(**{name: instead}), **SITUATIONS[situation]))
    else:
        with replaced(name, instead):
            if claim == CONTRADICTION:
                with pytest.raises(Contradiction, match="is cut, but is referred to by holder"):
                    found(vfio_map(LATEST, **SITUATIONS[situation]))
                return
            verdicts = found(vfio_map(LATEST, **SITUATIONS[situation]))
    assert (sound(situation)[claim], verdicts[claim]) == (Verdict.HOLDS, Verdict.BROKEN)


def test_every_claim_about_all_states_is_killed_by_some_mutation():
    assert {*ALWAYS} <= {claim for _, _, claim, _ in MUTATIONS}
