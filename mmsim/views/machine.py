"""A machine's memory as somebody pasted it: one zone as a picture, in words, and as tables.

The kernel's indices of fragmentation stand beside what a long-term pin could use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mmsim.constants import HPAGE_PMD_ORDER, MAX_ORDER, PAGEBLOCK_ORDER
from mmsim.errors import UserError
from mmsim.evidence.proc import (
    BuddyZone,
    PageTypeZone,
    Pasted,
    ZoneInfo,
    read_memory,
    zone_of,
)
from mmsim.mm.fragmentation import (
    PIN_SCOPE_TYPES,
    extfrag_for_order,
    extfrag_index,
    pin_scope,
    printed,
    suitable,
    summed,
    unusable_index,
)
from mmsim.mm.zone import pages
from mmsim.views.memory import (
    ALL_TYPES,
    KIB,
    FreeByType,
    free_sentence,
    free_svg,
    supply_table,
)
from mmsim.views.words import plural, size_words

if TYPE_CHECKING:
    import pandas as pd

# -- the kernel's indices, beside what a pin could use

KERNEL = "the kernel's: all lists"
PIN_SCOPE = "mmsim's own: usable inside a long-term pin"
UNKNOWN = "not known: paste /proc/pagetypeinfo"


def indices_table(free_by_type: FreeByType, order: int, page_kib: int = KIB) -> pd.DataFrame:
    """Blocks of `order` to be had and the three indices, over all lists and for a pin.

    ValueError for an order that the lists don't have."""
    import pandas as pd

    free, mine = summed(free_by_type), pin_scope(free_by_type, order)
    usable = suitable(summed(free_by_type, PIN_SCOPE_TYPES), order)
    rows = {
        f"blocks of {size_words(1 << order, page_kib)} to be had": (suitable(free, order), usable),
        "unusable_index": (printed(unusable_index(free, order)), printed(mine.unusable_index)),
        "extfrag_index": (printed(extfrag_index(free, order)), printed(mine.extfrag_index)),
        "extfrag_for_order": (f"{extfrag_for_order(free, order)} %", f"{mine.extfrag_for_order} %"),
    }
    cells = [(ours, UNKNOWN if ALL_TYPES in free_by_type else pin) for ours, pin in rows.values()]
    index = pd.Index(list(rows), name=f"order {order}", dtype=object)
    return pd.DataFrame(cells, index=index, columns=[KERNEL, PIN_SCOPE], dtype=object)


def _indices_sentence(free_by_type: FreeByType, order: int, page_kib: int) -> str:
    """The indices in words; ValueError for an order that the lists don't have."""
    free = summed(free_by_type)
    unusable, extfrag = unusable_index(free, order), extfrag_index(free, order)
    verdict = "a request would succeed"
    if extfrag != -1000:
        why = "for want of memory" if extfrag < 500 else "because free memory is in pieces"
        verdict = f"a request would fail, {why}"
    said = (
        f"For order {order} unusable_index is {printed(unusable)}, and extfrag_index "
        f"{printed(extfrag)} says: {verdict}."
    )
    if ALL_TYPES in free_by_type:
        return f"{said} What a long-term pin could use of it, this file does not tell."
    mine = suitable(summed(free_by_type, PIN_SCOPE_TYPES), order)
    blocks = f"{plural(mine, 'block')} of {size_words(1 << order, page_kib)}"
    return f"{said} Usable inside a long-term pin (mmsim's number, not a kernel's): {blocks}."


# -- a machine's memory as somebody pasted it

NOTE = "Sizes are for pages of 4 KiB."
PAGE_SIZES = (4, 8, 16, 64)
"""Sizes of a page, in KiB, that kernels have."""
PMD_ORDERS = {4: 9, 8: 10, 16: 11, 64: 13}
"""Order of a huge page, by the size of a page."""
NOT_TOLD = (
    "The text does not tell how large a page is, so pages are counted. Say the size to see bytes: "
    "for instance page_kib=64 in a notebook, --page-kib 64 at the command line."
)
_AnyZone = BuddyZone | PageTypeZone | ZoneInfo


class Machine(NamedTuple):
    """What there is to see of one zone of a pasted text, and a line for each zone.

    `svg` is empty for /proc/zoneinfo, which says how much is free, but not in which blocks."""

    svg: str
    sentence: str
    table: pd.DataFrame
    zones: pd.DataFrame
    names: tuple[str, ...]
    """Every zone of the text, such as "0 Normal": node and name."""
    chosen: str
    orders: int
    """How many orders the lists have; 0 for /proc/zoneinfo, which has none."""
    order: int = HPAGE_PMD_ORDER
    """The one that was asked about."""


def _name(zone: _AnyZone) -> str:
    return f"{zone.node} {zone.zone}"


def _free(zone: _AnyZone) -> int:
    """Free pages."""
    return zone.nr_free_pages if isinstance(zone, ZoneInfo) else pages(zone.free)


def machine(
    text: str,
    zone: str | None = None,
    node: int | None = None,
    order: int | None = None,
    page_kib: int | None = None,
) -> Machine:
    """The zone of that name in a pasted text, or the one with most free memory.

    `order`: the order asked about, by default that of a page block where the text tells it, or of a
    huge page.  `page_kib`: the size of a page, if the text does not tell it.  Raises PasteError,
    one sentence, for a text or a zone that can't be used, UserError for an order or a size that
    there is not."""
    pasted = read_memory(text)
    zones: tuple[_AnyZone, ...] = pasted.zones
    one = max(zones, key=_free) if zone is None else zone_of(zones, zone, node)
    names = tuple(map(_name, zones))
    block = one.pageblock_order if isinstance(one, PageTypeZone) else None
    size = _page_kib(pasted, block, page_kib)
    notes = [NOTE.replace("4", str(size)) if size else NOT_TOLD, *pasted.notes]
    if isinstance(one, ZoneInfo):
        infos = [z for z in zones if isinstance(z, ZoneInfo)]
        said = " ".join([_half_sentence(one, size), *notes])
        return Machine("", said, _halves([one]), _halves(infos), names, _name(one), 0)
    lists = one.free_by_type if isinstance(one, PageTypeZone) else {ALL_TYPES: one.free}
    if order is None:
        usual = PMD_ORDERS.get(size, HPAGE_PMD_ORDER) if block is None else block
        order = min(usual, len(one.free) - 1)
    if not 0 <= order < len(one.free):
        raise UserError(f"order {order} can't be asked about: there are 0 to {len(one.free) - 1}")
    words = [f"Zone {one.zone} of node {one.node}.", free_sentence(lists, order, size)]
    words.append(_indices_sentence(lists, order, size))
    if block not in (None, PAGEBLOCK_ORDER):
        words.append(f"A page block has order {block} here.")
    if letters := pasted.letters.get((one.node, one.zone)):
        lent = ", ".join(str(at) for at, types in enumerate(letters) if "C" in types)
        words.append(f"Orders with free blocks in CMA: {lent or 'none'}.")
    if isinstance(one, PageTypeZone) and one.at_least:
        words.append("The kernel stopped counting some lists, so there is more than this.")
    every = {_name(z): z.free for z in zones if not isinstance(z, ZoneInfo)}
    return Machine(
        svg=free_svg(lists, order, size),
        sentence=" ".join(words + notes),
        table=indices_table(lists, order, size),
        zones=supply_table("node and zone", every, order, size),
        names=names,
        chosen=_name(one),
        orders=len(one.free),
        order=order,
    )


def _page_kib(pasted: Pasted, block: int | None, given: int | None) -> int:
    """How large a page is; 0 if neither the text nor the user tells it.

    Not told, but so usual that it is taken: 4 KiB where there are 11 orders and, if it is known, a
    page block is of order 9."""
    if given is not None and given not in PAGE_SIZES:
        raise UserError(f"page_kib is one of {', '.join(map(str, PAGE_SIZES))}, not {given!r}")
    if pasted.page_kib and given not in (None, pasted.page_kib):
        raise UserError(f"the text tells that a page has {pasted.page_kib} KiB, not {given}")
    if given or pasted.page_kib:
        return given or pasted.page_kib or 0
    if isinstance(pasted.zones[0], ZoneInfo):
        return 0
    usual = len(pasted.zones[0].free) == MAX_ORDER and block in (None, PAGEBLOCK_ORDER)
    return KIB if usual else 0


def _cma_first(zone: ZoneInfo) -> bool:
    """Do movable requests go to CMA first?  Kernel: mm/page_alloc.c, __rmqueue()."""
    return (zone.nr_free_cma or 0) > zone.nr_free_pages // 2


def _half_sentence(zone: ZoneInfo, page_kib: int) -> str:
    size = size_words(zone.nr_free_pages, page_kib)
    free = f"Zone {zone.zone} of node {zone.node} has {size} free"
    if zone.managed is None:
        free += " (of how many pages, this kernel does not tell)"
    if not zone.nr_free_cma:
        unknown = zone.nr_free_cma is None and bool(zone.present)
        return f"{free}, {'of CMA it tells nothing' if unknown else 'none of it in CMA'}."
    rule = "more than half, so movable requests go to CMA first"
    if not _cma_first(zone):
        rule = "not more than half, so movable requests try their own lists first"
    lent = size_words(zone.nr_free_cma, page_kib)
    return f"{free}, {lent} of that in CMA: {rule} (Linux 5.8 and later)."


def _halves(zones: list[ZoneInfo]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for zone in zones:
        lent = zone.nr_free_cma or 0
        first = "CMA" if _cma_first(zone) else "their own lists"
        managed = "not known" if zone.managed is None else zone.managed
        rows.append((managed, zone.nr_free_pages, lent, zone.nr_free_pages - lent, first))
    columns = ["pages", "free", "free in CMA", "free outside CMA", "movable requests try first"]
    index = pd.Index(list(map(_name, zones)), name="node and zone", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
