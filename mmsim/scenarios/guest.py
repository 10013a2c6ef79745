"""boot_guest: a guest is started on a host: where its memory lands, and whether it pins."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, PAGE_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.trace import Trace, run_to_end
from mmsim.errors import UserError
from mmsim.mm.folio import Extent
from mmsim.mm.fragmentation import suitable, summed
from mmsim.mm.page_alloc import alloc_pages, request
from mmsim.mm.seams import Version
from mmsim.mm.shmem import SHMEM_ENABLED, shmem_is_huge, shmem_populate
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import ZONE, Environment, World
from mmsim.mm.zone import Zone
from mmsim.scenarios.host import HOST_KNOBS, MIB, check_mib, host_zone
from mmsim.scenarios.situation import (
    ALL_MOVED,
    ISOLATION_KNOB,
    MAPPED,
    NO_MEMORY,
    NOT_FINISHED,
    Aim,
    Knobs,
    Setup,
    Situation,
    number,
    one_of,
    scenario,
)

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
        """The run that the knobs describe; UserError if it would be too long to be looked at."""
        there = self.landed() if self.aim is MAPPED else None
        split = there.thps_in_cma - there.targets if there else 0
        goes_on = not self.version.gup_fails(self.version.final_rc(1, 1, True), True)
        if split > SPLITS_MAX and goes_on:
            raise UserError(
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

    def account(self, trace: Trace) -> list[str]:
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
    """Raise UserError for a guest of more single pages than the model can follow."""
    huge = shmem_is_huge(policy, 0, pages, advised=False)
    free = suitable(summed(zone.blocks_by_type()), HPAGE_PMD_ORDER) if huge else 0
    single = pages - min(pages // HPAGE_PMD_NR, free) * HPAGE_PMD_NR
    if single > SINGLE_PAGES_MAX:
        why = f"there are only {free:,} free huge pages" if huge else "it gets no huge pages"
        raise UserError(
            f"guest is {pages // MIB} MiB and {why}: {single:,} single pages would be left, and "
            f"the model follows at most {SINGLE_PAGES_MAX:,}; take a smaller guest"
        )


@scenario(
    BootGuest,
    "A guest is started on a host whose memory was in use before, and pinned for a device",
    BOOT_GUEST_KNOBS,
)
def boot_guest(version: Version, knobs: Knobs) -> Setup:
    """A guest is started on a host whose memory was in use before."""
    check_mib("guest", int(knobs["guest"]))
    zone = host_zone(knobs)
    if int(knobs["guest"]) > int(knobs["host"]):
        raise UserError(f"guest is {knobs['guest']} MiB, but the host has only {knobs['host']} MiB")
    pages, policy = int(knobs["guest"]) * MIB, str(knobs["shmem_enabled"])
    _check_single_pages(zone, pages, policy)
    world = World(Environment(ZONE, ZONE, compaction=knobs["compaction"] == "on"), zone)
    pin = knobs["pin"] == "vfio"
    guest = Actor(GUEST, lambda: _start_guest(pages, policy, pin, version))
    return Setup(world, (guest,), MAPPED if pin else POPULATED)
