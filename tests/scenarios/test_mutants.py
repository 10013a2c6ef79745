"""The model changed in one place: which claim about every run dies.

A mutation is a seam of a version with another value, or an atomic step that does something else.
No kernel ever had most of these: each is a mistake that can be made, or a check that looks
needless.
`make mutants` changes every line; it does not know what is claimed."""

from __future__ import annotations

import contextlib
import functools
import importlib
import pkgutil
from functools import partial

import pytest

from mmsim import mm
from mmsim.constants import MR_LONGTERM_PIN, REASONS
from mmsim.engine.explore import Verdict, always
from mmsim.engine.op import ModelError, atomic
from mmsim.errno import EAGAIN, ENOMEM
from mmsim.mm.folio import ISOLATION
from mmsim.mm.seams import final_rc_as_counted, rc_is_overwritten
from mmsim.mm.versions import LATEST
from mmsim.mm.world import Container
from mmsim.scenarios import vfio_map
from mmsim.scenarios.situation import ALL_MOVED

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


# -- what is done instead


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


# What is true in every state of every run, in every version whose counting is repaired;
# seam or step, what it is or does instead so that this is broken, and the situation that shows it.
CLAIMS = {
    "every reference has an owner": (owned, "unmap_folio", count_kept, "held"),
    "nobody waits for ever": (
        lambda s, state: s.finished(state) or s.moves(state) != [],
        *("folio_unlock", nothing, "truncated"),
    ),
    "what is pinned for a long time lies outside CMA": (
        lambda s, state: not s.succeeded(state) or not any(pinned(s, state)),
        *("is_longterm_pinnable_page", yes, "alone"),
    ),
    "a pin that failed leaves nothing pinned": (
        lambda s, state: (
            not failed(s, state) or (not pinned(s, state) and state.world.container == Container())
        ),
        *("gup_put_folio", nothing, "alone"),
    ),
    "at the end no page is isolated": (
        no_folio_at_the_end(lambda f: ISOLATION in dict(f.held)),
        *("putback_lru_page", nothing, "held"),
    ),
    "at the end no page is locked": (
        no_folio_at_the_end(lambda f: f.locked_by),
        *("folio_unlock", nothing, "alone"),
    ),
    "at the end no migration entry is left": (
        no_folio_at_the_end(lambda f: any(f.migration_entries)),
        *("remove_migration_ptes", nothing, "target"),
    ),
    "a pin fails only if something could not be moved": (
        lambda s, state: s.outcome(state) != ALL_MOVED,
        *("final_rc", final_rc_as_counted, "alone"),
    ),
    "whoever gives up says -ENOMEM": (
        lambda s, state: (
            not failed(s, state) or (rc := s.local(state, s.main).result) >= 0 or rc == -ENOMEM
        ),
        *("rc_after_split", rc_is_overwritten, "two"),
    ),
    "a refused split is tried again only where that can help": (
        lambda s, state: state.world.vmstat["thp_split_page_failed"] <= splits_max(s),
        *("retry_split", for_everybody, "two"),
    ),
    "no huge page is counted as failed twice": (
        lambda s, state: state.world.vmstat["thp_migration_fail"] <= s.knobs["thps"],
        *("taken_back", 0, "held"),
    ),
}


def found(situation):
    """The claims that hold, after a search of all states."""
    claims = [always(name, partial(claim, situation)) for name, (claim, *_) in CLAIMS.items()]
    search = situation.explore(properties=claims, states_max=5_000)
    assert search.complete
    return {each.name for each in search.findings if each.verdict is Verdict.HOLDS}


@functools.cache
def sound(situation):
    return found(vfio_map(LATEST, **SITUATIONS[situation]))


# A pin of a page that is gone fails in another way, although all could be moved.
@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "truncated"])
def test_the_sound_model_keeps_what_is_always_true(situation):
    assert sound(situation) == {*CLAIMS}


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


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_mutation_kills_each_claim(claim):
    _, name, instead, situation = CLAIMS[claim]
    assert claim in sound(situation)
    if name in LATEST._fields:
        broken = found(vfio_map(LATEST._replace(**{name: instead}), **SITUATIONS[situation]))
    else:
        with replaced(name, instead):
            broken = found(vfio_map(LATEST, **SITUATIONS[situation]))
    assert claim not in broken
