"""A situation: a scenario that knows its knobs and its usual schedule, and says how a run ended.

A named scenario is a function that builds a world and its actors from the knobs, marked with
`@scenario`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mmsim import errno
from mmsim.amounts import plural
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.explore import STATES_MAX, Exploration, Property, explore
from mmsim.engine.scenario import Scenario, Scheduler, State
from mmsim.engine.trace import Trace, record
from mmsim.errno import EFAULT, ENOMEM
from mmsim.mm.folio import Folio
from mmsim.mm.seams import Version
from mmsim.mm.versions import environment, get, with_isolation
from mmsim.mm.world import AVAILABLE, ZONE, World
from mmsim.scenarios.knobs import ISOLATION_KNOB, PASSES_KNOB, Knob, Knobs, Value, settle
from mmsim.scenarios.script import Script, Scripted

# -- how a run ended, in a few words that stay the same for the same outcome


NOT_FINISHED = "not finished"
NOT_SPLIT = "failed: a huge page could not be split"
NOT_MOVED = "failed: a huge page could not be moved"
MISSED = "failed: a piece missed its one pass"
SINGLE = "failed: a single page could not be moved"
NO_MEMORY = "failed: no memory to move it to"
NO_ROOM = "failed: the guest does not fit"
ALL_MOVED = "failed although everything moved"
CUT_OFF = "failed: the file ends before the page"
FAILURES = (NOT_SPLIT, NOT_MOVED, MISSED, SINGLE, NO_MEMORY, NO_ROOM, ALL_MOVED, CUT_OFF)


class Aim(NamedTuple):
    """What the main actor wants.

    `outcome` names its success, `succeeds` says which results are one, `say` puts one in words."""

    outcome: str
    succeeds: Callable[[int], bool]
    say: Callable[[int], str]


def _pages(rc: int, what: str) -> str:
    return f"{plural(rc, 'page')} {what}"


PINNED = Aim("pinned", lambda rc: rc > 0, lambda rc: _pages(rc, "pinned"))
MAPPED = Aim("mapped", lambda rc: rc == 0, lambda rc: "0 (mapped for the device)")
POPULATED = Aim("populated", lambda rc: rc > 0, lambda rc: _pages(rc, "populated"))
MIGRATED = Aim("migrated", lambda rc: rc == 0, errno.name)
TAKEN_BACK = Aim("taken back", lambda rc: rc >= 0, lambda rc: f"pfn {rc:#x}")
SPLIT = Aim("split", lambda rc: rc == 0, errno.name)
DROPPED = Aim("done", lambda rc: rc >= 0, lambda rc: _pages(rc, "dropped"))


def why_failed(world: World, rc: int, aim: Aim) -> str:
    """The name of a failure, from what the world at the end says about the pages left in CMA.

    A search names states, and a state keeps no steps.  So a huge page remembers the answer to its
    last request for a destination: the last try names the failure, and not a count of the run."""
    if aim is SPLIT:
        return NOT_SPLIT
    if rc == -EFAULT:
        return CUT_OFF
    if not world.vmstat["pgmigrate_fail"]:
        alone = world.env.targets_base == ZONE and not world.vmstat["pgmigrate_success"]
        return NO_ROOM if alone else ALL_MOVED
    if world.env.targets_base == ZONE:  # nobody else is there: only room can be wanting
        return NO_MEMORY
    left = _in_cma(world)
    if aim is MAPPED:  # huge page by huge page: what comes behind the failed one was not tried
        first = min((folio.region for folio in left), default="")
        left = [folio for folio in left if folio.region == first]
    huge = [folio for folio in left if folio.is_thp]
    if left and not huge:
        return SINGLE if all(folio.name == folio.region for folio in left) else MISSED
    refused = world.vmstat["thp_split_page_failed"] or any(folio.writeback for folio in huge)
    if aim is not MIGRATED and not refused:
        # 6.12 does not count the refused split of a truncated page.  That page is freed with its
        # last reference; without a destination it could not have been moved either.
        gone = not left and world.env.targets_huge != AVAILABLE
        refused = gone or any(not folio.mapping for folio in huge)
    # Where the last request for a destination found one, it was the move that failed last.
    if refused and not any(folio.had_target for folio in huge):
        return NOT_SPLIT
    return NO_MEMORY if aim is MIGRATED and rc == -ENOMEM else NOT_MOVED


def _in_cma(world: World) -> list[Folio]:
    """The named pages that are still in CMA."""
    return [folio for pfn, folio in world.folios.items() if world.in_cma(pfn) and folio.name]


def fails(outcome: str) -> bool:
    """Is this the name of a failure?"""
    return outcome.startswith("failed")


def left_behind(world: World) -> str:
    """What a failure has left in CMA, in a few words."""
    inside = _in_cma(world)
    pieces = sum(not folio.is_thp for folio in inside)
    if pieces:
        return f"{plural(pieces, 'piece')} left behind"
    if inside:
        return "still mapped" if all(folio.mapcount for folio in inside) else "left unmapped"
    return ""


# -- the situation


class Setup(NamedTuple):
    """What a situation is made of.  The result of the first actor is the one that matters.

    `aim`: what is success.  `usual` makes the scheduler of the run that the knobs describe; without
    it the main actor runs, and the others move on their cues in `script`."""

    world: World
    actors: tuple[Actor, ...]
    aim: Aim = MIGRATED
    script: Script = Script()
    usual: Callable[[], Scheduler] | None = None


Build = Callable[[Version, Knobs], Setup]


class Situation(Scenario):
    """A named scenario with a version and knobs; all else follows from these three.

    `main` is the actor whose result matters.  `version`: a name, or a row of seams such as
    `own_policy` makes.  `merge` prepares it for the exhaustive search.  Raises UserError for a
    wrong knob, also for an isolation test that the version never had."""

    def __init__(
        self,
        spec: Spec,
        version: str | Version,
        knobs: Mapping[str, object],
        *,
        merge: bool = False,
        as_one: frozenset[tuple[str, str]] = frozenset(),
    ):
        row = get(version) if isinstance(version, str) else version
        settled = settle(spec.name, spec.knobs, knobs)
        if ISOLATION_KNOB.name in settled:
            row = with_isolation(row, settled[ISOLATION_KNOB.name])
        if PASSES_KNOB.name in settled:
            row = row._replace(passes=settled[PASSES_KNOB.name])
        setup = spec.build(row, settled)
        setup.world.env = environment(row, setup.world.env)
        super().__init__(spec.name, setup.world, setup.actors, merge=merge)
        self.as_one = as_one
        self.spec = spec
        self.version = row
        self.knobs: dict[str, Value] = settled
        self.main = setup.actors[0].name
        self.script = setup.script
        self.aim = setup.aim
        self._usual = setup.usual

    def usual(self) -> Scheduler:
        """The scheduler of the run that the knobs describe, to be used once."""
        return self._usual() if self._usual else Scripted(self.main, self.script)

    def run(self) -> Trace:
        """The run that the knobs describe."""
        return record(self, self.usual())

    def replay(self, text: str) -> Trace:
        """The run of a schedule such as `"pin*9 holder pin*3"`; raises ScheduleError."""
        moves = schedule.parse(text, [actor.name for actor in self.actors])
        return record(self, schedule.replaying(moves))

    def explore(
        self, *, states_max: int = STATES_MAX, properties: Sequence[Property] = ()
    ) -> Exploration:
        """Every order of the actors' steps, whatever the knobs say about when."""
        return explore(self.merged(), states_max=states_max, properties=properties)

    def merged(self) -> Situation:
        """The same situation, prepared for a search."""
        return Situation(self.spec, self.version, self.knobs, merge=True, as_one=self.as_one)

    def with_(self, version: str | Version | None = None, **knobs: object) -> Situation:
        """The same situation with another version or other knobs."""
        settled = {**self.knobs, **knobs}
        return Situation(self.spec, version or self.version, settled, as_one=self.as_one)

    def together(self, first: str, last: str) -> Situation:
        """The same situation, but nobody can come between these two steps of one actor.

        All steps behind the first up to the last need a site.  They are looked up in the run of all
        actors one after the other; ValueError if there are none."""
        run = record(self, schedule.one_after_another)
        start, end = run.find(first), run.find(last)
        behind = run.events[start:end]
        actor = run.events[start - 1].actor
        if not behind or not all(event.site and event.actor == actor for event in behind):
            raise ValueError(
                f"nobody takes the step {first!r} and later {last!r} with only steps between them "
                "that say where they stand"
            )
        more = {(event.site, event.op.kind.name) for event in behind}
        return Situation(self.spec, self.version, self.knobs, as_one=self.as_one | more)

    def succeeded(self, state: State) -> bool:
        """Has the main actor returned what it was started for?"""
        local = self.local(state, self.main)
        return bool(local.finished and self.aim.succeeds(local.result))

    def outcome(self, state: State) -> str:
        """How the main actor fared, in a few words that stay the same for the same end."""
        local = self.local(state, self.main)
        if not local.finished:
            return NOT_FINISHED
        if self.aim.succeeds(local.result):
            return self.aim.outcome
        return why_failed(state.world, local.result, self.aim)

    def full_outcome(self, state: State) -> str:
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
        return self.aim.say(rc) if self.aim.succeeds(rc) else errno.name(rc)


# -- named scenarios


class Spec:
    """A named scenario.  Call it with a version and knobs, and it makes the situation.

    `searched`: what its knobs are at the command line of a search, where the defaults make too many
    states."""

    def __init__(self, build: Build, knobs: tuple[Knob, ...], searched: Mapping[str, Value]):
        self.build = build
        self.knobs = knobs
        self.searched = searched
        self.name = build.__name__
        about = inspect.getdoc(build) or self.name
        self.title = about.partition(".")[0]
        self.__doc__ = "\n".join([about, "", "Knobs:", *self.knob_lines()])

    def __repr__(self) -> str:
        return f"{self.name}(version, knob=value, ...): {self.title}"

    def knob_lines(self) -> list[str]:
        """Each knob with its default, what it is, and what it can be."""
        return [f"  {knob.name}={knob.default}: {knob.what}; {knob.values}" for knob in self.knobs]

    def __call__(self, version: str | Version = "base", **knobs: object) -> Situation:
        """The situation with this version and these knobs; raises UserError for a wrong one."""
        return Situation(self, version, knobs)


def scenario(*knobs: Knob, **searched: Value) -> Callable[[Build], Spec]:
    """Mark a function of a version and knobs as a named scenario; see `Spec`.

    Its title is the first sentence of the docstring."""
    return lambda build: Spec(build, knobs, searched)
