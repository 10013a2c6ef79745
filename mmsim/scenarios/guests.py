"""A guest's memory in CMA, and who else touches it or wants it; drop_caches over one file alone."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mmsim.constants import (
    DEACTIVATE_FILE,
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    LRU_ADD,
    MIGRATE_CMA,
    MIGRATE_SYNC,
    MR_LONGTERM_PIN,
    PAGE_SIZE,
    REASONS,
)
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.errors import UserError
from mmsim.mm import actors, cma
from mmsim.mm.actors import holder, truncater
from mmsim.mm.boot import boot
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent, Folio, Page
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.migrate import putback_movable_pages
from mmsim.mm.page_alloc import take_block
from mmsim.mm.seams import INVERTED, Version
from mmsim.mm.swap import folio_batch_add_and_move, folio_isolate_lru
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import AVAILABLE, EITHER, NONE, Environment, Limits, World
from mmsim.scenarios.knobs import (
    ISOLATION_KNOB,
    NOBODY,
    PASSES_KNOB,
    Knob,
    Knobs,
    Value,
    check_isolation,
    check_number,
    number,
    one_of,
    read_span,
    when_released,
    when_taken,
)
from mmsim.scenarios.script import (
    Cue,
    Faults,
    HoldersBetween,
    PassSite,
    Script,
    Which,
    come_and_go,
)
from mmsim.scenarios.situation import DROPPED, MAPPED, MIGRATED, PINNED, TAKEN_BACK, Setup, scenario

# -- a guest's memory

# Where the measured kernel had its first huge page; the next ones follow below.
CMA_PFN = 0x3F800
NAMES = "ABCDEFGH"


def mapped_once(name: str, order: int, **fields: object) -> Folio:
    """A page of a file, huge or with order 0 a single one, as a process leaves it: mapped once.

    `fields` are those that differ from that; the count follows."""
    folio = Folio(name, name, 0, order, pmd_maps=int(order > 0), pte_maps=int(order == 0))
    folio = folio._replace(**fields)  # type: ignore[arg-type]
    return folio._replace(refcount=folio.cache_refs + folio.mapcount)


def guest_memory(world: World, thps: int, order: int) -> tuple[Extent, ...]:
    """Put huge pages into CMA, each mapped once; returns the memory as a user sees it."""
    for nth, region in enumerate(NAMES[:thps]):
        world.pageblocks[CMA_PFN // HPAGE_PMD_NR - nth] = MIGRATE_CMA
        world.add(CMA_PFN - nth * HPAGE_PMD_NR, mapped_once(region, order))
    return tuple(Extent(name, 1 << order) for name in NAMES[:thps])


def _holder(knobs: Knobs) -> tuple[list[Actor], tuple[Cue, ...]]:
    """Who refers to the huge page that the knobs name, and when they come and go."""
    check_number(knobs, "holder", "thps", "huge pages")
    start, end = read_span(knobs)
    if not knobs["holder"]:
        return [], ()
    name = NAMES[knobs["holder"] - 1]
    actor = holder("holder", name, 0, knobs.get("refs", 1), leaves=end is not None)
    return [actor], come_and_go("holder", name, start, end)


# -- vfio_map


LATE = "late"
"""No free huge page for the first request of each, one for every later one."""
TROUBLES = ("none", "writeback", "truncated", "nomem")


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


@scenario(
    number("thps", 1, 1, len(NAMES), "huge pages in the guest's memory, all in CMA"),
    number("holder", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    number("refs", 1, 1, 8, "how many references the holder takes"),
    when_taken("when the holder takes them"),
    when_released("when the holder drops them"),
    one_of("trouble", "none", TROUBLES, "what else is the matter with huge page A"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER, LATE], "may a free huge page be had?"),
    one_of("reason", "longterm_pin", REASONS, "why migrate_pages() is called"),
    PASSES_KNOB,
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "9: huge pages of 512; 0: single pages"),
    ISOLATION_KNOB,
)
def vfio_map(version: Version, knobs: Knobs) -> Setup:
    """A guest's huge pages in CMA are pinned for a device while somebody else refers to one.
    It begins where VFIO has asked for the pin; `pin_versus` goes through VFIO itself.

    Left out: the ioctl around the pin (its 512-page chunks, the IOMMU, the limit on locked memory).
    With another `reason`, somebody else migrates the same pages and no pin is involved.  Nobody
    asks for `refs`, `taken` and `released` with holder=0, and for `targets` with order=0.
    trouble=nomem makes a split fail, so with targets=available, where nothing is split, it does
    nothing."""
    order, trouble, reason = knobs["order"], knobs["trouble"], REASONS.index(knobs["reason"])
    check_isolation(version, reason == MR_LONGTERM_PIN)
    if trouble == "nomem" and not order:
        raise UserError("trouble=nomem makes a split fail, and with order=0 there is none")
    targets = EITHER if knobs["targets"] == LATE else knobs["targets"]
    may_fail = ("xas_split_alloc",) if trouble == "nomem" else ()
    world = World(Environment(targets_huge=targets, faults=may_fail))
    vma = guest_memory(world, knobs["thps"], order)
    pages = tuple(Page(pfn, folio.nr_pages) for pfn, folio in world.folios.items())
    if reason == MR_LONGTERM_PIN:
        main, aim = Actor("pin", lambda: pin_user_pages_remote(vma, version)), PINNED
    else:
        main = Actor("migrate", lambda: _isolate_and_migrate(pages, reason, version))
        aim = MIGRATED
    others, cues = _holder(knobs)
    if trouble == "writeback":
        world.update(CMA_PFN, writeback=True)
    if trouble == "truncated":
        others.append(truncater("truncater", NAMES[0], 0, waits=True))
        cues += (Cue("truncater", NAMES[0], PassSite.at("split.lock", 0)),)
    faults: Faults = {(NAMES[0], "xas_split_alloc"): ((None, "nomem"),)}
    late: Which = frozenset({0} if knobs["targets"] == LATE else ())
    script = Script(cues, dict.fromkeys(NAMES, late), faults=faults)
    return Setup(world, (main, *others), aim, script)


# -- pin_versus

PIN, DROP_CACHES = "pin", "drop_caches"
SMALL: dict[str, Value] = {"order": 1, "passes": 2}
"""Every order of the steps of the pin and one drop_caches: 5,889 states in base, 7,812 in v3."""

_HOLDERS: dict[str, Callable[[str, str], Actor]] = {
    "direct_io": actors.direct_io,
    "fault": actors.fault,
    "lookup": actors.lookup,
    "permanent_pin": actors.permanent_pin,
}
AGAINST = (DROP_CACHES, *_HOLDERS)


@scenario(
    number("thps", 1, 1, len(NAMES), "huge pages in the guest's memory, all in CMA"),
    Knob("against", DROP_CACHES, "who else touches them", allowed=AGAINST, several=True),
    number("on", 1, 1, len(NAMES), "which huge page the others go for; drop_caches takes them all"),
    when_taken("when the others come, in the run without a schedule"),
    when_released("when they leave, in the run without a schedule", "1"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER], "may a free huge page be had?"),
    PASSES_KNOB,
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of a huge page; 9: 512 pages"),
    ISOLATION_KNOB,
    order=1,
)
def pin_versus(version: Version, knobs: Knobs) -> Setup:
    """VFIO maps a guest's huge pages while drop_caches and others touch them.

    It maps one after the other.  A batch of VFIO has room for 512 page pointers: one huge page,
    also where a smaller `order` makes it fewer pages.  So each call of migrate_pages() has one huge
    page on its list.

    Left out: other files, which drop_caches would walk as well (they make its reference window
    longer), memory that the guest has not written to, the guest's own page tables.  The run without
    a schedule brings the others in at `taken`, until each has a reference, and lets them go on at
    `released`; the search and `replay` ask neither."""
    order, thps, on = knobs["order"], knobs["thps"], knobs["on"]
    check_number(knobs, "on", "thps", "huge pages")
    limits = Limits(batch=1 << order)
    world = World(Environment(knobs["targets"], AVAILABLE, compaction=True, vfio=limits))
    memory = guest_memory(world, thps, order)
    map_ = MapDma(memory, (thps << order) * PAGE_SIZE)
    region = NAMES[on - 1]
    words = [] if knobs["against"] == NOBODY else knobs["against"].split(",")
    if version.isolate_inverted and DROP_CACHES in words:
        raise UserError(
            f"isolation={INVERTED} does not go with {DROP_CACHES}: that test can list a page that "
            f"{DROP_CACHES} is moving to another list, and a real kernel's list is corrupt then"
        )
    walk = Actor(DROP_CACHES, lambda: drop_caches((memory,), version))
    others = [walk if word == DROP_CACHES else _HOLDERS[word](word, region) for word in words]
    taken, released = (at and at._replace(call=on - 1) for at in read_span(knobs))
    return Setup(
        world,
        (Actor(PIN, lambda: vfio_dma_do_map(map_, version)), *others),
        MAPPED,
        usual=lambda: HoldersBetween(PIN, tuple(words), region, taken, released),
    )


# -- lru_batch

ANOTHER_CPU = "cpu 1"
PAGES_MAX = 8


@scenario(
    number("pages", 2, 1, PAGES_MAX, "single pages in the guest's memory, all in CMA"),
    one_of(
        "batch",
        DEACTIVATE_FILE,
        (DEACTIVATE_FILE, LRU_ADD, "none"),
        "the batch that the first page is in; in lru_add its flag PG_lru is clear",
    ),
    PASSES_KNOB,
    ISOLATION_KNOB,
)
def lru_batch(version: Version, knobs: Knobs) -> Setup:
    """A guest's single pages are pinned while one of them lies in a per-CPU batch.

    The CPU of that batch is idle: nobody empties it.  A pin of 6.1 empties all batches, but only if
    it meets a page without PG_lru, as in lru_add.  In the batch deactivate_file a page keeps the
    flag.  6.12 counts references, and so it finds a page in either batch.
    With the inverted isolation test the first round clears it, so the second one empties the batch
    by accident.  Left out: how the page came there (in 6.1 a walk of drop_caches leaves up to 14
    behind), whatever else that CPU does, huge pages, which no batch keeps."""
    world = World()
    names = [f"P{index + 1}" for index in range(knobs["pages"])]
    world.pageblocks[CMA_PFN // HPAGE_PMD_NR] = MIGRATE_CMA
    for index, name in enumerate(names):
        world.add(CMA_PFN + index, mapped_once(name, 0, lru=knobs["batch"] != LRU_ADD or index > 0))
    if knobs["batch"] != "none":
        folio_batch_add_and_move(world, ANOTHER_CPU, knobs["batch"], CMA_PFN)
    memory = tuple(Extent(name, 1) for name in names)
    pin = Actor("pin", lambda: pin_user_pages_remote(memory, version))
    return Setup(world, (pin,), PINNED)


# -- cma_alloc

BLOCKS_MAX = 64


@scenario(
    number("blocks", 2, 1, BLOCKS_MAX, "size of the area, in pageblocks of 2 MiB"),
    number("wanted", 1, 1, BLOCKS_MAX, "how many pageblocks in a row its owner asks for"),
    number("thps", 1, 0, len(NAMES), "huge pages of a guest: A in the first pageblock, and so on"),
    number("holder", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    when_released("when the holder leaves, in the first call"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER], "may a free huge page be had elsewhere?"),
    PASSES_KNOB,
)
def cma_alloc(version: Version, knobs: Knobs) -> Setup:
    """The owner of a CMA area takes memory back while somebody refers to a huge page in it.

    The area is free but for huge pages at its beginning.  The result is the first pfn of what the
    owner gets.  Ranges are tried pageblock by pageblock.  Left out: other owners; a request of
    single pages, for which a kernel slides page by page."""
    blocks, wanted, thps = knobs["blocks"], knobs["wanted"], knobs["thps"]
    check_number(knobs, "wanted", "blocks", "pageblocks")
    check_number(knobs, "thps", "blocks", "pageblocks")
    area = cma.Area(CMA_PFN, blocks * HPAGE_PMD_NR)
    zone = boot(area.pages, area.pages, start=area.base)
    world = World(Environment(targets_huge=knobs["targets"]), zone)
    for nth, region in enumerate(NAMES[:thps]):
        pfn = area.base + nth * HPAGE_PMD_NR
        take_block(zone, pfn, HPAGE_PMD_ORDER)
        world.add(pfn, mapped_once(region, HPAGE_PMD_ORDER))

    def path() -> Generator[Op, Any, int]:
        return cma.cma_alloc(area, wanted * HPAGE_PMD_NR, HPAGE_PMD_ORDER, version)

    others, cues = _holder(knobs)
    return Setup(world, (Actor("owner", path), *others), TAKEN_BACK, Script(cues))


# -- drop_caches_only

FOLIOS_MAX = 40
FILE_PFN = 0x20000
SOMEBODY = "somebody"


@scenario(
    number("folios", 3, 1, FOLIOS_MAX, "folios in the file"),
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "size of each; 0: a page, 9: 512 pages"),
    one_of("dirty", "yes", ["yes", "no"], "were they written to?"),
    one_of("mapped", "yes", ["yes", "no"], "does a process map them?"),
    number("held", 0, 0, FOLIOS_MAX, "which of them somebody else refers to; 0: none"),
    number("locked", 0, 0, FOLIOS_MAX, "which of them somebody else has locked; 0: none"),
)
def drop_caches_only(version: Version, knobs: Knobs) -> Setup:
    """One write to drop_caches over one file: who is visited, locked, referenced, dropped.

    The value written is 1.  It is the same in every version but 6.12.  Left out: other files,
    several writers, what comes after the write."""
    check_number(knobs, "held", "folios", "folios")
    check_number(knobs, "locked", "folios", "folios")
    nr, order = knobs["folios"], knobs["order"]
    world = World()
    fields: dict[str, object] = {"dirty": knobs["dirty"] == "yes"}
    if knobs["mapped"] == "no":
        fields |= {"pmd_maps": 0, "pte_maps": 0}
    names = [f"{'T' if order else 'P'}{number_}" for number_ in range(1, nr + 1)]
    for number_, name in enumerate(names):
        world.add(FILE_PFN + number_ * HPAGE_PMD_NR, mapped_once(name, order, **fields))
    if which := knobs["held"]:
        world.hold(FILE_PFN + (which - 1) * HPAGE_PMD_NR, SOMEBODY)
    if which := knobs["locked"]:
        world.update(FILE_PFN + (which - 1) * HPAGE_PMD_NR, locked_by=SOMEBODY)
    file = tuple(Extent(name, 1 << order) for name in names)
    return Setup(world, (Actor("drop_caches", lambda: drop_caches((file,), version)),), DROPPED)
