"""Named situations: a world, actors, and knobs to change them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmsim.errors import UserError, nearest
from mmsim.mm.seams import Version
from mmsim.scenarios.clock import timed_hold
from mmsim.scenarios.guests import (
    SMALL,
    cma_alloc,
    drop_caches_only,
    lru_batch,
    pin_versus,
    vfio_map,
)
from mmsim.scenarios.host import CMA_PFN, boot_guest
from mmsim.scenarios.one_page import split_race
from mmsim.scenarios.situation import Situation

__all__ = [
    "CMA_PFN",
    "SCENARIOS",
    "SMALL",
    "Situation",
    "boot_guest",
    "cma_alloc",
    "drop_caches_only",
    "lru_batch",
    "make",
    "pin_versus",
    "split_race",
    "timed_hold",
    "vfio_map",
]

_PINS = (vfio_map, pin_versus, drop_caches_only, timed_hold)
_MORE = (boot_guest, cma_alloc, lru_batch, split_race)
SCENARIOS = {spec.name: spec for spec in (*_PINS, *_MORE)}


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
