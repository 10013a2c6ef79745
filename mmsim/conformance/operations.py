"""One function per group: run the operation for one version and answer what was found.

Interface: OPERATIONS, run

Each returns the fields of the group's expectation as the vectors write them.  Only what the
expectation asks about is looked at, apart from counters, where a missing one means 0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mmsim import errno
from mmsim.conformance.allocator import run_allocator
from mmsim.conformance.contig import run_cma_alloc
from mmsim.conformance.drop_caches import run_drop_caches
from mmsim.conformance.metrics import run_metrics
from mmsim.conformance.setup import Names, SetupError, build_script, build_world, extents
from mmsim.conformance.states import final_folios, observed, pages_in_cma
from mmsim.conformance.steps import steps_path
from mmsim.conformance.vfio import run_vfio
from mmsim.constants import (
    LRU_ADD,
    MIGRATE_COUNTERS,
    MIGRATE_SYNC,
    PIN_COUNTERS,
    REASONS,
    SPLIT_COUNTERS,
)
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op, atomic
from mmsim.engine.scenario import Event, Scenario
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import run_to_end
from mmsim.mm.folio import Page
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.migrate import migrate_pages
from mmsim.mm.swap import drain_cpu, isolate
from mmsim.mm.versions import Version
from mmsim.mm.world import World
from mmsim.scenarios.races import repeated_split
from mmsim.scenarios.script import Script, Scripted

Found = dict[str, Any]
Vector = dict[str, Any]
Expected = dict[str, Any]


def _counters(world: World, names: tuple[str, ...]) -> dict[str, int]:
    return {name: world.vmstat[name] for name in names}


def _page(world: World, region: str) -> Page:
    pfn = world.find(region, 0)
    if pfn is None:
        raise SetupError(f"{region} does not exist at the beginning")
    return Page(pfn, world.folio(pfn).nr_pages)


def run_refcount(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group refcount: steps on folios, then look at them."""
    world = World()
    steps = vector["operation"]["steps"]
    names = Names([{"name": s["folio"], "order": s["order"]} for s in steps if s["do"] == "create"])
    scenario = Scenario("refcount", world, (Actor("steps", lambda: steps_path(steps, version)),))
    state = run_to_end(scenario, one_after_another)
    state.world.check()
    found = {n: observed(state.world, *names.page(n)) for n in vector["operation"]["observe"]}
    return {"folios": found}


def run_split(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group split: one isolated huge page, several attempts."""
    names, script, others, world = _prepare(vector)
    operation = vector["operation"]
    region, _ = names.page(operation["folio"])
    page = _page(world, region)
    main = Actor("split", lambda: repeated_split(page, operation["times"], version))
    scenario = Scenario("split", world, (main, *others))
    state = run_to_end(scenario, Scripted("split", script))
    state.world.check()
    results, _pieces = scenario.results(state)["split"]
    found: Found = {
        "results": [errno.code(rc) for rc in results],
        "counters": _counters(state.world, (*MIGRATE_COUNTERS, *SPLIT_COUNTERS)),
    }
    if "folios" in expected:
        found["folios"] = {}
        for name in expected["folios"]:
            pfn = state.world.find(*names.page(name))
            for at, folio in state.world.folios.items():
                pfn = at if folio.name == name else pfn
            if pfn is not None:
                folio = state.world.folio(pfn)
                found["folios"][name] = {
                    "ref": folio.refcount,
                    "mapcount": folio.mapcount,
                    "pmd_maps": folio.pmd_maps,
                    "pte_maps": folio.pte_maps,
                }
    if "subpages" in expected:
        kinds: dict[tuple[int, int], int] = {}
        for folio in state.world.folios.values():
            if folio.region == region and not folio.is_thp:
                kind = (folio.refcount, folio.mapcount)
                kinds[kind] = kinds.get(kind, 0) + 1
        found["subpages"] = [
            {"count": n, "ref": ref, "mapcount": maps} for (ref, maps), n in kinds.items()
        ]
    return found


def _prepare(vector: Vector) -> tuple[Names, Script, tuple[Actor, ...], World]:
    names = Names(vector["setup"]["folios"])
    given = vector.get("script", {})
    script, others = build_script(given, names)
    return names, script, others, build_world(vector["setup"]["folios"], given)


def run_migrate_pages(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group migrate_pages: one call on a list of folios, which are isolated first."""
    names, script, others, world = _prepare(vector)
    operation = vector["operation"]
    reason = REASONS.index(operation["reason"])
    regions = [region for name in operation["list"] for region in names.expand(name)]
    pages = [_page(world, region) for region in regions]
    for cpu, kind in list(world.batches):
        if kind == LRU_ADD:
            drain_cpu(world, cpu)
    for page in pages:
        if not isolate(world, page.pfn) and not dict(world.folio(page.pfn).held).get("isolation"):
            raise SetupError(f"{world.folio(page.pfn).name} can't be isolated: it is on no LRU")

    def path() -> Generator[Op, Any, tuple[int, list[Page]]]:
        left = list(pages)
        rc = yield from migrate_pages(left, MIGRATE_SYNC, reason, version)
        return rc, left

    scenario = Scenario("migrate_pages", world, (Actor("migrate", path), *others))
    scheduler = Scripted("migrate", script)
    state = run_to_end(scenario, scheduler)
    state.world.check()
    rc, left = scenario.results(state)["migrate"]
    found: Found = {
        "rc": errno.code(rc),
        "left": len(left),
        "passes": [scheduler.passes[key] for key in sorted(scheduler.passes)],
        "counters": _counters(state.world, (*MIGRATE_COUNTERS, *SPLIT_COUNTERS)),
        "gup": "ENOMEM" if version.gup_fails(rc, not left) else "EAGAIN",
    }
    if "folios" in expected:
        found["folios"] = final_folios(state.world, names, expected["folios"], pins=False)
    return found


@atomic
def call_returned(world: World, me: str, result: int) -> None:
    """The caller sees what its call has returned; nothing changes."""


def run_gup(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group gup: identical long-term pins of a range, until one succeeds."""
    names, script, others, world = _prepare(vector)
    options = vector["setup"].get("options", {})
    version = version._replace(isolate_inverted=options.get("isolate_inverted", False))
    vma = extents(vector["operation"]["range"], names)
    max_calls = vector["operation"].get("max_calls", 1)

    def path() -> Generator[Op, Any, list[int]]:
        results: list[int] = []
        while len(results) < max_calls and not (results and results[-1] > 0):
            result = yield from pin_user_pages_remote(vma, version)
            results.append(result)
            yield call_returned(result)
        return results

    scenario = Scenario("gup", world, (Actor("pin", path), *others))
    scheduler = Scripted("pin", script)
    calls: list[Found] = []
    before = (0, 0, 0)
    refused = {"split at the check": 0, "split at the freeze": 0, "move of a page": 0}
    state = scenario.initial()
    while True:
        try:
            move = scheduler(scenario, state)
        except StopIteration:
            break
        state, event = scenario.step(state, move, keep=False)
        if event.answer is None or event.answer is False:
            _count_refusal(refused, event, state.world)
        if event.op.kind.name == "call_returned":
            now = (scheduler.rounds, scheduler.calls, scheduler.drains)
            rounds, migrate_calls, drains = (a - b for a, b in zip(now, before, strict=True))
            calls.append(
                {
                    "result": errno.code(event.op.args[0]),
                    "rounds": rounds,
                    "migrate_calls": migrate_calls,
                    "lru_drains": drains,
                }
            )
            before = now
    state.world.check()
    found: Found = {
        "calls": calls,
        "counters": _counters(state.world, (*MIGRATE_COUNTERS, *SPLIT_COUNTERS, *PIN_COUNTERS)),
        "pages_in_cma_after": pages_in_cma(state.world, vma),
        "refused": refused,
    }
    if "folios" in expected:
        found["folios"] = final_folios(state.world, names, expected["folios"], pins=True)
    return found


def _count_refusal(refused: dict[str, int], event: Event, world: World) -> None:
    """Not in the vectors, but measured on real kernels: where a reference count was in the way."""
    if event.site == "split.check":
        refused["split at the check"] += 1
    elif event.site == "split.freeze":
        refused["split at the freeze"] += 1
    elif event.site == "move.freeze" and not world.folio(event.op.args[0]).is_thp:
        refused["move of a page"] += 1


OPERATIONS: dict[str, Callable[[Vector, Version, Expected], Found]] = {
    "refcount": run_refcount,
    "split": run_split,
    "migrate_pages": run_migrate_pages,
    "gup": run_gup,
    "metrics": run_metrics,
    "allocator": run_allocator,
    "cma_alloc": run_cma_alloc,
    "vfio": run_vfio,
    "drop_caches": run_drop_caches,
}
