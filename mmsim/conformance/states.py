"""What vectors ask about folios, read off a world.

Interface: observed, final_folios, pages_in_cma
"""

from __future__ import annotations

from typing import Any

from mmsim.conformance.setup import Names
from mmsim.constants import GUP_PIN_COUNTING_BIAS
from mmsim.mm.folio import Folio, expected_refs, extra_pins
from mmsim.mm.gup import Extent
from mmsim.mm.world import World


def observed(world: World, region: str, index: int) -> dict[str, Any]:
    """Group refcount: counts of one folio, and which checks would pass."""
    pfn = world.find(region, index)
    if pfn is None:
        return {}
    folio = world.folio(pfn)

    def freeze_ok(expects: int) -> bool:
        return folio.mapcount == 0 and folio.refcount == expects

    found = {
        "ref": folio.refcount,
        "mapcount": folio.mapcount,
        "on_lru": folio.lru,
        "migration_expects": expected_refs(folio),
        "migration_freeze_ok": freeze_ok(expected_refs(folio)),
    }
    if folio.is_thp:
        pins = extra_pins(folio)
        found["pincount"] = folio.pincount
        found["can_split"] = folio.mapcount == folio.refcount - pins - 1
        found["split_freeze_expects"] = 1 + pins
        found["split_freeze_ok"] = freeze_ok(1 + pins)
    else:
        found["maybe_pinned"] = folio.refcount >= GUP_PIN_COUNTING_BIAS
    return found


def final_folios(
    world: World, names: Names, expected: dict[str, Any], *, pins: bool
) -> dict[str, Any]:
    """The state of each expected folio as the vectors write it.

    A lower bound (`ref_min`) is answered with itself if it holds, so that it compares equal.
    """
    regions: dict[str, list[tuple[int, Folio]]] = {}
    for pfn, folio in world.folios.items():
        if folio.region:
            regions.setdefault(folio.region, []).append((pfn, folio))
    return {
        name: _final(world, names, name, regions, fields, pins=pins)
        for name, fields in expected.items()
    }


def _final(
    world: World,
    names: Names,
    name: str,
    regions: dict[str, list[tuple[int, Folio]]],
    expected: dict[str, Any],
    *,
    pins: bool,
) -> dict[str, Any]:
    region, _ = names.page(name)
    there = regions.get(region, [])
    if "[" in name:
        there = [(pfn, folio) for pfn, folio in there if folio.name == name]
    elif names.order[region] and all(not folio.is_thp for _, folio in there) and there:
        found: dict[str, Any] = {
            "split": True,
            "subpages_in_cma": sum(world.in_cma(pfn) for pfn, _ in there),
        }
        if "subpage_ref_min" in expected:
            least = min(folio.refcount for _, folio in there)
            found["subpage_ref_min"] = min(least, expected["subpage_ref_min"])
        if "subpages_pinned" in expected:
            found["subpages_pinned"] = sum(folio.pincount > 0 for _, folio in there)
        return found
    if not there:
        return {"freed": True}
    pfn, folio = there[0]
    found = {"split": False, "mapcount": folio.mapcount, "in_cma": world.in_cma(pfn)}
    if "ref_min" in expected:
        found["ref_min"] = min(folio.refcount, expected["ref_min"])
    else:
        found["ref"] = folio.refcount
    if pins and folio.pincount:
        found["pincount" if folio.is_thp else "pins"] = folio.pincount
    return found


def pages_in_cma(world: World, vma: tuple[Extent, ...]) -> int:
    """Base pages of a range that still lie in CMA."""
    count = 0
    for region, pages, first in vma:
        for index in range(first, first + pages):
            pfn = world.find(region, index)
            count += pfn is not None and world.in_cma(pfn)
    return count
