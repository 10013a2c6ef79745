"""A situation: a scenario that knows its knobs and its usual schedule, and says how a run ended.

Knobs are data, so that the command line, the sliders of a lesson and the help text are all made
from the same list.  A named scenario is a function that builds a world and its actors from the
knobs, marked with `@scenario`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mmsim import errno
from mmsim.constants import MIGRATE_PASSES
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.explore import STATES_MAX, Exploration, Property, explore
from mmsim.engine.op import Atomic, Op
from mmsim.engine.scenario import Event, Scenario, Scheduler, State
from mmsim.engine.trace import Trace, record
from mmsim.errno import ENOMEM
from mmsim.errors import UserError, nearest
from mmsim.mm.folio import Folio
from mmsim.mm.seams import INVERTED, ISOLATIONS, MEANT, Version
from mmsim.mm.versions import environment, get, with_isolation
from mmsim.mm.world import NONE, ZONE, World
from mmsim.scenarios.script import SITES, Position, Script, Scripted

# -- knobs: what can be set, to which values, and what a wrong value is told


Value = int | str
Knobs = dict[str, Value]


class KnobError(UserError):
    """A knob that does not exist or can't have this value; the message says what it can."""


NOBODY = "nobody"


class Knob(NamedTuple):
    """One thing to set.  `allowed` lists words; otherwise it is a number from `low` to `high`.

    With `each_max` it is a list of words, separated by commas, each at most so often."""

    name: str
    default: Value
    what: str
    low: int = 0
    high: int = 0
    allowed: tuple[str, ...] = ()
    is_moment: bool = False
    each_max: int = 0

    @property
    def values(self) -> str:
        """What it can be, for people."""
        if self.is_moment:
            words = " or ".join(self.allowed)
            return f"{words}, PASS (0-{MIGRATE_PASSES - 1}) or PASS.SITE ({', '.join(SITES)})"
        if self.each_max:
            return f"{NOBODY}, or some of {', '.join(self.allowed)}, with commas between"
        return ", ".join(self.allowed) if self.allowed else f"{self.low}-{self.high}"

    def read(self, given: object) -> Value:
        """The value as the scenario uses it; raises KnobError."""
        text = str(given).strip()
        if self.is_moment:
            pass_, _, site = text.partition(".")
            if text not in self.allowed and pass_ not in map(str, range(MIGRATE_PASSES)):
                raise KnobError(f"{self.name} must be {self.values}, not {text!r}")
            if site and site not in SITES:
                raise KnobError(f"{self.name} names no site {site!r}{nearest(site, SITES)}")
            return text
        if self.each_max:
            return self._some(given if isinstance(given, (list, tuple)) else text.split(","))
        if self.allowed:
            if text not in self.allowed:
                raise KnobError(f"{self.name} can't be {text!r}{nearest(text, self.allowed)}")
            return text
        if isinstance(given, bool) or not re.fullmatch(r"-?\d{1,9}", text):
            raise KnobError(f"{self.name} must be a whole number, {self.values}, not {given!r}")
        if not self.low <= int(text) <= self.high:
            raise KnobError(f"{self.name} must be {self.values}, not {text}")
        return int(text)

    def _some(self, given: Sequence[object]) -> str:
        """The words in the order of `allowed`, with commas between: equal sets, equal text."""
        words = [str(word).strip() for word in given]
        if words == [NOBODY] or not any(words):
            return NOBODY
        for word in words:
            if word not in self.allowed:
                raise KnobError(f"{self.name} can't have {word!r}{nearest(word, self.allowed)}")
            if words.count(word) > self.each_max:
                raise KnobError(f"{self.name} has {word!r} more than {self.each_max} times")
        return ",".join(sorted(words, key=self.allowed.index))


def number(name: str, default: int, low: int, high: int, what: str) -> Knob:
    """A knob with a whole number."""
    return Knob(name, default, what, low, high)


def one_of(name: str, default: str, allowed: Sequence[str], what: str) -> Knob:
    """A knob with a choice of words."""
    return Knob(name, default, what, allowed=tuple(allowed))


def some_of(
    name: str, default: str, allowed: Sequence[str], what: str, *, each_max: int = 1
) -> Knob:
    """A knob with a list of words, each at most `each_max` times."""
    return Knob(name, default, what, allowed=tuple(allowed), each_max=each_max)


def words_of(value: Value) -> list[str]:
    """The words of a knob made by `some_of`."""
    return [] if value == NOBODY else str(value).split(",")


def moment(name: str, default: str, words: Sequence[str], what: str) -> Knob:
    """A knob with a moment of a migration: a word, a pass, or a site of a pass."""
    return Knob(name, default, what, allowed=tuple(words), is_moment=True)


def position(moment: Value) -> Position:
    """`"3"`: the beginning of pass 3; `"0.split.freeze"`: before a split's freeze in pass 0."""
    pass_, _, site = str(moment).partition(".")
    return Position.at(site or SITES[0], int(pass_))


def read_span(knobs: Knobs) -> tuple[Position | None, Position | None]:
    """When somebody comes (None: at the start) and goes (None: never), by the two knobs."""
    taken, released = knobs.get("taken", "start"), knobs["released"]
    start = None if taken == "start" else position(taken)
    end = None if released == "never" else position(released)
    if start is not None and end is not None and end <= start:
        raise KnobError(f"released ({released}) must come after taken ({taken})")
    return start, end


def check_number(knobs: Knobs, knob: str, there: str, what: str) -> None:
    """Raise KnobError if a knob asks for more than there are by another knob."""
    if int(knobs[knob]) > int(knobs[there]):
        raise KnobError(
            f"{knob} is {knobs[knob]}, but there are only {knobs[there]} {what} ({there})"
        )


def settle(scenario: str, knobs: Sequence[Knob], given: Mapping[str, object]) -> Knobs:
    """Every knob with its value: the given one, or its default; raises KnobError."""
    names = [knob.name for knob in knobs]
    for name in given:
        if name not in names:
            raise KnobError(f"{scenario} has no knob {name!r}{nearest(name, names)}")
    return {knob.name: knob.read(given.get(knob.name, knob.default)) for knob in knobs}


# -- how a run ended, in a few words that stay the same for the same outcome


NOT_FINISHED = "not finished"
NOT_SPLIT = "failed: a huge page could not be split"
NOT_MOVED = "failed: a huge page could not be moved"
MISSED = "failed: a piece missed its one pass"
SINGLE = "failed: a single page could not be moved"
NO_MEMORY = "failed: no memory to move it to"
ALL_MOVED = "failed although everything moved"
FAILURES = (NOT_SPLIT, NOT_MOVED, MISSED, SINGLE, NO_MEMORY, ALL_MOVED)

Chunks = tuple[tuple[str, ...], ...]


class Aim(NamedTuple):
    """What the main actor wants: the name of its success, which results are one, in words."""

    word: str
    reached: Callable[[int], bool]
    words: Callable[[int], str]


def _pages(rc: int, what: str) -> str:
    return f"{rc:,} {'page' if rc == 1 else 'pages'} {what}"


PINNED = Aim("pinned", lambda rc: rc > 0, lambda rc: _pages(rc, "pinned"))
MAPPED = Aim("mapped", lambda rc: rc == 0, lambda rc: "0 (mapped for the device)")
MIGRATED = Aim("migrated", lambda rc: rc == 0, errno.name)
TAKEN_BACK = Aim("taken back", lambda rc: rc >= 0, lambda rc: f"pfn {rc:#x}")
SPLIT = Aim("split", lambda rc: rc == 0, errno.name)
DROPPED = Aim("done", lambda rc: rc >= 0, lambda rc: _pages(rc, "dropped"))


def why_failed(world: World, rc: int, aim: Aim, chunks: Chunks) -> str:
    """The name of a failure; see above for what counts."""
    if aim is SPLIT:
        return NOT_SPLIT
    if not world.vmstat["pgmigrate_fail"]:
        return ALL_MOVED
    left = _in_cma(world)
    for regions in chunks:  # the first one with pages in CMA is the one that failed
        if here := [folio for folio in left if folio.region in regions]:
            left = here
            break
    huge = [folio for folio in left if folio.is_thp]
    if left and not huge:
        if _memory_is_full(world):
            return NO_MEMORY
        return SINGLE if all(folio.name == folio.region for folio in left) else MISSED
    if world.vmstat["thp_split_page_failed"] or any(folio.writeback for folio in huge):
        return NOT_SPLIT
    return NO_MEMORY if aim is MIGRATED and rc == -ENOMEM else NOT_MOVED


def _in_cma(world: World) -> list[Folio]:
    """The named pages that are still in CMA."""
    return [folio for pfn, folio in world.folios.items() if world.in_cma(pfn) and folio.name]


def _memory_is_full(world: World) -> bool:
    """Is there not even a single page for a long-term pin?"""
    if world.env.targets_base == ZONE and world.zone is not None:
        return world.zone.nr_free <= world.zone.nr_free_cma
    return world.env.targets_base == NONE


def fails(outcome: str) -> bool:
    """Is this the name of a failure?"""
    return outcome.startswith("failed")


def left_behind(world: World) -> str:
    """What a failure has left in CMA, in a few words."""
    inside = _in_cma(world)
    pieces = sum(not folio.is_thp for folio in inside)
    if pieces:
        return f"{pieces} {'piece' if pieces == 1 else 'pieces'} left behind"
    if inside:
        return "still mapped" if all(folio.mapcount for folio in inside) else "left unmapped"
    return ""


# -- the situation


ISOLATION_KNOB = one_of(
    "isolation", MEANT, ISOLATIONS, "the pin's isolation test: as meant, or as it was until 6.2"
)
"""The last knob of every scenario that pins for a long time; `Spec.make` reads it."""


class Setup(NamedTuple):
    """What a situation is made of.  The result of the first actor is the one that matters.

    `aim` and `chunks` say what success is, and where to look after a failure.  `usual` makes the
    scheduler of the run that the knobs describe; without it the main actor runs and the others
    move on their cues in `script`.  `kind`: a Situation that has more to say."""

    world: World
    actors: tuple[Actor, ...]
    aim: Aim = MIGRATED
    script: Script = Script()
    chunks: Chunks = ()
    usual: Callable[[], Scheduler] | None = None
    kind: Callable[..., Situation] | None = None


Build = Callable[[Version, Knobs], Setup]


class Situation(Scenario):
    """A scenario with its knobs.  `main` is the actor whose result matters.

    `rebuild(version, knobs, merge=False)` makes it again with others, as `Spec.make` does."""

    def __init__(
        self,
        name: str,
        version: Version,
        knobs: Knobs,
        setup: Setup,
        rebuild: Callable[..., Situation],
        *,
        merge: bool = False,
    ):
        super().__init__(name, setup.world, setup.actors, merge=merge)
        self.version = version
        self.knobs = knobs
        self.main = setup.actors[0].name
        self.script = setup.script
        self.aim = setup.aim
        self.chunks = setup.chunks
        self.replaced: Mapping[str, Atomic] = {}
        self._rebuild = rebuild
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
        actors one after the other; UserError if there are none.  Names may have brackets:
        `folio_get()`."""
        first, last = (str(name).removesuffix("()") for name in (first, last))
        events = record(self, schedule.one_after_another).events
        behind = _behind(events, first, last)
        if not behind:
            names = dict.fromkeys(event.op.kind.name for event in events)
            for name in (first, last):
                if name not in names:
                    raise UserError(f"nobody takes a step {name!r} here{nearest(name, names)}")
            raise UserError(
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
    def isolation_words(self) -> str:
        """Which isolation test the pin has, if the version's tree had another one than is meant.

        "" if nothing has to be said: there is no long-term pin, or the tree had no such bug."""
        if self.aim not in (PINNED, MAPPED) or not self.version.had_inverted_test:
            return ""
        if self.version.isolate_inverted:
            return "inverted, as in the kernel's own tree: a bug of its own, repaired later for 6.2"
        return (
            "as meant; the kernel's own tree has this test inverted, which adds a round and a "
            f"drain to each pin from CMA ({ISOLATION_KNOB.name}={INVERTED} does the same)"
        )

    @property
    def outcomes_known(self) -> tuple[str, ...]:
        """Every name that `outcome` can give to an end; the first one is success."""
        return (self.aim.word, *FAILURES)

    def outcome(self, state: State) -> str:
        """How the main actor fared, in a few words that stay the same for the same end."""
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

    def account(self, trace: Trace) -> list[str]:
        """What became of a run, in sentences; none if where the pages are says it all."""
        return []

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
        return self.make(version, knobs)

    def make(
        self, version: str | Version, knobs: Mapping[str, object], *, merge: bool = False
    ) -> Situation:
        """The same, with the knobs in one table.  `merge` prepares it for the exhaustive search.

        `version`: a name, or a row of seams such as `own_policy` makes.  Raises UserError also for
        an isolation test that the version never had."""
        row = get(version) if isinstance(version, str) else version
        settled = settle(self.name, self.knobs, knobs)
        if ISOLATION_KNOB.name in settled:
            row = with_isolation(row, str(settled[ISOLATION_KNOB.name]))
        if "passes" in settled:
            row = row._replace(passes=int(settled["passes"]))
        setup = self.build(row, settled)
        setup.world.env = environment(row, setup.world.env)
        kind = setup.kind or Situation
        return kind(self.name, row, settled, setup, self.make, merge=merge)


def scenario(*knobs: Knob, **searched: Value) -> Callable[[Build], Spec]:
    """Mark a function of a version and knobs as a named scenario; see `Spec`.

    Its title is the first sentence of the docstring."""
    return lambda build: Spec(build, knobs, searched)
