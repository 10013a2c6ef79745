"""A zone as a map of its pageblocks: their type, how much of each is held, where a block would fit.

Interface: BlockMap, block_map, block_map_svg, draw_block_map, map_size, map_sentence, claim

A zone with more pageblocks than the map has cells is shown in cells of several neighbours, and the
scale is written above the map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_CMA, MIGRATETYPES
from mmsim.mm.fragmentation import suitable, summed
from mmsim.mm.occupancy import Cell, occupancy
from mmsim.mm.untouched import pages
from mmsim.mm.zone import Zone
from mmsim.views import svg as style
from mmsim.views.svg import (
    HELD,
    INK,
    LEGEND_ROW,
    MUTED,
    PANEL,
    SMALL,
    TITLE,
    Sign,
    Svg,
    heading,
    legend,
    number,
    panel,
)
from mmsim.views.words import plural, size_words

CELLS_MAX, COLUMNS_MAX, CELL_MAX = 2048, 64, 80
_LABEL, _HEAD = 66.0, 26.0


class BlockMap(NamedTuple):
    """What the map shows.  `types`: the migratetypes there are, in the kernel's order; `marked`:
    numbers of the cells in which something is outlined."""

    cells: Sequence[Cell]
    types: tuple[str, ...]
    per_cell: int
    pageblock_order: int
    order: int
    marked: frozenset[int]
    marked_as: str

    @property
    def cell_pages(self) -> int:
        """Pages in a cell."""
        return self.per_cell << self.pageblock_order


def block_map(
    zone: Zone,
    order: int = HPAGE_PMD_ORDER,
    *,
    marked: Iterable[tuple[int, int]] = (),
    marked_as: str = "the guest's",
) -> BlockMap:
    """The map of a zone; `order` is the order asked about, `marked` blocks (pfn, order) to outline,
    and `marked_as` says in the legend whose they are."""
    per_cell = 1
    while zone.nr_pages >> zone.pageblock_order > CELLS_MAX * per_cell:
        per_cell *= 2
    size = per_cell << zone.pageblock_order
    outlined = {
        cell
        for pfn, at_order in marked
        for cell in range(
            (pfn - zone.start) // size, (pfn - zone.start + (1 << at_order) - 1) // size + 1
        )
    }
    cells = occupancy(zone, per_cell, order)
    there = {migratetype for cell in cells for migratetype in cell}
    return BlockMap(
        cells=cells,
        types=tuple(migratetype for migratetype in MIGRATETYPES if migratetype in there),
        per_cell=per_cell,
        pageblock_order=zone.pageblock_order,
        order=order,
        marked=frozenset(outlined & set(range(len(cells)))),
        marked_as=marked_as,
    )


def claim(free_by_type: Mapping[str, Sequence[int]], order: int, nr_pages: int | None) -> str:
    """What the free lists say, as a title: how much is free, and how many blocks of `order`."""
    free = summed(free_by_type)
    amount = pages(free)
    if nr_pages:
        start = f"{100 * amount / nr_pages:.1f} % of {size_words(nr_pages)} is free"
    else:
        start = f"{size_words(amount)} is free"
    size = size_words(1 << order)
    blocks = suitable(free, order)
    if not blocks:
        return f"{start}, but not one block of {size}"
    lent = suitable(free_by_type[MIGRATE_CMA], order) if MIGRATE_CMA in free_by_type else 0
    where = "" if not lent else f", {'all' if lent == blocks else f'{lent:,}'} of them in CMA"
    return f"{start}: {plural(blocks, 'block')} of {size}{where}"


# -- drawing


def _grid(cells: int, w: float, h: float) -> tuple[int, int]:
    """Columns, and the size of a cell: as large as fits; rows begin at round addresses."""
    best = (0, 0)
    columns = 1
    while columns <= COLUMNS_MAX:
        rows = -(-cells // columns)
        best = max(best, (min(int(w / columns), int(h / rows), CELL_MAX), columns))
        columns *= 2
    return best[1], best[0]


def map_size(shown: BlockMap, w: float, h: float) -> tuple[float, float]:
    """Width and height that a map drawn into (w, h) really takes, legend and all."""
    columns, size = _grid(len(shown.cells), w - _LABEL, h - _HEAD - _legend_high(shown))
    rows = -(-len(shown.cells) // columns)
    return _LABEL + columns * size, _HEAD + rows * size + _legend_high(shown)


def draw_block_map(svg: Svg, x: float, y: float, w: float, h: float, shown: BlockMap) -> None:
    """Heading with the scale, map, legend."""
    columns, size = _grid(len(shown.cells), w - _LABEL, h - _HEAD - _legend_high(shown))
    cell, row = size_words(shown.cell_pages), size_words(shown.cell_pages * columns)
    many = "one pageblock" if shown.per_cell == 1 else f"{shown.per_cell:,} pageblocks"
    heading(svg, x, y + 13, "Pageblocks", w, f"a cell: {many}, {cell}; a row: {row}")
    left, top = x + _LABEL, y + _HEAD
    rows = -(-len(shown.cells) // columns)
    step = -(-16 // size)
    for n in range(0, rows, step):
        label = size_words(n * columns * shown.cell_pages) if n else "0"
        base = top + n * size + min(size / 2, 8) + 4
        svg.text(left - 8, base, label, _LABEL - 8, size=SMALL, fill=MUTED, anchor="end")
    _cells(svg, left, top, columns, size, shown)
    _legend(svg, x, top + rows * size + 8, w, shown)


_Rect = tuple[float, float, float, float]


def _cells(svg: Svg, x: float, y: float, columns: int, size: int, shown: BlockMap) -> None:
    free: dict[str, list[_Rect]] = {name: [] for name in shown.types}
    held: dict[str, list[_Rect]] = {name: [] for name in shown.types}
    fits: list[_Rect] = []
    block = 1 << shown.pageblock_order
    for i, cell in enumerate(shown.cells):
        left, top = x + i % columns * size, y + i // columns * size
        if any(part.fitting for part in cell.values()):
            fits.append((left, top, size, size))
        for name in shown.types:
            if name not in cell:
                continue
            part = cell[name]
            wide = size * part.pageblocks / shown.per_cell
            taken = 1 - part.free / (part.pageblocks * block)
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


def _legend(svg: Svg, x: float, y: float, w: float, shown: BlockMap) -> None:
    """The types, free and held; then the signs."""

    def swatch(name: str) -> Callable[[float, float], None]:
        def draw(x: float, y: float) -> None:
            svg.filled(x, y, 16, 12, style.MIGRATETYPES[name])
            svg.filled(x + 16, y, 16, 12, HELD[name])

        return draw

    kinds: list[Sign] = [(swatch(name), 32, name) for name in shown.types]
    kinds.append((lambda x, y: None, 0, "(left: free, right: held)"))
    there = "" if shown.per_cell == 1 else " in the cell"
    said = f"a free block of {size_words(1 << shown.order)} or more{there}"
    signs: list[Sign] = [(lambda x, y: svg.add(_diamond(x + 5, y + 6)), 10, said)]
    if shown.marked:
        signs.append((lambda x, y: _outline(svg, x, y, 14, 11), 14, shown.marked_as))
    legend(svg, x, y, w, kinds)
    legend(svg, x, y + _legend_high(shown) - 8 - LEGEND_ROW, w, signs)


def _legend_high(shown: BlockMap) -> float:
    return 8 + LEGEND_ROW * (2 if len(shown.types) <= 3 else 3)


def block_map_svg(zone: Zone, shown: BlockMap | None = None) -> str:
    """The map as a picture of its own."""
    shown = shown or block_map(zone)
    wide, high = map_size(shown, 844, 456)
    title = claim(zone.lists(), shown.order, zone.nr_pages)
    svg = Svg(880, high + 80, title, f"{title}. {map_sentence(shown)}")
    svg.text(18, 32, title, 844, size=TITLE, bold=True)
    panel(svg, 8, 48, 864, high + 24)
    draw_block_map(svg, 18, 60, max(wide, 640), high, shown)
    return svg.render()


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
