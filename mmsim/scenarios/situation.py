"""A situation: a scenario that knows its knobs and its usual schedule, and says how a run ended.

Interface: Spec, Situation, ISOLATION
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mmsim import errno
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.explore import STATES_MAX, Exploration, Property, explore
from mmsim.engine.op import Atomic, Op
from mmsim.engine.scenario import Event, Scenario, Scheduler, State
from mmsim.engine.trace import Trace, record
from mmsim.errors import nearest
from mmsim.knobs import Knob, Value, one_of, settle
from mmsim.mm.versions import INVERTED, ISOLATIONS, MEANT, Version, get, with_isolation
from mmsim.mm.world import World
from mmsim.scenarios.fates import (
    FAILURES,
    MAPPED,
    MIGRATED,
    NOT_FINISHED,
    PINNED,
    Aim,
    Chunks,
    fails,
    left_behind,
    why_failed,
)
from mmsim.script import Script, Scripted

ISOLATION = one_of(
    "isolation", MEANT, ISOLATIONS, "the pin's isolation test: as meant, or as it was until 6.2"
)
"""The last knob of every scenario that pins for a long time; `Spec.make` turns it."""


class Spec(NamedTuple):
    """A scenario's entry in the list.

    `searched`: what its knobs are at the command line of a search, where the defaults make too many
    states."""

    name: str
    title: str
    knobs: tuple[Knob, ...]
    build: Callable[[Spec, Version, dict[str, Value], bool], Situation]
    searched: Mapping[str, Value] = MappingProxyType({})

    def make(
        self, version: str | Version, knobs: Mapping[str, object], *, merge: bool = False
    ) -> Situation:
        """The situation; raises ValueError for a version or a knob that does not exist.

        Also for an isolation test that the version never had."""
        row = get(version) if isinstance(version, str) else version
        settled = settle(self.name, self.knobs, knobs)
        if ISOLATION.name in settled:
            row = with_isolation(row, str(settled[ISOLATION.name]))
        return self.build(self, row, settled, merge)


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
        self.replaced: Mapping[str, Atomic] = {}
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

    def explore(
        self, *, states_max: int = STATES_MAX, properties: Sequence[Property] = ()
    ) -> Exploration:
        """Every order of the actors' steps, whatever the knobs say about when."""
        return explore(self.merged(), states_max=states_max, properties=properties)

    def merged(self) -> Situation:
        """The same situation, prepared for a search."""
        return self._made(self.version, self.knobs, merge=True)

    def with_(self, version: str | Version | None = None, **knobs: object) -> Situation:
        """The same situation with another version or other knobs."""
        return self._made(version or self.version, {**self.knobs, **knobs})

    def _made(
        self, version: str | Version, knobs: Mapping[str, object], *, merge: bool = False
    ) -> Situation:
        made = self._rebuild(version, knobs, merge=merge)
        made.as_one = self.as_one
        if self.replaced:
            made.replaced = self.replaced
            made.replace(self.replaced)
        return made

    def replacing(self, **steps: Callable[..., Op]) -> Situation:
        """The same situation, but each of these atomic steps does something else: what if?

        A step is given by the name that it has in the model, and replaced by another `@atomic`
        function with the same arguments.  It keeps its name wherever it is shown."""
        made = self.with_()
        kinds: dict[str, Atomic] = {name: vars(step)["atomic"] for name, step in steps.items()}
        named = {name: kind._replace(name=name) for name, kind in kinds.items()}
        made.replaced = {**self.replaced, **named}
        made.replace(made.replaced)
        return made

    def together(self, first: str, last: str) -> Situation:
        """The same situation, but nobody can come between these two steps of one actor.

        All steps behind the first up to the last need a site.  They are looked up in the run of all
        actors one after the other; ValueError if there are none.  Names may have brackets:
        `folio_get()`."""
        first, last = (str(name).removesuffix("()") for name in (first, last))
        events = record(self, schedule.one_after_another).events
        behind = _behind(events, first, last)
        if not behind:
            names = dict.fromkeys(event.op.kind.name for event in events)
            for name in (first, last):
                if name not in names:
                    raise ValueError(f"nobody takes a step {name!r} here{nearest(name, names)}")
            raise ValueError(
                f"nobody takes the step {first!r} and later {last!r} with only steps between them "
                "that say where they stand"
            )
        made = self.with_()
        made.as_one = self.as_one | {(event.site, event.op.kind.name) for event in behind}
        return made

    def succeeded(self, state: State) -> bool:
        """Has the main actor returned what it was started for?"""
        local = self.local(state, self.main)
        return bool(local.finished and self.aim.reached(local.result))

    @property
    def isolation_told(self) -> str:
        """Which isolation test the pin has, if the version's tree had another one than is meant.

        "" if nothing has to be said: there is no long-term pin, or the tree had no such bug."""
        if self.aim not in (PINNED, MAPPED) or not self.version.had_inverted_test:
            return ""
        if self.version.isolate_inverted:
            return "inverted, as in the kernel's own tree: a bug of its own, repaired later for 6.2"
        return (
            "as meant; the kernel's own tree has this test inverted, which adds a round and a "
            f"drain to each pin from CMA ({ISOLATION.name}={INVERTED} does the same)"
        )

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

    def fate(self, state: State) -> str:
        """The outcome, and after a failure what is left behind."""
        outcome = self.outcome(state)
        left = left_behind(state.world) if fails(outcome) else ""
        return f"{outcome}, {left}" if left else outcome

    def result(self, state: State) -> str:
        """What the main actor returned, for people."""
        local = self.local(state, self.main)
        if not local.finished:
            return NOT_FINISHED
        rc: int = local.result
        return self.aim.words(rc) if self.aim.reached(rc) else errno.name(rc)


def _behind(events: Sequence[Event], first: str, last: str) -> list[Event]:
    """The steps behind the first step of one name up to the next of another, all with a site."""
    for start, event in enumerate(events, start=1):
        if event.op.kind.name == first:
            behind = []
            for later in events[start:]:
                if later.actor != event.actor or not later.site:
                    break
                behind.append(later)
                if later.op.kind.name == last:
                    return behind
    return []
