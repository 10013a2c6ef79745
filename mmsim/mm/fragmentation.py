"""How fragmented free memory is: the kernel's three numbers.

Mirrors mm/vmstat.c, 6.1-rc1.

`free` is always a sequence: free[i] is the number of free blocks of order i (2**i pages each), as
in /proc/buddyinfo, summed over **all** migratetypes.  Over PIN_SCOPE_TYPES alone the numbers are an
extension of mmsim: a free CMA block makes the kernel's say "would succeed" to a pin that may not
have it.  A wrong count or order is a ValueError."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PIN_SCOPE_TYPES = ("UNMOVABLE", "RECLAIMABLE", "MOVABLE")
"""Lists that a request inside a long-term pin may take from, its own first, then by fallback."""

_PRINTED = re.compile(r"(-?[0-9]{1,15})\.([0-9]{3}|-[0-9]{2,3})")


def unusable_index(free: Sequence[int], order: int) -> int:
    """Thousandths of the free pages that lie in blocks too small for `order`.

    0: all of free memory is usable, 1000: none of it (or nothing is free).
    Kernel: unusable_free_index(), shown in debugfs extfrag/unusable_index."""
    _, pages, found = fill_contig_page_info(free, order)
    return (pages - (found << order)) * 1000 // pages if pages else 1000


def extfrag_index(free: Sequence[int], order: int) -> int:
    """Why a request of `order` would fail, in thousandths; -1000 if it would not.

    Near 0: memory is short.  Near 1000: it is fragmented.  Below 0 but above -1000: so little is
    free that the formula leaves its range.  0 too when nothing is free.
    Kernel: __fragmentation_index(), shown in debugfs extfrag/extfrag_index."""
    blocks, pages, found = fill_contig_page_info(free, order)
    if not blocks:
        return 0
    if found:
        return -1000
    return 1000 - (1000 + pages * 1000 // (1 << order)) // blocks


def extfrag_for_order(free: Sequence[int], order: int) -> int:
    """Percent of the free pages that lie in blocks too small for `order`; 0 if nothing is free.

    Kernel: extfrag_for_order(), which proactive compaction asks."""
    _, pages, found = fill_contig_page_info(free, order)
    return (pages - (found << order)) * 100 // pages if pages else 0


def fill_contig_page_info(free: Sequence[int], order: int) -> tuple[int, int, int]:
    """Free blocks, free pages, and blocks of `order` that could be cut from them."""
    if not 0 <= order < len(free):
        raise ValueError(
            f"order {order} can't be asked about: free has {len(free)} counts, "
            f"one for each order from 0; give as many as the zone has orders"
        )
    wrong = next((n for n in free if n < 0), None)
    if wrong is not None:
        raise ValueError(f"{wrong} free blocks can't be: counts are 0 or more")
    found = sum(n << (i - order) for i, n in enumerate(free) if i >= order)
    return sum(free), sum(n << i for i, n in enumerate(free)), found


def suitable(free: Sequence[int], order: int) -> int:
    """Blocks of `order` that could be cut from the free ones."""
    return fill_contig_page_info(free, order)[2]


def format_index(index: int) -> str:
    """An index as debugfs shows it: 499 is "0.499", -1000 is "-1.000", and -500 is "0.-500".

    The kernel prints two numbers, each rounded towards 0 with a sign of its own."""
    whole, rest = divmod(abs(index), 1000)
    if index < 0:
        whole, rest = -whole, -rest
    return f"{whole}.{rest:03d}"


def parse_index(text: str) -> int:
    """The index that debugfs shows as `text`; ValueError for what it never shows."""
    match = _PRINTED.fullmatch(text.strip())
    index = int(match[1]) * 1000 + int(match[2]) if match else 0
    if match is None or format_index(index) != text.strip():
        raise ValueError(f"{text!r} is not an index as the kernel prints it, such as 0.499")
    return index


def sum_types(
    free_by_type: Mapping[str, Sequence[int]], types: Sequence[str] | None = None
) -> tuple[int, ...]:
    """Free blocks for each order over the migratetypes `types` (upper case), by default over all.

    ValueError if two types have different numbers of orders."""
    lengths = {len(free) for free in free_by_type.values()}
    if len(lengths) > 1:
        raise ValueError(f"migratetypes with different numbers of orders: {sorted(lengths)}")
    counted = [
        free for name, free in free_by_type.items() if types is None or name.upper() in types
    ]
    return tuple(sum(free[order] for free in counted) for order in range(max(lengths, default=0)))
