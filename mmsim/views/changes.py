"""What a step changed: every value that is another now, whose and which, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mmsim.engine.trace import Moment, Trace
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import World
from mmsim.views.words import place, short_name

FOLIOS_MAX, CHANGES_MAX = 6, 3
"""A step, or a row of folded steps, that touches more folios is told in sums."""


class Change(NamedTuple):
    """One value that is another now: whose and which, before, after."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        if self.new == "freed":
            return f"{self.name} freed"
        return f"{self.name} {self.old} → {self.new}" if self.old else f"{self.name} {self.new}"


def _different(name: str, was: dict[str, str], now: dict[str, str]) -> list[Change]:
    """A change for each fact that differs; one that is missing counts as 0."""
    facts = ((what, was.get(what, "0"), now.get(what, "0")) for what in {**was, **now})
    return [Change(name + what, old, new) for what, old, new in facts if old != new]


def _of_folio(world: World, pfn: int) -> dict[str, str]:
    """Everything about a folio that a reader may want to see change, in the order of interest."""
    folio = world.folios[pfn]
    held = dict(folio.held)
    on_list = "active list" if folio.active else "on a list"
    yes = {True: "yes", False: "no"}
    return {
        "place": place(world, pfn),
        "refs": str(folio.refcount) if folio.refcount else "0 (frozen)",
        "mapcount": str(folio.mapcount),
        "pincount": str(folio.pincount),
        "lock": folio.locked_by or "free",
        "LRU": on_list if folio.lru else "isolated" if ISOLATION in held else "off",
        "dirty": yes[bool(folio.dirty)],
        "referenced": yes[bool(folio.referenced)],
        "writeback": yes[bool(folio.writeback)],
        "migration entries": str(sum(folio.migration_entries)),
        "file": "in it" if folio.mapping else "not in it",
        **{f"held by {who}": str(n) for who, n in held.items() if who != ISOLATION},
    }


def _touched(world: World, other: World) -> dict[str, int]:
    """Name -> pfn of every folio of this world that is not the same in the other."""
    return {
        folio.name or f"page at {pfn:#x}": pfn
        for pfn, folio in world.folios.items()
        if other.folios.get(pfn) is not folio and other.folios.get(pfn) != folio
    }


def named(world: World) -> list[tuple[int, Folio]]:
    """The folios that a reader knows by name, with their pfns."""
    return [(pfn, folio) for pfn, folio in world.folios.items() if folio.name]


def regions(world: World) -> list[str]:
    """The regions that they belong to."""
    return list(dict.fromkeys(folio.region for _, folio in named(world)))


def pieces(world: World, region: str) -> tuple[int, int]:
    """How many pages of a region are in CMA, and how many elsewhere."""
    folios = [(pfn, folio) for pfn, folio in named(world) if folio.region == region]
    inside = sum(folio.nr_pages for pfn, folio in folios if world.in_cma(pfn))
    return inside, sum(folio.nr_pages for _, folio in folios) - inside


def _of_region(world: World, region: str) -> dict[str, str]:
    folios = [folio for _, folio in named(world) if folio.region == region]
    inside, outside = pieces(world, region)
    return {
        "pages in CMA": str(inside),
        "pages elsewhere": str(outside),
        "pages mapped": str(sum(folio.nr_pages for folio in folios if folio.mapcount)),
        "pins": str(sum(folio.pincount for folio in folios)),
    }


def _in_sums(before: World, after: World) -> Iterator[Change]:
    for region in dict.fromkeys([*regions(before), *regions(after)]):
        was, now = (sum(f.region == region for _, f in named(world)) for world in (before, after))
        if was == 1 != now:
            yield Change(region, "one huge page", f"{now} pieces")
        yield from _different(f"{region}: ", _of_region(before, region), _of_region(after, region))


def _one_by_one(
    before: World, after: World, old: dict[str, int], new: dict[str, int]
) -> Iterator[Change]:
    for name in {**old, **new}:
        if name in old and name in new:
            facts = _of_folio(before, old[name]), _of_folio(after, new[name])
            yield from _different(f"{short_name(after, new[name])} ", *facts)
        elif name in new and new[name] not in before.folios:
            yield Change(short_name(after, new[name]), "", f"in {place(after, new[name])}")
        elif name in old and old[name] not in after.folios:
            yield Change(short_name(before, old[name]), "held", "freed")


def _of_container(world: World) -> dict[str, str]:
    container = world.container
    return {
        "VFIO's lock": container.locked_by or "free",
        "mappings of VFIO": str(len(container.dmas)),
        "pages the device reaches": str(sum(run.pages for run in container.maps)),
        "locked memory in pages": str(container.locked_vm),
    }


def _of_batches(world: World) -> dict[str, str]:
    return {f"{kind} batch of {cpu}": str(len(b)) for (cpu, kind), b in world.batches.items()}


def moved_counters(before: World, after: World) -> list[tuple[str, int, int]]:
    """Counters that differ: name, before, after."""
    return [
        (name, before.vmstat[name], value)
        for name, value in after.vmstat.items()
        if before.vmstat[name] != value
    ]


def changes(moment: Moment) -> list[Change]:
    """What is different here from the state before."""
    before, after = moment.before.world, moment.world
    old, new = _touched(before, after), _touched(after, before)
    many = len({**old, **new}) > FOLIOS_MAX
    found = [*(_in_sums(before, after) if many else _one_by_one(before, after, old, new))]
    found += [Change(name, str(was), str(now)) for name, was, now in moved_counters(before, after)]
    found += _different("", _of_container(before), _of_container(after))
    return found if many else found + _different("", _of_batches(before), _of_batches(after))


def counters(trace: Trace) -> list[tuple[str, int]]:
    """Counters that moved over the whole run, and by how much."""
    moved = moved_counters(trace.state(0).world, trace.last.world)
    return [(name, new - old) for name, old, new in moved]


def follows(change: Change) -> bool:
    """Who holds a reference and which batch it waits in follow from the count and the step."""
    return " held by " in change.name or " batch of " in change.name


def few(found: list[Change]) -> list[str]:
    """The first changes, and how many more there are."""
    more = len(found) - CHANGES_MAX
    return [*map(str, found[:CHANGES_MAX]), *([f"and {more} more"] if more > 0 else [])]
