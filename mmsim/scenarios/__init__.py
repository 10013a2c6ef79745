"""Named situations: a world, actors, and knobs to change them.

Floor 4.  Interface: make, vfio_map, pin_versus, drop_caches_only, Situation, SCENARIOS, SMALL
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmsim.hints import nearest
from mmsim.mm.versions import Version
from mmsim.scenarios.drop_caches_only import DROP_CACHES_ONLY
from mmsim.scenarios.guest import CMA_PFN
from mmsim.scenarios.lru_batch import LRU_BATCH
from mmsim.scenarios.pin_versus import PIN_VERSUS, SMALL
from mmsim.scenarios.situation import Situation, Spec
from mmsim.scenarios.vfio_map import VFIO_MAP

__all__ = [
    "CMA_PFN",
    "SCENARIOS",
    "SMALL",
    "Situation",
    "drop_caches_only",
    "lru_batch",
    "make",
    "pin_versus",
    "vfio_map",
]

SCENARIOS: dict[str, Spec] = {
    spec.name: spec for spec in (VFIO_MAP, PIN_VERSUS, DROP_CACHES_ONLY, LRU_BATCH)
}


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


def pin_versus(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("pin_versus", ...)`: a map by VFIO against drop_caches or others."""
    return make("pin_versus", version, knobs)


def drop_caches_only(**knobs: object) -> Situation:
    """`make("drop_caches_only", ...)`: one write to drop_caches, nobody else."""
    return make("drop_caches_only", "base", knobs)


def lru_batch(version: str | Version = "base", **knobs: object) -> Situation:
    """`make("lru_batch", ...)`: single pages, one of them in another CPU's batch."""
    return make("lru_batch", version, knobs)
