"""Group cma_alloc: the owner of an area asks for a range while folios lie in it.

Interface: run_cma_alloc
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim import errno
from mmsim.conformance.setup import Names, SetupError, build_script, build_world
from mmsim.constants import HPAGE_PMD_NR, MIGRATE_COUNTERS, SPLIT_COUNTERS
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import run_to_end
from mmsim.mm.cma import Area, cma_alloc
from mmsim.mm.page_alloc import take
from mmsim.mm.versions import Version
from mmsim.mm.world import World
from mmsim.mm.zone import ZoneError, boot
from mmsim.scenarios.script import Scripted

AREA_PFN = 0x10000
COUNTERS = (*MIGRATE_COUNTERS, *SPLIT_COUNTERS, "cma_alloc_success", "cma_alloc_fail")


def run_cma_alloc(vector: dict[str, Any], version: Version, expected: Any) -> dict[str, Any]:
    """One request of the owner."""
    setup, operation = vector["setup"], vector["operation"]
    names = Names(setup["folios"])
    given = vector.get("script", {})
    script, others = build_script(given, names)
    area = Area(AREA_PFN, setup["area_pageblocks"] * HPAGE_PMD_NR)
    entries = _placed(setup, names, area)
    world = build_world(entries, given)
    _add_zone(world, area)

    def path() -> Generator[Op, Any, tuple[int, list[int]]]:
        results: list[int] = []
        pages, order = operation["pages"], operation["align_order"]
        pfn = yield from cma_alloc(area, pages, order, version, results)
        return pfn, results

    scenario = Scenario("cma_alloc", world, (Actor("owner", path), *others))
    scheduler = Scripted("owner", script)
    state = run_to_end(scenario, scheduler)
    state.world.check()
    pfn, results = scenario.results(state)["owner"]
    return {
        "result": "ok" if pfn >= 0 else "fail",
        "range_index": (pfn - area.base) // HPAGE_PMD_NR if pfn >= 0 else None,
        "ranges_tried": len(results),
        "range_results": [errno.code(rc) for rc in results],
        "migrate_calls": scheduler.calls,
        "counters": {name: state.world.vmstat[name] for name in COUNTERS},
    }


def _placed(setup: dict[str, Any], names: Names, area: Area) -> list[dict[str, Any]]:
    """One entry for each folio, with the pfn that its place in the area gives it."""
    placement = setup["placement"]
    for name in placement:
        names.check(name)
    used: dict[int, int] = {}
    entries: list[dict[str, Any]] = []
    for entry in setup["folios"]:
        for name in names.regions[entry["name"]]:
            one = {key: value for key, value in entry.items() if key != "count"} | {"name": name}
            entries.append(one)
            block = placement.get(name, placement.get(entry["name"]))
            if block is None:
                continue
            first = used.get(block, 0)
            used[block] = first + (1 << entry["order"])
            if used[block] > HPAGE_PMD_NR or not 0 <= block < area.pages // HPAGE_PMD_NR:
                raise SetupError(f"there is no room for {name} in pageblock {block} of the area")
            one["pfn"] = area.base + block * HPAGE_PMD_NR + first
    return entries


def _add_zone(world: World, area: Area) -> None:
    """The area as a zone of its own: free, but for the folios in it."""
    zone = boot(area.pages, area.pages, start=area.base)
    for pfn, folio in world.folios.items():
        if zone.start <= pfn < zone.end:
            try:
                take(zone, pfn, folio.order)
            except ZoneError as error:
                raise SetupError(f"{folio.name}: {error}") from None
    world.zone = zone
    world.check()
