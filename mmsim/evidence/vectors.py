"""Conformance vectors: exact scenarios with the outcome that the kernel gives.

A vector (data/conformance/README.md has the format) becomes a run like this:

    setup.folios  -- Names, build_world -->  the world at the beginning
    script        -- build_script ------->   who else is there, and the moments when they move
    operation     -- run_GROUP ---------->   a path of the kernel, whose group the file names
                         |
                     Setup.run               steps the path and the others to the end
                         |
    expect        <-- _compare ----------    what run_GROUP found, as the vector writes it

check_file() does that for each vector and each version that it names.  The world and the script
are made in vector_setup.py.  Below come the file and its report, then one section for each group.
Only what is expected is looked at, apart from counters, where a missing one means 0.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmsim import datafiles, errno
from mmsim.constants import (
    DEACTIVATE_FILE,
    DROP_COUNTERS,
    GUP_PIN_COUNTING_BIAS,
    HPAGE_PMD_NR,
    LRU_ADD,
    MIGRATE_COUNTERS,
    MIGRATE_SYNC,
    PAGE_SIZE,
    PAGEBLOCK_ORDER,
    PIN_COUNTERS,
    REASONS,
    SPLIT_COUNTERS,
)
from mmsim.engine.op import ModelError, Op, at_once, atomic
from mmsim.engine.scenario import Event
from mmsim.errors import UserError
from mmsim.evidence.vector_setup import CMA_PFN, RANGE, Names, Setup, SetupError, Vector, add_folio
from mmsim.mm.boot import boot
from mmsim.mm.cma import Area, cma_alloc
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import ISOLATION, Folio, Page, expected_refs, extra_pins_of
from mmsim.mm.fragmentation import extfrag_for_order, extfrag_index, sum_types, unusable_index
from mmsim.mm.gup import pin, pin_user_pages_remote, unpin
from mmsim.mm.huge_memory import can_split_folio, unmap_folio
from mmsim.mm.page_alloc import (
    Request,
    block_for,
    free_pages,
    get_page_from_freelist,
    request,
    split_page,
    take_block,
    watermark_usable,
)
from mmsim.mm.page_ref import folio_put
from mmsim.mm.rmap import remove_migration_ptes, try_to_migrate
from mmsim.mm.seams import Version
from mmsim.mm.swap import (
    folio_batch_add_and_move,
    folio_isolate_lru,
    isolate,
    lru_add_drain_cpu,
    putback_lru_page,
)
from mmsim.mm.untouched import HELD, ORDERS
from mmsim.mm.versions import OF_THE_SERIES, VERSIONS, environment
from mmsim.mm.vfio import (
    VFIO_DMA_MAP_FLAG_READ,
    VFIO_DMA_MAP_FLAG_WRITE,
    MapDma,
    vfio_dma_do_map,
)
from mmsim.mm.vmstat import allocated_pages, nr_shmem_hugepages
from mmsim.mm.world import EITHER, Environment, World
from mmsim.mm.zone import Zone, ZoneError
from mmsim.scenarios.script import Scripted
from mmsim.scenarios.split import repeated_split

Found = dict[str, Any]
Expected = dict[str, Any]

FILE_BYTES_MAX = 50_000_000
MESSAGE_MAX = 300
PAGES_MAX = 8_192  # of all folios of a vector together
DROPPED_MAX = 32_768  # the same in the group drop_caches, where a page costs little
NUMBER_MAX = 1 << 52  # any number in a vector but these, which make the model go round
AT_MOST = {"times": 10_000, "max_calls": 100, "rounds": 1_000, "area_pageblocks": 64}
UNORDERED = ("subpages", "free_after", "folios_with_extra_ref")
"""Fields whose lists are sets."""

AREA_PFN = 0x10000
OTHER_FILE = "another file"  # a name with a space: no folio of a vector can have it


class VectorFileError(UserError):
    """A vector file that can't be used; the message names the file, the place and the problem."""


# -- reading a file


def load(path: Path) -> dict[str, Any]:
    """A vector file that fits the schema; raises VectorFileError otherwise."""
    try:
        text = datafiles.content(path, FILE_BYTES_MAX).decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=_no_twins, parse_float=_number)
    except OSError as error:
        raise VectorFileError(f"{path}: can't be read: {error.strerror}") from None
    except UserError as error:
        raise VectorFileError(str(error)) from None
    except RecursionError:
        raise VectorFileError(f"{path}: nested too deeply") from None
    except ValueError as error:
        raise VectorFileError(f"{path}: not JSON text: {error}") from None
    if isinstance(content, dict) and "$defs" in content:
        return {"group": "the schema of vector files", "vectors": []}
    problem = _misfit(content) or _beyond_schema(content)
    if problem:
        raise VectorFileError(f"{path}: {problem}")
    found: dict[str, Any] = content
    return found


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twins = [name for name, n in Counter(name for name, _ in pairs).items() if n > 1]
    if twins:
        raise ValueError(f"the field {twins[0]!r} stands twice in one object")
    return dict(pairs)


def _number(text: str) -> float:
    """A number that is written with a point or an exponent: 1.0 is whole, as the schema has it."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _misfit(content: Any) -> str:
    """Where the content does not fit the schema, and why; "" if it does."""
    import jsonschema

    schema = json.loads(datafiles.path("conformance/schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is None:
        return ""
    place = error.json_path.removeprefix("$").removeprefix(".") or "the file"
    match list(error.absolute_path):
        case ["vectors", int(number), *_]:
            vector = content["vectors"][number]
            identity = vector.get("id") if isinstance(vector, dict) else None
            place = f"{identity}: {place}" if isinstance(identity, str) else place
    message = "; or ".join(dict.fromkeys(e.message for e in error.context or [error]))
    if len(message) > MESSAGE_MAX:
        message = f"{message[: MESSAGE_MAX // 2]} ... {message[-MESSAGE_MAX // 2 :]}"
    return f"{place}: {message}"


def _beyond_schema(content: dict[str, Any]) -> str:
    """The first rule of the format that its schema can't express and that is broken."""
    seen: set[str] = set()
    for vector in content["vectors"]:
        identity, expects = vector["id"], Counter[str]()
        for expectation in vector["expect"]:
            named = expectation["versions"]
            expects.update(list(OF_THE_SERIES) if named == "all" else named)
        twice = sorted(name for name, n in expects.items() if n > 1)
        if twice:
            return f"{identity} expects {', '.join(twice)} twice"
        if identity in seen:
            return f"the id {identity} stands twice"
        seen.add(identity)
        for name, number in _numbers(vector):
            if number > (most := AT_MOST.get(name, NUMBER_MAX)):
                return f"{identity}: {name} is {number}, and at most {most} is possible"
        folios = vector["setup"].get("folios", ())
        pages = sum(one.get("count", 1) << one["order"] for one in folios)
        if pages > (most := DROPPED_MAX if content["group"] == "drop_caches" else PAGES_MAX):
            return f"{identity}: the folios have {pages} pages, and at most {most} are possible"
    return ""


def _numbers(value: Any, name: str = "") -> list[tuple[str, int]]:
    """Every whole number in a vector, with the name of its field."""
    if isinstance(value, int):
        return [(name, value)]
    if not isinstance(value, dict | list):
        return []
    members = value.items() if isinstance(value, dict) else [(name, each) for each in value]
    return [found for key, each in members for found in _numbers(each, key)]


# -- running a file, and saying what does not fit


class Mismatch(NamedTuple):
    """One field of one vector for one version that is not as expected."""

    file: str
    vector: str
    version: str
    field: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.vector} {self.version}: {self.field}: "
            f"expected {self.expected}, found {self.found}"
        )


class FileReport(NamedTuple):
    """What became of one file; `pairs` counts (vector, version)."""

    file: str
    group: str
    vectors: int
    pairs: int
    mismatches: list[Mismatch]

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {**self._asdict(), "mismatches": [each._asdict() for each in self.mismatches]}

    def __str__(self) -> str:
        if not self.vectors:
            return f"{self.file}: this is {self.group}, it holds no vectors"
        return (
            f"{self.file}: {self.vectors} vectors, {self.pairs} (vector, version) pairs, "
            f"{len(self.mismatches)} mismatches"
        )


def check_file(path: Path) -> FileReport:
    """Run every vector of a file for every version it names; raises VectorFileError."""
    content = load(path)
    group = content["group"]
    mismatches: list[Mismatch] = []
    pairs = 0
    for vector in content["vectors"]:
        for expectation in vector["expect"]:
            named = expectation["versions"]
            for version in OF_THE_SERIES if named == "all" else named:
                pairs += 1
                try:
                    found = OPERATIONS[group](vector, VERSIONS[version], expectation)
                except (SetupError, ZoneError) as error:
                    raise VectorFileError(f"{path}: {vector['id']}: {error}") from None
                except ModelError as error:
                    found = {"the run": f"stopped: {error}"}
                    expectation = {"the run": "ends"}
                mismatches += [
                    Mismatch(path.name, vector["id"], version, *difference)
                    for field, value in expectation.items()
                    if field != "versions"
                    for difference in _compare(field, value, found.get(field))
                ]
    return FileReport(path.name, group, len(content["vectors"]), pairs, mismatches)


def _compare(field: str, expected: Any, found: Any) -> list[tuple[str, Any, Any]]:
    """Compare field by field, so that a mismatch names the smallest thing that is wrong."""
    if field in UNORDERED:
        return [] if _as_set(expected) == _as_set(found) else [(field, expected, found)]
    inner: list[tuple[str, Any, Any]] = []
    if isinstance(expected, dict) and isinstance(found, dict):
        nothing = 0 if field == "counters" else None
        inner = [
            (f"{field}.{name}", expected.get(name, nothing), found.get(name, nothing))
            for name in {**expected, **found}
        ]
    elif field == "indices" and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        inner = [(f"{field}[{number}]", *pair) for number, pair in pairs]
    elif expected != found or type(expected) is not type(found):
        return [(field, expected, found)]
    return [difference for each in inner for difference in _compare(*each)]


def _as_set(value: Any) -> Any:
    """The same whatever the order of lists, at every depth; 1, True and 1.0 stay apart."""
    if isinstance(value, dict):
        return sorted((name, _as_set(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return sorted(map(_as_set, value), key=repr)
    return repr(value)


# -- group refcount: steps over the same functions as the kernel paths, nobody else there

ME = "steps"
STEPS: dict[str, Callable[[int, int], Op]] = {
    "isolate": lambda pfn, times: folio_isolate_lru(pfn),
    "putback": lambda pfn, times: putback_lru_page(pfn),
    "put": lambda pfn, times: folio_put(pfn, ME, times),
    "unmap_for_split": lambda pfn, times: unmap_folio(pfn),
    "unmap_all": lambda pfn, times: unmap_folio(pfn),
    "unmap_for_migration": lambda pfn, times: try_to_migrate(pfn),
    "restore_mappings": lambda pfn, times: remove_migration_ptes(pfn, pfn),
}


def take_step(world: World, step: dict[str, Any], version: Version) -> None:
    """One step of the list; `create` makes a folio as a write fault leaves it."""
    do, times, pages = step["do"], step.get("times", 1), step.get("pages", 1)
    if do == "drain_batches":
        lru_add_drain_cpu(world, ME)
        return
    if do == "create":
        taken = [pfn + folio.nr_pages for pfn, folio in world.folios.items()]
        pfn = -(-max(taken, default=CMA_PFN) >> step["order"]) << step["order"]
        add_folio(world, pfn, step["folio"], {**step, "on_lru": False}, ME)
        folio_batch_add_and_move(world, ME, LRU_ADD, pfn)
        return
    region, _, index = step["folio"].partition("[")
    found = world.find(region, int(index.rstrip("]") or 0))
    if found is None:
        raise SetupError(f"no folio {region!r} at this step")
    pfn, folio = found, world.folio(found)
    match do:
        case "map_pmd" | "map_pte":
            maps = f"{do[4:]}_maps"
            more = {maps: getattr(folio, maps) + times}
            world.update(pfn, refcount=folio.refcount + times, **more)
        case "get":
            world.hold(pfn, ME, times)
        case "pin":
            pin(world, pfn, ME, pages)
        case "unpin":
            unpin(world, pfn, ME, pages)
        case "split":
            page = Page(pfn, folio.nr_pages)
            (ret,), _ = at_once(world, ME, repeated_split(page, 1, version))
            if ret:
                raise SetupError(f"the split of {step['folio']} must succeed, but it returns {ret}")
        case _:
            op = STEPS[do](pfn, times)
            op.kind.run(world, ME, *op.args)


def run_refcount(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group refcount: steps on folios, then look at them."""
    steps, observe = vector["operation"]["steps"], vector["operation"]["observe"]
    names = Names([{"name": s["folio"], "order": s["order"]} for s in steps if s["do"] == "create"])
    world = World(environment(version, Environment(EITHER, EITHER)))
    for step in steps:
        take_step(world, step, version)
    world.check()
    looked_at = {name: expected["folios"][name] for name in observe if name in expected["folios"]}
    return {"folios": folios_seen(world, names, {"folios": looked_at})}


# -- what became of the folios, and what was counted


def folios_seen(
    world: World, names: Names, expected: Expected, *, pins: bool = False
) -> dict[str, Found]:
    """The fields of each folio that are expected; with `pins` its pins too, if it has any.

    A lower bound (`ref_min`) is answered with itself if it holds, so that it compares equal."""
    answer: dict[str, Found] = {}
    for name, fields in expected.get("folios", {}).items():
        found = observed(world, names, name)
        answer[name] = {field: found.get(field) for field in fields}
        for field in ("ref_min", "subpage_ref_min"):
            if field in fields and field in found:
                answer[name][field] = min(found[field], fields[field])
        if pins:
            answer[name] |= {n: found[n] for n in ("pincount", "pins") if found.get(n)}
    return answer


def observed(world: World, names: Names, name: str) -> Found:
    """Counts of a folio, where it is, and which checks would pass; of a huge page that was split
    those of its first piece, and of all of them."""
    region, index = names.page(name)
    there = [pfn for pfn, folio in world.folios.items() if folio.region == region]
    named = (pfn for pfn in there if world.folio(pfn).name == name)
    pfn = next(named, world.find(region, index))
    if pfn is None:
        return {"freed": True}
    folio = world.folio(pfn)

    def freeze_ok(expects: int) -> bool:
        return folio.mapcount == 0 and folio.refcount == expects

    found = {
        "split": False,
        "in_cma": world.in_cma(pfn),
        "ref": folio.refcount,
        "ref_min": folio.refcount,
        "mapcount": folio.mapcount,
        "pmd_maps": folio.pmd_maps,
        "pte_maps": folio.pte_maps,
        "on_lru": folio.lru,
        "migration_expects": expected_refs(folio),
        "migration_freeze_ok": freeze_ok(expected_refs(folio)),
    }
    if folio.is_thp:
        pins = extra_pins_of(folio)
        found["pincount"] = folio.pincount
        found["can_split"] = can_split_folio.atomic.run(world, ME, pfn) is not None
        found["split_freeze_expects"] = 1 + pins
        found["split_freeze_ok"] = freeze_ok(1 + pins)
        return found
    found["maybe_pinned"] = folio.refcount >= GUP_PIN_COUNTING_BIAS
    if "[" in name or not names.order[region]:
        found["pins"] = folio.pincount
    else:
        pieces = [world.folio(pfn) for pfn in there]
        found["split"] = True
        found["subpages_in_cma"] = sum(map(world.in_cma, there))
        found["subpage_ref_min"] = min(piece.refcount for piece in pieces)
        found["subpages_pinned"] = sum(piece.pincount > 0 for piece in pieces)
    return found


def _counted(world: World, *more: str) -> dict[str, int]:
    return {name: world.vmstat[name] for name in (*MIGRATE_COUNTERS, *SPLIT_COUNTERS, *more)}


# -- group split


def run_split(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group split: one isolated huge page, several attempts."""
    setup, operation = Setup(vector, version), vector["operation"]
    region, _ = setup.names.page(operation["folio"])
    page = setup.page(region)
    (results, _), world, _ = setup.run(
        "split", lambda: repeated_split(page, operation["times"], version)
    )
    pieces = (f for f in world.folios.values() if f.region == region and not f.is_thp)
    kinds = Counter((piece.refcount, piece.mapcount) for piece in pieces)
    return {
        "results": [errno.code(rc) for rc in results],
        "counters": _counted(world),
        "folios": folios_seen(world, setup.names, expected),
        "subpages": [{"count": n, "ref": r, "mapcount": maps} for (r, maps), n in kinds.items()],
    }


# -- groups migrate_pages, gup and vfio


def run_migrate_pages(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group migrate_pages: one call on a list of folios, which are isolated first."""
    setup, operation = Setup(vector, version), vector["operation"]
    world, reason = setup.world, REASONS.index(operation["reason"])
    regions = [extent.region for extent in setup.names.extents(operation["list"])]
    if len(set(regions)) < len(regions):
        raise SetupError("a folio stands twice in the list")
    pages = [setup.page(region) for region in regions]
    for cpu, kind in list(world.batches):
        if kind == LRU_ADD:
            lru_add_drain_cpu(world, cpu)
    for page in pages:
        if not isolate(world, page.pfn) and not dict(world.folio(page.pfn).held).get(ISOLATION):
            raise SetupError(f"{world.folio(page.pfn).name} can't be isolated: it is on no LRU")

    def path() -> Generator[Op, Any, tuple[int, list[Page]]]:
        left = list(pages)
        rc = yield from version.migrate_pages(left, MIGRATE_SYNC, reason, version)
        return rc, left

    (rc, left), world, scheduler = setup.run("migrate", path)
    return {
        "rc": errno.code(rc),
        "left": len(left),
        "passes": [scheduler.passes[key] for key in sorted(scheduler.passes)],
        "counters": _counted(world),
        "gup": "ENOMEM" if version.gup_fails(rc, not left) else "EAGAIN",
        "folios": folios_seen(world, setup.names, expected),
    }


@atomic
def call_returned(world: World, me: str, result: int) -> None:
    """The caller sees what its call has returned; nothing changes."""


def run_gup(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group gup: identical long-term pins of a range, until one succeeds.

    `refused` is not in the vectors, but measured on real kernels: where a count was in the way."""
    setup = Setup(vector, version)
    vma = setup.names.extents(vector["operation"]["range"])
    max_calls = vector["operation"].get("max_calls", 1)
    calls: list[Found] = []
    before = (0, 0, 0)
    refused = {"split at the check": 0, "split at the freeze": 0, "move of a page": 0}

    def path() -> Generator[Op, Any, None]:
        result = 0
        for _ in range(max_calls):
            result = yield from pin_user_pages_remote(vma, setup.version)
            yield call_returned(result)
            if result > 0:
                return

    def look(event: Event, world: World, scheduler: Scripted) -> None:
        nonlocal before
        if event.answer is None or event.answer is False:
            refused["split at the check"] += event.site == "split.check"
            refused["split at the freeze"] += event.site == "split.freeze"
            if event.site == "move.freeze":
                refused["move of a page"] += not world.folio(event.op.args[0]).is_thp
        if event.op.kind.name == "call_returned":
            now = (scheduler.rounds, scheduler.calls, scheduler.drains)
            names = ("rounds", "migrate_calls", "lru_drains")
            counts = {n: a - b for n, a, b in zip(names, now, before, strict=True)}
            calls.append({"result": errno.code(event.op.args[0]), **counts})
            before = now

    _, world, _ = setup.run("pin", path, look)
    pages = [
        world.find(region, index)
        for region, pages, first in vma
        for index in range(first, first + pages)
    ]
    return {
        "calls": calls,
        "counters": _counted(world, *PIN_COUNTERS),
        "pages_in_cma_after": sum(pfn is not None and world.in_cma(pfn) for pfn in pages),
        "refused": refused,
        "folios": folios_seen(world, setup.names, expected, pins=True),
    }


def run_vfio(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group vfio: one VFIO_IOMMU_MAP_DMA of the range at IOVA 0, so that page numbers of the
    mapping are IOVA pages."""
    setup = Setup(vector, version)
    vma = setup.names.extents(vector["operation"]["range"])
    write = VFIO_DMA_MAP_FLAG_WRITE if vector["operation"]["write"] else 0
    size = sum(extent.pages for extent in vma) * PAGE_SIZE
    map_ = MapDma(vma, size, flags=VFIO_DMA_MAP_FLAG_READ | write)
    maps: list[dict[str, int]] = []

    def look(event: Event, world: World, scheduler: Scripted) -> None:
        if event.op.kind.name == "iommu_map" and event.answer == 0:
            _, first, pages = event.op.args
            maps.append({"first_page": first, "pages": pages})

    result, world, _ = setup.run("vfio", lambda: vfio_dma_do_map(map_, setup.version), look)
    return {
        "result": errno.code(result),
        "iommu_pages_after": sum(run.pages for run in world.container.maps),
        "iommu_maps": maps,
        "counters": _counted(world, *PIN_COUNTERS),
        "folios": folios_seen(world, setup.names, expected, pins=True),
    }


# -- group metrics


def run_metrics(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group metrics: the indices of each order asked for; they are the same in every version."""
    free = sum_types(_lists({"MOVABLE": {}, **vector["setup"]["free_blocks"]}))
    indices = [
        {
            "order": order,
            "unusable_index": unusable_index(free, order),
            "extfrag_index": extfrag_index(free, order),
            "extfrag_for_order": extfrag_for_order(free, order),
        }
        for order in vector["operation"]["orders"]
    ]
    return {"indices": indices}


def _lists(free_blocks: dict[str, dict[str, int]]) -> dict[str, list[int]]:
    return {
        name: [blocks.get(str(order), 0) for order in ORDERS]
        for name, blocks in free_blocks.items()
    }


# -- group allocator


def run_allocator(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group allocator: requests to a zone, or one look at a watermark, in every version alike."""
    operation = vector["operation"]
    if operation["op"] == "watermark_check":
        want = Request(operation["order"], "", operation["alloc_cma"])
        usable = watermark_usable(want, operation["nr_free"], operation["nr_free_cma"])
        enough = usable > operation["mark"] + operation.get("lowmem_reserve", 0)
        fits = want.order == 0 or block_for(want, _lists(operation["free_blocks"]))
        return {"usable": usable, "ok": enough and fits}
    try:
        zone = build_zone(vector["setup"], operation["steps"])
        results = [_step(zone, step) for step in operation["steps"]]
    except ZoneError as error:
        raise SetupError(str(error)) from None
    zone.check()
    listed = [
        {"type": migratetype, "order": order, "pfns": sorted(blocks)}
        for migratetype, lists in sorted(zone.free_area.items())
        for order, blocks in enumerate(lists)
        if blocks
    ]
    size = 1 << zone.pageblock_order
    return {
        "results": results,
        "free_after": listed,
        "pageblocks_after": [zone.pageblock_type(pfn) for pfn in range(0, zone.end, size)],
        "nr_free_after": zone.nr_free,
        "nr_free_cma_after": zone.nr_free_cma,
    }


def build_zone(setup: dict[str, Any], steps: Sequence[dict[str, Any]] = ()) -> Zone:
    """A zone from pfn 0 with exactly these free blocks; the rest is held, page by page.

    A vector says how many pages look movable, not which: none that a step frees, if possible."""
    size = 1 << PAGEBLOCK_ORDER
    zone = Zone(len(setup.get("pageblocks", ())) * size)
    zone.types.update(enumerate(setup.get("pageblocks", ())))
    free: set[int] = set()
    for entry in setup.get("free", ()):
        pfn, order = entry["pfn"], entry["order"]
        pages = range(pfn, pfn + (1 << order))
        if pfn % (1 << order) or pages.stop > zone.end or not free.isdisjoint(pages):
            raise SetupError(f"no place for a free block of order {order} at pfn {pfn}")
        free.update(pages)
        migratetype = entry.get("type", zone.types[pfn // size])
        zone.add_to_tail(migratetype, order, [pfn])
        zone.account(migratetype, 1 << order)
    movable = {int(block): n for block, n in setup.get("movable_pages", {}).items()}
    gone: set[int] = set()
    for step in steps:
        if step["do"] == "free":
            gone.update(range(step["pfn"], step["pfn"] + (1 << step["order"])))
    for pfn in sorted(set(range(zone.end)) - free, key=lambda pfn: (pfn in gone, pfn)):
        left = movable.get(pfn // size, 0)
        movable[pfn // size] = left - 1
        zone.held[pfn] = HELD[left > 0][0]
    return zone


def _step(zone: Zone, step: dict[str, Any]) -> int | str | None:
    if step["do"] == "free":
        _one_block(zone, step["pfn"], step["order"])
        free_pages(zone, step["pfn"], step["order"])
        return None
    want = request(step["order"], step["migratetype"], pin_scope=step.get("pin_scope", False))
    want = want._replace(
        alloc_cma=step.get("alloc_cma", want.alloc_cma), nofragment=step.get("nofragment", False)
    )
    # What has just been allocated is on no LRU list yet, so it does not look movable.
    pfn = get_page_from_freelist(zone, want, movable=False)
    return "fail" if pfn is None else pfn


def _one_block(zone: Zone, pfn: int, order: int) -> None:
    """A vector says what is free, not in which blocks the rest was allocated: cut and join."""
    for size in range(order + 1, len(ORDERS)):
        around = pfn >> size << size
        if around in zone.held and zone.held[around].order == size:
            split_page(zone, around)
    pages = range(pfn, pfn + (1 << order))
    held = [zone.held[page] for page in pages if page in zone.held]
    if order and len(held) == len(pages) and not any(one.order for one in held):
        for page in pages:
            del zone.held[page]
        zone.held[pfn] = HELD[held[0].movable][order]


# -- group cma_alloc


def run_cma_alloc(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group cma_alloc: the owner of an area asks for a range while folios lie in it."""
    given, operation = vector["setup"], vector["operation"]
    area = Area(AREA_PFN, given["area_pageblocks"] * HPAGE_PMD_NR)
    placed = {**vector, "setup": {**given, "folios": _placed(given, area)}}
    setup = Setup(placed, version)
    # The area is a zone of its own: free, but for the folios in it.
    zone = boot(area.pages, area.pages, start=area.base)
    for pfn, folio in setup.world.folios.items():
        if zone.start <= pfn < zone.end:
            try:
                take_block(zone, pfn, folio.order)
            except ZoneError as error:
                raise SetupError(f"{folio.name}: {error}") from None
    setup.world.zone = zone
    setup.world.check()
    results: list[int] = []
    pages, order = operation["pages"], operation["align_order"]
    pfn, world, scheduler = setup.run(
        "owner", lambda: cma_alloc(area, pages, order, version, results)
    )
    return {
        "result": "ok" if pfn >= 0 else "fail",
        "range_index": (pfn - area.base) // HPAGE_PMD_NR if pfn >= 0 else None,
        "ranges_tried": len(results),
        "range_results": [errno.code(rc) for rc in results],
        "migrate_calls": scheduler.calls,
        "counters": _counted(world, "cma_alloc_success", "cma_alloc_fail"),
    }


def _placed(setup: dict[str, Any], area: Area) -> list[dict[str, Any]]:
    """The folios with the pfn that their place in the area gives them."""
    names, placement = Names(setup["folios"]), setup["placement"]
    for name in placement:
        names.expand(name)
    used: Counter[int] = Counter()
    entries: list[dict[str, Any]] = []
    for entry in setup["folios"]:
        for name in names.regions[entry["name"]]:
            one = {key: value for key, value in entry.items() if key != "count"} | {"name": name}
            entries.append(one)
            block = placement.get(name, placement.get(entry["name"]))
            if block is None:
                continue
            one["pfn"] = area.base + block * HPAGE_PMD_NR + used[block]
            used[block] += 1 << entry["order"]
            if used[block] > HPAGE_PMD_NR or not 0 <= block < area.pages // HPAGE_PMD_NR:
                raise SetupError(f"there is no room for {name} in pageblock {block} of the area")
    return entries


# -- group drop_caches


def run_drop_caches(vector: Vector, version: Version, expected: Expected) -> Found:
    """Group drop_caches: one write to /proc/sys/vm/drop_caches.

    There is one CPU, so every batch of the set-up is drop_caches' own."""
    me, given = "drop_caches", vector["setup"]
    setup = Setup(vector, version, cpu=me)
    names, before = setup.names, setup.world
    start = CMA_PFN + RANGE - given.get("local_deactivate_batch_prefill", 0)
    for pfn in range(start, CMA_PFN + RANGE):
        name = f"{OTHER_FILE}#{pfn - start}"
        before.add(pfn, Folio(name, name, 0, 0))
        folio_batch_add_and_move(before, me, DEACTIVATE_FILE, pfn)
    whole = [[entry["name"] for entry in given["folios"]]]
    files = tuple(names.extents(file) for file in given.get("files", whole))
    refs: dict[int, int] = {}
    batches: list[list[int]] = []
    peak = released = 0
    skipped: set[int] = set()

    def look(event: Event, world: World, scheduler: Scripted) -> None:
        nonlocal peak, released
        if event.actor != me:
            return
        if not refs:  # the first step changes no count
            refs.update((pfn, folio.refcount) for pfn, folio in world.folios.items())
        name, referenced = event.op.kind.name, None
        if name == "mapping_empty":
            batches.append([])
        elif name == "find_get_entry" and event.answer is not None:
            referenced = event.answer.page.pfn  # type: ignore[attr-defined]
        elif name == "folio_batch_add":
            referenced = event.op.args[1]
        elif name == "folio_put" and event.site == "drop.find":
            skipped.add(event.op.args[0])
        elif name == "folio_put":
            released += 1
        elif name == "cond_resched":
            batches[-1].append(released)
            released = 0
        if referenced is not None:
            peak = max(peak, world.folio(referenced).refcount - refs[referenced])

    value = vector["operation"]["value"]
    _, after, _ = setup.run(me, lambda: drop_caches(files, version, value), look)
    left = {folio.region: folio for folio in after.folios.values() if folio.region in names.order}
    extra = [
        region
        for region, folio in left.items()
        if any(who.endswith(" batch") for who, _ in folio.held)
    ]
    refs_after = {
        name: sorted({left[region].refcount for region in regions if region in left})
        for name, regions in names.regions.items()
    }
    counters = {name: after.vmstat[name] for name in DROP_COUNTERS}
    counters["nr_shmem_hugepages"] = nr_shmem_hugepages(after) - nr_shmem_hugepages(before)
    counters["nr_free_pages"] = allocated_pages(before) - allocated_pages(after)
    return {
        "batches": batches,
        "peak_extra_refs": peak,
        "skipped": len(skipped),
        "folios_freed": len(names.order) - len(left),
        "counters": counters,
        "extra_refs_left": len(extra),
        "folios_with_extra_ref": extra,
        "refs_after": {name: found for name, found in refs_after.items() if found},
    }


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
