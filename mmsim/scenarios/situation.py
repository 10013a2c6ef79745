"""A situation: a scenario that knows its knobs and its usual schedule, and says how a run ended.

Floor 4.  Interface: Spec, Situation, TAKEN, RELEASED, visit
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mmsim import errno
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.explore import STATES_MAX, Exploration, explore
from mmsim.engine.scenario import Scenario, State
from mmsim.engine.trace import Trace, record
from mmsim.knobs import Knob, Value, moment, read_moment, settle
from mmsim.mm.versions import Version, get
from mmsim.mm.world import World
from mmsim.script import Cue, Script, Scripted

TAKEN = moment("taken", "start", ["start"], "when the stranger takes them")
RELEASED = moment("released", "never", ["never"], "when the stranger drops them")


def visit(actor: str, folio: str, knobs: Mapping[str, Value]) -> tuple[Cue, ...]:
    """When a stranger comes and goes by its knobs `taken` and `released`; raises ValueError."""
    taken, released = str(knobs["taken"]), str(knobs["released"])
    start = None if taken == "start" else read_moment(taken, TAKEN)
    if released == "never":
        return (Cue(actor, folio, start),)
    end = read_moment(released, RELEASED)
    if start is not None and end <= start:
        raise ValueError(f"released ({released}) must come after taken ({taken})")
    return (Cue(actor, folio, start), Cue(actor, folio, end))


class Spec(NamedTuple):
    """A scenario's entry in the list."""

    name: str
    title: str
    knobs: tuple[Knob, ...]
    build: Callable[[Spec, Version, dict[str, Value], bool], Situation]

    def make(
        self, version: str | Version, knobs: Mapping[str, object], *, merge: bool = False
    ) -> Situation:
        """The situation; raises ValueError for a version or a knob that does not exist."""
        row = get(version) if isinstance(version, str) else version
        return self.build(self, row, settle(self.name, self.knobs, knobs), merge)


class Situation(Scenario):
    """A scenario with its knobs.  `main` is the actor whose result matters.

    `rebuild(version, knobs, merge=False)` makes it again with others, as `Spec.make` does."""

    def __init__(
        self,
        name: str,
        version: Version,
        knobs: dict[str, Value],
        world: World,
        actors: tuple[Actor, ...],
        script: Script,
        rebuild: Callable[..., Situation],
        *,
        merge: bool = False,
    ):
        super().__init__(name, world, actors, merge=merge)
        self.version = version
        self.knobs = knobs
        self.main = actors[0].name
        self.script = script
        self._rebuild = rebuild

    def run(self) -> Trace:
        """The run that the knobs describe."""
        return record(self, Scripted(self.main, self.script))

    def replay(self, text: str) -> Trace:
        """The run of a schedule such as `"pin*9 stranger pin*3"`; raises ScheduleError."""
        moves = schedule.parse(text, [actor.name for actor in self.actors])
        return record(self, schedule.replaying(moves))

    def explore(self, *, states_max: int = STATES_MAX) -> Exploration:
        """Every order of the actors' steps, whatever the knobs say about when."""
        merged = self._rebuild(self.version, self.knobs, merge=True)
        return explore(merged, states_max=states_max)

    def with_(self, version: str | None = None, **knobs: object) -> Situation:
        """The same situation with another version or other knobs."""
        return self._rebuild(version or self.version, {**self.knobs, **knobs})

    def outcome(self, state: State) -> str:
        """How the main actor fared, in a few words that stay the same for the same fate."""
        local = self.local(state, self.main)
        if not local.finished:
            return "not finished"
        rc: int = local.result
        if self.main == "pin" and rc > 0:
            return "pinned"
        if self.main != "pin" and rc == 0:
            return "migrated"
        world: World = state.world
        inside = [folio for pfn, folio in world.folios.items() if world.in_cma(pfn) and folio.name]
        if any(not folio.is_thp for folio in inside):
            return "failed: a piece missed its one pass"
        if not world.vmstat["pgmigrate_fail"]:
            return "failed although everything moved"
        if world.vmstat["thp_split_page_failed"]:
            return "failed: a huge page could not be split"
        return "failed: a huge page could not be moved"

    def result(self, state: State) -> str:
        """What the main actor returned, for people."""
        local = self.local(state, self.main)
        if not local.finished:
            return "not finished"
        rc: int = local.result
        if rc > 0 and self.main == "pin":
            return f"{rc} pages pinned"
        return errno.name(rc)
