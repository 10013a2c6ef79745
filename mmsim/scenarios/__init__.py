"""Named situations: a world, actors, and knobs to change them.

Floor 4.  Interface: make, vfio_map, boot_guest, Situation, SCENARIOS
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mmsim.hints import nearest
from mmsim.scenarios.boot_guest import BOOT_GUEST, BootGuest
from mmsim.scenarios.situation import Situation, Spec
from mmsim.scenarios.vfio_map import CMA_PFN, VFIO_MAP

__all__ = ["CMA_PFN", "SCENARIOS", "Situation", "boot_guest", "make", "vfio_map"]

SCENARIOS: dict[str, Spec] = {spec.name: spec for spec in (VFIO_MAP, BOOT_GUEST)}


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


def boot_guest(version: str = "base", **knobs: object) -> BootGuest:
    """`make("boot_guest", ...)`: a guest's memory is found in a zone, then pinned."""
    situation = make("boot_guest", version, knobs)
    assert isinstance(situation, BootGuest)
    return situation
