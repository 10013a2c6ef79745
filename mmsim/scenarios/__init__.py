"""Named situations: a world, actors, and knobs to change them.

Floor 4.  Interface: make, vfio_map, split_race, Situation, SCENARIOS
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmsim.hints import nearest
from mmsim.scenarios.situation import Situation, Spec
from mmsim.scenarios.split_race import SPLIT_RACE
from mmsim.scenarios.vfio_map import CMA_PFN, VFIO_MAP

__all__ = ["CMA_PFN", "SCENARIOS", "Situation", "make", "split_race", "vfio_map"]

SCENARIOS: dict[str, Spec] = {spec.name: spec for spec in (VFIO_MAP, SPLIT_RACE)}


def make(
    name: str,
    version: str = "base",
    knobs: Mapping[str, object] = MappingProxyType({}),
    *,
    merge: bool = False,
) -> Situation:
    """A situation by name; raises ValueError with the nearest match for whatever is unknown.

    `merge` prepares it for the exhaustive search.
    """
    if name not in SCENARIOS:
        raise ValueError(f"no scenario {name!r}{nearest(name, SCENARIOS)}")
    return SCENARIOS[name].make(version, knobs, merge=merge)


def vfio_map(version: str = "base", **knobs: object) -> Situation:
    """`make("vfio_map", ...)`: the report's situation."""
    return make("vfio_map", version, knobs)


def split_race(version: str = "base", **knobs: object) -> Situation:
    """`make("split_race", ...)`: the smallest race."""
    return make("split_race", version, knobs)
