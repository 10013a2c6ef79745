"""What a step changed: the difference of two worlds, in words.

Interface: Change, changes, counters, moved_counters, pieces
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.engine.trace import Trace
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import World
from mmsim.views.names import place, short_name

FOLIOS_MAX = 6
"""A step, or a row of folded steps, that touches more folios is told in sums."""


class Change(NamedTuple):
    """One value that is another now: whose and which, before, after."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        if self.new == "freed":
            return f"{self.name} freed"
        if not self.old:
            return f"{self.name} {self.new}"
        return f"{self.name} {self.old} → {self.new}"


def _lru(folio: Folio) -> str:
    if folio.lru:
        return "active list" if folio.active else "on a list"
    return "isolated" if ISOLATION in dict(folio.held) else "off"


def _facts(world: World, pfn: int, folio: Folio) -> dict[str, str]:
    """Everything about a folio that a reader may want to see change, in the order of interest."""
    pmd, pte = folio.migration_entries
    facts = {
        "place": place(world, pfn),
        "refs": f"{folio.refcount} (frozen)" if folio.refcount == 0 else str(folio.refcount),
        "mapcount": str(folio.mapcount),
        "pincount": str(folio.pincount),
        "lock": folio.locked_by or "free",
        "LRU": _lru(folio),
        "dirty": "yes" if folio.dirty else "no",
        "referenced": "yes" if folio.referenced else "no",
        "writeback": "yes" if folio.writeback else "no",
        "migration entries": str(pmd + pte),
        "file": "in it" if folio.mapping else "not in it",
    }
    for who, n in folio.held:
        if who != ISOLATION:
            facts[f"held by {who}"] = str(n)
    return facts


def _key(pfn: int, folio: Folio) -> str:
    return folio.name or f"page at {pfn:#x}"


def _touched(before: World, after: World) -> tuple[dict[str, int], dict[str, int]]:
    """Name -> pfn of every folio that is not the same object on both sides."""
    old = {
        _key(pfn, folio): pfn
        for pfn, folio in before.folios.items()
        if after.folios.get(pfn) is not folio and after.folios.get(pfn) != folio
    }
    new = {
        _key(pfn, folio): pfn
        for pfn, folio in after.folios.items()
        if before.folios.get(pfn) is not folio and before.folios.get(pfn) != folio
    }
    return old, new


def pieces(world: World, region: str) -> tuple[int, int, int]:
    """How many pages of a region are in CMA, elsewhere, and how many of them are mapped."""
    inside = outside = mapped = 0
    for pfn, folio in world.folios.items():
        if folio.name and folio.region == region:
            inside += folio.nr_pages if world.in_cma(pfn) else 0
            outside += 0 if world.in_cma(pfn) else folio.nr_pages
            mapped += folio.nr_pages if folio.mapcount else 0
    return inside, outside, mapped


def _regions(world: World) -> list[str]:
    return list(dict.fromkeys(folio.region for folio in world.folios.values() if folio.name))


def _in_sums(before: World, after: World) -> list[Change]:
    found: list[Change] = []
    for region in dict.fromkeys([*_regions(before), *_regions(after)]):
        was, now = _of_region(before, region), _of_region(after, region)
        if was["folios"] == "1" and now["folios"] != "1":
            found.append(Change(region, "one huge page", f"{now['folios']} pieces"))
        found += [
            Change(f"{region}: {name}", was[name], now[name])
            for name in was
            if name != "folios" and was[name] != now[name]
        ]
    return found


def _of_region(world: World, region: str) -> dict[str, str]:
    inside, outside, mapped = pieces(world, region)
    folios = [f for f in world.folios.values() if f.name and f.region == region]
    return {
        "folios": str(len(folios)),
        "pages in CMA": str(inside),
        "pages elsewhere": str(outside),
        "pages mapped": str(mapped),
        "pins": str(sum(folio.pincount for folio in folios)),
    }


def _of_folios(
    before: World, after: World, old: dict[str, int], new: dict[str, int]
) -> list[Change]:
    found: list[Change] = []
    for name in dict.fromkeys([*old, *new]):
        if name in old and name in new:
            label = short_name(after, new[name])
            was = _facts(before, old[name], before.folios[old[name]])
            now = _facts(after, new[name], after.folios[new[name]])
            found += [
                Change(f"{label} {what}", was.get(what, "0"), now.get(what, "0"))
                for what in dict.fromkeys([*was, *now])
                if was.get(what, "0") != now.get(what, "0")
            ]
        elif name in new and new[name] not in before.folios:
            label = short_name(after, new[name])
            found.append(Change(label, "", f"in {place(after, new[name])}"))
        elif name in old and old[name] not in after.folios:
            found.append(Change(short_name(before, old[name]), "held", "freed"))
    return found


def moved_counters(before: World, after: World) -> list[tuple[str, int, int]]:
    """Counters that differ: name, before, after."""
    return [
        (name, before.vmstat[name], value)
        for name, value in after.vmstat.items()
        if before.vmstat[name] != value
    ]


def _of_container(before: World, after: World) -> list[Change]:
    def facts(world: World) -> dict[str, str]:
        container = world.container
        return {
            "VFIO's lock": container.locked_by or "free",
            "mappings of VFIO": str(len(container.dmas)),
            "pages the device reaches": str(sum(run.pages for run in container.maps)),
            "locked memory in pages": str(container.locked_vm),
        }

    was, now = facts(before), facts(after)
    return [Change(what, was[what], now[what]) for what in was if was[what] != now[what]]


def counters(trace: Trace) -> list[tuple[str, int]]:
    """Counters that moved over the whole run, and by how much."""
    return [
        (name, new - old)
        for name, old, new in moved_counters(trace.state(0).world, trace.last.world)
    ]


def changes(trace: Trace, position: int, *, since: int | None = None) -> list[Change]:
    """What is different at `position` from one step before, or from `since`."""
    if position == 0:
        return []
    before = trace.state(position - 1 if since is None else since).world
    after = trace.state(position).world
    old, new = _touched(before, after)
    many = len(set(old) | set(new)) > FOLIOS_MAX
    found = _in_sums(before, after) if many else _of_folios(before, after, old, new)
    found += [Change(name, str(was), str(now)) for name, was, now in moved_counters(before, after)]
    found += _of_container(before, after)
    if many:
        return found
    for cpu, kind in dict.fromkeys([*before.batches, *after.batches]):
        was, now = (len(world.batches.get((cpu, kind), ())) for world in (before, after))
        if was != now:
            found.append(Change(f"{kind} batch of {cpu}", str(was), str(now)))
    return found
