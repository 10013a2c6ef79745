"""Memory as pictures, words and tables: a zone of the model, or what a machine says of itself.

A zone is a map of its pageblocks and its free lists.  Where there are more pageblocks than cells, a
cell shows several neighbours, and the scale stands above the map.  Free lists are drawn as how much
memory lies in the blocks of an order, because a count alone would make a page look as large as
4 MiB.  `free_by_type` is migratetype -> free blocks of each order, of a zone or of a pasted text;
`page_kib` is the size of a page, 0 if nobody knows it: then pages are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsim.amounts import plural, size_words
from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATETYPES,
    PAGE_SIZE,
    PAGEBLOCK_ORDER,
)
from mmsim.errors import UserError
from mmsim.evidence.pasted import PasteError
from mmsim.evidence.proc import AnyZone, PageTypeZone, Pasted, ZoneInfo, read_memory, zone_of
from mmsim.mm.fragmentation import (
    PIN_SCOPE_TYPES,
    extfrag_for_order,
    extfrag_index,
    format_index,
    suitable,
    sum_types,
    unusable_index,
)
from mmsim.mm.occupancy import Cell, occupancy
from mmsim.mm.untouched import pages
from mmsim.mm.zone import Zone
from mmsim.views.svg import (
    FILLS,
    HELD,
    INK,
    LEGEND_ROW,
    LINE,
    MUTED,
    PANEL,
    SMALL_TEXT,
    Box,
    Fill,
    Picture,
    Sign,
    Svg,
    number,
)
from mmsim.views.tables import frame, labels

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
    free = sum_types(free_by_type)
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


class BlockMap(NamedTuple):
    """What the map shows.  `types`: the migratetypes there are, in the kernel's order; `order`: the
    order asked about."""

    cells: Sequence[Cell]
    types: tuple[str, ...]
    per_cell: int
    pageblock_order: int
    order: int

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


def block_map(zone: Zone, order: int = HPAGE_PMD_ORDER) -> BlockMap:
    """The map of a zone."""
    per_cell = 1
    while zone.nr_pages >> zone.pageblock_order > CELLS_MAX * per_cell:
        per_cell *= 2
    cells = occupancy(zone, per_cell, order)
    types = tuple(name for name in MIGRATETYPES if any(name in cell for cell in cells))
    return BlockMap(cells, types, per_cell, zone.pageblock_order, order)


def map_size(shown: BlockMap, w: float, h: float) -> tuple[float, float]:
    """Width and height that a map drawn into (w, h) really takes, legend and all."""
    columns, rows, size = shown.grid(w, h)
    return _LABEL + columns * size, _HEAD + rows * size + shown.legend_high


def draw_block_map(svg: Svg, high: float, shown: BlockMap) -> None:
    """Heading with the scale, map, legend."""
    columns, rows, size = shown.grid(svg.width, high)
    cell = shown.per_cell << shown.pageblock_order
    many = "one pageblock" if shown.per_cell == 1 else f"{shown.per_cell:,} pageblocks"
    scale = f"a cell: {many}, {size_words(cell)}; a row: {size_words(cell * columns)}"
    svg.heading(13, "Pageblocks", scale)
    for n in range(0, rows, -(-16 // size)):
        label = size_words(n * columns * cell) if n else "0"
        base = _HEAD + n * size + min(size / 2, 8) + 4
        svg.note(_LABEL - 8, base, label, _LABEL - 8, anchor="end")
    _draw_cells(svg.inside(_LABEL, _HEAD, columns * size), columns, size, shown)
    kinds: list[Sign] = [(_swatches(svg, name), 32, name) for name in shown.types]
    kinds.append((lambda x, y: None, 0, "(left: free, right: in use)"))
    there = "" if shown.per_cell == 1 else " in the cell"
    said = f"a free block of {size_words(1 << shown.order)} or more{there}"
    signs: list[Sign] = [(lambda x, y: svg.add(_diamond(*svg.at(x + 5, y + 6))), 10, said)]
    below = _HEAD + rows * size + 8
    svg.legend(0, below, svg.width, kinds)
    svg.legend(0, below + shown.legend_high - 8 - LEGEND_ROW, svg.width, signs)


def _swatches(svg: Svg, name: str) -> Callable[[float, float], None]:
    """The colours of a type: free, and held."""

    def draw(x: float, y: float) -> None:
        svg.filled(x, y, 16, 12, FILLS[name])
        svg.filled(x + 16, y, 16, 12, HELD[name])

    return draw


def _draw_cells(svg: Svg, columns: int, size: int, shown: BlockMap) -> None:
    free: dict[str, list[Box]] = {name: [] for name in shown.types}
    held: dict[str, list[Box]] = {name: [] for name in shown.types}
    fits: list[Box] = []
    for i, cell in enumerate(shown.cells):
        left, top = float(i % columns * size), i // columns * size
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
        svg.area(_joined(free[name]), FILLS[name])
        svg.area(_joined(held[name]), HELD[name])
    rows = -(-len(shown.cells) // columns)
    svg.grid((0, 0, columns * size, rows * size), size, size)
    for box in _joined(fits):
        svg.tiles(box, (0, 0, size, size), "fits", _diamond((size - 1) / 2, (size - 1) / 2))


def _joined(boxes: list[Box]) -> list[Box]:
    """Neighbours in a row of the same height, as one."""
    found: list[Box] = []
    for x, y, w, h in boxes:
        last = found[-1] if found else (0.0, 0.0, 0.0, 0.0)
        if last[1] == y and last[3] == h and last[0] + last[2] == x:
            found[-1] = (last[0], y, last[2] + w, h)
        else:
            found.append((x, y, w, h))
    return found


def _diamond(x: float, y: float) -> str:
    return (
        f'<path d="M{number(x)} {number(y - 3)}l3 3l-3 3l-3 -3z" fill="{INK}" '
        f'stroke="{PANEL}" stroke-width="0.8"/>'
    )


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
    return FILLS[name if name in MIGRATETYPES else "other"]


def _draw_free(
    svg: Svg, high: float, free_by_type: FreeByType, order: int, page_kib: int = KIB
) -> None:
    """A row for each order, the largest on top; a line under the orders that serve `order`."""
    free = sum_types(free_by_type)
    names = [*MIGRATETYPES, *(name for name in free_by_type if name not in MIGRATETYPES)]
    types = [name for name in names if any(free_by_type.get(name, ()))]
    svg.heading(13, "How much is free, by size", "blocks")
    most = max((blocks << size for size, blocks in enumerate(free)), default=0) or 1
    top, tall, wide = 26, min((high - _AROUND) / max(len(free), 1), _ROW_MAX), svg.width
    for i, size in enumerate(reversed(range(len(free)))):
        row, base = svg.inside(0, top + i * tall, wide), tall / 2 + 4
        block = f"{size} · {size_words(1 << size, page_kib)}" if page_kib else f"order {size}"
        row.text(0, base, block, _ORDER - 8, size=SMALL_TEXT)
        left = _ORDER
        for name in types:
            amount = free_by_type[name][size] << size
            if amount:
                long = max((wide - _ORDER - _COUNT) * amount / most, 1.5)
                row.filled(left, 2, long, tall - 4, _fill(name), stroke=_fill(name).mark)
                left += long
        ink, said = (INK, f"{free[size]:,}") if free[size] else (MUTED, "none")
        row.text(wide, base, said, _COUNT - 8, size=SMALL_TEXT, fill=ink, anchor="end")
        if size == order:
            row.line(0, tall, wide, tall, stroke=INK, stroke_width=1.4, stroke_dasharray="5 3")
    bottom = top + len(free) * tall
    svg.line(_ORDER, top, _ORDER, bottom, stroke=LINE)
    svg.legend(0, bottom + 8, wide, [svg.swatch(_fill(name), name) for name in types])


def free_sentence(free_by_type: FreeByType, order: int, page_kib: int = KIB) -> str:
    """How much of the free memory lies in blocks of at least `order`, and where."""
    free = sum_types(free_by_type)
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
    high = _AROUND + _ROW_MAX * min(len(sum_types(free_by_type)), 13)
    sentence = free_sentence(free_by_type, order, page_kib)
    title = claim(free_by_type, order, page_kib=page_kib)
    svg = Svg(640, high + 80, title, f"{title}. {sentence}")
    svg.headline(14, 22, 612, title)
    _draw_free(svg.panel(8, 48, 624, high + 24, (10, 12)), high, free_by_type, order, page_kib)
    return svg.render()


# -- a zone: both side by side.  They ask about the same order: a diamond on the map and the rows
# above the dashed line are the same free blocks

_MAP, _FREE, _HIGH = 616.0, 354.0, 424.0


def memory(zone: Zone, order: int = HPAGE_PMD_ORDER) -> Picture:
    """Both halves, seen once."""
    free = zone.lists()
    words = free_sentence(free, order)  # it refuses an order that there is not
    shown = block_map(zone, order)
    words += f" {map_sentence(shown)}"
    high = max(map_size(shown, _MAP - 34, _HIGH)[1], 340.0)
    title = claim(free, order, zone.nr_pages)
    left = Svg(_MAP, high + 78, title, f"{title}. {words}")
    left.headline(18, 22, _MAP - 26, title)
    draw_block_map(left.panel(8, 48, _MAP - 14, high + 22, (10, 10)), high, shown)
    there = "How much memory is free, by the size of its blocks"
    right = Svg(_FREE, high + 78, there, there)
    _draw_free(right.panel(4, 48, _FREE - 12, high + 22, (10, 10)), high, free, order)
    return Picture([left.render(), right.render()], words)


def _supply_table(zones: Mapping[str, Sequence[int]], order: int, page_kib: int) -> pd.DataFrame:
    """A row for each zone: free memory, its largest block, and how many of `order`."""
    rows = []
    for free in zones.values():
        largest = max((at for at, blocks in enumerate(free) if blocks), default=None)
        words = "none" if largest is None else size_words(1 << largest, page_kib)
        rows.append((size_words(pages(free), page_kib), words, suitable(free, order)))
    size = size_words(1 << order, page_kib)
    columns = ["free", "largest free block", f"blocks of {size} to be had"]
    return frame(rows, labels(zones, "node and zone"), columns)


# -- the kernel's indices, beside what a pin could use

KERNEL = "the kernel's: all lists"
PIN_SCOPE = "mmsim's own: usable inside a long-term pin"
UNKNOWN = "not known: paste /proc/pagetypeinfo"


def indices_table(free_by_type: FreeByType, order: int, page_kib: int = KIB) -> pd.DataFrame:
    """Blocks of `order` to be had and the three indices, over all lists and for a pin.

    ValueError for an order that the lists don't have."""
    kernel, pin = (
        {
            f"blocks of {size_words(1 << order, page_kib)} to be had": suitable(free, order),
            "unusable_index": format_index(unusable_index(free, order)),
            "extfrag_index": format_index(extfrag_index(free, order)),
            "extfrag_for_order": f"{extfrag_for_order(free, order)} %",
        }
        for free in (sum_types(free_by_type), sum_types(free_by_type, PIN_SCOPE_TYPES))
    )
    if ALL_TYPES in free_by_type:
        pin = dict.fromkeys(kernel, UNKNOWN)
    cells = [(said, pin[name]) for name, said in kernel.items()]
    return frame(cells, labels(kernel, f"order {order}"), [KERNEL, PIN_SCOPE])


def _indices_sentence(free_by_type: FreeByType, order: int, page_kib: int) -> str:
    """The indices in words; ValueError for an order that the lists don't have."""
    free = sum_types(free_by_type)
    unusable, extfrag = unusable_index(free, order), extfrag_index(free, order)
    verdict = "a request would succeed"
    if extfrag != -1000:
        why = "for want of memory" if extfrag < 500 else "because free memory is in pieces"
        verdict = f"a request would fail, {why}"
    said = (
        f"For order {order} unusable_index is {format_index(unusable)}, and extfrag_index "
        f"{format_index(extfrag)} says: {verdict}."
    )
    if ALL_TYPES in free_by_type:
        return f"{said} What a long-term pin could use of it, this file does not tell."
    mine = suitable(sum_types(free_by_type, PIN_SCOPE_TYPES), order)
    blocks = f"{plural(mine, 'block')} of {size_words(1 << order, page_kib)}"
    return f"{said} Usable inside a long-term pin (mmsim's number, not a kernel's): {blocks}."


# -- a machine's memory as somebody pasted it

PAGE_SIZES = (4, 8, 16, 64)
"""Sizes of a page, in KiB, that kernels have."""
PMD_ORDERS = {4: 9, 8: 10, 16: 11, 64: 13}
"""Order of a huge page, by the size of a page."""
NOT_TOLD = (
    "The text does not tell how large a page is, so pages are counted. Say the size to see bytes: "
    "for instance page_kib=64 in a notebook, --page-kib 64 at the command line."
)


class Machine(NamedTuple):
    """What there is to see of one zone of a pasted text, and a line for each zone: "0 Normal".

    `svg` is empty for /proc/zoneinfo, which says how much is free, but not in which blocks."""

    svg: str
    sentence: str
    table: pd.DataFrame
    zones: pd.DataFrame
    orders: int
    """How many orders the lists have; 0 for /proc/zoneinfo, which has none."""
    order: int = HPAGE_PMD_ORDER
    """The one that was asked about."""


def _name(zone: AnyZone) -> str:
    return f"{zone.node} {zone.zone}"


def _free(zone: AnyZone) -> int:
    """Free pages."""
    return zone.nr_free_pages if isinstance(zone, ZoneInfo) else pages(zone.free)


def machine(
    text: str,
    zone: str | None = None,
    node: int | None = None,
    order: int | None = None,
    page_kib: int | None = None,
) -> Machine:
    """The zone of that name in a pasted text, or the one with most free memory, of `node` if given.

    `order`: the order asked about, by default that of a page block where the text tells it, or of a
    huge page.  `page_kib`: the size of a page, if the text does not tell it.  Raises PasteError,
    one sentence, for a text or a zone that can't be used, UserError for an order or a size that
    there is not."""
    pasted = read_memory(text)
    zones: tuple[AnyZone, ...] = pasted.zones
    here = [each for each in zones if node in (None, each.node)]
    if not here:
        nodes = ", ".join(dict.fromkeys(str(each.node) for each in zones))
        raise PasteError(f"this text has no node {node}; nodes that it has: {nodes}")
    one = max(here, key=_free) if zone is None else zone_of(zones, zone, node)
    block = one.pageblock_order if isinstance(one, PageTypeZone) else None
    size = _page_kib(pasted, block, page_kib)
    notes = [f"Sizes are for pages of {size} KiB." if size else NOT_TOLD, *pasted.notes]
    if isinstance(one, ZoneInfo):
        if order is not None:
            raise UserError(f"order {order} can't be asked about: {pasted.file} tells of no blocks")
        infos = [z for z in zones if isinstance(z, ZoneInfo)]
        said = " ".join([_half_sentence(one, size), *notes])
        return Machine("", said, _halves([one]), _halves(infos), 0)
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
    if isinstance(one, PageTypeZone) and one.capped:
        words.append("The kernel stopped counting some lists, so there is more than this.")
    every = {_name(z): z.free for z in zones if not isinstance(z, ZoneInfo)}
    return Machine(
        svg=free_svg(lists, order, size),
        sentence=" ".join(words + notes),
        table=indices_table(lists, order, size),
        zones=_supply_table(every, order, size),
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
    rows = []
    for zone in zones:
        lent = zone.nr_free_cma or 0
        first = "CMA" if _cma_first(zone) else "their own lists"
        managed = "not known" if zone.managed is None else zone.managed
        rows.append((managed, zone.nr_free_pages, lent, zone.nr_free_pages - lent, first))
    columns = ["pages", "free", "free in CMA", "free outside CMA", "movable requests try first"]
    return frame(rows, labels(map(_name, zones), "node and zone"), columns)


# -- a zone of the model, as the kernel prints it


def proc_text(zone: Zone) -> str:
    """What /proc/pagetypeinfo would say of a zone of the model, which it calls Normal.

    Left out: a kernel stops counting a list at 100,000 blocks, here it does not."""
    (cell,) = occupancy(zone, zone.nr_pages >> zone.pageblock_order)
    lists = zone.lists()
    names = {mt: "CMA" if mt == "CMA" else mt.capitalize() for mt in lists} | {
        "HIGHATOMIC": "HighAtomic"
    }
    orders = range(len(next(iter(lists.values()))))
    text = f"Page block order: {zone.pageblock_order}\n"
    text += f"Pages per block:  {1 << zone.pageblock_order}\n\n"
    text += f"{'Free pages count per migrate type at order ':<43}"
    text += "".join(f"{order:6d} " for order in orders) + "\n"
    for mt, free in lists.items():
        text += f"Node    0, zone   Normal, type {names[mt]:>12} "
        text += "".join(f"{n:6d} " for n in free) + "\n"
    text += f"\n{'Number of blocks type ':<23}"
    text += "".join(f"{names[mt]:>12} " for mt in lists) + "\nNode 0, zone   Normal "
    return text + "".join(f"{cell[mt].pageblocks if mt in cell else 0:12d} " for mt in lists) + "\n"
