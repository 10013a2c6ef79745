"""Single pages of a guest in CMA, one of them in a per-CPU batch that nobody empties.

Floor 4.  Interface: LRU_BATCH
"""

from __future__ import annotations

from mmsim.engine.actor import Actor
from mmsim.flags import DEACTIVATE_FILE, LRU_ADD, MIGRATE_CMA
from mmsim.knobs import Value, number, one_of
from mmsim.mm.folio import Extent, Folio
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.swap import batch_add
from mmsim.mm.versions import Version
from mmsim.mm.world import World
from mmsim.scenarios.fates import PINNED
from mmsim.scenarios.guest import CMA_PFN
from mmsim.scenarios.situation import ISOLATION, Situation, Spec
from mmsim.script import Script
from mmsim.units import HPAGE_PMD_NR, MIGRATE_PASSES

PIN, ANOTHER_CPU = "pin", "cpu 1"
PAGES_MAX = 8
KNOBS = (
    number("pages", 2, 1, PAGES_MAX, "single pages in the guest's memory, all in CMA"),
    one_of(
        "batch",
        DEACTIVATE_FILE,
        (DEACTIVATE_FILE, LRU_ADD, "none"),
        "the batch that the first page is in; in lru_add its flag PG_lru is clear",
    ),
    number("passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages()"),
    ISOLATION,
)


def _lru_batch(spec: Spec, version: Version, knobs: dict[str, Value], merge: bool) -> Situation:
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
    version = version._replace(passes=int(knobs["passes"]))
    memory = tuple(Extent(name, 1) for name in names)
    return Situation(
        spec.name,
        version,
        knobs,
        world,
        (Actor(PIN, lambda: pin_user_pages_remote(memory, version)),),
        Script(),
        spec.make,
        merge=merge,
        aim=PINNED,
    )


LRU_BATCH = Spec(
    "lru_batch",
    "A guest's single pages are pinned while one of them lies in a per-CPU batch",
    KNOBS,
    _lru_batch,
)
