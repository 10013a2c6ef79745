"""Everything that a step can see or change, as shallow dicts of immutable values.

The kernel has no such object: this is its memory, the page cache, the page tables, the counters and
what VFIO keeps, 6.1-rc1.  Left out: NUMA nodes, memcg, page tables below the number of mappings."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MIGRATE_CMA,
    MIGRATE_MOVABLE,
    PAGEVEC_SIZE,
    PIN_COUNTERS,
    VFIO_BATCH,
    VMSTAT,
)
from mmsim.engine.op import Choices, ModelError
from mmsim.engine.pool import Pool
from mmsim.mm.compaction import try_to_compact_pages
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Folio, replace
from mmsim.mm.page_alloc import free_pages, get_page_from_freelist, request, split_page
from mmsim.mm.zone import Zone

FIRST_TARGET_PFN = 0x100000


def page_name(region: str, index: int) -> str:
    """What people call page `index` of a split huge page."""
    return f"{region}[{index}]"


class Limits(NamedTuple):
    """What VFIO was told before: never changed by a path.

    `memlock`: RLIMIT_MEMLOCK of the caller; None: it has CAP_IPC_LOCK.  `dma_entries`: the module's
    parameter dma_entry_limit.  `iova_ranges`: first and last page of what the IOMMU can translate;
    in the gap x86 has its interrupts.  `batch`: page pointers that vfio_batch_init() has room for,
    fewer only for huge pages that are smaller, too."""

    memlock: int | None = None
    dma_entries: int = 65_535
    iova_ranges: tuple[tuple[int, int], ...] = ((0, 0xFEDFF), (0xFEF00, (1 << 36) - 1))
    batch: int = VFIO_BATCH


class Dma(NamedTuple):
    """One mapping of VFIO, a struct vfio_dma: `pages` from `iova` on are mapped so far."""

    iova: int
    pages: int


class IommuMap(NamedTuple):
    """One run in the IOMMU's table: neighbours for the device and in memory."""

    iova: int
    pfn: int
    pages: int


class Container(NamedTuple):
    """The changing part: VFIO's lock and list, the IOMMU's table, the caller's locked_vm."""

    locked_by: str = ""
    dmas: tuple[Dma, ...] = ()
    maps: tuple[IommuMap, ...] = ()
    locked_vm: int = 0


AVAILABLE, NONE, EITHER, ZONE = "available", "none", "either", "zone"
"""May a destination be had: always, never, either way, or what the world's zone says."""


class Environment(NamedTuple):
    """What surrounds the paths and is not theirs to decide.

    `targets_huge`, `targets_base`: may a destination be had? "available", "none", or "either",
    which makes it a choice of whoever schedules; "zone": the world's zone decides.  `faults`: the
    steps that may fail on request, by name.  `target_pfns`: where the destination of a named folio
    lies, if that matters.  `compaction`: may a request to the zone compact it first?

    The last three follow from the version.  `pin_spins`: a pin goes round for as long as a huge
    page is off its LRU, so that a search tells worlds apart by the pages pinned now, not by those
    ever pinned and unpinned."""

    targets_huge: str = "available"
    targets_base: str = "available"
    faults: tuple[str, ...] = ()
    target_pfns: tuple[tuple[str, int], ...] = ()
    compaction: bool = False
    vfio: Limits = Limits()
    pagevec_size: int = PAGEVEC_SIZE
    defers_only_partly: bool = False
    pin_spins: bool = False


def may_fail(step: str, *choices: str) -> Choices:
    """The choices of a step: the first one, and the others where the environment lets it fail."""

    def allowed(world: World, me: str, *args: object) -> tuple[str, ...]:
        return choices if step in world.env.faults else choices[:1]

    return allowed


class World:
    """Memory as the modelled paths see it.

    folios: first pfn -> Folio.  where: (region, index) -> pfn of the folio that holds this page now
    (page cache and page tables agree on it).  batches: (cpu, kind) -> pfns waiting in that per-CPU
    batch.  vmstat: counters named as in /proc/vmstat.  zone: the allocator's side of the memory, or
    None where only a few folios matter; pageblocks: block number -> migratetype of memory outside
    the zone, where it is not MOVABLE.  zone_movable: pfns of ZONE_MOVABLE.  container: what a
    device can reach.  lru_disable_count: above 0, nothing waits in a batch."""

    __slots__ = (
        "batches",
        "container",
        "env",
        "folios",
        "lru_disable_count",
        "pageblocks",
        "target_pfn",
        "vmstat",
        "where",
        "zone",
        "zone_is_ours",
        "zone_movable",
    )

    def __init__(
        self,
        env: Environment = Environment(),  # noqa: B008 (immutable)
        zone: Zone | None = None,
    ) -> None:
        self.folios: dict[int, Folio] = {}
        self.where: dict[tuple[str, int], int] = {}
        self.batches: dict[tuple[str, str], tuple[int, ...]] = {}
        self.vmstat: dict[str, int] = dict.fromkeys(VMSTAT, 0)
        self.pageblocks: dict[int, str] = {}
        self.zone_movable = range(0)
        self.lru_disable_count = 0
        self.container = Container()
        self.env = env
        self.target_pfn = FIRST_TARGET_PFN
        self.zone = zone
        self.zone_is_ours = False

    def branch(self) -> World:
        """A copy that can be changed on its own; the values inside are shared."""
        new = World.__new__(World)
        new.folios = self.folios.copy()
        new.where = self.where.copy()
        new.batches = self.batches.copy()
        new.vmstat = self.vmstat.copy()
        new.pageblocks = self.pageblocks
        new.zone_movable = self.zone_movable
        new.lru_disable_count = self.lru_disable_count
        new.container = self.container
        new.env = self.env
        new.target_pfn = self.target_pfn
        new.zone = self.zone
        # From now on neither may change the zone without copying it: most steps don't touch it.
        new.zone_is_ours = self.zone_is_ours = False
        return new

    def key(self, pool: Pool | None = None) -> Hashable:
        """Equal for equal worlds.  `where` follows from `folios`; the rest never changes.

        Where a pin spins, worlds that differ only in pins that are gone count as equal.  With a
        pool the key is small, and equal folios become one object."""
        batches = frozenset(self.batches.items())
        vmstat = self.vmstat
        if self.env.pin_spins:
            acquired, released = PIN_COUNTERS
            vmstat = {**vmstat, acquired: vmstat[acquired] - vmstat[released], released: 0}
        counters = tuple(vmstat.values())
        zone = self.zone.key() if self.zone else None
        rest = (batches, counters, self.target_pfn, self.container, zone, self.lru_disable_count)
        if pool is None:
            return (frozenset(self.folios.items()), rest)
        return pool.number(rest), pool.table(self.folios)

    # -- reading

    def folio(self, pfn: int) -> Folio:
        """The folio at this pfn; a path that asks for a freed one is a bug of the model."""
        try:
            return self.folios[pfn]
        except KeyError:
            raise ModelError(f"no folio at pfn {pfn:#x}: it was freed or never allocated") from None

    def pageblock_type(self, pfn: int) -> str:
        """Migratetype of the pageblock around this pfn."""
        if self.zone is not None and self.in_zone(pfn):
            return self.zone.pageblock_type(pfn)
        return self.pageblocks.get(pfn >> HPAGE_PMD_ORDER, MIGRATE_MOVABLE)

    def in_zone(self, pfn: int) -> bool:
        """Did this memory come from the world's zone?"""
        return self.zone is not None and self.zone.start <= pfn < self.zone.end

    def in_cma(self, pfn: int) -> bool:
        """Does this pfn lie in a CMA pageblock?"""
        return self.pageblock_type(pfn) == MIGRATE_CMA

    def find(self, region: str, index: int) -> int | None:
        """pfn of the folio that holds this page, None if no folio does."""
        pfn = self.where.get((region, index))
        if pfn is None:
            head = index >> HPAGE_PMD_ORDER << HPAGE_PMD_ORDER  # where its huge page would begin
            pfn = self.where.get((region, head))
            if pfn is not None and self.folios[pfn].nr_pages <= index - head:
                return None
        return pfn

    def parts(self, pfn: int, pages: int) -> list[tuple[int, int, int]]:
        """`pages` pages from `pfn` on by folio: (its pfn, first page in it, pages of it)."""
        found: list[tuple[int, int, int]] = []
        while pages:
            heads = (pfn >> order << order for order in range(HPAGE_PMD_ORDER + 1))
            head = next((at for at in heads if at in self.folios), pfn)
            here = min(head + self.folio(head).nr_pages - pfn, pages)
            if here <= 0:
                raise ModelError(f"no folio holds pfn {pfn:#x}")
            found.append((head, pfn - head, here))
            pfn, pages = pfn + here, pages - here
        return found

    # -- writing: for atomic operations only

    def own_zone(self) -> Zone:
        """The zone, to be changed; raises ModelError in a world without one."""
        if self.zone is None:
            raise ModelError("this world has no zone")
        if not self.zone_is_ours:
            self.zone, self.zone_is_ours = self.zone.branch(), True
        return self.zone

    def from_zone(self, order: int, *, pin_scope: bool) -> int | None:
        """Memory of the zone for a user, after compaction if that is on.  Kernel: __alloc_pages().

        A single page is never compacted for (__alloc_pages_direct_compact())."""
        zone = self.own_zone()
        want = request(order, MIGRATE_MOVABLE, pin_scope=pin_scope)
        pfn = get_page_from_freelist(zone, want)
        if pfn is None and order and self.env.compaction:
            for counter in try_to_compact_pages(zone, want, keep=self.folios.keys()):
                self.count(counter)
            pfn = get_page_from_freelist(zone, want)
        return pfn

    def from_elsewhere(self, order: int) -> int:
        """Memory outside every zone and outside CMA, where only a few folios matter."""
        pfn = -(-self.target_pfn >> order) << order
        self.target_pfn = pfn + (1 << order)
        return pfn

    def update(self, pfn: int, **changes: Any) -> None:
        """Replace fields of the folio at this pfn."""
        self.folios[pfn] = replace(self.folio(pfn), **changes)

    def count(self, counter: str, n: int = 1) -> None:
        """Add to a vmstat counter."""
        self.vmstat[counter] += n

    def add(self, pfn: int, folio: Folio) -> None:
        """Put a folio at this pfn."""
        if pfn in self.folios:
            raise ModelError(f"pfn {pfn:#x} is taken")
        self.folios[pfn] = folio
        if folio.name:
            self.where[folio.region, folio.index] = pfn

    def hold(self, pfn: int, who: str, n: int = 1) -> None:
        """Take `n` references in the name of `who`."""
        folio = self.folio(pfn)
        held = dict(folio.held)
        held[who] = held.get(who, 0) + n
        ordered = tuple(sorted(held.items()))
        self.folios[pfn] = replace(folio, refcount=folio.refcount + n, held=ordered)

    def drop(self, pfn: int, who: str, n: int = 1) -> None:
        """Drop `n` references of `who`; the folio is freed with its last one.

        With the reference of its allocation goes the lock of a new folio: one step here."""
        folio = self.folio(pfn)
        held = dict(folio.held)
        held[who] = held.get(who, 0) - n
        if held[who] < 0 or folio.refcount < n:
            name = folio.name or hex(pfn)
            raise ModelError(f"{who!r} drops a reference on {name} it does not hold")
        if folio.refcount == n:
            self.remove(pfn)
            return
        left = tuple(sorted(item for item in held.items() if item[1]))
        owner = "" if who == NEW_PAGE else folio.locked_by
        self.folios[pfn] = replace(folio, refcount=folio.refcount - n, held=left, locked_by=owner)

    def detach(self, pfn: int) -> Folio:
        """Nothing refers to this folio any more; its memory stays allocated."""
        folio = self.folios.pop(pfn)
        if self.where.get((folio.region, folio.index)) == pfn:
            del self.where[folio.region, folio.index]
        return folio

    def remove(self, pfn: int) -> None:
        """The folio is freed, and its memory goes back to the zone it came from."""
        folio = self.detach(pfn)
        if self.in_zone(pfn):
            free_pages(self.own_zone(), pfn, folio.order)

    def cut(self, pfn: int) -> None:
        """The memory of a folio becomes single pages, as far as the allocator is concerned."""
        if self.in_zone(pfn):
            split_page(self.own_zone(), pfn)

    # -- checking

    def check(self) -> None:
        """Raise ModelError if the world contradicts itself.

        Every reference has an owner: refcount == cache + mappings + held, unless frozen at 0."""
        waiting: dict[int, int] = {}
        for pfns in self.batches.values():
            for pfn in pfns:
                waiting[pfn] = waiting.get(pfn, 0) + 1
        for pfn, folio in self.folios.items():
            self._check_folio(pfn, folio, waiting.pop(pfn, 0))
        if self.zone is not None:
            self.zone.check()
        if waiting:
            raise ModelError(f"a batch holds freed folios: {sorted(waiting)}")
        self._check_container()
        for (region, index), pfn in self.where.items():
            folio = self.folio(pfn)
            if (folio.region, folio.index) != (region, index):
                found = f"{pfn:#x}, which has {folio.name}"
                raise ModelError(f"{region}[{index}] is looked for at {found}")

    def _check_container(self) -> None:
        reached: dict[int, int] = {}
        for _, start, pages in self.container.maps:
            for pfn, _, n in self.parts(start, pages):
                reached[pfn] = reached.get(pfn, 0) + n
        for pfn, n in reached.items():
            name, pinned = self.folio(pfn).name, self.folio(pfn).pincount
            if pinned < n:
                raise ModelError(f"{name}: a device reaches {n} of its pages, {pinned} are pinned")

    def _check_folio(self, pfn: int, folio: Folio, batched: int) -> None:
        name = folio.name or hex(pfn)
        if folio.refcount not in (0, folio.owned):
            counted = f"its holders add up to {folio.owned}"
            raise ModelError(f"{name}: refcount {folio.refcount}, {counted}")
        if folio.refcount < 0 or folio.pincount < 0 or folio.mapcount < 0:
            raise ModelError(f"{name}: a count is negative: {folio}")
        if batched != sum(n for who, n in folio.held if who.endswith(" batch")):
            raise ModelError(f"{name}: batches and their references disagree")
        if folio.lru and ISOLATION in dict(folio.held):
            raise ModelError(f"{name}: isolated, and on an LRU all the same")
        if self.zone is not None and self.in_zone(pfn):
            held = self.zone.held.get(pfn)
            if held is None or held.order != folio.order:
                raise ModelError(f"{name}: the zone does not have order {folio.order} held here")
        if pfn % folio.nr_pages:
            raise ModelError(f"{name}: pfn {pfn:#x} is not aligned to order {folio.order}")
