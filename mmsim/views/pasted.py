"""A machine's memory as somebody pasted it: its free lists as a picture, in words, in tables.

Interface: Machine, machine, zone_names, NOTE

The sizes assume pages of 4 KiB, which the files do not tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_CMA, MIGRATE_MOVABLE
from mmsim.evidence.proc import BuddyZone, PageTypeZone, ZoneInfo, read_memory, zone_of
from mmsim.mm.fragmentation import suitable
from mmsim.mm.untouched import pages
from mmsim.views import svg as style
from mmsim.views.freearea import ALL_TYPES, FreeByType, free_area_sentence, free_area_svg
from mmsim.views.indices import indices_sentence, indices_table
from mmsim.views.svg import INK, SMALL, TITLE, Sign, Svg, legend, panel, swatch
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

NOTE = "Sizes are for pages of 4 KiB."
_AnyZone = BuddyZone | PageTypeZone | ZoneInfo


class Machine(NamedTuple):
    """What there is to see of one zone of a pasted text, and a line for each zone."""

    svg: str
    sentence: str
    table: pd.DataFrame
    zones: pd.DataFrame
    names: tuple[str, ...]
    """Every zone of the text, such as "0 Normal": node and name."""
    chosen: str
    orders: int
    """How many orders the lists have; 0 for /proc/zoneinfo, which has none."""


def _name(zone: _AnyZone) -> str:
    return f"{zone.node} {zone.zone}"


def _lists(zone: BuddyZone | PageTypeZone) -> FreeByType:
    return zone.free_by_type if isinstance(zone, PageTypeZone) else {ALL_TYPES: zone.free}


def _free(zone: _AnyZone) -> int:
    """Free pages."""
    return zone.nr_free_pages if isinstance(zone, ZoneInfo) else pages(zone.free)


def machine(
    text: str, zone: str | None = None, node: int | None = None, order: int | None = None
) -> Machine:
    """The zone of that name in a pasted text, or the one with most free memory.

    `order`: the order asked about, 9 if the lists go that far.  Raises PasteError, one sentence,
    for a text or a zone that can't be used, ValueError for an order that there is not."""
    zones: tuple[_AnyZone, ...] = read_memory(text).zones
    chosen = max(zones, key=_free) if zone is None else zone_of(zones, zone, node)
    names = tuple(map(_name, zones))
    if isinstance(chosen, ZoneInfo):
        infos = [z for z in zones if isinstance(z, ZoneInfo)]
        svg, said = _split_svg(chosen), _split_sentence(chosen)
        return Machine(
            svg, said, _watermarks([chosen]), _watermarks(infos), names, _name(chosen), 0
        )
    lists = _lists(chosen)
    if order is None:
        order = min(HPAGE_PMD_ORDER, len(chosen.free) - 1)
    words = [f"Zone {chosen.zone} of node {chosen.node}.", free_area_sentence(lists, order)]
    words += [indices_sentence(lists, order), NOTE]
    if isinstance(chosen, PageTypeZone) and chosen.at_least:
        words.append("The kernel stopped counting some lists, so there is more than this.")
    return Machine(
        svg=free_area_svg(lists, order),
        sentence=" ".join(words),
        table=indices_table(lists, order),
        zones=_by_zone([z for z in zones if not isinstance(z, ZoneInfo)], order),
        names=names,
        chosen=_name(chosen),
        orders=len(chosen.free),
    )


def _by_zone(zones: list[BuddyZone | PageTypeZone], order: int) -> pd.DataFrame:
    import pandas as pd

    size = size_words(1 << order)
    rows = []
    for zone in zones:
        largest = max((at for at, blocks in enumerate(zone.free) if blocks), default=None)
        words = "none" if largest is None else size_words(1 << largest)
        rows.append((size_words(pages(zone.free)), words, suitable(zone.free, order)))
    columns = ["free", "largest free block", f"blocks of {size} to be had"]
    index = pd.Index(list(map(_name, zones)), name="node and zone", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


# -- /proc/zoneinfo has no lists, only how much is free


def _cma_first(zone: ZoneInfo) -> bool:
    """Do movable requests go to CMA first?  Kernel: mm/page_alloc.c, __rmqueue()."""
    return (zone.nr_free_cma or 0) > zone.nr_free_pages // 2


def _split_sentence(zone: ZoneInfo) -> str:
    free = f"Zone {zone.zone} of node {zone.node} has {size_words(zone.nr_free_pages)} free"
    if not zone.nr_free_cma:
        return f"{free}, none of it in CMA. {NOTE}"
    rule = "more than half, so movable requests go to CMA first"
    if not _cma_first(zone):
        rule = "not more than half, so movable requests try their own lists first"
    return f"{free}, {size_words(zone.nr_free_cma)} of that in CMA: {rule}. {NOTE}"


def _split_svg(zone: ZoneInfo) -> str:
    lent = zone.nr_free_cma or 0
    parts = {MIGRATE_MOVABLE: zone.nr_free_pages - lent, MIGRATE_CMA: lent}
    title = _split_sentence(zone).partition(". ")[0].partition(": ")[0]
    svg = Svg(880, 150, title, _split_sentence(zone))
    svg.text(18, 32, title, 844, size=TITLE, bold=True)
    panel(svg, 8, 48, 864, 94)
    at, room = 24.0, 832.0
    signs: list[Sign] = []
    for name, amount in parts.items():
        fill = style.MIGRATETYPES[name]
        wide = room * amount / max(zone.nr_free_pages, 1)
        svg.filled(at, 64, wide, 34, fill, stroke=fill.mark)
        at += wide
        said = "free outside CMA" if name == MIGRATE_MOVABLE else "free in CMA"
        words = f"{said}: {size_words(amount)}"
        signs.append(swatch(svg, fill, words))
    svg.line(24 + room / 2, 58, 24 + room / 2, 104, stroke=INK, stroke_width=1.6)
    svg.text(30 + room / 2, 112, "half", 60, size=SMALL)
    legend(svg, 24, 118, 400, signs)
    return svg.render()


def _watermarks(zones: list[ZoneInfo]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for zone in zones:
        lent = zone.nr_free_cma or 0
        first = "CMA" if _cma_first(zone) else "their own lists"
        rows.append((zone.managed, zone.nr_free_pages, lent, zone.nr_free_pages - lent, first))
    columns = ["pages", "free", "free in CMA", "free outside CMA", "movable requests try first"]
    index = pd.Index(list(map(_name, zones)), name="node and zone", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
