"""Free memory by the size of its blocks: what is in /proc/buddyinfo, as a picture.

Interface: free_area_svg, draw_free_area, free_area_sentence, free_area_table, ALL_TYPES

`free_by_type` is migratetype -> free blocks of each order.  Bars show how much memory lies in the
blocks of an order, and the number of blocks stands beside them: a count alone would make a single
page look as large as 4 MiB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_CMA, MIGRATETYPES
from mmsim.mm.fragmentation import summed
from mmsim.mm.untouched import pages
from mmsim.views import svg as style
from mmsim.views.blockmap import claim
from mmsim.views.svg import (
    FILLS,
    INK,
    LEGEND_ROW,
    LINE,
    MUTED,
    SMALL,
    TITLE,
    Fill,
    Svg,
    heading,
    legend,
    panel,
    swatch,
)
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

FreeByType = Mapping[str, Sequence[int]]

ALL_TYPES = "all types"
"""The one key where types are not known, as in /proc/buddyinfo."""
_LABEL, _COUNT, _ROW_MAX = 102.0, 92.0, 30.0
_AROUND = 26 + 8 + 2 * LEGEND_ROW


def _fill(name: str) -> Fill:
    return style.MIGRATETYPES.get(name, FILLS["other"])


def _types(free_by_type: FreeByType) -> list[str]:
    """Those that have free memory, the kernel's in its order, unknown ones behind."""
    names = [*MIGRATETYPES, *(name for name in free_by_type if name not in MIGRATETYPES)]
    return [name for name in names if any(free_by_type.get(name, ()))]


def draw_free_area(
    svg: Svg, x: float, y: float, w: float, h: float, free_by_type: FreeByType, order: int
) -> None:
    """A row for each order, the largest on top; a line under the orders that serve `order`."""
    free = summed(free_by_type)
    types = _types(free_by_type)
    heading(svg, x, y + 13, "How much is free, by size of block", w, "blocks")
    most = max((blocks << size for size, blocks in enumerate(free)), default=0) or 1
    top, high = y + 26, min((h - _AROUND) / max(len(free), 1), _ROW_MAX)
    room = w - _LABEL - _COUNT
    for i, size in enumerate(reversed(range(len(free)))):
        at = top + i * high
        base = at + high / 2 + 4
        svg.text(x, base, f"{size} · {size_words(1 << size)}", _LABEL - 8, size=SMALL)
        left = x + _LABEL
        for name in types:
            amount = free_by_type[name][size] << size
            if amount:
                wide = max(room * amount / most, 1.5)
                svg.filled(left, at + 2, wide, high - 4, _fill(name), stroke=_fill(name).mark)
                left += wide
        ink, said = (INK, f"{free[size]:,}") if free[size] else (MUTED, "none")
        svg.text(x + w, base, said, _COUNT - 8, size=SMALL, fill=ink, anchor="end")
        if size == order:
            edge = at + high
            svg.line(x, edge, x + w, edge, stroke=INK, stroke_width=1.4, stroke_dasharray="5 3")
    svg.line(x + _LABEL, top, x + _LABEL, top + len(free) * high, stroke=LINE)
    signs = [swatch(svg, _fill(name), name) for name in types]
    legend(svg, x, top + len(free) * high + 8, w, signs)


def free_area_sentence(free_by_type: FreeByType, order: int) -> str:
    """How much of the free memory lies in blocks of at least `order`, and where."""
    free = summed(free_by_type)
    total, large = pages(free), pages([0] * order + list(free[order:]))
    size = size_words(1 << order)
    if not total:
        return "Nothing is free."
    part = size_words(large) if large else "None"
    said = f"{part} of the {size_words(total)} of free memory is in blocks of {size} or more"
    lent = free_by_type.get(MIGRATE_CMA)
    if lent is None or not large:
        return f"{said}."
    inside = pages([0] * order + list(lent[order:]))
    return f"{said}, {size_words(inside)} of that in CMA."


def free_area_svg(
    free_by_type: FreeByType, order: int = HPAGE_PMD_ORDER, nr_pages: int | None = None
) -> str:
    """The histogram as a picture of its own; `nr_pages` is the size of the zone, if known."""
    title = claim(free_by_type, order, nr_pages)
    high = _AROUND + _ROW_MAX * min(len(summed(free_by_type)), 13)
    svg = Svg(880, high + 80, title, f"{title}. {free_area_sentence(free_by_type, order)}")
    svg.text(18, 32, title, 844, size=TITLE, bold=True)
    panel(svg, 8, 48, 864, high + 24)
    draw_free_area(svg, 18, 60, 840, high, free_by_type, order)
    return svg.render()


def free_area_table(free_by_type: FreeByType) -> pd.DataFrame:
    """Free blocks: a row for each type, a column for each order, and the pages in all of them."""
    import pandas as pd

    orders = range(len(summed(free_by_type)))
    types = _types(free_by_type)
    rows = [[*free_by_type[name], pages(free_by_type[name])] for name in types]
    columns = [*map(str, orders), "pages"]
    index = pd.Index(types, name="type", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
