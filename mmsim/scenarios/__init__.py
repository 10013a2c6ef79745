"""Named scenarios: a world, who takes part in it, knobs to change them, and how a run can end.

A name such as `vfio_map` is a `Spec`.  Called with a version and knobs it makes a `Situation`: a
scenario that the engine can run and search.

Files, bottom up: `script` (who comes and goes when), `knobs`, `situation` (how a run can end,
`Spec`, `Situation`).  Then the scenarios: `guests` (a guest's memory in CMA, and whoever wants
it), `hosts` (a whole machine), `clock` (a race by the clock), `split` (the smallest race)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmsim.errors import UserError, nearest
from mmsim.mm.seams import Version
from mmsim.scenarios.clock import timed_hold
from mmsim.scenarios.guests import (
    CMA_PFN,
    SMALL,
    cma_alloc,
    drop_caches_only,
    lru_batch,
    pin_versus,
    vfio_map,
)
from mmsim.scenarios.hosts import boot_guest, host
from mmsim.scenarios.situation import Situation
from mmsim.scenarios.split import split_race

__all__ = [
    "CMA_PFN",
    "SCENARIOS",
    "SMALL",
    "Situation",
    "boot_guest",
    "cma_alloc",
    "drop_caches_only",
    "host",
    "lru_batch",
    "make",
    "pin_versus",
    "split_race",
    "timed_hold",
    "vfio_map",
]

SCENARIOS = {
    spec.name: spec
    for spec in (
        vfio_map,
        pin_versus,
        drop_caches_only,
        timed_hold,
        boot_guest,
        cma_alloc,
        lru_batch,
        split_race,
    )
}


def make(
    name: str,
    version: str | Version = "base",
    knobs: Mapping[str, object] = MappingProxyType({}),
    *,
    merge: bool = False,
) -> Situation:
    """A situation by name; raises UserError with the nearest match for whatever is unknown.

    `version`: a name, or a row of seams such as `own_policy` makes.  `merge` prepares it for the
    exhaustive search."""
    if name not in SCENARIOS:
        raise UserError(f"no scenario {name!r}{nearest(name, SCENARIOS)}")
    return Situation(SCENARIOS[name], version, knobs, merge=merge)
