"""A vector as a world, strangers and a script.

Interface: build_world, Names, extents, build_script, SetupError
"""

from __future__ import annotations

import re
from typing import Any

from mmsim.constants import ANON, GUP_PIN_COUNTING_BIAS, HPAGE_PMD_NR, MIGRATE_CMA, SHMEM
from mmsim.engine.actor import Actor
from mmsim.errors import nearest
from mmsim.mm.actors import isolator, locker, pinner, stranger, truncater
from mmsim.mm.folio import ISOLATION, Extent, Folio
from mmsim.mm.world import EITHER, Environment, World
from mmsim.scenarios.script import Attempts, Cue, Faults, Position, Script

# Far enough apart that no list of folios runs into the next range.
CMA_PFN = 0x30000
ORDINARY_PFN = 0x80000
OTHER_CPU = "another CPU"

_NAME = re.compile(r"(?P<region>[A-Za-z]\w*(#\d+)?)(\[(?P<index>\d+)\])?")


class SetupError(ValueError):
    """A vector that names something that is not in it."""


class Names:
    """The names of a vector: bare names of counted entries, regions, and pieces of huge pages."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.regions: dict[str, list[str]] = {}
        self.order: dict[str, int] = {}
        for entry in entries:
            name, count = entry["name"], entry.get("count")
            if name in self.regions:
                raise SetupError(f"two folios are called {name!r}")
            made = [f"{name}#{i}" for i in range(count)] if count else [name]
            self.regions[name] = made
            self.order.update(dict.fromkeys(made, entry["order"]))

    def expand(self, name: str) -> list[str]:
        """The regions that a name in a list stands for."""
        if name in self.regions:
            return self.regions[name]
        region, _ = self.page(name)
        return [region]

    def check(self, name: str) -> None:
        """Raise SetupError unless this is a bare name, a folio or a piece of one."""
        if name not in self.regions:
            self.page(name)

    def page(self, name: str) -> tuple[str, int]:
        """The region and page index of one folio or piece; raises SetupError for an unknown one."""
        match = _NAME.fullmatch(name)
        region = match["region"] if match else name
        index = int(match["index"] or 0) if match else 0
        if region not in self.order:
            raise SetupError(f"no folio {name!r}{nearest(name, self.order)}")
        if index >= 1 << self.order[region]:
            raise SetupError(f"{region} has no page {index}")
        return region, index


def extents(entries: list[Any], names: Names) -> tuple[Extent, ...]:
    """A range, or a file: names of folios, or a folio with the number of its first pages."""
    found: list[Extent] = []
    for entry in entries:
        name = entry["folio"] if isinstance(entry, dict) else entry
        if "[" in name:
            raise SetupError(f"a range begins at a folio, and {name} is a piece of one")
        for region in names.expand(name):
            all_pages = 1 << names.order[region]
            pages = entry.get("pages", all_pages) if isinstance(entry, dict) else all_pages
            if pages > all_pages:
                raise SetupError(f"{region} has no page {pages - 1}")
            found.append(Extent(region, pages))
    return tuple(found)


def build_world(
    entries: list[dict[str, Any]], script: dict[str, Any], cpu: str = OTHER_CPU
) -> World:
    """The world at the beginning of a vector; what sits in a batch sits in that of `cpu`."""
    pfns = tuple((t["folio"], t["pfn"]) for t in script.get("targets", ()) if "pfn" in t)
    world = World(Environment(EITHER, EITHER, faults="faults" in script, target_pfns=pfns))
    named = _named_blocks(entries, pfns)
    if named:
        # A block's distance: what nobody placed is not to become anybody's neighbour.
        world.target_pfn = max(world.target_pfn, (max(named) + 2) * HPAGE_PMD_NR)
    free = {True: CMA_PFN, False: ORDINARY_PFN}
    for entry in entries:
        count = entry.get("count")
        for i in range(count or 1):
            name = f"{entry['name']}#{i}" if count else entry["name"]
            nr = 1 << entry["order"]
            in_cma = entry.get("in_cma", True)
            pfn = entry.get("pfn")
            if pfn is None:
                pfn = -(-free[in_cma] // nr) * nr
                while pfn // HPAGE_PMD_NR in named:
                    pfn = (pfn // HPAGE_PMD_NR + 1) * HPAGE_PMD_NR
                free[in_cma] = pfn + nr
            else:
                pfn += i * nr
            if in_cma:
                world.pageblocks[pfn // HPAGE_PMD_NR] = MIGRATE_CMA
            _add_folio(world, pfn, name, entry, cpu)
    world.check()
    return world


def _named_blocks(entries: list[dict[str, Any]], pfns: tuple[tuple[str, int], ...]) -> set[int]:
    """Numbers of the pageblocks that a vector puts something into."""
    blocks = {pfn // HPAGE_PMD_NR for _, pfn in pfns}
    for entry in entries:
        if "pfn" in entry:
            pages = entry.get("count", 1) << entry["order"]
            last = entry["pfn"] + pages - 1
            blocks.update(range(entry["pfn"] // HPAGE_PMD_NR, last // HPAGE_PMD_NR + 1))
    return blocks


def _add_folio(world: World, pfn: int, name: str, entry: dict[str, Any], cpu: str) -> None:
    order, kind = entry["order"], entry.get("kind", SHMEM)
    in_cache = entry.get("in_page_cache", kind == SHMEM)
    cached = in_cache or entry.get("swap_cache", False)
    isolated, batch = entry.get("isolated", False), entry.get("batch")
    pmd = entry.get("pmd_maps", int(order > 0))
    pte = entry.get("pte_maps", int(order == 0))
    pins = entry.get("pins", 0)
    held: dict[str, int] = {}
    if isolated:
        held[ISOLATION] = 1
    if pins:
        held["earlier owner (pin)"] = pins if order else pins * GUP_PIN_COUNTING_BIAS
    if batch:
        held[f"{batch} batch"] = 1
        world.batches[cpu, batch] = (*world.batches.get((cpu, batch), ()), pfn)
    folio = Folio(
        name=name,
        region=name,
        index=0,
        order=order,
        kind=kind,
        held=tuple(sorted(held.items())),
        mapping=in_cache or kind == ANON,
        cached=cached,
        pmd_maps=pmd,
        pte_maps=pte,
        pincount=pins,
        lru=entry.get("on_lru", not isolated) and not isolated and batch != "lru_add",
        referenced=entry.get("referenced", False),
        dirty=entry.get("dirty", True),
        writeback=entry.get("writeback", False),
        pages_inside_file=entry.get("pages_inside_file", 0),
    )
    refs = folio.cache_refs + folio.mapcount + sum(held.values())
    world.add(pfn, folio._replace(refcount=refs))


def _position(place: dict[str, Any]) -> Position:
    return Position.at(place["site"], place["pass"], place.get("round", 1), place.get("call", 0))


def _attempts(given: Any) -> Attempts:
    return None if given == "all" else frozenset(given)


def build_script(script: dict[str, Any], names: Names) -> tuple[Script, tuple[Actor, ...]]:
    """The script of a vector, and the actors it needs besides the main one."""
    actors: list[Actor] = []
    cues: list[Cue] = []

    def add(actor: Actor, *moments: Cue) -> None:
        actors.append(actor)
        cues.extend(moments)

    for name, folio, entry in _each(script, "strangers", names):
        make = pinner if entry.get("kind") == "pin" else stranger
        start, end = entry.get("from"), entry.get("to")
        taken = Cue(name, folio, _position(start) if start else None)
        dropped = (Cue(name, folio, _position(end)),) if end else ()
        add(make(name, *names.page(folio), entry.get("refs", 1)), taken, *dropped)
    for name, folio, entry in _each(script, "locks", names):
        waited = entry["until"] == "waited_for"
        unlocked = (Cue(name, folio, when_waited_for=True),) if waited else ()
        add(locker(name, *names.page(folio)), Cue(name, folio), *unlocked)
    for name, folio, entry in _each(script, "events", names):
        add(truncater(name, *names.page(folio)), Cue(name, folio, _position(entry["at"])))
    for name, folio, entry in _each(script, "isolated_by_other", names):
        back = Cue(name, folio, round_=entry["rounds"] + 1)
        add(isolator(name, *names.page(folio)), Cue(name, folio), back)
    targets: dict[str, Attempts] = {}
    for _, folio, entry in _each(script, "targets", names):
        targets[folio] = _attempts(entry["fail_attempts"])
    none = script.get("order9_targets") == "none"
    return Script(tuple(cues), targets, none, _faults(script, names)), tuple(actors)


def _each(
    script: dict[str, Any], field: str, names: Names
) -> list[tuple[str, str, dict[str, Any]]]:
    """(a name for an actor, the folio, the entry); a bare counted name stands for all of them."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    for number, entry in enumerate(script.get(field, ()), start=1):
        names.check(entry["folio"])
        folios = [entry["folio"]] if "[" in entry["folio"] else names.expand(entry["folio"])
        for folio in folios:
            more = f"_{folio.partition('#')[2]}" if len(folios) > 1 else ""
            found.append((f"{field.removesuffix('s')}{number}{more}", folio, entry))
    return found


def _faults(script: dict[str, Any], names: Names) -> Faults:
    step = {
        "xarray_nomem": ("xas_split_alloc", "nomem"),
        "private_release_fails": ("filemap_release_folio", "kept"),
        "move_error": ("folio_expected_refs", ""),
    }
    faults: Faults = {}
    for _, folio, entry in _each(script, "faults", names):
        name, outcome = step[entry["kind"]]
        fault = (_attempts(entry["attempts"]), outcome or entry["errno"])
        faults[folio, name] = (*faults.get((folio, name), ()), fault)
    return faults
