"""Group drop_caches: one write to /proc/sys/vm/drop_caches.

Interface: run_drop_caches
"""

from __future__ import annotations

from typing import Any

from mmsim.conformance.setup import ORDINARY_PFN, Names, build_script, build_world, extents
from mmsim.constants import DEACTIVATE_FILE, DROP_COUNTERS
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Event, Scenario
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Folio
from mmsim.mm.swap import batch_add
from mmsim.mm.versions import Version
from mmsim.mm.vmstat import allocated_pages, nr_shmem_hugepages
from mmsim.mm.world import World
from mmsim.scenarios.script import Scripted

ME = "drop_caches"
OTHER_FILE = "another file"  # a name with a space: no folio of a vector can have it


def run_drop_caches(
    vector: dict[str, Any], version: Version, expected: dict[str, Any]
) -> dict[str, Any]:
    """Write once.  There is one CPU, so every batch of the set-up is drop_caches' own."""
    setup, script = vector["setup"], vector.get("script", {})
    names = Names(setup["folios"])
    cues, others = build_script(script, names)
    world = build_world(setup["folios"], script, cpu=ME)
    _prefill(world, setup.get("local_deactivate_batch_prefill", 0))
    whole = [[entry["name"] for entry in setup["folios"]]]
    files = tuple(extents(file, names) for file in setup.get("files", whole))
    value = vector["operation"]["value"]
    scenario = Scenario(ME, world, (Actor(ME, lambda: drop_caches(files, value)), *others))
    scheduler, state = Scripted(ME, cues), scenario.initial()
    seen = Seen()
    while True:
        try:
            move = scheduler(scenario, state)
        except StopIteration:
            break
        if move.actor == ME and not seen.before:
            seen.before = {pfn: folio.refcount for pfn, folio in state.world.folios.items()}
        state, event = scenario.step(state, move, keep=False)
        if move.actor == ME:
            seen.look(event, state.world)
    state.world.check()
    return {**seen.found(), **_found_after(world, state.world, names)}


def _prefill(world: World, number: int) -> None:
    """Folios of another file in this CPU's batch."""
    start = ORDINARY_PFN - number
    for i in range(number):
        world.add(start + i, Folio(f"{OTHER_FILE}#{i}", f"{OTHER_FILE}#{i}", 0, 0))
        batch_add(world, ME, DEACTIVATE_FILE, start + i)


class Seen:
    """What can only be seen on the way."""

    def __init__(self) -> None:
        self.before: dict[int, int] = {}
        self.batches: list[list[int]] = []
        self.peak = 0
        self._released = 0
        self._skipped: set[int] = set()

    def look(self, event: Event, world: World) -> None:
        """Take note of one step."""
        name = event.op.kind.name
        if name == "mapping_empty":
            self.batches.append([])
        elif name == "find_get_entry" and event.answer is not None:
            self._referenced(event.answer.page.pfn, world)  # type: ignore[attr-defined]
        elif name == "folio_batch_add":
            self._referenced(event.op.args[1], world)
        elif name == "folio_put" and event.site == "drop.find":
            self._skipped.add(event.op.args[0])
        elif name == "folio_put":
            self._released += 1
        elif name == "cond_resched":
            self.batches[-1].append(self._released)
            self._released = 0

    def _referenced(self, pfn: int, world: World) -> None:
        self.peak = max(self.peak, world.folio(pfn).refcount - self.before[pfn])

    def found(self) -> dict[str, Any]:
        """The fields of an expectation."""
        skipped = {"skipped": len(self._skipped)} if self._skipped else {}
        return {"batches": self.batches, "peak_extra_refs": self.peak, **skipped}


def _found_after(before: World, after: World, names: Names) -> dict[str, Any]:
    left = {folio.region: folio for folio in after.folios.values() if folio.region in names.order}
    extra = [
        region
        for region in names.order
        if region in left and any(who.endswith(" batch") for who, _ in left[region].held)
    ]
    refs = {
        name: sorted({left[region].refcount for region in regions if region in left})
        for name, regions in names.regions.items()
    }
    counters = {name: after.vmstat[name] for name in DROP_COUNTERS}
    counters["nr_shmem_hugepages"] = nr_shmem_hugepages(after) - nr_shmem_hugepages(before)
    counters["nr_free_pages"] = allocated_pages(before) - allocated_pages(after)
    return {
        "folios_freed": len(names.order) - len(left),
        "counters": counters,
        "extra_refs_left": len(extra),
        "folios_with_extra_ref": extra,
        "refs_after": {name: found for name, found in refs.items() if found},
    }
