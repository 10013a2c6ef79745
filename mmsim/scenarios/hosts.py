"""A host's memory after long use, chosen with knobs, and a guest that is started on it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from mmsim.constants import HPAGE_PMD_NR, PAGE_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.errors import UserError
from mmsim.mm.boot import boot, zone_watermarks
from mmsim.mm.folio import Extent
from mmsim.mm.seams import Version
from mmsim.mm.shmem import SHMEM_ENABLED, shmem_populate
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import ZONE, Environment, World
from mmsim.mm.zone import Zone
from mmsim.scenarios.knobs import (
    ISOLATION_KNOB,
    Knobs,
    check_isolation,
    check_number,
    number,
    one_of,
    settle,
)
from mmsim.scenarios.situation import MAPPED, POPULATED, Setup, scenario

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

    knobs: Mapping[str, Any]
    zone: Zone

    def with_(self, **knobs: object) -> Host:
        """The same host with other knobs."""
        return host(**{**self.knobs, **knobs})


def host(**given: object) -> Host:
    """A host as its knobs (HOST_KNOBS) describe it; raises UserError for what makes none."""
    knobs = settle("host", HOST_KNOBS, given)
    return Host(knobs, host_zone(knobs))


def check_mib(what: str, mib: int) -> None:
    """Raise UserError unless so many MiB are a whole number of pageblocks."""
    if mib % BLOCK_MIB:
        raise UserError(
            f"{what} is {mib} MiB: memory comes in pageblocks of {BLOCK_MIB} MiB; "
            f"take {mib - 1} or {mib + 1}"
        )


def host_zone(knobs: Mapping[str, Any]) -> Zone:
    """The memory of a host with these knobs; raises UserError for a size that makes none."""
    mib = knobs["host"]
    check_mib("host", mib)
    return boot(
        mib * MIB,
        mib // BLOCK_MIB * knobs["cma"] // 100 * HPAGE_PMD_NR,
        start=START_PFN,
        used=knobs["used"] / 100,
        scattered=knobs["scattered"] / 100,
        seed=knobs["seed"],
        movable=True,
        watermarks=zone_watermarks(mib * MIB),
    )


# -- boot_guest


GUEST = "guest"
GUEST_MIB_MAX, COMPACTED_MIB_MAX = 64, 1 << 12
"""More would be too much to look at: to move the pieces of a huge page takes ten thousand steps."""


def _start_guest(pages: int, policy: str, pin: bool, version: Version) -> Generator[Op, Any, int]:
    """What a virtual machine monitor does: populate, then map for the device.

    Returns pages populated, 0 once they are mapped, or a negative errno."""
    populated = yield from shmem_populate(GUEST, pages, policy)
    if populated < 0 or not pin:
        return populated
    rc = yield from vfio_dma_do_map(MapDma((Extent(GUEST, pages),), pages * PAGE_SIZE), version)
    return rc


@scenario(
    *HOST_KNOBS,
    number("guest", 8, 2, GUEST_MIB_MAX, "the guest's memory in MiB, a multiple of 2"),
    one_of("shmem_enabled", "always", SHMEM_ENABLED, "when a memfd gets huge pages"),
    one_of("pin", "vfio", ["vfio", "none"], "is the guest's memory mapped for a device?"),
    one_of("compaction", "off", ["off", "on"], "may a request compact the zone first?"),
    ISOLATION_KNOB,
)
def boot_guest(version: Version, knobs: Knobs) -> Setup:
    """A guest is started on a host whose memory was in use before, and pinned for a device.

    With used=0 nobody asks for `scattered` and `seed`."""
    pin = knobs["pin"] == "vfio"
    check_isolation(version, pin)
    check_mib("guest", knobs["guest"])
    check_number(knobs, "guest", "host", "MiB")
    compaction = knobs["compaction"] == "on"
    if compaction and knobs["host"] > COMPACTED_MIB_MAX:
        raise UserError(
            f"host is {knobs['host']} MiB, and compaction would look through all of it for room; "
            f"the model does that for at most {COMPACTED_MIB_MAX}, so take a smaller host"
        )
    pages, policy = knobs["guest"] * MIB, knobs["shmem_enabled"]
    world = World(Environment(ZONE, ZONE, compaction=compaction), host_zone(knobs))
    guest = Actor(GUEST, lambda: _start_guest(pages, policy, pin, version))
    return Setup(world, (guest,), MAPPED if pin else POPULATED)
