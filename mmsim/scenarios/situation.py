"""A situation: a scenario that knows its knobs and its usual schedule, and says how a run ended.

Floor 4.  Interface: Spec, Situation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mmsim import errno
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.explore import STATES_MAX, Exploration, explore
from mmsim.engine.scenario import Scenario, Scheduler, State
from mmsim.engine.trace import Trace, record
from mmsim.knobs import Knob, Value, settle
from mmsim.mm.versions import Version, get
from mmsim.mm.world import World
from mmsim.scenarios.fates import FAILURES, MIGRATED, NOT_FINISHED, Aim, Chunks, why_failed
from mmsim.script import Script, Scripted


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

    `rebuild(version, knobs, merge=False)` makes it again with others, as `Spec.make` does.  `aim`
    and `chunks` say what success is, and where to look after a failure (`scenarios.fates`).
    `usual` makes the scheduler of the run that the knobs describe; without it the main actor runs
    and the others move on their cues in `script`."""

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
        aim: Aim = MIGRATED,
        chunks: Chunks = (),
        usual: Callable[[], Scheduler] | None = None,
    ):
        super().__init__(name, world, actors, merge=merge)
        self.version = version
        self.knobs = knobs
        self.main = actors[0].name
        self.script = script
        self.aim = aim
        self.chunks = chunks
        self._rebuild = rebuild
        self._usual = usual

    def usual(self) -> Scheduler:
        """The scheduler of the run that the knobs describe, to be used once."""
        return self._usual() if self._usual else Scripted(self.main, self.script)

    def run(self) -> Trace:
        """The run that the knobs describe."""
        return record(self, self.usual())

    def replay(self, text: str) -> Trace:
        """The run of a schedule such as `"pin*9 stranger pin*3"`; raises ScheduleError."""
        moves = schedule.parse(text, [actor.name for actor in self.actors])
        return record(self, schedule.replaying(moves))

    def explore(self, *, states_max: int = STATES_MAX) -> Exploration:
        """Every order of the actors' steps, whatever the knobs say about when."""
        merged = self._rebuild(self.version, self.knobs, merge=True)
        return explore(merged, states_max=states_max)

    def with_(self, version: str | Version | None = None, **knobs: object) -> Situation:
        """The same situation with another version or other knobs."""
        return self._rebuild(version or self.version, {**self.knobs, **knobs})

    def succeeded(self, state: State) -> bool:
        """Has the main actor returned what it was started for?"""
        local = self.local(state, self.main)
        return bool(local.finished and self.aim.reached(local.result))

    @property
    def outcomes_known(self) -> tuple[str, ...]:
        """Every name that `outcome` can give to an end; the first one is success."""
        return (self.aim.word, *FAILURES)

    def outcome(self, state: State) -> str:
        """How the main actor fared, in a few words that stay the same for the same fate."""
        local = self.local(state, self.main)
        if not local.finished:
            return NOT_FINISHED
        if self.aim.reached(local.result):
            return self.aim.word
        return why_failed(state.world, local.result, self.aim, self.chunks)

    def result(self, state: State) -> str:
        """What the main actor returned, for people."""
        local = self.local(state, self.main)
        if not local.finished:
            return NOT_FINISHED
        rc: int = local.result
        return self.aim.words(rc) if self.aim.reached(rc) else errno.name(rc)
