"""The report's situation: a guest's huge pages in CMA are pinned while somebody refers to one.

Interface: VFIO_MAP
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_PASSES, MIGRATE_SYNC, REASONS
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.knobs import Value, moment, number, one_of, read_span
from mmsim.mm.actors import stranger, truncater
from mmsim.mm.folio import Page
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.migrate import migrate_pages, putback_movable_pages
from mmsim.mm.swap import folio_isolate_lru
from mmsim.mm.versions import Version
from mmsim.mm.world import AVAILABLE, EITHER, NONE, Environment, World
from mmsim.scenarios.fates import MIGRATED, PINNED
from mmsim.scenarios.guest import CMA_PFN, NAMES, guest_memory
from mmsim.scenarios.situation import ISOLATION, Situation, Spec
from mmsim.script import Attempts, Cue, Faults, Position, Script, visit

LATE = "late"
"""No free huge page for the first request of each, one for every later one."""
TROUBLES = ("none", "writeback", "truncated", "nomem")

VFIO_MAP_KNOBS = (
    number("thps", 1, 1, len(NAMES), "huge pages in the guest's memory, all in CMA"),
    number("stranger", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    number("refs", 1, 1, 8, "how many references the stranger takes"),
    moment("taken", "start", ["start"], "when the stranger takes them"),
    moment("released", "never", ["never"], "when the stranger drops them"),
    one_of("trouble", "none", TROUBLES, "what else is the matter with huge page A"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER, LATE], "may a free huge page be had?"),
    one_of("reason", "longterm_pin", REASONS, "why migrate_pages() is called"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    number("order", HPAGE_PMD_ORDER, 0, HPAGE_PMD_ORDER, "9: huge pages of 512; 0: single pages"),
    ISOLATION,
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
    rc = yield from migrate_pages(list_, MIGRATE_SYNC, reason, version)
    yield from putback_movable_pages(list_)
    return rc


def _vfio_map(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
    """A guest's memory lies in CMA; it is pinned for device access while somebody looks at it.

    Left out: the ioctl around the pin (its 512-page chunks, the IOMMU, the limit on locked memory).
    With another `reason`, somebody else migrates the same pages and no pin is involved.
    """
    order = int(knobs["order"])
    thps, which = int(knobs["thps"]), int(knobs["stranger"])
    if which > thps:
        raise ValueError(f"stranger is {which}, but there are only {thps} huge pages (thps)")
    trouble = knobs["trouble"]
    targets = EITHER if knobs["targets"] == LATE else str(knobs["targets"])
    world = World(Environment(targets_huge=targets, faults=trouble == "nomem"))
    vma = guest_memory(world, thps, order)
    pages = tuple(Page(pfn, folio.nr_pages) for pfn, folio in world.folios.items())
    version = version._replace(passes=int(knobs["passes"]))
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
        others.append(stranger("stranger", name, 0, int(knobs["refs"]), leaves=leaves))
        span = read_span(VFIO_MAP_KNOBS, knobs["taken"], knobs["released"])
        cues = visit("stranger", name, *span)
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
    return Situation(
        spec.name, version, knobs, world, (main, *others), script, spec.make, merge=merge, aim=aim
    )


VFIO_MAP = Spec(
    "vfio_map",
    "A guest's huge pages in CMA are pinned for a device while somebody else refers to one",
    VFIO_MAP_KNOBS,
    _vfio_map,
)
