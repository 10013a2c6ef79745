"""Picking one zone of several.

Interface: zone_of
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from mmsim.errors import nearest
from mmsim.procfs.text import PasteError


class _HasZone(Protocol):
    @property
    def node(self) -> int: ...
    @property
    def zone(self) -> str: ...


_Z = TypeVar("_Z", bound=_HasZone)


def zone_of(zones: Iterable[_Z], zone: str, node: int | None = None) -> _Z:
    """The zone of that name, on `node` if several nodes have one; PasteError if there is none."""
    zones = tuple(zones)
    named = [z for z in zones if z.zone == zone and node in (None, z.node)]
    if len(named) == 1:
        return named[0]
    if named:
        nodes = ", ".join(str(z.node) for z in named)
        raise PasteError(f"zone {zone} is on nodes {nodes}: say which one, such as node=0")
    if any(z.zone == zone for z in zones):
        nodes = ", ".join(str(z.node) for z in zones if z.zone == zone)
        raise PasteError(f"node {node} has no zone {zone} in this text; nodes that do: {nodes}")
    there = dict.fromkeys(z.zone for z in zones)
    raise PasteError(f"this text has no zone {zone!r}{nearest(zone, there)}; paste all of it")
