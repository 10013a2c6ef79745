"""Zones as /proc/buddyinfo and /proc/pagetypeinfo print them; what the parsers read back.

Mirrors mm/vmstat.c, frag_show() and pagetypeinfo_show(), 6.1-rc1.

Interface: print_buddyinfo, print_pagetypeinfo

Left out: pagetypeinfo stops counting a list at 100,000 blocks, here it does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmsim.procfs.buddyinfo import BuddyZone
from mmsim.procfs.pagetypeinfo import PageTypeZone

# Names as the kernel writes them; parsers read them in upper case.
_NAMES = {"HIGHATOMIC": "HighAtomic", "CMA": "CMA"}


def print_buddyinfo(zones: Iterable[BuddyZone]) -> str:
    """A line for each zone."""
    return "".join(
        f"Node {node}, zone {zone:>8} " + "".join(f"{n:6d} " for n in free) + "\n"
        for node, zone, free in zones
    )


def print_pagetypeinfo(zones: Sequence[PageTypeZone]) -> str:
    """Zones of one node: free blocks of each type, then pageblocks of each type."""
    first = zones[0]
    orders = "".join(f"{order:6d} " for order in range(len(first.free)))
    text = f"Page block order: {first.pageblock_order}\n"
    text += f"Pages per block:  {1 << first.pageblock_order}\n\n"
    text += f"{'Free pages count per migrate type at order ':<43}{orders}\n"
    for zone in zones:
        for migratetype, free in zone.free_by_type.items():
            name = _name(migratetype)
            text += f"Node {zone.node:4d}, zone {zone.zone:>8}, type {name:>12} "
            text += "".join(f"{n:6d} " for n in free) + "\n"
    text += f"\n{'Number of blocks type ':<23}"
    text += "".join(f"{_name(migratetype):>12} " for migratetype in first.pageblocks) + "\n"
    for zone in zones:
        text += f"Node {zone.node}, zone {zone.zone:>8} "
        text += "".join(f"{n:12d} " for n in zone.pageblocks.values()) + "\n"
    return text


def _name(migratetype: str) -> str:
    return _NAMES.get(migratetype, migratetype.capitalize())
