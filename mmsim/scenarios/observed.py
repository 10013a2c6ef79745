"""What is seen of a world and of a run from outside: pages with a name, where they lie, returns."""

from __future__ import annotations

from mmsim import errno
from mmsim.constants import REPORTED
from mmsim.engine.trace import Trace
from mmsim.mm.folio import Folio
from mmsim.mm.world import World


def named(world: World, region: str = "") -> list[tuple[int, Folio]]:
    """The folios that a reader knows by name, with their pfns; all, or those of a region."""
    return [(p, f) for p, f in world.folios.items() if f.name and region in ("", f.region)]


def regions(world: World) -> list[str]:
    """The regions that they belong to."""
    return list(dict.fromkeys(folio.region for _, folio in named(world)))


def pages_in_and_outside_cma(world: World, region: str) -> tuple[int, int]:
    """How many pages of a region are in CMA, and how many elsewhere."""
    sizes = [(world.in_cma(pfn), folio.nr_pages) for pfn, folio in named(world, region)]
    inside = sum(pages for in_cma, pages in sizes if in_cma)
    return inside, sum(pages for _, pages in sizes) - inside


def migrate_returns(trace: Trace) -> tuple[int, ...]:
    """What each migrate_pages() of a run returned, in order."""
    return tuple(event.notes["rc"] for event in trace.events if event.site == "migrate.end")


def pin_result(trace: Trace) -> str:
    """ "pinned", or the error of the pin."""
    result: int = trace.results["pin"]
    return "pinned" if result > 0 else errno.name(result)


def counters_of(trace: Trace) -> dict[str, int]:
    """The two counters of the report at the end of a run."""
    return {name: trace.last.world.vmstat[name] for name in REPORTED}
