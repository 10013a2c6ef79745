"""What a conformance vector sets up: the world at the beginning, who else is there, and the script.

vectors.py runs a path of the kernel in it and compares what comes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any

from mmsim.constants import (
    ANON,
    GUP_PIN_COUNTING_BIAS,
    HPAGE_PMD_NR,
    MIGRATE_CMA,
    SHMEM,
)
from mmsim.engine.actor import Actor
from mmsim.engine.op import ModelError, Op
from mmsim.engine.scenario import Event, Scenario
from mmsim.errors import nearest
from mmsim.mm.actors import holder, isolator, locker, pinner, truncater
from mmsim.mm.folio import ISOLATION, Extent, Folio, Page
from mmsim.mm.seams import Version
from mmsim.mm.versions import environment
from mmsim.mm.world import EITHER, Environment, World
from mmsim.scenarios.script import Cue, Faults, PassSite, Script, Scripted, Which, come_and_go

Vector = dict[str, Any]

# Behind the area of a CMA owner: what lies in CMA, and RANGE behind that what does not.  No list of
# folios is that long.
CMA_PFN, RANGE = 0x30000, 0x50000
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
        """The regions that a name in a list stands for; raises SetupError for an unknown one."""
        return self.regions[name] if name in self.regions else [self.page(name)[0]]

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

    def extents(self, entries: list[Any]) -> tuple[Extent, ...]:
        """A range, or a file: names of folios, or a folio with the number of its first pages."""
        found: list[Extent] = []
        for entry in entries:
            given = entry if isinstance(entry, dict) else {"folio": entry}
            if "[" in (name := given["folio"]):
                raise SetupError(f"a folio is needed, and {name} is a piece of one")
            for region in self.expand(name):
                pages = given.get("pages", 1 << self.order[region])
                if pages > 1 << self.order[region]:
                    raise SetupError(f"{region} has no page {pages - 1}")
                found.append(Extent(region, pages))
        return tuple(found)


def build_world(
    entries: list[dict[str, Any]], names: Names, script: dict[str, Any], cpu: str = OTHER_CPU
) -> World:
    """The world at the beginning of a vector; what sits in a batch sits in that of `cpu`."""
    pfns = tuple((t["folio"], t["pfn"]) for t in script.get("targets", ()) if "pfn" in t)
    faults = tuple(step for step, _ in FAULTS.values()) if "faults" in script else ()
    world = World(Environment(EITHER, EITHER, faults=faults, target_pfns=pfns))
    # What nobody placed lies behind all that somebody did, and is not to become its neighbour.
    ends = [pfn + HPAGE_PMD_NR for _, pfn in pfns]
    ends += [e["pfn"] + (e.get("count", 1) << e["order"]) for e in entries if "pfn" in e]
    start = max(CMA_PFN, (max(ends, default=0) // HPAGE_PMD_NR + 2) * HPAGE_PMD_NR)
    free = {True: start, False: start + RANGE}
    world.target_pfn = max(world.target_pfn, start + 2 * RANGE)
    for entry in entries:
        nr, in_cma = 1 << entry["order"], entry.get("in_cma", True)
        pfn = entry.get("pfn", -(-free[in_cma] // nr) * nr)
        for name in names.regions[entry["name"]]:
            if in_cma:
                world.pageblocks[pfn // HPAGE_PMD_NR] = MIGRATE_CMA
            add_folio(world, pfn, name, entry, cpu)
            pfn += nr
        if "pfn" not in entry:
            free[in_cma] = pfn
    world.check()
    return world


def add_folio(world: World, pfn: int, name: str, entry: dict[str, Any], cpu: str) -> None:
    """Put a folio there as an entry of the vector describes it."""
    order, kind = entry["order"], entry.get("kind", SHMEM)
    in_cache = entry.get("in_page_cache", kind == SHMEM)
    isolated, batch = entry.get("isolated", False), entry.get("batch")
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
        cached=in_cache or entry.get("swap_cache", False),
        pmd_maps=entry.get("pmd_maps", int(order > 0)),
        pte_maps=entry.get("pte_maps", int(order == 0)),
        pincount=pins,
        lru=entry.get("on_lru", not isolated) and not isolated and batch != "lru_add",
        referenced=entry.get("referenced", False),
        dirty=entry.get("dirty", True),
        writeback=entry.get("writeback", False),
        pages_inside_file=entry.get("pages_inside_file", 0),
    )
    refs = folio.cache_refs + folio.mapcount + sum(held.values())
    world.add(pfn, folio._replace(refcount=refs))


SITE_OF = {
    "alloc": "visit",
    "split_lock": "split.lock",
    "site1": "split.check",
    "unmap": "unmap",
    "site2": "split.freeze",
    "move_freeze": "move.freeze",
    "between_passes": "between_passes",
}
"""What vectors call the sites of a visit."""


def pass_site(place: dict[str, Any]) -> PassSite:
    """The moment that a vector names."""
    site = SITE_OF[place["site"]]
    return PassSite.at(site, place["pass"], place.get("round", 1), place.get("call", 0))


FAULTS = {
    "xarray_nomem": ("xas_split_alloc", "nomem"),
    "private_release_fails": ("filemap_release_folio", "kept"),
    "move_error": ("folio_expected_refs", ""),
}
"""Kind of a fault -> the step that fails, and how; a move fails with the errno that is given."""


def build_script(script: dict[str, Any], names: Names) -> tuple[Script, tuple[Actor, ...]]:
    """The script of a vector, and the actors it needs besides the main one."""
    actors: list[Actor] = []
    cues: list[Cue] = []

    def each(field: str) -> list[tuple[str, str, dict[str, Any]]]:
        """A name for an actor, its folio, the entry; a counted name stands for all of them."""
        found = []
        for number, entry in enumerate(script.get(field, ()), start=1):
            regions = names.expand(entry["folio"])
            folios = [entry["folio"]] if "[" in entry["folio"] else regions
            for folio in folios:
                more = f"_{folio.partition('#')[2]}" if len(folios) > 1 else ""
                found.append((f"{field.removesuffix('s')}{number}{more}", folio, entry))
        return found

    for name, folio, entry in each("strangers"):
        make = pinner if entry.get("kind") == "pin" else holder
        start, end = (pass_site(entry[at]) if at in entry else None for at in ("from", "to"))
        cues += come_and_go(name, folio, start, end)
        actors.append(make(name, *names.page(folio), entry.get("refs", 1)))
    for name, folio, entry in each("locks"):
        cues.append(Cue(name, folio))
        if entry["until"] == "waited_for":
            cues.append(Cue(name, folio, when_waited_for=True))
        actors.append(locker(name, *names.page(folio)))
    for name, folio, entry in each("events"):
        cues.append(Cue(name, folio, pass_site(entry["at"])))
        actors.append(truncater(name, *names.page(folio)))
    for name, folio, entry in each("isolated_by_other"):
        cues += [Cue(name, folio), Cue(name, folio, pin_round=entry["rounds"] + 1)]
        actors.append(isolator(name, *names.page(folio)))
    targets = {folio: _which(entry["fail_attempts"]) for _, folio, entry in each("targets")}
    faults: Faults = {}
    for _, folio, entry in each("faults"):
        step, choice = FAULTS[entry["kind"]]
        fault = _which(entry["attempts"]), choice or entry["errno"]
        faults[folio, step] = (*faults.get((folio, step), ()), fault)
    none = script.get("order9_targets") == "none"
    return Script(tuple(cues), targets, none, faults), tuple(actors)


def _which(given: Any) -> Which:
    return None if given == "all" else frozenset(given)


class Setup:
    """A vector, ready to run: its names, its world at the beginning, and everybody else."""

    def __init__(self, vector: Vector, version: Version, cpu: str = OTHER_CPU) -> None:
        entries, given = vector["setup"]["folios"], vector.get("script", {})
        self.names = Names(entries)
        self.script, self.others = build_script(given, self.names)
        try:
            self.world = build_world(entries, self.names, given, cpu)
        except ModelError as error:
            raise SetupError(str(error)) from None
        self.world.env = environment(version, self.world.env)
        inverted = vector["setup"].get("options", {}).get("isolate_inverted", False)
        self.version = version._replace(isolate_inverted=inverted)

    def page(self, region: str) -> Page:
        """A folio at the beginning."""
        pfn = self.world.find(region, 0)
        if pfn is None:
            raise SetupError(f"{region} does not exist at the beginning")
        return Page(pfn, self.world.folio(pfn).nr_pages)

    def run(
        self,
        name: str,
        path: Callable[[], Generator[Op, Any, Any]],
        look: Callable[[Event, World, Scripted], None] | None = None,
    ) -> tuple[Any, World, Scripted]:
        """Run a path to its end, `look` at every step: result, world, and what was counted."""
        scenario = Scenario(name, self.world, (Actor(name, path), *self.others), once=True)
        scheduler, state = Scripted(name, self.script), scenario.initial()
        while True:
            try:
                move = scheduler(scenario, state)
            except StopIteration:
                break
            state, event = scenario.step(state, move, keep=False)
            if look is not None:
                look(event, state.world, scheduler)
        state.world.check()
        return scenario.results(state)[name], state.world, scheduler
