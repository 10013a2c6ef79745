"""The mutated model at work: which property dies, and the shortest run that shows it.

Interface: LABS, Lab, Death, deaths, make, holds

The kernel paths are loaded once more with one line of them changed (`mmsim.mm.mutations`); worlds,
engine and everything that reads a run stay the same.  What a mutation kills is found by searching
every order of steps in a few small situations, the smallest first.

Left out: whoever shows the code of a step shows the sound line; `mmsim.mm.mutations.diff` shows the
changed one."""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from mmsim import scenarios
from mmsim.engine.explore import Contradiction, Finding, Verdict, explore
from mmsim.engine.scenario import Move
from mmsim.errors import nearest
from mmsim.mm import mutations, versions
from mmsim.mm.mutations import Mutation
from mmsim.practice.properties import properties
from mmsim.scenarios import Situation

# Everything that is a kernel path or a step of one, and the scenarios that start them.
PATHS = frozenset(
    f"mmsim.{name}"
    for name in (
        "mm.page_ref", "mm.filemap", "mm.rmap", "mm.swap", "mm.migration_target", "mm.iommu",
        "mm.versions", "mm.huge_memory", "mm.migrate", "mm.gup", "mm.drop_caches", "mm.holders",
        "mm.vfio", "scenarios.vfio_map", "scenarios.pin_versus",
    )
)  # fmt: skip
STATES_MAX = 5_000
CONTRADICTION = "no step meets what can't be"


class Lab(NamedTuple):
    """A small situation in which properties are looked at; `what` it is, in words."""

    what: str
    scenario: str
    knobs: Mapping[str, object]


_ONE = {"order": 1, "passes": 2, "released": "1"}
_ALONE = {**_ONE, "stranger": 0}
_TWO = {**_ONE, "thps": 2, "stranger": 2}
_OTHER = {**_TWO, "passes": 3, "reason": "compaction"}
_MAPS = {"order": 1, "passes": 2, "thps": 2, "on": 2, "against": "lookup"}
LABS = (
    Lab("nobody else is there", "vfio_map", _ALONE),
    Lab("somebody refers to a huge page", "vfio_map", _ONE),
    Lab("the same, but a free huge page can be had", "vfio_map", {**_ONE, "targets": "available"}),
    Lab("somebody refers to the second of two", "vfio_map", _TWO),
    Lab("the same, but compaction migrates", "vfio_map", _OTHER),
    Lab("memory for a split may be missing", "vfio_map", {**_ALONE, "trouble": "nomem"}),
    Lab("VFIO maps two, and the second is looked up", "pin_versus", _MAPS),
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


def make(
    mutation: str | Mutation,
    scenario: str,
    knobs: Mapping[str, object],
    *,
    version: str = versions.LATEST.name,
    merge: bool = False,
) -> Situation:
    """A situation of the mutated model, by the name of the mutation or for one of your own.

    Raises ValueError for whatever is unknown, and for a scenario that starts no kernel path."""
    changed = mutations.get(mutation) if isinstance(mutation, str) else mutation
    if f"mmsim.scenarios.{scenario}" not in PATHS:
        known = [name for name in scenarios.SCENARIOS if f"mmsim.scenarios.{name}" in PATHS]
        raise ValueError(f"no mutant of scenario {scenario!r}{nearest(scenario, known)}")
    paths = _mutated(changed)
    row = paths["mmsim.mm.versions"].get(version)
    row = row._replace(name=f"{version}, {changed.name}", title=changed.what)
    spec = getattr(paths[f"mmsim.scenarios.{scenario}"], scenario.upper())
    situation: Situation = spec.make(row, knobs, merge=merge)
    return situation


@functools.cache
def _mutated(mutation: Mutation) -> Mapping[str, Any]:
    """The modules of PATHS, loaded anew; they import one another, and all others as they are."""
    made: dict[str, ModuleType] = {}

    def load(name: str) -> ModuleType:
        if name not in made:
            sound = importlib.import_module(name)
            made[name] = module = ModuleType(name, sound.__doc__)
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_}
            changed = name == mutation.module
            text = mutations.source(mutation) if changed else inspect.getsource(sound)
            exec(compile(text, sound.__file__ or name, "exec"), module.__dict__)
        return made[name]

    def import_(name: str, *place: Any) -> Any:
        """`__import__` as the import statement of a loaded module calls it."""
        asked = place[2] if len(place) > 2 and place[2] else ()
        if name in PATHS:
            return load(name)
        found = importlib.__import__(name, *place)
        inside = {each: load(f"{name}.{each}") for each in asked if f"{name}.{each}" in PATHS}
        return SimpleNamespace(**{**vars(found), **inside}) if inside else found

    return {name: load(name) for name in sorted(PATHS)}


def holds(lab: Lab) -> list[Finding]:
    """What the sound model says of each property in a lab."""
    return _findings(scenarios.make(lab.scenario, versions.LATEST.name, lab.knobs, merge=True))


_sound = functools.cache(lambda number: holds(LABS[number]))


def _findings(situation: Situation) -> list[Finding]:
    found = explore(situation, properties=properties(situation), states_max=STATES_MAX)
    return list(found.findings)


def deaths(mutation: str | Mutation) -> list[Death]:
    """The properties that a mutation kills in the first lab where it kills any, shortest first."""
    for number, lab in enumerate(LABS):
        situation = make(mutation, lab.scenario, lab.knobs, merge=True)
        try:
            found = _findings(situation)
        except Contradiction as error:
            return [Death(CONTRADICTION, False, lab, error.schedule, error.what)]
        dead = _dead(lab, _sound(number), found)
        if dead:
            return sorted(dead, key=lambda death: (death.lost, len(death.schedule)))
    return []


def _dead(lab: Lab, before: Sequence[Finding], after: Sequence[Finding]) -> list[Death]:
    dead = []
    for sound, mutated in zip(before, after, strict=True):
        if sound.verdict is Verdict.HOLDS and mutated.verdict is Verdict.BROKEN:
            lost = sound.schedule is not None
            schedule = sound.schedule if lost else mutated.schedule
            dead.append(Death(sound.name, lost, lab, schedule or ()))
    return dead
