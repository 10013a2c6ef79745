"""The sites of each pass of a migration, and a scheduler that makes holders come and go at them.

A `PassSite` says which call of migrate_pages(), which round and pass, and which *site* of the visit
of a folio.  The paths declare their sites, and tell at each visit which pass this is.
Vectors have other words for the same sites: see `mmsim.evidence.vectors`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import NamedTuple

from mmsim.engine.actor import Local
from mmsim.engine.op import ModelError, Op
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.mm.world import World

SITES = ("visit", "split.lock", "split.check", "unmap", "split.freeze", "move.freeze",
         "between_passes")  # fmt: skip
"""In the order in which a visit comes to them.  The last one is the end of a pass."""

# The path declares some sites where it prepares a step, or for a split and a move apart.
_SITE_OF = {
    "split.unmap": "unmap",
    "move.unmap": "unmap",
    "split.entry": "split.freeze",
    "move.expect": "move.freeze",
}
BETWEEN_PASSES = SITES.index("between_passes")
ROUNDS_MAX = 1_000
"""The kernel would go round for ever with a page that nobody can isolate."""


class PassSite(NamedTuple):
    """A site of one pass; ordered like the tuple it is.  `site` is an index of SITES."""

    call: int
    round: int
    pass_: int
    site: int

    @classmethod
    def at(cls, site: str, pass_: int, round_: int = 1, call: int = 0) -> PassSite:
        """This pass, at the site of this name."""
        return cls(call, round_, pass_, SITES.index(site))


NOTHING_YET = PassSite(-1, 0, 0, 0)
"""Before every other one."""


def _is_there(world: World, name: str) -> bool:
    """Is this folio there yet?  A piece of a huge page is not, before the split."""
    region, piece, index = name.partition("[")
    pfn = world.find(region, int(index[:-1])) if piece else None
    return not piece or (pfn is not None and world.folio(pfn).name == name)


class Cue(NamedTuple):
    """One move of `actor`, when the visits of `folio` reach `at`, and not before there is one.

    `at` None: at the beginning, as soon as it is possible.  `pin_round` instead: before this round
    of the pin loop, from 1.  `when_waited_for`: once the main actor waits for a folio that `actor`
    has locked."""

    actor: str
    folio: str
    at: PassSite | None = None
    pin_round: int = 0
    when_waited_for: bool = False


def come_and_go(
    actor: str, folio: str, start: PassSite | None, end: PassSite | None
) -> tuple[Cue, ...]:
    """Somebody comes at `start` (None: at once) and goes at `end` (None: never)."""
    came = Cue(actor, folio, start)
    return (came, Cue(actor, folio, end)) if end else (came,)


Which = frozenset[int] | None
"""Which of several tries, from 0; None for all."""
Faults = dict[tuple[str, str], tuple[tuple[Which, str], ...]]


@dataclasses.dataclass(frozen=True)
class Script:
    """Everything that happens besides the operation.

    `targets`: folio name -> which of its requests for a destination fail.
    `faults`: (folio name, name of the step) -> which of its tries fail, and how; the first that
    fits counts.
    """

    cues: tuple[Cue, ...] = ()
    targets: dict[str, Which] = dataclasses.field(default_factory=dict)
    huge_targets_none: bool = False
    faults: Faults = dataclasses.field(default_factory=dict)


class Half(NamedTuple):
    """Half of a batch at work, in 6.12: its folios, unmap or move, and the end of this pass."""

    pfns: tuple[int, ...] = ()
    name: str = ""
    end: PassSite = NOTHING_YET


class Scripted:
    """The scheduler of a script: the main actor runs, the others move on their cues.

    How far the main actor has come it knows by what the path declares at its sites.  It counts what
    a vector asks for: `calls` of migrate_pages(), `passes` per (call, round), `rounds` of the pin
    loop, `drains` of all CPUs.  In 6.12 each half of a batch, unmap and move, has its own passes,
    and their ends count for the folios of this batch.  Stateful: use a fresh one for each run."""

    def __init__(self, main: str, script: Script):
        self.main = main
        self.script = script
        self.calls = self.rounds = self.drains = 0
        self.passes: dict[tuple[int, int], int] = {}
        self._cues = sorted(script.cues, key=lambda cue: cue.at or NOTHING_YET)
        self._tries: Counter[tuple[str, str]] = Counter()
        self._seen: Local | None = None
        self._in_gup = False
        self._pass = (1, -1)  # round and pass of the visit that goes on
        self._now = ("", NOTHING_YET)  # which folio is at which site
        self._half = Half()
        self._over = NOTHING_YET  # the end of the last pass that is over for all folios
        self._over_for: dict[str, PassSite] = {}  # the same for one folio
        self._came_to: set[tuple[str, PassSite]] = set()  # of what was asked for

    def __call__(self, scenario: Scenario, state: State) -> Move:
        local = scenario.local(state, self.main)
        if local is not self._seen:
            self._seen = local
            self.observe(local, state.world)
        actor = self._due(scenario, state)
        if actor is not None:
            return Move(actor)
        if local.op is None:
            raise StopIteration
        return Move(self.main, self._choice(local.op, state.world))

    # -- how far the main actor has come

    def observe(self, local: Local, world: World) -> None:
        """Take note of the step that comes next."""
        self._now = ("", NOTHING_YET)
        op, call = local.op, max(self.calls - 1, 0)
        if op is None:
            if not self.calls:  # tries to split end like passes
                self._over = PassSite(call, *self._pass, BETWEEN_PASSES)
            return
        in_gup = op.site in ("gup.pin", "gup.fault")
        self.rounds += in_gup and not self._in_gup
        if self.rounds > ROUNDS_MAX:
            raise ModelError(f"the pin does not end: {ROUNDS_MAX:,} rounds of its loop")
        self._in_gup = in_gup
        self.drains += op.kind.name == "lru_add_drain_all"
        self.calls += op.site == "migrate.start"
        if ended := op.notes.get("ended"):  # also a pass over an empty list, which visits nobody
            round_, pass_ = ended
            self._over = PassSite(call, round_, pass_, BETWEEN_PASSES)
            self.passes[call, round_] = pass_ + 1
        if op.site == "migrate.out":
            self._begin_half(Half(), world)
        site = _SITE_OF.get(op.site, op.site)
        if site in SITES:
            if "pass_" in op.notes:
                self._pass = (op.notes["round_"], op.notes["pass_"])
            elif site == "split.lock" and not self.calls:
                self._pass = (1, self._pass[1] + 1)
            round_, pass_ = self._pass
            self.passes[call, round_] = pass_ + 1
            if "half" in op.notes:
                end = PassSite(call, round_, pass_, BETWEEN_PASSES)
                self._begin_half(Half(op.notes["batch"], op.notes["half"], end), world)
            self._now = (world.folio(op.args[0]).name, PassSite.at(site, pass_, round_, call))

    def has_come_to(self, folio: str, at: PassSite) -> bool:
        """Have the visits of this folio come so far, now or at an earlier step?"""
        over_for = at.site == BETWEEN_PASSES and at <= self._over_for.get(folio, NOTHING_YET)
        if over_for or at <= self._over or (folio == self._now[0] and at <= self._now[1]):
            self._came_to.add((folio, at))
        return (folio, at) in self._came_to

    def _begin_half(self, half: Half, world: World) -> None:
        """Another pass than before begins, or none: so that one is over for the folios it had."""
        if half != self._half:
            there = (world.folios[pfn].name for pfn in self._half.pfns if pfn in world.folios)
            self._over_for |= dict.fromkeys(there, self._half.end)
            self._half = half

    # -- who else moves now

    def _due(self, scenario: Scenario, state: State) -> str | None:
        for cue in self._cues:
            if self._is_cued(scenario, state, cue) and scenario.blocked(state, cue.actor) is None:
                self._cues.remove(cue)
                return cue.actor
        return None

    def _is_cued(self, scenario: Scenario, state: State, cue: Cue) -> bool:
        op = scenario.local(state, self.main).op
        if cue.at:
            come = self.has_come_to(cue.folio, cue.at)
        elif cue.when_waited_for:
            blocked = op is not None and scenario.blocked(state, self.main) is not None
            folio = state.world.folios.get(op.args[0]) if op and op.args else None
            come = blocked and folio is not None and folio.locked_by == cue.actor
        else:
            come = op is not None and self.rounds >= cue.pin_round
        return come and _is_there(state.world, cue.folio)

    # -- what the environment answers

    def _choice(self, op: Op, world: World) -> str:
        if op.kind.choices is None:
            return ""
        name = op.kind.name
        folio = world.folios.get(op.args[0]) if op.args else None
        about = folio.name if folio else ""
        nth = self._tries[about, name]
        self._tries[about, name] += 1
        faults = self.script.faults.get((about, name), ())
        if name == "alloc_migration_target":
            huge = folio is not None and folio.is_thp
            default = None if huge and self.script.huge_targets_none else frozenset[int]()
            faults = ((self.script.targets.get(about, default), "fail"),)
        allowed = op.kind.choices(world, self.main, *op.args)
        for which, choice in faults:
            if (which is None or nth in which) and choice in allowed:
                return choice
        return allowed[0]


# -- holders: they come at one site and leave at another


class HoldersBetween(Scripted):
    """The main actor runs.  At `taken` each holder goes on until it has a reference on the folio
    of `region` and not its lock; at `released` each goes on to its end.

    None for `taken` is the start, for `released` the time after the main actor.  Whenever the main
    actor waits for somebody, the holders go on.  A holder that can't get a reference runs to its
    end at once."""

    def __init__(
        self,
        main: str,
        holders: tuple[str, ...],
        region: str,
        taken: PassSite | None,
        released: PassSite | None,
    ):
        super().__init__(main, Script())
        self.holders = holders
        self.region = region
        self.taken = taken
        self.released = released

    def _due(self, scenario: Scenario, state: State) -> str | None:
        everybody = scenario.blocked(state, self.main) is not None or (
            self.released is not None and self.has_come_to(self.region, self.released)
        )
        come = self.taken is None or self.has_come_to(self.region, self.taken)
        for name in self.holders:
            if scenario.blocked(state, name) is not None:
                continue
            if everybody or (come and not self._holds(scenario, state, name)):
                return name
        return None

    def _holds(self, scenario: Scenario, state: State, name: str) -> bool:
        """Has it a reference, not the lock, and does it not try for the lock next?"""
        op = scenario.local(state, name).op
        if op is None or op.kind.name == "folio_trylock":
            return False
        world: World = state.world
        pfn = world.find(self.region, 0)
        if pfn is None or world.folio(pfn).locked_by == name:
            return False
        return any(who == name or who.startswith(f"{name} ") for who, _ in world.folio(pfn).held)
