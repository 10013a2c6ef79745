"""The model changed in one place: which property dies, and the shortest run that shows it.

A mutation is a seam of a version (`mmsim.mm.versions`) with another value, or an atomic step that
does something else (`Situation.replacing`).  The paths stay as they are.  No kernel ever had most
of these: each is a mistake that can be made, or a check that looks needless.  What a mutation kills
is found by a search of every order of steps in a few small situations, the smallest first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mmsim.constants import MR_LONGTERM_PIN
from mmsim.engine.explore import Contradiction, Finding, Verdict, explore
from mmsim.engine.op import Op, atomic
from mmsim.engine.scenario import Move
from mmsim.errno import EAGAIN
from mmsim.errors import nearest
from mmsim.mm.folio import extra_pins
from mmsim.mm.seams import final_rc_as_counted, never_retry_split, rc_is_overwritten
from mmsim.mm.versions import LATEST
from mmsim.mm.world import World
from mmsim.scenarios.properties import properties
from mmsim.scenarios.races import VFIO_MAP
from mmsim.scenarios.situation import Situation

STATES_MAX = 5_000
CONTRADICTION = "no step meets what can't be"


# -- steps that do something else


@atomic
def look_at_nothing(world: World, me: str, pfn: int) -> int:
    """can_split_folio() that never says no."""
    return extra_pins(world.folio(pfn))


@atomic
def forget_own_reference(world: World, me: str, pfn: int) -> int | None:
    """can_split_folio() without its "- 1"."""
    folio = world.folio(pfn)
    pins = extra_pins(folio)
    return pins if folio.mapcount == folio.refcount - pins else None


@atomic
def freeze_without_comparing(world: World, me: str, pfn: int, expected: int) -> bool:
    """folio_ref_freeze() that claims whatever is there."""
    world.update(pfn, refcount=0)
    return True


@atomic
def nothing(world: World, me: str, *args: Any) -> None:
    """Any step, left out."""


@atomic
def always(world: World, me: str, pfn: int) -> bool:
    """Any question, answered yes."""
    return True


def for_everybody(reason: int, ret: int) -> bool:
    """retry_split that does not ask for the reason."""
    return ret == -EAGAIN


def for_every_refusal(reason: int, ret: int) -> bool:
    """retry_split that does not ask why the split was refused."""
    return reason == MR_LONGTERM_PIN


# -- the mutations


class Mutation(NamedTuple):
    """What is changed, in words; seams with other values, and steps that do something else."""

    what: str
    seams: Mapping[str, Any] = {}
    steps: Mapping[str, Callable[..., Op]] = {}


MUTATIONS = {
    "no check": Mutation(
        "the split asks nobody about references before it unmaps the page",
        steps={"can_split_folio": look_at_nothing},
    ),
    "freeze without comparing": Mutation(
        "the freeze claims all references, however many there are",
        steps={"folio_ref_freeze": freeze_without_comparing},
    ),
    "own reference forgotten": Mutation(
        "the check forgets that the caller itself has a reference",
        steps={"can_split_folio": forget_own_reference},
    ),
    "never again": Mutation(
        "a split that was refused is not tried again: the patch without its point",
        {"retry_split": never_retry_split},
    ),
    "again for everybody": Mutation(
        "a refused split is tried again whoever asked for the migration, not only for a pin",
        {"retry_split": for_everybody},
    ),
    "again whatever was wrong": Mutation(
        "a split is tried again also if it failed for a reason that time does not cure",
        {"retry_split": for_every_refusal},
    ),
    "failure not taken back": Mutation(
        "a huge page that is tried again stays counted as failed, as in v2 and v3",
        {"taken_back": 0},
    ),
    "result of the split returned": Mutation(
        "what the split answered becomes the result of migrate_pages(), as in v1",
        {"rc_after_split": rc_is_overwritten},
    ),
    "no companion": Mutation(
        "migrate_pages() returns a count of what it moved later, as before the first patch",
        {"final_rc": final_rc_as_counted},
    ),
    "no unlock": Mutation("nobody unlocks a page", steps={"folio_unlock": nothing}),
    "no putback": Mutation(
        "what could not be moved is not put back on its list of pages",
        steps={"putback_lru_page": nothing},
    ),
    "mappings not put back": Mutation(
        "after a move, failed or not, nobody turns the migration entries into mappings again",
        steps={"remove_migration_ptes": nothing},
    ),
    "pins kept": Mutation(
        "the pin keeps its pins on the pages that it wants to have moved",
        steps={"gup_put_folio": nothing},
    ),
    "CMA is good enough": Mutation(
        "the pin takes every page to be good where it is",
        steps={"is_longterm_pinnable_page": always},
    ),
}


def mutated(situation: Situation, name: str) -> Situation:
    """The situation in a model with this mutation; ValueError for an unknown one."""
    if name not in MUTATIONS:
        raise ValueError(f"no mutation {name!r}{nearest(name, MUTATIONS)}")
    what, seams, steps = MUTATIONS[name]
    row = situation.version
    row = row._replace(name=f"{row.name}, {name}", title=what, **seams)
    return situation.with_(version=row).replacing(**steps)


# -- what a mutation kills


class Lab(NamedTuple):
    """A small situation in which properties are looked at; `what` it is, in words."""

    what: str
    knobs: Mapping[str, object]

    @property
    def situation(self) -> Situation:
        """In the sound model."""
        return VFIO_MAP.make(LATEST, self.knobs)


_ONE = {"order": 1, "passes": 2, "released": "1"}
_ALONE = {**_ONE, "holder": 0}
_OTHER = {**_ONE, "thps": 2, "holder": 2, "passes": 3, "reason": "compaction"}
LABS = (
    Lab("nobody else is there", _ALONE),
    Lab("somebody holds a huge page", _ONE),
    Lab("the same, but a free huge page can be had", {**_ONE, "targets": "available"}),
    Lab("compaction migrates two, and somebody holds the second", _OTHER),
    Lab("memory for a split may be missing", {**_ALONE, "trouble": "nomem"}),
)


class Death(NamedTuple):
    """A property that the mutation kills.

    `schedule`: of an `always`, a shortest one of the mutated model that breaks it; of a `sometimes`
    (`lost`), a shortest one of the sound model that shows what no run does any more.  `why`: what
    the step says that can't be taken."""

    property: str
    lost: bool
    lab: Lab
    schedule: tuple[Move, ...]
    why: str = ""


def findings(situation: Situation) -> list[Finding]:
    """What a search says of each property."""
    merged = situation.merged()
    return list(explore(merged, properties=properties(merged), states_max=STATES_MAX).findings)


_sound = functools.cache(lambda number: findings(LABS[number].situation))


@functools.cache
def deaths(name: str) -> tuple[Death, ...]:
    """The properties that a mutation kills in the first lab where it kills any, shortest first."""
    for number, lab in enumerate(LABS):
        try:
            found = findings(mutated(lab.situation, name))
        except Contradiction as error:
            return (Death(CONTRADICTION, False, lab, error.schedule, error.what),)
        if dead := _dead(lab, _sound(number), found):
            return tuple(sorted(dead, key=lambda death: (death.lost, len(death.schedule))))
    return ()


def _dead(lab: Lab, before: Sequence[Finding], after: Sequence[Finding]) -> list[Death]:
    dead = []
    for sound, changed in zip(before, after, strict=True):
        if sound.verdict is Verdict.HOLDS and changed.verdict is Verdict.BROKEN:
            lost = sound.schedule is not None
            schedule = sound.schedule if lost else changed.schedule
            dead.append(Death(sound.name, lost, lab, schedule or ()))
    return dead
