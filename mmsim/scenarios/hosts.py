"""A host's memory after long use, chosen with knobs, and what a request would get from it.

Interface: host, Host, host_zone, check_mib, HOST_KNOBS, REQUESTS, fate, fates
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER, MIGRATE_CMA, PAGE_SIZE
from mmsim.errno import ENOMEM, name
from mmsim.knobs import Value, number, settle
from mmsim.mm.bootmem import boot, zone_watermarks
from mmsim.mm.page_alloc import Request, alloc_pages, request
from mmsim.mm.zone import Zone

MIB = (1 << 20) // PAGE_SIZE
BLOCK_MIB = HPAGE_PMD_NR // MIB
HOST_MIB_MAX = 1 << 20

# Where x86-64 has ZONE_NORMAL begin: at 4 GiB.
START_PFN = 1 << 20

HOST_KNOBS = (
    number("host", 1024, 16, HOST_MIB_MAX, "the host's memory in MiB, a multiple of 2"),
    number("cma", 60, 0, 100, "percent of it that a CMA area has"),
    number("used", 50, 0, 100, "percent of the memory outside CMA that is in use already"),
    number("scattered", 100, 0, 100, "percent of what is free there that lies in small pieces"),
    number("seed", 1, 0, 999_999, "where the pages in use lie"),
)


class Host(NamedTuple):
    """A host: its knobs, and its memory."""

    knobs: Mapping[str, Value]
    zone: Zone

    def with_(self, **knobs: object) -> Host:
        """The same host with other knobs."""
        return host(**{**self.knobs, **knobs})


def host(**given: object) -> Host:
    """A host as its knobs (HOST_KNOBS) describe it; raises ValueError for what makes none."""
    knobs = settle("host", HOST_KNOBS, given)
    return Host(knobs, host_zone(knobs))


def check_mib(what: str, mib: int) -> None:
    """Raise ValueError unless so many MiB are a whole number of pageblocks."""
    if mib % BLOCK_MIB:
        raise ValueError(
            f"{what} is {mib} MiB: memory comes in pageblocks of {BLOCK_MIB} MiB; "
            f"take {mib - 1} or {mib + 1}"
        )


def host_zone(knobs: Mapping[str, Value]) -> Zone:
    """The memory of a host with these knobs; raises ValueError for a size that makes none."""
    mib = int(knobs["host"])
    check_mib("host", mib)
    return boot(
        mib * MIB,
        mib // BLOCK_MIB * int(knobs["cma"]) // 100 * HPAGE_PMD_NR,
        start=START_PFN,
        used=int(knobs["used"]) / 100,
        scattered=int(knobs["scattered"]) / 100,
        seed=int(knobs["seed"]),
        movable=True,
        watermarks=zone_watermarks(mib * MIB),
    )


REQUESTS: Mapping[str, Request] = {
    "huge page, for a process": request(HPAGE_PMD_ORDER),
    "huge page, for a long-term pin": request(HPAGE_PMD_ORDER, pin_scope=True),
    "single page, for a long-term pin": request(0, pin_scope=True),
}


def fate(zone: Zone, want: Request) -> str:
    """What this request alone would get from the zone, which stays as it is: "CMA", "ordinary
    memory", or "-ENOMEM"."""
    zone = zone.branch()
    pfn = alloc_pages(zone, want)
    if pfn is None:
        return name(-ENOMEM)
    return "CMA" if zone.pageblock_type(pfn) == MIGRATE_CMA else "ordinary memory"


def fates(zone: Zone) -> dict[str, str]:
    """The fate of each of the REQUESTS."""
    return {what: fate(zone, want) for what, want in REQUESTS.items()}
