"""Hosts: a guest's memory, a zone as it is after long use, and who else wants memory there.

host        a host's memory after long use, chosen with knobs
boot_guest  a guest is started on such a host: where its memory lands, and whether it pins
cma_alloc   the owner of a CMA area takes memory back while somebody holds a huge page in it"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MIGRATE_CMA, MIGRATE_PASSES, PAGE_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError, Op
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.trace import Trace, run_to_end
from mmsim.errno import ENOMEM, name
from mmsim.mm.actors import holder
from mmsim.mm.cma import Area, cma_alloc
from mmsim.mm.folio import Extent, Folio
from mmsim.mm.fragmentation import suitable, summed
from mmsim.mm.page_alloc import Request, alloc_pages, request, take
from mmsim.mm.seams import Version
from mmsim.mm.shmem import SHMEM_ENABLED, shmem_is_huge, shmem_populate
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import AVAILABLE, EITHER, NONE, ZONE, Environment, World
from mmsim.mm.zone import Zone, boot, zone_watermarks
from mmsim.scenarios.script import Cue, Script
from mmsim.scenarios.situation import (
    ALL_MOVED,
    ISOLATION_KNOB,
    MAPPED,
    NO_MEMORY,
    NOT_FINISHED,
    TAKEN,
    Aim,
    Knobs,
    Setup,
    Situation,
    Spec,
    Value,
    moment,
    number,
    one_of,
    read_span,
    settle,
)

# Where the measured kernel had its first huge page; the next ones follow below.
CMA_PFN = 0x3F800
NAMES = "ABCDEFGH"

HOST_PAGES, HOST_CMA_PAGES = 1 << 16, 3 << 14
"""256 MiB, of which 192 MiB are a CMA area: more than half, so that a guest is put there."""
ZONES = {
    "pinned": {"used": 0.5, "scattered": 1.0},
    "movable": {"used": 0.5, "scattered": 1.0, "movable": True},
    "whole": {"used": 0.5},
}
"""What is free outside CMA: single pages among others that can't or can move, or whole blocks."""


def host_with_zone(env: Environment, kind: str) -> World:
    """A world whose allocator is a zone; `kind` is one of ZONES."""
    return World(env, boot(HOST_PAGES, HOST_CMA_PAGES, **ZONES[kind]))  # type: ignore[arg-type]


def huge_page(name: str, order: int, **fields: object) -> Folio:
    """A huge page, or with order 0 a single one, as a guest leaves it: mapped once.

    `fields` that are not as a guest leaves them; the count follows."""
    folio = Folio(name, name, 0, order, pmd_maps=int(order > 0), pte_maps=int(order == 0))
    folio = folio._replace(**fields)  # type: ignore[arg-type]
    return folio._replace(refcount=folio.cache_refs + folio.mapcount)


def guest_memory(world: World, thps: int, order: int, **fields: object) -> tuple[Extent, ...]:
    """Put huge pages into CMA, each mapped once; returns the memory as a user sees it.

    `fields` of the folios that are not as a guest leaves them."""
    for nth, region in enumerate(NAMES[:thps]):
        if world.zone is None:
            pfn: int | None = CMA_PFN - nth * HPAGE_PMD_NR
            world.pageblocks[CMA_PFN // HPAGE_PMD_NR - nth] = MIGRATE_CMA
        else:
            pfn = world.from_zone(order, pin_scope=False)
        if pfn is None or not world.in_cma(pfn):
            raise ModelError(f"the host puts huge page {region} outside CMA")
        world.add(pfn, huge_page(region, order, **fields))
    return tuple(Extent(name, 1 << order) for name in NAMES[:thps])


# -- host


MIB = (1 << 20) // PAGE_SIZE
BLOCK_MIB = HPAGE_PMD_NR // MIB
HOST_MIB_MAX = 1 << 20

# Where x86-64 has ZONE_NORMAL begin: at 4 GiB.
START_PFN = 1 << 20

HOST_KNOBS = (
    number("host", 1024, 16, HOST_MIB_MAX, "the host's memory in MiB, a multiple of 2"),
    number("cma", 60, 0, 100, "percent of it that a CMA area has"),
    number("used", 50, 0, 100, "percent of the memory outside CMA that is in use already"),
    number("scattered", 100, 0, 100, "percent of what is free there that lies in small pieces"),
    number("seed", 1, 0, 999_999, "where the pages in use lie"),
)


class Host(NamedTuple):
    """A host: its knobs, and its memory."""

    knobs: Mapping[str, Value]
    zone: Zone

    def with_(self, **knobs: object) -> Host:
        """The same host with other knobs."""
        return host(**{**self.knobs, **knobs})


def host(**given: object) -> Host:
    """A host as its knobs (HOST_KNOBS) describe it; raises ValueError for what makes none."""
    knobs = settle("host", HOST_KNOBS, given)
    return Host(knobs, host_zone(knobs))


def check_mib(what: str, mib: int) -> None:
    """Raise ValueError unless so many MiB are a whole number of pageblocks."""
    if mib % BLOCK_MIB:
        raise ValueError(
            f"{what} is {mib} MiB: memory comes in pageblocks of {BLOCK_MIB} MiB; "
            f"take {mib - 1} or {mib + 1}"
        )


def host_zone(knobs: Mapping[str, Value]) -> Zone:
    """The memory of a host with these knobs; raises ValueError for a size that makes none."""
    mib = int(knobs["host"])
    check_mib("host", mib)
    return boot(
        mib * MIB,
        mib // BLOCK_MIB * int(knobs["cma"]) // 100 * HPAGE_PMD_NR,
        start=START_PFN,
        used=int(knobs["used"]) / 100,
        scattered=int(knobs["scattered"]) / 100,
        seed=int(knobs["seed"]),
        movable=True,
        watermarks=zone_watermarks(mib * MIB),
    )


REQUESTS: Mapping[str, Request] = {
    "huge page, for a process": request(HPAGE_PMD_ORDER),
    "huge page, for a long-term pin": request(HPAGE_PMD_ORDER, pin_scope=True),
    "single page, for a long-term pin": request(0, pin_scope=True),
}


def fate(zone: Zone, want: Request) -> str:
    """What this request alone would get from the zone, which stays as it is: "CMA", "ordinary
    memory", or "-ENOMEM"."""
    zone = zone.branch()
    pfn = alloc_pages(zone, want)
    if pfn is None:
        return name(-ENOMEM)
    return "CMA" if zone.pageblock_type(pfn) == MIGRATE_CMA else "ordinary memory"


def fates(zone: Zone) -> dict[str, str]:
    """The fate of each of the REQUESTS."""
    return {what: fate(zone, want) for what, want in REQUESTS.items()}


# -- boot_guest


GUEST = "guest"
GUEST_MIB_MAX = 1 << 12
SINGLE_PAGES_MAX = 256 * MIB
SPLITS_MAX = 32
"""Each of them takes some ten thousand steps to move."""

BOOT_GUEST_KNOBS = (
    *HOST_KNOBS,
    number("guest", 8, 2, GUEST_MIB_MAX, "the guest's memory in MiB, a multiple of 2"),
    one_of("shmem_enabled", "always", SHMEM_ENABLED, "when a memfd gets huge pages"),
    one_of("pin", "vfio", ["vfio", "none"], "is the guest's memory mapped for a device?"),
    one_of("compaction", "off", ["off", "on"], "may a request compact the zone first?"),
    ISOLATION_KNOB,
)


POPULATED = Aim("populated", lambda rc: rc > 0, lambda rc: f"{rc:,} pages populated")
NO_ROOM = "failed: the guest does not fit"
VERDICTS = {
    NOT_FINISHED: "The run stops before it is decided.",
    POPULATED.word: "Nobody has asked for a pin.",
    MAPPED.word: "All of it is pinned outside CMA, so the virtual machine can start.",
    NO_ROOM: "The virtual machine does not start: there is not enough free memory for it.",
    ALL_MOVED: (
        "The virtual machine does not start: huge pages split for want of a free block: {split}; "
        "every piece was moved, but this version counts the split one as a failure."
    ),
    NO_MEMORY: (
        "The virtual machine does not start: huge pages split for want of a free block: {split}; "
        "then there was no free page outside CMA any more."
    ),
}


class Landing(NamedTuple):
    """Where the pages of a guest are."""

    thps_in_cma: int
    thps_outside: int
    pages_in_cma: int
    pages_outside: int
    blocks_in_cma: int
    """Pageblocks with a page of the guest."""
    blocks_outside: int
    targets: int
    """How many of the huge pages in CMA could be moved out now, one after the other."""

    @property
    def pages(self) -> int:
        """All of them."""
        return self.pages_in_cma + self.pages_outside

    def __str__(self) -> str:
        return (
            f"{_amount(self.pages_in_cma, self.thps_in_cma, self.blocks_in_cma)} in CMA, "
            f"{_amount(self.pages_outside, self.thps_outside, self.blocks_outside)} outside"
        )


def _amount(pages: int, thps: int, blocks: int) -> str:
    if not pages:
        return "nothing"
    kinds = [f"{thps:,} huge"] if thps else []
    single = pages - thps * HPAGE_PMD_NR
    kinds += [f"{single:,} single"] if single else []
    plural = "s" if thps + single > 1 else ""
    return f"{' and '.join(kinds)} page{plural} (in {blocks:,} pageblock{'s'[: blocks != 1]})"


def landing(world: World) -> Landing:
    """Where the guest's pages are in this world."""
    inside: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for pfn, folio in world.folios.items():
        if folio.region == GUEST:
            inside[world.in_cma(pfn)].append((pfn, folio.nr_pages))
    thps = {cma: sum(nr == HPAGE_PMD_NR for _, nr in found) for cma, found in inside.items()}
    pages = {cma: sum(nr for _, nr in found) for cma, found in inside.items()}
    blocks = {cma: len({pfn // HPAGE_PMD_NR for pfn, _ in found}) for cma, found in inside.items()}
    return Landing(
        thps[True],
        thps[False],
        pages[True],
        pages[False],
        blocks[True],
        blocks[False],
        _targets(world, thps[True]),
    )


def _targets(world: World, wanted: int) -> int:
    """How many huge pages a long-term pin could still get as targets, up to `wanted`."""
    zone = world.zone.branch() if world.zone else Zone(HPAGE_PMD_NR)
    want = request(HPAGE_PMD_ORDER, pin_scope=True)
    return next((n for n in range(wanted) if alloc_pages(zone, want) is None), wanted)


class BootGuest(Situation):
    """The scenario; `landed()` populates the guest and leaves the pin out."""

    def _populating(self, state: State) -> bool:
        op = self.local(state, self.main).op
        return op is not None and op.kind.name in ("populate_range", "lru_add_drain")

    def landed(self) -> Landing:
        """Where the guest's memory is before anybody pins it."""

        def choose(scenario: Scenario, state: State) -> Move:
            if not self._populating(state):
                raise StopIteration
            return Move(self.main)

        return landing(run_to_end(self, choose).world)

    def run(self) -> Trace:
        """The run that the knobs describe; ValueError if it would be too long to be looked at."""
        there = self.landed() if self.aim is MAPPED else None
        split = there.thps_in_cma - there.targets if there else 0
        goes_on = not self.version.gup_fails(self.version.final_rc(1, 1, True), True)
        if split > SPLITS_MAX and goes_on:
            raise ValueError(
                f"version {self.version.name} would split {split:,} huge pages here and move the "
                f"pieces one by one, and a run shows at most {SPLITS_MAX} of that; take a smaller "
                "guest, or pin=none to see where it lands"
            )
        return super().run()

    def populated(self, trace: Trace) -> State:
        """The state of a run right before the pin."""
        steps = (i for i, e in enumerate(trace.events) if e.op.kind.name == "iommu_mutex_lock")
        return trace.state(next(steps, len(trace)))

    def outcome(self, state: State) -> str:
        """How the guest fared, in a few words that stay the same for the same fate.

        Nobody else refers to its memory, so a pin can fail only for want of room."""
        local = self.local(state, self.main)
        if not local.finished:
            return NOT_FINISHED
        if self.succeeded(state):
            return self.aim.word
        if landing(state.world).pages < int(self.knobs["guest"]) * MIB:
            return NO_ROOM
        return NO_MEMORY if state.world.vmstat["pgmigrate_fail"] else ALL_MOVED

    def told(self, trace: Trace) -> list[str]:
        """Where the guest is, whether it can be pinned, and why not: one sentence each."""
        before, after = landing(self.populated(trace).world), landing(trace.last.world)
        lines = [f"The guest's memory landed: {before}."]
        if before.thps_in_cma:
            lines.append(
                "Huge pages that a long-term pin has to move out of CMA: "
                f"{before.thps_in_cma:,}; free blocks for them outside: {before.targets:,}."
            )
        if after[:-1] != before[:-1]:
            lines.append(f"It is now: {after}.")
        world: World = trace.last.world
        split = world.vmstat["thp_split_page"]
        return [*lines, VERDICTS[self.outcome(trace.last)].format(split=split)]


def _start_guest(pages: int, policy: str, pin: bool, version: Version) -> Generator[Op, Any, int]:
    """What a virtual machine monitor does: populate, then map for the device.

    Returns pages populated, 0 once they are mapped, or a negative errno."""
    populated = yield from shmem_populate(GUEST, pages, policy)
    if populated < 0 or not pin:
        return populated
    rc = yield from vfio_dma_do_map(MapDma((Extent(GUEST, pages),), pages * PAGE_SIZE), version)
    return rc


def _check_single_pages(zone: Zone, pages: int, policy: str) -> None:
    """Raise ValueError for a guest of more single pages than the model can follow."""
    huge = shmem_is_huge(policy, 0, pages, advised=False)
    free = suitable(summed(zone.blocks_by_type()), HPAGE_PMD_ORDER) if huge else 0
    single = pages - min(pages // HPAGE_PMD_NR, free) * HPAGE_PMD_NR
    if single > SINGLE_PAGES_MAX:
        why = f"there are only {free:,} free huge pages" if huge else "it gets no huge pages"
        raise ValueError(
            f"guest is {pages // MIB} MiB and {why}: {single:,} single pages would be left, and "
            f"the model follows at most {SINGLE_PAGES_MAX:,}; take a smaller guest"
        )


def _boot_guest(version: Version, knobs: Knobs) -> Setup:
    """A guest is started on a host whose memory was in use before."""
    check_mib("guest", int(knobs["guest"]))
    zone = host_zone(knobs)
    if int(knobs["guest"]) > int(knobs["host"]):
        raise ValueError(
            f"guest is {knobs['guest']} MiB, but the host has only {knobs['host']} MiB"
        )
    pages, policy = int(knobs["guest"]) * MIB, str(knobs["shmem_enabled"])
    _check_single_pages(zone, pages, policy)
    world = World(Environment(ZONE, ZONE, compaction=knobs["compaction"] == "on"), zone)
    pin = knobs["pin"] == "vfio"
    guest = Actor(GUEST, lambda: _start_guest(pages, policy, pin, version))
    return Setup(world, (guest,), MAPPED if pin else POPULATED)


BOOT_GUEST = Spec(
    "boot_guest",
    "A guest is started on a host whose memory was in use before, and pinned for a device",
    BOOT_GUEST_KNOBS,
    _boot_guest,
    kind=BootGuest,
)


# -- cma_alloc


BLOCKS_MAX = 64

KNOBS = (
    number("blocks", 2, 1, BLOCKS_MAX, "size of the area, in pageblocks of 2 MiB"),
    number("wanted", 1, 1, BLOCKS_MAX, "how many pageblocks in a row its owner asks for"),
    number("thps", 1, 0, len(NAMES), "huge pages of a guest: A in the first pageblock, and so on"),
    number("holder", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    moment("released", "never", ["never"], "when the holder leaves, in the first call"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER], "may a free huge page be had elsewhere?"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
)


def _cma_alloc(version: Version, knobs: Knobs) -> Setup:
    """An area that is free but for huge pages at its beginning; its owner wants part of it.

    The result is the first pfn of what the owner gets.  Ranges are tried pageblock by pageblock.
    Left out: other owners; a request of single pages, for which a kernel slides page by page."""
    blocks, wanted, thps = int(knobs["blocks"]), int(knobs["wanted"]), int(knobs["thps"])
    which = int(knobs["holder"])
    for knob in ("wanted", "thps"):
        if int(knobs[knob]) > blocks:
            raise ValueError(f"{knob} is {knobs[knob]}, but the area has {blocks} pageblocks")
    if which > thps:
        raise ValueError(f"holder is {which}, but there are only {thps} huge pages (thps)")
    area = Area(CMA_PFN, blocks * HPAGE_PMD_NR)
    zone = boot(area.pages, area.pages, start=area.base)
    world = World(Environment(targets_huge=str(knobs["targets"])), zone)
    for nth, region in enumerate(NAMES[:thps]):
        pfn = area.base + nth * HPAGE_PMD_NR
        take(zone, pfn, HPAGE_PMD_ORDER)
        world.add(pfn, huge_page(region, HPAGE_PMD_ORDER))

    def path() -> Generator[Op, Any, int]:
        return cma_alloc(area, wanted * HPAGE_PMD_NR, HPAGE_PMD_ORDER, version, [])

    others: tuple[Actor, ...] = ()
    cues: tuple[Cue, ...] = ()
    if which:
        name = NAMES[which - 1]
        _, end = read_span(KNOBS, "start", knobs["released"])
        others = (holder("holder", name, 0, leaves=end is not None),)
        cues = (Cue("holder", name), *([Cue("holder", name, end)] if end else []))
    return Setup(world, (Actor("owner", path), *others), TAKEN, Script(cues))


CMA_ALLOC = Spec(
    "cma_alloc",
    "The owner of a CMA area takes memory back while somebody refers to a huge page in it",
    KNOBS,
    _cma_alloc,
)
