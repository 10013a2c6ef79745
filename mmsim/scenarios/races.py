"""Races: a guest's pages in CMA are pinned, split or dropped while others touch them.

vfio_map          the report: a pin of huge pages while a holder has one, come and gone on cue
pin_versus        VFIO maps huge pages while drop_caches and others touch them
lru_batch         single pages, one of them in another CPU's batch
drop_caches_only  one write to drop_caches over one file
split_race        the smallest race: one huge page is split while others take a reference
timed_hold        one reference that lasts a given time, against the retry loop and a clock"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Hashable, Mapping
from types import MappingProxyType
from typing import Any

from mmsim.constants import (
    DEACTIVATE_FILE,
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    LRU_ADD,
    MIGRATE_CMA,
    MIGRATE_PASSES,
    MIGRATE_SYNC,
    PAGE_SIZE,
    REASONS,
)
from mmsim.engine.actor import Actor, Local
from mmsim.engine.explore import Property, always, sometimes
from mmsim.engine.op import Op
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.mm import actors
from mmsim.mm.actors import holder, truncater
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import ISOLATION, Extent, Folio, Page
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.migrate import putback_movable_pages, try_split_thp
from mmsim.mm.seams import Version
from mmsim.mm.swap import batch_add, folio_isolate_lru, isolate
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import AVAILABLE, EITHER, NONE, ZONE, Environment, Limits, World
from mmsim.scenarios.host import CMA_PFN, NAMES, ZONES, guest_memory, host_with_zone
from mmsim.scenarios.script import Attempts, Cue, Faults, Position, Script, Visits, visit
from mmsim.scenarios.situation import (
    DROPPED,
    ISOLATION_KNOB,
    MAPPED,
    MIGRATED,
    PINNED,
    SPLIT,
    Knobs,
    Setup,
    Situation,
    Spec,
    Value,
    moment,
    number,
    one_of,
    read_span,
    some_of,
    words_of,
)

LATE = "late"
"""No free huge page for the first request of each, one for every later one."""
TROUBLES = ("none", "writeback", "truncated", "nomem")
_FAULTS = {"nomem": ("xas_split_alloc",)}

VFIO_MAP_KNOBS = (
    number("thps", 1, 1, len(NAMES), "huge pages in the guest's memory, all in CMA"),
    number("holder", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    number("refs", 1, 1, 8, "how many references the holder takes"),
    moment("taken", "start", ["start"], "when the holder takes them"),
    moment("released", "never", ["never"], "when the holder drops them"),
    one_of("trouble", "none", TROUBLES, "what else is the matter with huge page A"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER, LATE], "may a free huge page be had?"),
    one_of("reason", "longterm_pin", REASONS, "why migrate_pages() is called"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "9: huge pages of 512; 0: single pages"),
    ISOLATION_KNOB,
)


def _isolate_and_migrate(
    pages: tuple[Page, ...], reason: int, version: Version
) -> Generator[Op, Any, int]:
    """What callers other than a long-term pin do: isolate, migrate, put back what is left."""
    list_: list[Page] = []
    for index, page in enumerate(pages):
        isolated = yield folio_isolate_lru(page.pfn)
        if isolated:
            list_.append(page)
    rc = yield from version.migrate_pages(list_, MIGRATE_SYNC, reason, version)
    yield from putback_movable_pages(list_)
    return rc


def _vfio_map(version: Version, knobs: Knobs) -> Setup:
    """A guest's memory lies in CMA; it is pinned for device access while somebody looks at it.

    Left out: the ioctl around the pin (its 512-page chunks, the IOMMU, the limit on locked memory).
    With another `reason`, somebody else migrates the same pages and no pin is involved.
    """
    order = int(knobs["order"])
    thps, which = int(knobs["thps"]), int(knobs["holder"])
    if which > thps:
        raise ValueError(f"holder is {which}, but there are only {thps} huge pages (thps)")
    trouble = knobs["trouble"]
    targets = EITHER if knobs["targets"] == LATE else str(knobs["targets"])
    world = World(Environment(targets_huge=targets, faults=_FAULTS.get(str(trouble), ())))
    vma = guest_memory(world, thps, order)
    pages = tuple(Page(pfn, folio.nr_pages) for pfn, folio in world.folios.items())
    reason = REASONS.index(str(knobs["reason"]))
    if knobs["reason"] == "longterm_pin":
        main, aim = Actor("pin", lambda: pin_user_pages_remote(vma, version)), PINNED
    else:
        main = Actor("migrate", lambda: _isolate_and_migrate(pages, reason, version))
        aim = MIGRATED
    others: list[Actor] = []
    cues: tuple[Cue, ...] = ()
    if which:
        name = NAMES[which - 1]
        leaves = knobs["released"] != "never"
        others.append(holder("holder", name, 0, int(knobs["refs"]), leaves=leaves))
        span = read_span(VFIO_MAP_KNOBS, knobs["taken"], knobs["released"])
        cues = visit("holder", name, *span)
    if trouble == "writeback":
        world.update(CMA_PFN, writeback=True)
    if trouble == "truncated":
        others.append(truncater("truncater", NAMES[0], 0, waits=True))
        cues += (Cue("truncater", NAMES[0], Position.at("split_lock", 0)),)
    faults: Faults = {}
    if trouble == "nomem":
        faults[NAMES[0], "xas_split_alloc"] = ((None, "nomem"),)
    late: dict[str, Attempts] = {}
    if knobs["targets"] == LATE:
        late = dict.fromkeys(NAMES, frozenset({0}))
    script = Script(cues, late, faults=faults)
    return Setup(world, (main, *others), aim, script)


VFIO_MAP = Spec(
    "vfio_map",
    "A guest's huge pages in CMA are pinned for a device while somebody else refers to one",
    VFIO_MAP_KNOBS,
    _vfio_map,
)


# -- pin_versus


PIN, DROP_CACHES = "pin", "drop_caches"
SMALL: dict[str, Value] = {"order": 1, "passes": 2}
"""Every order of the steps of the pin and one drop_caches: 5,940 states in base, 7,773 in v3, for a
button.  For a slider: with at most one interruption (`preemptions_max=1`) 1,619 and 2,120, or
against a look-up 239 and 381.  Ten passes: 14,757 in v3; pages of four: 30,606 and 36,210."""

_HOLDERS: dict[str, Callable[..., Actor]] = {
    "direct_io": actors.direct_io,
    "gup_fast": actors.gup_fast,
    "fault": actors.fault,
    "fault_around": actors.fault_around,
    "lookup": actors.lookup,
    "undrained_batch": actors.undrained_batch,
    "permanent_pin": actors.permanent_pin,
}
AGAINST = (DROP_CACHES, *_HOLDERS)

PIN_VERSUS_KNOBS = (
    number("thps", 1, 1, len(NAMES), "huge pages in the guest's memory, all in CMA"),
    some_of(
        "against", DROP_CACHES, AGAINST, "who else touches them; a word twice: two", each_max=2
    ),
    number("on", 1, 1, len(NAMES), "which huge page the others go for; drop_caches takes them all"),
    moment("taken", "start", ["start"], "when the others come, in the run without a schedule"),
    moment("released", "1", ["never"], "when they leave, in the run without a schedule"),
    number("drops", 1, 1, 3, "how often drop_caches is written to"),
    number("io_steps", 2, 0, 20, "how many steps the I/O of direct_io takes"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER, ZONE], "may a free huge page be had?"),
    one_of("zone", "pinned", tuple(ZONES), "targets=zone: what is free outside CMA"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of a huge page; 9: 512 pages"),
    ISOLATION_KNOB,
)


def _dropping(name: str, file: tuple[Extent, ...], times: int, version: Version) -> Actor:
    def path() -> Generator[Op, Any, None]:
        for number_ in range(times):
            yield from drop_caches((file,), version)

    return Actor(name, path)


def _visitors(memory: tuple[Extent, ...], knobs: Knobs, version: Version) -> list[Actor]:
    """The others, in the order of AGAINST; the second of a kind has a 2 in its name."""
    region = NAMES[int(knobs["on"]) - 1]
    found: list[Actor] = []
    for word in words_of(knobs["against"]):
        name = f"{word}_2" if word in [actor.name for actor in found] else word
        if word == DROP_CACHES:
            found.append(_dropping(name, memory, int(knobs["drops"]), version))
        elif word == "direct_io":
            found.append(actors.direct_io(name, region, steps=int(knobs["io_steps"])))
        else:
            found.append(_HOLDERS[word](name, region))
    return found


def _pin_versus(version: Version, knobs: Knobs) -> Setup:
    """VFIO maps huge pages, one after the other; any set of others touches them meanwhile.

    A batch of VFIO has room for 512 page pointers: one huge page, also where a smaller `order`
    makes it fewer pages.  So each call of migrate_pages() has one huge page on its list.

    Left out: other files, which drop_caches would walk as well (they make its reference window
    longer), memory that the guest has not written to, the guest's own page tables.  The run without
    a schedule brings the others in at `taken`, until each has a reference, and lets them go on at
    `released`; the search and `replay` ask neither."""
    order, thps, on = int(knobs["order"]), int(knobs["thps"]), int(knobs["on"])
    targets = str(knobs["targets"])
    if on > thps:
        raise ValueError(f"on is {on}, but there are only {thps} huge pages (thps)")
    if targets == ZONE and order != HPAGE_PMD_ORDER:
        raise ValueError(f"targets=zone needs order={HPAGE_PMD_ORDER}, the zone's pageblocks")
    base = ZONE if targets == ZONE else AVAILABLE
    env = Environment(targets, base, compaction=True, vfio=Limits(batch=1 << order))
    world = host_with_zone(env, str(knobs["zone"])) if targets == ZONE else World(env)
    memory = guest_memory(world, thps, order)
    map_ = MapDma(memory, (thps << order) * PAGE_SIZE)
    others = _visitors(memory, knobs, version)
    taken, released = read_span(PIN_VERSUS_KNOBS, knobs["taken"], knobs["released"])
    taken, released = (at and at._replace(call=on - 1) for at in (taken, released))
    names = tuple(actor.name for actor in others)
    return Setup(
        world,
        (Actor(PIN, lambda: vfio_dma_do_map(map_, version)), *others),
        MAPPED,
        chunks=tuple((extent.region,) for extent in memory),
        usual=lambda: Visits(PIN, names, NAMES[on - 1], taken, released),
    )


PIN_VERSUS = Spec(
    "pin_versus",
    "VFIO maps a guest's huge pages while drop_caches and others touch them",
    PIN_VERSUS_KNOBS,
    _pin_versus,
    searched={"order": 1},
)


# -- lru_batch


ANOTHER_CPU = "cpu 1"
PAGES_MAX = 8
LRU_BATCH_KNOBS = (
    number("pages", 2, 1, PAGES_MAX, "single pages in the guest's memory, all in CMA"),
    one_of(
        "batch",
        DEACTIVATE_FILE,
        (DEACTIVATE_FILE, LRU_ADD, "none"),
        "the batch that the first page is in; in lru_add its flag PG_lru is clear",
    ),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    ISOLATION_KNOB,
)


def _lru_batch(version: Version, knobs: Knobs) -> Setup:
    """A batch of another CPU has a reference on one page.  The CPU is idle: nobody empties it.

    A pin empties all batches, but only if it meets a page without PG_lru, as in lru_add.  In the
    batch deactivate_file a page keeps the flag.  With the inverted isolation test the first round
    clears it, so the second one empties the batch by accident.  Left out: how the page came there
    (in 6.1 a walk of drop_caches leaves up to 14 behind), whatever else that CPU does, huge pages,
    which no batch keeps."""
    world = World()
    names = [f"P{index + 1}" for index in range(int(knobs["pages"]))]
    world.pageblocks[CMA_PFN // HPAGE_PMD_NR] = MIGRATE_CMA
    for index, name in enumerate(names):
        folio = Folio(name, name, 0, 0, pte_maps=1, lru=knobs["batch"] != LRU_ADD or index > 0)
        world.add(CMA_PFN + index, folio._replace(refcount=folio.cache_refs + folio.mapcount))
    if knobs["batch"] != "none":
        batch_add(world, ANOTHER_CPU, str(knobs["batch"]), CMA_PFN)
    memory = tuple(Extent(name, 1) for name in names)
    pin = Actor("pin", lambda: pin_user_pages_remote(memory, version))
    return Setup(world, (pin,), PINNED)


LRU_BATCH = Spec(
    "lru_batch",
    "A guest's single pages are pinned while one of them lies in a per-CPU batch",
    LRU_BATCH_KNOBS,
    _lru_batch,
)


# -- drop_caches_only


FOLIOS_MAX = 40
FIRST_PFN = 0x20000
SOMEBODY = "somebody"

DROP_CACHES_KNOBS = (
    number("folios", 3, 1, FOLIOS_MAX, "folios in the file"),
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "size of each; 0: a page, 9: 512 pages"),
    one_of("dirty", "yes", ["yes", "no"], "were they written to?"),
    one_of("mapped", "yes", ["yes", "no"], "does a process map them?"),
    number("held", 0, 0, FOLIOS_MAX, "which of them somebody else refers to; 0: none"),
    number("locked", 0, 0, FOLIOS_MAX, "which of them somebody else has locked; 0: none"),
)


def _drop_caches_only(version: Version, knobs: Knobs) -> Setup:
    """A file, and one write of 1 to drop_caches; the same in every version but 6.12.

    Left out: other files, several writers, what comes after the write.
    """
    nr, order = int(knobs["folios"]), int(knobs["order"])
    for knob in ("held", "locked"):
        if int(knobs[knob]) > nr:
            raise ValueError(f"{knob} is {knobs[knob]}, but there are only {nr} folios (folios)")
    world = World()
    dirty, mapped = knobs["dirty"] == "yes", knobs["mapped"] == "yes"
    names = [f"{'T' if order else 'P'}{number_}" for number_ in range(1, nr + 1)]
    for number_, name in enumerate(names):
        pfn = FIRST_PFN + number_ * HPAGE_PMD_NR
        folio = Folio(name, name, 0, order, dirty=dirty)
        if mapped:
            folio = folio._replace(pmd_maps=int(order > 0), pte_maps=int(order == 0))
        world.add(pfn, folio._replace(refcount=folio.cache_refs + folio.mapcount))
        if number_ + 1 == int(knobs["held"]):
            world.hold(pfn, SOMEBODY)
        if number_ + 1 == int(knobs["locked"]):
            world.update(pfn, locked_by=SOMEBODY)
    file = tuple(Extent(name, 1 << order) for name in names)
    return Setup(world, (Actor(DROP_CACHES, lambda: drop_caches((file,), version)),), DROPPED)


DROP_CACHES_ONLY = Spec(
    "drop_caches_only",
    "One write to drop_caches over one file: who is visited, locked, referenced, dropped",
    DROP_CACHES_KNOBS,
    _drop_caches_only,
)


# -- split_race


HOLDERS_MAX = 3

SPLIT_RACE_KNOBS = (
    number("holders", 1, 0, HOLDERS_MAX, "how many others take a reference"),
    moment("taken", "start", ["start"], "when they take it"),
    moment("released", "never", ["never"], "when they drop it"),
    number("passes", 1, 1, MIGRATE_PASSES, "how often the split is tried"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of the huge page; 9: 512 pages"),
)


def repeated_split(
    page: Page, times: int, version: Version
) -> Generator[Op, Any, tuple[list[int], list[Page]]]:
    """Try to split one huge page up to `times` times; answers the results and the pieces."""
    results: list[int] = []
    pieces: list[Page] = []
    pass_ = 0
    while pass_ < times and 0 not in results:
        from_ = [page]
        ret = yield from try_split_thp(page, from_, [], pieces, version)
        results.append(ret)
        pass_ += 1
    return results, pieces


def _split_race(version: Version, knobs: Knobs) -> Setup:
    """A huge page in CMA, mapped once, isolated by whoever is going to split it.

    Left out: everything around the split; a try that was refused is followed by the next at once.
    """
    order, passes = int(knobs["order"]), int(knobs["passes"])
    world = World()
    guest_memory(world, 1, order)
    isolate(world, CMA_PFN)

    def split() -> Generator[Op, Any, int]:
        results, _ = yield from repeated_split(Page(CMA_PFN, 1 << order), passes, version)
        return results[-1]

    names = ("holder", "holder2", "holder3")[: int(knobs["holders"])]
    leaves = knobs["released"] != "never"
    others = [holder(name, NAMES[0], 0, leaves=leaves) for name in names]
    span = read_span(SPLIT_RACE_KNOBS, knobs["taken"], knobs["released"])
    cues = tuple(cue for name in names for cue in visit(name, NAMES[0], *span))
    return Setup(world, (Actor("split", split), *others), SPLIT, Script(cues))


def _page(state: State) -> Folio:
    """The folio at the beginning of A, whole or not."""
    world: World = state.world
    return world.folio(CMA_PFN)


def _others(state: State) -> int:
    """References on it of anybody but the split, the page cache and the mappings."""
    return sum(refs for who, refs in _page(state).held if who != ISOLATION)


def _next(state: State) -> str:
    """The step that the split takes next; "" once it has returned."""
    op = state.locals[0].op
    return op.kind.name if op else ""


def _frozen(state: State) -> bool:
    return _page(state).refcount == 0


def _explained(state: State) -> bool:
    folio = _page(state)
    held = sum(refs for _, refs in folio.held)
    return _frozen(state) or folio.refcount == folio.cache_refs + folio.mapcount + held


CLAIMS: dict[str, Property] = {
    "alone": always(
        "While the count is frozen, nobody but the split has a reference.",
        lambda s: not (_frozen(s) and _others(s)),
    ),
    "checked": always(
        "Between a check that found nothing and the split's next step, nobody else has one.",
        lambda s: not (_next(s) == "unmap_folio" and _others(s)),
    ),
    "mapped": always(
        "Whenever a split has been refused, the page is still mapped.",
        lambda s: not s.world.vmstat["thp_split_page_failed"] or _page(s).mapcount > 0,
    ),
    "cut": always(
        "Once the count is frozen, the next thing the split does is to cut the page.",
        lambda s: not _frozen(s) or _next(s) == "__split_huge_page",
    ),
    "explained": always("Every reference has somebody who holds it.", _explained),
    "piece": sometimes(
        "It can happen that the page has been split and the holder has a reference.",
        lambda s: not _page(s).is_thp and _others(s) > 0,
    ),
}
"""What can be said of every state of this race, or of some; not all of it is true."""


SPLIT_RACE = Spec(
    "split_race",
    "A huge page is split while others take a reference to it and let go",
    SPLIT_RACE_KNOBS,
    _split_race,
)


# -- a clock: how long each step takes, and who moves next when every actor has a CPU of its own


IN_VAIN, COMPACTION = 20.0, 40.0
"""What asking for a huge page costs if there is none: the allocator's slow path; and what direct
compaction adds to that, each time."""
SPREAD = 0.5
"""With a seed, a step takes from half to one and a half of its time, evenly drawn."""


PER_PAGE = {
    "follow_page_mask": 1.0,  # the kernel pins page by page
    "gup_put_folio": 0.5,
    "__split_huge_page": 1.0,
    "folio_migrate_mapping": 1.0,  # copies the contents
}
"""What some steps take for every base page that they work on.  Besides, each step takes 1."""


def _pages(op: Op, answer: Any, world: World) -> int:
    """Base pages that a step of PER_PAGE worked on."""
    if op.kind.name == "follow_page_mask":
        return answer.pins if answer is not None else 0
    if op.kind.name == "__split_huge_page":
        return len(answer)
    if op.kind.name == "gup_put_folio":
        return int(op.args[1])
    return world.folio(op.args[1]).nr_pages


class Clock:
    """A scheduler: every actor runs on its own CPU, and the one whose time has come moves.

    A step takes effect at its beginning and then occupies its actor's CPU.  An actor that must wait
    goes on at the moment at which it no longer has to.  `at`: (actor, step) -> the time before
    which that step does not begin.  `in_vain`: see IN_VAIN.  `page_weight`: how many base pages a
    page of a smaller huge page stands for.  `seed`: draw each duration (SPREAD); the draws of one
    actor do not depend on the others.  Where the environment has a choice, its first answer is
    taken.

    For the exact kind of scenario (`merge=False`).  Stateful: use a fresh one for each run.
    `times[n]` is when step n of the run began."""

    def __init__(
        self,
        *,
        at: Mapping[tuple[str, str], float] = MappingProxyType({}),
        in_vain: float = IN_VAIN,
        page_weight: int = 1,
        seed: int | None = None,
    ):
        self.at = at
        self.in_vain = in_vain
        self.page_weight = page_weight
        self.seed = seed
        self.now = 0.0
        self.times: list[float] = []
        self._due: dict[str, float] = {}
        self._seen: dict[str, Local] = {}
        self._rngs: dict[str, random.Random] = {}

    def duration(self, op: Op, answer: Hashable, world: World) -> float:
        """Units that a step took which has just given this answer."""
        name = op.kind.name
        if name == "alloc_migration_target" and answer is None and world.folio(op.args[0]).is_thp:
            return self.in_vain
        if name not in PER_PAGE:
            return 1.0
        return 1.0 + PER_PAGE[name] * _pages(op, answer, world) * self.page_weight

    def __call__(self, scenario: Scenario, state: State) -> Move:
        for actor, local in zip(scenario.actors, state.locals, strict=True):
            if self._seen.get(actor.name) is not local:
                self._arrived(actor.name, local, state.world)
        names = [actor.name for actor in scenario.actors]
        free = [name for name in names if scenario.blocked(state, name) is None]
        if not free:
            raise StopIteration
        name = min(free, key=lambda name: max(self._due[name], self.now))
        self.now = max(self._due[name], self.now)
        self.times.append(self.now)
        return Move(name, scenario.outcomes(state, name)[0])

    def _arrived(self, name: str, local: Local, world: World) -> None:
        """An actor comes to its next step: when does that begin?"""
        before = self._seen.get(name)
        self._seen[name] = local
        busy = 0.0
        if before is not None and before.op is not None:
            busy = self.duration(before.op, local.answer, world) * self._factor(name)
        start = (self.now if before is not None else 0.0) + busy
        step = local.op.kind.name if local.op is not None else ""
        self._due[name] = max(start, self.at.get((name, step), 0.0))

    def _factor(self, name: str) -> float:
        if self.seed is None:
            return 1.0
        rng = self._rngs.setdefault(name, random.Random(f"{self.seed} {name}"))
        return 1.0 + SPREAD * (2.0 * rng.random() - 1.0)


# -- timed_hold


HOLD_MAX = 100_000
SEEDS_MAX = 1_000_000
ALLOCATION = {"injected": IN_VAIN, "fragmented": IN_VAIN + COMPACTION}

TIMED_HOLD_KNOBS = (
    number("hold", 1_000, 0, HOLD_MAX, "units of time from the start of the pin to the release"),
    one_of("allocation", "injected", tuple(ALLOCATION), "why no huge page is to be had"),
    number("seed", 0, 0, SEEDS_MAX, "0: every step takes its time; else how times are drawn"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of a huge page; 9: 512 pages"),
    ISOLATION_KNOB,
)


def _timed_hold(version: Version, knobs: Knobs) -> Setup:
    """A pin of one huge page in CMA; somebody has a reference on it from the start on.

    The run goes by the clock: the pin and the holder each have a CPU of their own.
    No huge page is to be had: the failure is injected by a test, or memory really is fragmented,
    and compaction runs in vain.  With a smaller `order` each page stands for several, so that what
    is done for a whole huge page lasts as long.

    Left out: VFIO around the pin, everything that mmsim.scenarios.races leaves out."""
    order = int(knobs["order"])
    world = World(Environment(targets_huge=NONE))
    memory = guest_memory(world, 1, order)
    return Setup(
        world,
        (
            Actor("pin", lambda: pin_user_pages_remote(memory, version)),
            holder("holder", NAMES[0], 0),
        ),
        PINNED,
        usual=lambda: Clock(
            at={("holder", "folio_put"): float(knobs["hold"])},
            in_vain=ALLOCATION[str(knobs["allocation"])],
            page_weight=1 << HPAGE_PMD_ORDER - order,
            seed=int(knobs["seed"]) or None,
        ),
    )


TIMED_HOLD = Spec(
    "timed_hold",
    "A reference that lasts a given time meets a pin whose retries last a given time",
    TIMED_HOLD_KNOBS,
    _timed_hold,
)


def attempts(situation: Situation) -> list[float]:
    """When each attempt at a split looked at the references, in units from the start of the pin."""
    clock, state, found = situation.usual(), situation.initial(), list[float]()
    assert isinstance(clock, Clock)
    while True:
        try:
            move = clock(situation, state)
        except StopIteration:
            return found
        state, event = situation.step(state, move, keep=False)
        if event.op.kind.name == "can_split_folio":
            found.append(clock.now)
