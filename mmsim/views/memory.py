"""Memory as pictures: a map of a zone's pageblocks, and its free lists.

A zone with more pageblocks than the map has cells is shown in cells of several neighbours; the
scale stands above the map.  Free lists are drawn as how much memory lies in the blocks of an order,
because a count alone would make a page look as large as 4 MiB.  `free_by_type` is migratetype ->
free blocks of each order, of a zone or of a text that somebody pasted; `page_kib` is the size of a
page, 0 if nobody knows it: then pages are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MIGRATE_CMA,
    MIGRATETYPES,
    PAGE_SIZE,
)
from mmsim.mm.fragmentation import (
    suitable,
    summed,
)
from mmsim.mm.zone import Cell, Zone, occupancy, pages
from mmsim.views import svg as style
from mmsim.views.svg import (
    FILLS,
    HELD,
    INK,
    LEGEND_ROW,
    LINE,
    MUTED,
    PANEL,
    SMALL,
    Fill,
    Picture,
    Sign,
    Svg,
    number,
)
from mmsim.views.words import plural, size_words

if TYPE_CHECKING:
    import pandas as pd


KIB = PAGE_SIZE // 1024
FreeByType = Mapping[str, Sequence[int]]
ALL_TYPES = "all types"
"""The one key where types are not known, as in /proc/buddyinfo."""


def claim(
    free_by_type: FreeByType, order: int, nr_pages: int | None = None, page_kib: int = KIB
) -> str:
    """What the free lists say, as a title: how much is free, and how many blocks of `order`."""
    free = summed(free_by_type)
    start = f"{size_words(pages(free), page_kib)} {'is' if page_kib else 'are'} free"
    if nr_pages:
        start = f"{100 * pages(free) / nr_pages:.1f} % of {size_words(nr_pages)} is free"
    size, blocks = size_words(1 << order, page_kib), suitable(free, order)
    if not blocks:
        return f"{start}, but not one block of {size}"
    lent = suitable(free_by_type[MIGRATE_CMA], order) if MIGRATE_CMA in free_by_type else 0
    where = "" if not lent else f", {'all' if lent == blocks else f'{lent:,}'} of them in CMA"
    return f"{start}: {plural(blocks, 'block')} of {size}{where}"


# -- the map of pageblocks

CELLS_MAX, COLUMNS_MAX, CELL_MAX = 2048, 64, 80
_LABEL, _HEAD = 66.0, 26.0
_Rect = tuple[float, float, float, float]


class BlockMap(NamedTuple):
    """What the map shows.  `types`: the migratetypes there are, in the kernel's order; `order`: the
    order asked about; `marked`: numbers of the cells in which something is outlined."""

    cells: Sequence[Cell]
    types: tuple[str, ...]
    per_cell: int
    pageblock_order: int
    order: int
    marked: frozenset[int]
    marked_as: str

    def grid(self, w: float, h: float) -> tuple[int, int, int]:
        """Columns, rows, and the size of a cell, as large as fits; rows begin at round numbers."""
        w, h = w - _LABEL, h - _HEAD - self.legend_high
        columns, best = 1, (0, 0)
        while columns <= COLUMNS_MAX:
            rows = -(-len(self.cells) // columns)
            best = max(best, (min(int(w / columns), int(h / rows), CELL_MAX), columns))
            columns *= 2
        return best[1], -(-len(self.cells) // best[1]), best[0]

    @property
    def legend_high(self) -> float:
        """Height of the legend: the types, then the signs."""
        return 8 + LEGEND_ROW * (2 if len(self.types) <= 3 else 3)


def block_map(
    zone: Zone,
    order: int = HPAGE_PMD_ORDER,
    *,
    marked: Iterable[tuple[int, int]] = (),
    marked_as: str = "the guest's",
) -> BlockMap:
    """The map of a zone; `marked` are blocks (pfn, order) to outline, `marked_as` says whose."""
    per_cell = 1
    while zone.nr_pages >> zone.pageblock_order > CELLS_MAX * per_cell:
        per_cell *= 2
    size = per_cell << zone.pageblock_order
    cells = occupancy(zone, per_cell, order)
    outlined: set[int] = set()
    for pfn, at_order in marked:
        at = pfn - zone.start
        outlined |= {*range(at // size, (at + (1 << at_order) - 1) // size + 1)}
    types = tuple(name for name in MIGRATETYPES if any(name in cell for cell in cells))
    there = frozenset(outlined & {*range(len(cells))})
    return BlockMap(cells, types, per_cell, zone.pageblock_order, order, there, marked_as)


def map_size(shown: BlockMap, w: float, h: float) -> tuple[float, float]:
    """Width and height that a map drawn into (w, h) really takes, legend and all."""
    columns, rows, size = shown.grid(w, h)
    return _LABEL + columns * size, _HEAD + rows * size + shown.legend_high


def draw_block_map(svg: Svg, x: float, y: float, w: float, h: float, shown: BlockMap) -> None:
    """Heading with the scale, map, legend."""
    columns, rows, size = shown.grid(w, h)
    cell = shown.per_cell << shown.pageblock_order
    many = "one pageblock" if shown.per_cell == 1 else f"{shown.per_cell:,} pageblocks"
    scale = f"a cell: {many}, {size_words(cell)}; a row: {size_words(cell * columns)}"
    svg.heading(x, y + 13, "Pageblocks", w, scale)
    left, top = x + _LABEL, y + _HEAD
    for n in range(0, rows, -(-16 // size)):
        label = size_words(n * columns * cell) if n else "0"
        base = top + n * size + min(size / 2, 8) + 4
        svg.note(left - 8, base, label, _LABEL - 8, anchor="end")
    _cells(svg, left, top, columns, size, shown)
    kinds: list[Sign] = [(_swatches(svg, name), 32, name) for name in shown.types]
    kinds.append((lambda x, y: None, 0, "(left: free, right: in use)"))
    there = "" if shown.per_cell == 1 else " in the cell"
    said = f"a free block of {size_words(1 << shown.order)} or more{there}"
    signs: list[Sign] = [(lambda x, y: svg.add(_diamond(x + 5, y + 6)), 10, said)]
    if shown.marked:
        signs.append((lambda x, y: _outline(svg, x, y, 14, 11), 14, shown.marked_as))
    below = top + rows * size + 8
    svg.legend(x, below, w, kinds)
    svg.legend(x, below + shown.legend_high - 8 - LEGEND_ROW, w, signs)


def _swatches(svg: Svg, name: str) -> Callable[[float, float], None]:
    """The colours of a type: free, and held."""

    def draw(x: float, y: float) -> None:
        svg.filled(x, y, 16, 12, style.MIGRATETYPES[name])
        svg.filled(x + 16, y, 16, 12, HELD[name])

    return draw


def _cells(svg: Svg, x: float, y: float, columns: int, size: int, shown: BlockMap) -> None:
    free: dict[str, list[_Rect]] = {name: [] for name in shown.types}
    held: dict[str, list[_Rect]] = {name: [] for name in shown.types}
    fits: list[_Rect] = []
    for i, cell in enumerate(shown.cells):
        left, top = x + i % columns * size, y + i // columns * size
        if any(part.fitting for part in cell.values()):
            fits.append((left, top, size, size))
        for name in shown.types:
            if name not in cell:
                continue
            part = cell[name]
            wide = size * part.pageblocks / shown.per_cell
            taken = 1 - part.free / (part.pageblocks << shown.pageblock_order)
            # A single page shows, whether it is held or free; the grid takes one of `size`.
            least, most = (1.5 if taken else 0), (size - 1 if taken == 1 else size - 2.5)
            tall = round(min(max((size - 1) * taken, least), most) * 2) / 2
            free[name].append((left, top, wide, size))
            if tall:
                held[name].append((left, top + size - 1 - tall, wide, tall))
            left += wide
    for name in shown.types:
        svg.area(_path(free[name]), style.MIGRATETYPES[name])
        svg.area(_path(held[name]), HELD[name])
    rows = -(-len(shown.cells) // columns)
    origin = (x, y, float(size), float(size))
    lines = f'<path d="M{number(size - 0.5)} 0V{size}M0 {number(size - 0.5)}H{size}"'
    lines += f' stroke="{PANEL}" fill="none"/>'
    svg.tiles((x, y, columns * size, rows * size), origin, "grid", lines)
    for rect in _joined(fits):
        svg.tiles(rect, origin, "fits", _diamond((size - 1) / 2, (size - 1) / 2))
    for i in sorted(shown.marked):
        left, top = x + i % columns * size, y + i // columns * size
        _outline(svg, left, top, size - 1, size - 1)


def _joined(rects: list[_Rect]) -> list[_Rect]:
    """Neighbours in a row of the same height, as one."""
    found: list[_Rect] = []
    for x, y, w, h in rects:
        last = found[-1] if found else (0.0, 0.0, 0.0, 0.0)
        if last[1] == y and last[3] == h and last[0] + last[2] == x:
            found[-1] = (last[0], y, last[2] + w, h)
        else:
            found.append((x, y, w, h))
    return found


def _path(rects: list[_Rect]) -> str:
    return "".join(
        f"M{number(x)} {number(y)}h{number(w)}v{number(h)}h{number(-w)}z"
        for x, y, w, h in _joined(rects)
    )


def _diamond(x: float, y: float) -> str:
    return (
        f'<path d="M{number(x)} {number(y - 3)}l3 3l-3 3l-3 -3z" fill="{INK}" '
        f'stroke="{PANEL}" stroke-width="0.8"/>'
    )


def _outline(svg: Svg, x: float, y: float, w: float, h: float) -> None:
    svg.rect(x, y, w, h, fill="none", stroke=PANEL, stroke_width=3.4)
    svg.rect(x, y, w, h, fill="none", stroke=INK, stroke_width=1.6)


def map_sentence(shown: BlockMap) -> str:
    """The map in words: each type's pageblocks, how full they are, and how many of them fit."""
    said = []
    for name in shown.types:
        parts = [cell[name] for cell in shown.cells if name in cell]
        blocks = sum(part.pageblocks for part in parts)
        free = sum(part.free for part in parts) / (blocks << shown.pageblock_order)
        said.append(f"{plural(blocks, 'pageblock')} {name}, {100 * free:.1f} % free")
    fitting = sum(part.fitting for cell in shown.cells for part in cell.values())
    size = size_words(1 << shown.order)
    return f"{'; '.join(said)}. Free blocks of {size} or more: in {plural(fitting, 'pageblock')}."


# -- free memory by the size of its blocks: what is in /proc/buddyinfo

_ORDER, _COUNT, _ROW_MAX = 102.0, 92.0, 30.0
_AROUND = 26 + 8 + 2 * LEGEND_ROW


def _fill(name: str) -> Fill:
    return style.MIGRATETYPES.get(name, FILLS["other"])


def _draw_free(
    svg: Svg,
    x: float,
    y: float,
    w: float,
    h: float,
    free_by_type: FreeByType,
    order: int,
    page_kib: int = KIB,
) -> None:
    """A row for each order, the largest on top; a line under the orders that serve `order`."""
    free = summed(free_by_type)
    names = [*MIGRATETYPES, *(name for name in free_by_type if name not in MIGRATETYPES)]
    types = [name for name in names if any(free_by_type.get(name, ()))]
    svg.heading(x, y + 13, "How much is free, by size", w, "blocks")
    most = max((blocks << size for size, blocks in enumerate(free)), default=0) or 1
    top, high = y + 26, min((h - _AROUND) / max(len(free), 1), _ROW_MAX)
    for i, size in enumerate(reversed(range(len(free)))):
        at = top + i * high
        base = at + high / 2 + 4
        block = f"{size} · {size_words(1 << size, page_kib)}" if page_kib else f"order {size}"
        svg.text(x, base, block, _ORDER - 8, size=SMALL)
        left = x + _ORDER
        for name in types:
            amount = free_by_type[name][size] << size
            if amount:
                wide = max((w - _ORDER - _COUNT) * amount / most, 1.5)
                svg.filled(left, at + 2, wide, high - 4, _fill(name), stroke=_fill(name).mark)
                left += wide
        ink, said = (INK, f"{free[size]:,}") if free[size] else (MUTED, "none")
        svg.text(x + w, base, said, _COUNT - 8, size=SMALL, fill=ink, anchor="end")
        if size == order:
            edge = at + high
            svg.line(x, edge, x + w, edge, stroke=INK, stroke_width=1.4, stroke_dasharray="5 3")
    svg.line(x + _ORDER, top, x + _ORDER, top + len(free) * high, stroke=LINE)
    signs = [svg.swatch(_fill(name), name) for name in types]
    svg.legend(x, top + len(free) * high + 8, w, signs)


def free_sentence(free_by_type: FreeByType, order: int, page_kib: int = KIB) -> str:
    """How much of the free memory lies in blocks of at least `order`, and where."""
    free = summed(free_by_type)
    total, large = pages(free), suitable(free, order) << order
    if not total:
        return "Nothing is free."
    part, size = size_words(large, page_kib) if large else "None", size_words(1 << order, page_kib)
    said = f"{part} of the {size_words(total, page_kib)} of free memory is in blocks of {size}"
    said += " or more"
    lent = free_by_type.get(MIGRATE_CMA)
    if lent is None or not large:
        return f"{said}."
    return f"{said}, {size_words(suitable(lent, order) << order, page_kib)} of that in CMA."


def free_svg(free_by_type: FreeByType, order: int = HPAGE_PMD_ORDER, page_kib: int = KIB) -> str:
    """The free lists as a picture of their own."""
    high = _AROUND + _ROW_MAX * min(len(summed(free_by_type)), 13)
    sentence = free_sentence(free_by_type, order, page_kib)
    title = claim(free_by_type, order, page_kib=page_kib)
    svg = Svg(640, high + 80, title, f"{title}. {sentence}")
    svg.headline(14, 22, 612, title)
    svg.panel(8, 48, 624, high + 24)
    _draw_free(svg, 18, 60, 604, high, free_by_type, order, page_kib)
    return svg.render()


# -- a zone: both side by side.  They ask about the same order: a diamond on the map and the rows
# above the dashed line are the same free blocks

_MAP, _FREE, _HIGH = 616.0, 354.0, 424.0


def memory(
    zone: Zone,
    order: int = HPAGE_PMD_ORDER,
    *,
    marked: Iterable[tuple[int, int]] = (),
    marked_as: str = "the guest's",
) -> Picture:
    """Both halves, seen once; see `block_map` for `marked`."""
    free = zone.lists()
    words = free_sentence(free, order)  # it refuses an order that there is not
    shown = block_map(zone, order, marked=marked, marked_as=marked_as)
    words += f" {map_sentence(shown)}"
    high = max(map_size(shown, _MAP - 34, _HIGH)[1], 340.0)
    title = claim(free, order, zone.nr_pages)
    left = Svg(_MAP, high + 78, title, f"{title}. {words}")
    left.headline(18, 22, _MAP - 26, title)
    left.panel(8, 48, _MAP - 14, high + 22)
    draw_block_map(left, 18, 58, _MAP - 34, high, shown)
    there = "How much memory is free, by the size of its blocks"
    right = Svg(_FREE, high + 78, there, there)
    right.panel(4, 48, _FREE - 12, high + 22)
    _draw_free(right, 14, 58, _FREE - 32, high, free, order)
    return Picture([left.render(), right.render()], words)


def supply_table(
    index: str, lists: Mapping[str, Sequence[int]], order: int, page_kib: int = KIB
) -> pd.DataFrame:
    """A row for each of these lists: free memory, its largest block, and how many of `order`."""
    import pandas as pd

    rows = []
    for free in lists.values():
        largest = max((at for at, blocks in enumerate(free) if blocks), default=None)
        words = "none" if largest is None else size_words(1 << largest, page_kib)
        rows.append((size_words(pages(free), page_kib), words, suitable(free, order)))
    size = size_words(1 << order, page_kib)
    columns = ["free", "largest free block", f"blocks of {size} to be had"]
    names = pd.Index(list(lists), name=index, dtype=object)
    return pd.DataFrame(rows, index=names, columns=columns, dtype=object)


def memory_table(zone: Zone, order: int = HPAGE_PMD_ORDER) -> pd.DataFrame:
    """For each type: free memory, its largest free block, and how many of `order` it could give."""
    return supply_table("free lists", zone.blocks_by_type(), order)
