"""How fragmented free memory is: the kernel's three numbers, and one of our own.

Mirrors mm/vmstat.c, 6.1-rc1.

`free` is always a sequence: free[i] is the number of free blocks of order i (2**i pages each),
summed over **all** migratetypes, as in /proc/buddyinfo.  All functions are pure; a wrong count or
order is a ValueError.

The kernel divides unsigned numbers only, so // is its division.  Signs matter in one place: a
negative index is cut into two numbers when it is printed, and C rounds those towards 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

PIN_SCOPE_TYPES = ("UNMOVABLE", "RECLAIMABLE", "MOVABLE")
"""Lists that a request inside a long-term pin may take from, its own first, then by fallback."""

_PRINTED = re.compile(r"(-?[0-9]{1,15})\.([0-9]{3}|-[0-9]{2,3})")


class _Sums(NamedTuple):
    blocks: int
    pages: int
    suitable: int
    """Blocks of the asked order that could be cut from the free ones."""


def unusable_index(free: Sequence[int], order: int) -> int:
    """Thousandths of the free pages that lie in blocks too small for `order`.

    0: all of free memory is usable, 1000: none of it (or nothing is free).
    Kernel: mm/vmstat.c, unusable_free_index(), shown in debugfs extfrag/unusable_index.
    """
    sums = _sums(free, order)
    if not sums.pages:
        return 1000
    return (sums.pages - (sums.suitable << order)) * 1000 // sums.pages


def extfrag_index(free: Sequence[int], order: int) -> int:
    """Why a request of `order` would fail, in thousandths; -1000 if it would not.

    Near 0: memory is short.  Near 1000: it is fragmented.  Below 0 but above -1000: so little is
    free that the formula leaves its range.  0 too when nothing is free.
    Kernel: mm/vmstat.c, __fragmentation_index(), shown in debugfs extfrag/extfrag_index.
    """
    sums = _sums(free, order)
    if not sums.blocks:
        return 0
    if sums.suitable:
        return -1000
    return 1000 - (1000 + sums.pages * 1000 // (1 << order)) // sums.blocks


def extfrag_for_order(free: Sequence[int], order: int) -> int:
    """Percent of the free pages that lie in blocks too small for `order`; 0 if nothing is free.

    Kernel: mm/vmstat.c, extfrag_for_order(), which proactive compaction asks.
    """
    sums = _sums(free, order)
    if not sums.pages:
        return 0
    return (sums.pages - (sums.suitable << order)) * 100 // sums.pages


def _sums(free: Sequence[int], order: int) -> _Sums:
    """Kernel: mm/vmstat.c, fill_contig_page_info()."""
    if not 0 <= order < len(free):
        raise ValueError(
            f"order {order} can't be asked about: free has {len(free)} counts, "
            f"one for each order from 0; give as many as the zone has orders"
        )
    wrong = next((n for n in free if n < 0), None)
    if wrong is not None:
        raise ValueError(f"{wrong} free blocks can't be: counts are 0 or more")
    return _Sums(
        blocks=sum(free),
        pages=sum(n << i for i, n in enumerate(free)),
        suitable=sum(n << (i - order) for i, n in enumerate(free) if i >= order),
    )


def suitable(free: Sequence[int], order: int) -> int:
    """Blocks of `order` that could be cut from the free ones."""
    return _sums(free, order).suitable


def printed(index: int) -> str:
    """An index as debugfs shows it: 499 is "0.499", -1000 is "-1.000", and -500 is "0.-500"."""
    whole, rest = divmod(abs(index), 1000)
    if index < 0:
        whole, rest = -whole, -rest
    return f"{whole}.{rest:03d}"


def read_printed(text: str) -> int:
    """The index that debugfs shows as `text`; ValueError for what it never shows."""
    match = _PRINTED.fullmatch(text.strip())
    index = int(match[1]) * 1000 + int(match[2]) if match else 0
    if match is None or printed(index) != text.strip():
        raise ValueError(f"{text!r} is not an index as the kernel prints it, such as 0.499")
    return index


def summed(
    free_by_type: Mapping[str, Sequence[int]], types: Sequence[str] | None = None
) -> tuple[int, ...]:
    """Free blocks for each order over the migratetypes `types` (upper case), by default over all.

    ValueError if two types have different numbers of orders.
    """
    lengths = {len(free) for free in free_by_type.values()}
    if len(lengths) > 1:
        raise ValueError(f"migratetypes with different numbers of orders: {sorted(lengths)}")
    counted = [
        free for name, free in free_by_type.items() if types is None or name.upper() in types
    ]
    return tuple(sum(free[order] for free in counted) for order in range(max(lengths, default=0)))


class PinScope(NamedTuple):
    """What a request inside a long-term pin can use of free memory."""

    blocks: int
    """Free blocks of at least the asked order."""
    unusable_index: int
    extfrag_index: int
    extfrag_for_order: int


def pin_scope(free_by_type: Mapping[str, Sequence[int]], order: int) -> PinScope:
    """The same numbers over the lists that are usable by a pin-scope request.

    **An extension of mmsim, not a metric of the kernel**, which looks at no migratetypes here: a
    free CMA block makes its indices say "would succeed" to a request that may not have it.

    `free_by_type`: migratetype -> free blocks of each order; upper or lower case does not matter.
    Only UNMOVABLE, RECLAIMABLE and MOVABLE count: not CMA, ISOLATE, HIGHATOMIC, and no type of
    another kernel that is unknown here.  What no list can tell (watermarks, compaction) is left
    out.
    """
    free = summed(free_by_type, PIN_SCOPE_TYPES)
    return PinScope(
        unusable_index=unusable_index(free, order),
        extfrag_index=extfrag_index(free, order),
        extfrag_for_order=extfrag_for_order(free, order),
        blocks=sum(free[order:]),
    )
