"""The owner of a CMA area takes memory back while somebody refers to a huge page in it.

Interface: CMA_ALLOC
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MIGRATE_PASSES
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.knobs import Value, moment, number, one_of, read_span
from mmsim.mm.actors import stranger
from mmsim.mm.cma import Area, cma_alloc
from mmsim.mm.page_alloc import take
from mmsim.mm.versions import Version
from mmsim.mm.world import AVAILABLE, EITHER, NONE, Environment, World
from mmsim.mm.zone import boot
from mmsim.scenarios.fates import TAKEN
from mmsim.scenarios.guest import CMA_PFN, NAMES, huge_page
from mmsim.scenarios.situation import Situation, Spec
from mmsim.script import Cue, Script

BLOCKS_MAX = 64

KNOBS = (
    number("blocks", 2, 1, BLOCKS_MAX, "size of the area, in pageblocks of 2 MiB"),
    number("wanted", 1, 1, BLOCKS_MAX, "how many pageblocks in a row its owner asks for"),
    number("thps", 1, 0, len(NAMES), "huge pages of a guest: A in the first pageblock, and so on"),
    number("stranger", 1, 0, len(NAMES), "which of them somebody else refers to; 0: none"),
    moment("released", "never", ["never"], "when the stranger leaves, in the first call"),
    one_of("targets", NONE, [AVAILABLE, NONE, EITHER], "may a free huge page be had elsewhere?"),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
)


def _cma_alloc(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
    """An area that is free but for huge pages at its beginning; its owner wants part of it.

    The result is the first pfn of what the owner gets.  Ranges are tried pageblock by pageblock.
    Left out: other owners; a request of single pages, for which a kernel slides page by page."""
    blocks, wanted, thps = int(knobs["blocks"]), int(knobs["wanted"]), int(knobs["thps"])
    which = int(knobs["stranger"])
    for name in ("wanted", "thps"):
        if int(knobs[name]) > blocks:
            raise ValueError(f"{name} is {knobs[name]}, but the area has {blocks} pageblocks")
    if which > thps:
        raise ValueError(f"stranger is {which}, but there are only {thps} huge pages (thps)")
    area = Area(CMA_PFN, blocks * HPAGE_PMD_NR)
    zone = boot(area.pages, area.pages, start=area.base)
    world = World(Environment(targets_huge=str(knobs["targets"])), zone)
    for number_, name in enumerate(NAMES[:thps]):
        pfn = area.base + number_ * HPAGE_PMD_NR
        take(zone, pfn, HPAGE_PMD_ORDER)
        world.add(pfn, huge_page(name, HPAGE_PMD_ORDER))
    version = version._replace(passes=int(knobs["passes"]))

    def path() -> Generator[Op, Any, int]:
        results: list[int] = []
        pages = wanted * HPAGE_PMD_NR
        pfn = yield from cma_alloc(area, pages, HPAGE_PMD_ORDER, version, results)
        return pfn

    others: tuple[Actor, ...] = ()
    cues: tuple[Cue, ...] = ()
    if which:
        name = NAMES[which - 1]
        _, end = read_span(KNOBS, "start", knobs["released"])
        others = (stranger("stranger", name, 0, leaves=end is not None),)
        cues = (Cue("stranger", name), *([Cue("stranger", name, end)] if end else []))
    return Situation(
        spec.name,
        version,
        knobs,
        world,
        (Actor("owner", path), *others),
        Script(cues),
        spec.make,
        merge=merge,
        aim=TAKEN,
    )


CMA_ALLOC = Spec(
    "cma_alloc",
    "The owner of a CMA area takes memory back while somebody refers to a huge page in it",
    KNOBS,
    _cma_alloc,
)
