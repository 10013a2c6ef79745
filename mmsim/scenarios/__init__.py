"""Named situations: a world, actors, and knobs to change them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmsim.errors import nearest
from mmsim.mm.seams import Version
from mmsim.scenarios.host import BOOT_GUEST, CMA_ALLOC, CMA_PFN, BootGuest
from mmsim.scenarios.races import (
    DROP_CACHES_ONLY,
    LRU_BATCH,
    PIN_VERSUS,
    SMALL,
    SPLIT_RACE,
    TIMED_HOLD,
    VFIO_MAP,
)
from mmsim.scenarios.situation import Situation, Spec

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

_SPECS = (
    VFIO_MAP,
    PIN_VERSUS,
    DROP_CACHES_ONLY,
    TIMED_HOLD,
    BOOT_GUEST,
    CMA_ALLOC,
    LRU_BATCH,
    SPLIT_RACE,
)
SCENARIOS: dict[str, Spec] = {spec.name: spec for spec in _SPECS}


def make(
    name: str,
    version: str | Version = "base",
    knobs: Mapping[str, object] = MappingProxyType({}),
    *,
    merge: bool = False,
) -> Situation:
    """A situation by name; raises ValueError with the nearest match for whatever is unknown.

    `version`: a name, or a row of seams such as `own_policy` makes.  `merge` prepares it for the
    exhaustive search.
    """
    if name not in SCENARIOS:
        raise ValueError(f"no scenario {name!r}{nearest(name, SCENARIOS)}")
    return SCENARIOS[name].make(version, knobs, merge=merge)


def vfio_map(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("vfio_map", ...)`: the report's situation."""
    return make("vfio_map", version, knobs)


def split_race(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("split_race", ...)`: the smallest race."""
    return make("split_race", version, knobs)


def pin_versus(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("pin_versus", ...)`: a map by VFIO against drop_caches or others."""
    return make("pin_versus", version, knobs)


def drop_caches_only(**knobs: object) -> Situation:
    """`make("drop_caches_only", ...)`: one write to drop_caches, nobody else."""
    return make("drop_caches_only", "base", knobs)


def lru_batch(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("lru_batch", ...)`: single pages, one of them in another CPU's batch."""
    return make("lru_batch", version, knobs)


def boot_guest(version: str | Version = "base", **knobs: object) -> BootGuest:
    """`make("boot_guest", ...)`: a guest's memory is found in a zone, then pinned."""
    situation = make("boot_guest", version, knobs)
    assert isinstance(situation, BootGuest)
    return situation


def timed_hold(version: str = "base", **knobs: object) -> Situation:
    """`make("timed_hold", ...)`: a reference that lasts a given time against the retry loop."""
    return make("timed_hold", version, knobs)


def cma_alloc(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("cma_alloc", ...)`: the owner of the area takes memory back."""
    return make("cma_alloc", version, knobs)
