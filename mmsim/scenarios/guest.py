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
COMPACTED_MIB_MAX = 1 << 12
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


class Place(NamedTuple):
    """How much of a guest lies in one kind of memory; `blocks`: pageblocks with a page of it."""

    pages: int
    thps: int
    blocks: int

    def __str__(self) -> str:
        if not self.pages:
            return "nothing"
        single = self.pages - self.thps * HPAGE_PMD_NR
        kinds = [f"{self.thps:,} huge"] if self.thps else []
        kinds += [f"{single:,} single"] if single else []
        pages = "page" if self.thps + single == 1 else "pages"
        blocks = "pageblock" if self.blocks == 1 else "pageblocks"
        return f"{' and '.join(kinds)} {pages} (in {self.blocks:,} {blocks})"


class Landing(NamedTuple):
    """Where the pages of a guest are, and how many of its huge pages in CMA could move out now."""

    in_cma: Place
    outside: Place
    targets: int

    def __str__(self) -> str:
        return f"{self.in_cma} in CMA, {self.outside} outside"


def landing(world: World) -> Landing:
    """Where the guest's pages are in this world."""
    guest = {pfn: folio.nr_pages for pfn, folio in world.folios.items() if folio.region == GUEST}

    def place(cma: bool) -> Place:
        found = {pfn: nr for pfn, nr in guest.items() if world.in_cma(pfn) == cma}
        blocks = {pfn // HPAGE_PMD_NR for pfn in found}
        return Place(sum(found.values()), [*found.values()].count(HPAGE_PMD_NR), len(blocks))

    inside = place(True)
    zone = world.zone.branch() if world.zone else Zone(HPAGE_PMD_NR)
    want = request(HPAGE_PMD_ORDER, pin_scope=True)
    targets = 0
    while targets < inside.thps and alloc_pages(zone, want) is not None:
        targets += 1
    return Landing(inside, place(False), targets)


class BootGuest(Situation):
    """The scenario; `landed()` populates the guest and leaves the pin out."""

    def landed(self) -> Landing:
        """Where the guest's memory is before anybody pins it."""

        def choose(scenario: Scenario, state: State) -> Move:
            op = self.local(state, self.main).op
            if op is None or op.kind.name not in ("populate_range", "lru_add_drain"):
                raise StopIteration
            return Move(self.main)

        return landing(run_to_end(self, choose).world)

    def run(self) -> Trace:
        """The run that the knobs describe; UserError if it would be too long to be looked at."""
        there = self.landed() if self.aim is MAPPED else None
        split = there.in_cma.thps - there.targets if there else 0
        goes_on = not self.version.gup_fails(self.version.final_rc(1, 1, True), True)
        if split > SPLITS_MAX and goes_on:
            raise UserError(
                f"version {self.version.name} would split {split:,} huge pages here and move the "
                f"pieces one by one, and a run shows at most {SPLITS_MAX} of that; take a smaller "
                "guest, or pin=none to see where it lands"
            )
        return super().run()

    def outcome(self, state: State) -> str:
        """How the guest fared, in a few words that stay the same for the same end.

        Nobody else refers to its memory, so a pin can fail only for want of room."""
        local = self.local(state, self.main)
        if not local.finished:
            return NOT_FINISHED
        if self.succeeded(state):
            return self.aim.word
        here = landing(state.world)
        if here.in_cma.pages + here.outside.pages < int(self.knobs["guest"]) * MIB:
            return NO_ROOM
        return NO_MEMORY if state.world.vmstat["pgmigrate_fail"] else ALL_MOVED

    def account(self, trace: Trace) -> list[str]:
        """Where the guest is, whether it can be pinned, and why not: one sentence each."""
        pin = (i for i, e in enumerate(trace.events) if e.op.kind.name == "iommu_mutex_lock")
        before = landing(trace.state(next(pin, len(trace))).world)
        after = landing(trace.last.world)
        lines = [f"The guest's memory landed: {before}."]
        if before.in_cma.thps:
            lines.append(
                "Huge pages that a long-term pin has to move out of CMA: "
                f"{before.in_cma.thps:,}; free blocks for them outside: {before.targets:,}."
            )
        if after[:2] != before[:2]:
            lines.append(f"It is now: {after}.")
        split = trace.last.world.vmstat["thp_split_page"]
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
    huge = shmem_is_huge(policy, 0, pages)
    free = suitable(summed(zone.lists()), HPAGE_PMD_ORDER) if huge else 0
    single = pages - min(pages // HPAGE_PMD_NR, free) * HPAGE_PMD_NR
    if single > SINGLE_PAGES_MAX:
        why = f"there are only {free:,} free huge pages" if huge else "it gets no huge pages"
        raise UserError(
            f"guest is {pages // MIB} MiB and {why}: {single:,} single pages would be left, and "
            f"the model follows at most {SINGLE_PAGES_MAX:,}; take a smaller guest"
        )


@scenario(*BOOT_GUEST_KNOBS)
def boot_guest(version: Version, knobs: Knobs) -> Setup:
    """A guest is started on a host whose memory was in use before, and pinned for a device."""
    check_mib("guest", int(knobs["guest"]))
    zone = host_zone(knobs)
    if int(knobs["guest"]) > int(knobs["host"]):
        raise UserError(f"guest is {knobs['guest']} MiB, but the host has only {knobs['host']} MiB")
    if knobs["compaction"] == "on" and int(knobs["host"]) > COMPACTED_MIB_MAX:
        raise UserError(
            f"host is {knobs['host']} MiB, and compaction would look through all of it for room; "
            f"the model does that for at most {COMPACTED_MIB_MAX}, so take a smaller host"
        )
    pages, policy = int(knobs["guest"]) * MIB, str(knobs["shmem_enabled"])
    _check_single_pages(zone, pages, policy)
    world = World(Environment(ZONE, ZONE, compaction=knobs["compaction"] == "on"), zone)
    pin = knobs["pin"] == "vfio"
    guest = Actor(GUEST, lambda: _start_guest(pages, policy, pin, version))
    return Setup(world, (guest,), MAPPED if pin else POPULATED, kind=BootGuest)
