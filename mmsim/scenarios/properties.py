"""What is claimed of every run of a pin, and what at least one run has to show.

An `always` without a `sometimes` beside it proves little: a pin that never begins breaks nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from mmsim.constants import MR_LONGTERM_PIN, REASONS
from mmsim.engine.explore import Property, always, sometimes
from mmsim.engine.op import ModelError
from mmsim.engine.scenario import State
from mmsim.errno import ENOMEM
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import Container, World
from mmsim.scenarios import Situation
from mmsim.scenarios.situation import ALL_MOVED, MISSED

Claim = Callable[[State], bool]


def properties(situation: Situation) -> list[Property]:
    """All of them, about this situation."""
    return [*always_properties(situation), *sometimes_properties(situation)]


def always_properties(situation: Situation) -> list[Property]:
    """What is true in every state of every run, in every version whose counting is repaired."""
    claims: dict[str, Claim] = {
        "every reference has an owner": _books_balance,
        "nobody waits for ever": lambda state: bool(
            situation.finished(state) or situation.moves(state)
        ),
        "what is pinned for a long time lies outside CMA": lambda state: _outside(situation, state),
        "a pin that failed leaves nothing pinned": lambda state: _nothing_left(situation, state),
        "at the end no page is isolated": _at_the_end(
            situation, lambda folio: ISOLATION not in dict(folio.held)
        ),
        "at the end no page is locked": _at_the_end(situation, lambda folio: not folio.locked_by),
        "at the end no migration entry is left": _at_the_end(
            situation, lambda folio: not any(folio.migration_entries)
        ),
        "a pin fails only if something could not be moved": lambda state: (
            situation.outcome(state) != ALL_MOVED
        ),
        "whoever gives up says -ENOMEM": lambda state: _says_enomem(situation, state),
        "a refused split is tried again only where that can help": lambda state: (
            state.world.vmstat["thp_split_page_failed"] <= _splits_max(situation)
        ),
        "no huge page is counted as failed twice": lambda state: (
            state.world.vmstat["thp_migration_fail"] <= int(situation.knobs["thps"])
        ),
    }
    return [always(name, claim) for name, claim in claims.items()]


def sometimes_properties(situation: Situation) -> list[Property]:
    """What some run has to show; not every situation can show all of it."""
    main = situation.main

    def counted(state: State, name: str) -> int:
        found: int = state.world.vmstat[name]
        return found

    def ended(state: State) -> bool:
        return situation.local(state, main).finished

    claims: dict[str, Claim] = {
        "the pin can succeed": situation.succeeded,
        "the pin can succeed after a refused split": lambda state: (
            situation.succeeded(state) and counted(state, "thp_split_page_failed") > 0
        ),
        "the first look can refuse a split": lambda state: (
            counted(state, "thp_split_page_failed") > 0 and not counted(state, "thp_split_pmd")
        ),
        "the freeze can refuse a split": lambda state: (
            ended(state)
            and counted(state, "thp_split_pmd") > 0
            and not counted(state, "thp_split_page")
        ),
        "a piece can miss its one pass": lambda state: situation.outcome(state) == MISSED,
    }
    return [sometimes(name, claim) for name, claim in claims.items()]


def _books_balance(state: State) -> bool:
    try:
        state.world.check()
    except ModelError:
        return False
    return True


def _outside(situation: Situation, state: State) -> bool:
    """What a pin that succeeded holds."""
    if not situation.succeeded(state):
        return True
    world: World = state.world
    pinned = f"{situation.main} (pin)"
    return not any(
        world.in_cma(pfn) for pfn, folio in world.folios.items() if pinned in dict(folio.held)
    )


def _nothing_left(situation: Situation, state: State) -> bool:
    local = situation.local(state, situation.main)
    if not local.finished or situation.succeeded(state):
        return True
    pinned = f"{situation.main} (pin)"
    held = any(pinned in dict(folio.held) for folio in state.world.folios.values())
    return not held and state.world.container == Container()


def _at_the_end(situation: Situation, good: Callable[[Folio], bool]) -> Claim:
    """`good` of every folio, once everybody has returned."""

    def claim(state: State) -> bool:
        return not situation.finished(state) or all(map(good, state.world.folios.values()))

    return claim


def _says_enomem(situation: Situation, state: State) -> bool:
    local = situation.local(state, situation.main)
    return not local.finished or local.result >= 0 or local.result == -ENOMEM


def _splits_max(situation: Situation) -> int:
    """How often splits may be refused: once for each huge page, or once for each in every pass."""
    knobs = situation.knobs
    longterm = knobs.get("reason", REASONS[MR_LONGTERM_PIN]) == REASONS[MR_LONGTERM_PIN]
    curable = knobs.get("trouble", "none") == "none"
    return int(knobs["thps"]) * (int(knobs["passes"]) if longterm and curable else 1)
