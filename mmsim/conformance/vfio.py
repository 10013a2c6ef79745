"""Group vfio: one VFIO_IOMMU_MAP_DMA over a range.

Interface: run_vfio
"""

from __future__ import annotations

from typing import Any

from mmsim import errno
from mmsim.conformance.setup import Names, build_script, build_world, extents
from mmsim.conformance.states import final_folios
from mmsim.constants import MIGRATE_COUNTERS, PAGE_SIZE, PIN_COUNTERS, SPLIT_COUNTERS
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.mm.versions import Version
from mmsim.mm.vfio import (
    VFIO_DMA_MAP_FLAG_READ,
    VFIO_DMA_MAP_FLAG_WRITE,
    MapDma,
    vfio_dma_do_map,
)
from mmsim.scenarios.script import Scripted


def run_vfio(vector: dict[str, Any], version: Version, expected: dict[str, Any]) -> dict[str, Any]:
    """Map the range at IOVA 0, so that page numbers of the mapping are IOVA pages."""
    setup, script = vector["setup"], vector.get("script", {})
    names = Names(setup["folios"])
    cues, others = build_script(script, names)
    options = setup.get("options", {})
    version = version._replace(isolate_inverted=options.get("isolate_inverted", False))
    vma = extents(vector["operation"]["range"], names)
    flags = VFIO_DMA_MAP_FLAG_READ
    if vector["operation"]["write"]:
        flags |= VFIO_DMA_MAP_FLAG_WRITE
    map_ = MapDma(vma, sum(extent.pages for extent in vma) * PAGE_SIZE, flags=flags)
    scenario = Scenario(
        "vfio",
        build_world(setup["folios"], script),
        (Actor("vfio", lambda: vfio_dma_do_map(map_, version)), *others),
    )
    scheduler, state = Scripted("vfio", cues), scenario.initial()
    maps: list[dict[str, int]] = []
    while True:
        try:
            move = scheduler(scenario, state)
        except StopIteration:
            break
        state, event = scenario.step(state, move, keep=False)
        if event.op.kind.name == "iommu_map" and event.answer == 0:
            _, first, pages = event.op.args
            maps.append({"first_page": first, "pages": pages})
    state.world.check()
    counters = (*MIGRATE_COUNTERS, *SPLIT_COUNTERS, *PIN_COUNTERS)
    return {
        "result": errno.code(scenario.results(state)["vfio"]),
        "iommu_pages_after": sum(run.pages for run in state.world.container.maps),
        "iommu_maps": maps,
        "counters": {name: state.world.vmstat[name] for name in counters},
        "folios": final_folios(state.world, names, expected["folios"], pins=True),
    }
