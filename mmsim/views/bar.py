"""A huge page as a bar of 512 with its head marked; once split, the same bar cut into cells.

Interface: Layout, layout, draw_bar
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from mmsim.constants import HPAGE_PMD_NR
from mmsim.mm.world import World
from mmsim.views.marks import heading
from mmsim.views.names import page_words, place
from mmsim.views.style import BAD, INK, MIGRATETYPES, MUTED, PANEL, SMALL, Svg, number, text_width

CELLS_HIGH = 8
SMALL_CELL = 14.0
"""A cell this small has no room for a pattern; it gets a sign."""
_NOBODY = ""


class Layout(NamedTuple):
    """Where each page of a region lies: its migratetype, "" for a page that is nowhere."""

    region: str
    whole: bool
    types: tuple[str, ...]
    place: str

    def counts(self) -> list[tuple[str, int]]:
        """Migratetype -> pages, CMA first."""
        kinds = dict.fromkeys(["CMA", *self.types])
        found = [(kind, self.types.count(kind)) for kind in kinds]
        return [(kind, n) for kind, n in found if n]


def layout(world: World, region: str) -> Layout:
    """The pages of a region, in the order of the file."""
    folios = [(pfn, f) for pfn, f in world.folios.items() if f.name and f.region == region]
    size = max((f.index + f.nr_pages for _, f in folios), default=HPAGE_PMD_NR)
    types = [_NOBODY] * size
    for pfn, folio in folios:
        kind = world.pageblock_type(pfn)
        types[folio.index : folio.index + folio.nr_pages] = [kind] * folio.nr_pages
    whole = len(folios) == 1 and folios[0][1].is_thp
    return Layout(region, whole, tuple(types), place(world, folios[0][0]) if whole else "")


def _title(shown: Layout, world: World) -> str:
    if shown.whole:
        return f"Huge page {shown.region}: {len(shown.types)} pages in one folio"
    if not any(shown.types):
        return f"{shown.region}: no memory yet"
    pfn = world.find(shown.region, 0)
    if len(shown.types) == 1 and pfn is not None:
        words = page_words(world.folio(pfn))
        return words[0].upper() + words[1:]
    return f"{shown.region} has been split: {len(shown.types)} pages, each for itself"


def draw_bar(
    svg: Svg, x: float, y: float, w: float, world: World, region: str, focus: int | None
) -> None:
    """Heading, bar and legend: 84 high.  `focus` points at the piece that the step is about."""
    shown = layout(world, region)
    heading(svg, x, y + 12, _title(shown, world), w)
    top, high = y + 22, 34.0
    if shown.whole:
        svg.filled(
            x, top, w, high, MIGRATETYPES[shown.types[0]], stroke=INK, stroke_width=1.4, rx=3
        )
        svg.rect(x, top, 46, high, fill=INK, rx=3)
        svg.text(x + 23, top + 21.5, "head", 46, size=SMALL, fill=PANEL, bold=True, anchor="middle")
    else:
        _cells(svg, x, top, w, high, shown.types)
        if focus is not None and len(shown.types) > 1:
            _pointer(svg, x, top + high, w, shown.types, focus)
    _legend(svg, x, y + 68, w, shown)


def _grid(types: tuple[str, ...], w: float, high: float) -> tuple[int, float, float]:
    rows = CELLS_HIGH if len(types) >= 64 else 1
    columns = -(-len(types) // rows)
    return rows, w / columns, high / rows


def _cells(svg: Svg, x: float, y: float, w: float, high: float, types: tuple[str, ...]) -> None:
    """Page i is cell (i // 8, i % 8): the bar fills from left to right, column by column."""
    rows, wide, tall = _grid(types, w, high)
    columns = [types[i : i + rows] for i in range(0, len(types), rows)]
    at = 0
    for column, same in groupby(columns):
        n = len(list(same))
        row = 0
        for kind, run in groupby(column):
            length = len(list(run))
            box = (x + at * wide, y + row * tall, n * wide, length * tall)
            if kind == _NOBODY:
                svg.rect(*box, fill=PANEL)
            elif min(wide, tall) < SMALL_CELL:
                svg.cells(box, (x, y, wide, tall), MIGRATETYPES[kind])
            else:
                svg.filled(*box, MIGRATETYPES[kind])
            row += length
        at += n
    if min(wide, tall) >= SMALL_CELL:
        edges = "".join(f"M{number(x + i * wide)} {number(y)}v{number(high)}" for i in range(at))
        svg.path(edges, stroke=INK, stroke_width=1)
    svg.rect(x, y, w, high, fill="none", stroke=INK, stroke_width=1.4)


def _pointer(svg: Svg, x: float, y: float, w: float, types: tuple[str, ...], focus: int) -> None:
    rows, wide, _ = _grid(types, w, 1)
    at = x + (focus // rows + 0.5) * wide
    svg.path(f"M{number(at)} {number(y + 1)}l4.5 7h-9Z", fill=INK, stroke="none")


def _legend(svg: Svg, x: float, y: float, w: float, shown: Layout) -> None:
    """Pattern, count and name of each kind of memory."""
    at = x
    names = {"CMA": "in CMA", "MOVABLE": "in ordinary memory", _NOBODY: "nowhere"}
    for kind, n in shown.counts():
        text = f"{n} {names.get(kind, f'in {kind} memory')}"
        if kind == _NOBODY:
            svg.rect(at, y + 2, 18, 12, fill=PANEL, stroke=BAD, stroke_width=1)
        else:
            svg.filled(at, y + 2, 18, 12, MIGRATETYPES[kind], stroke=INK, stroke_width=0.8)
            if not shown.whole and len(shown.types) >= 64:
                svg.cells((at, y + 2, 18, 12), (at, y + 2, 9, 6), MIGRATETYPES[kind])
        wide = text_width(text, SMALL)
        svg.text(at + 25, y + 12.5, text, max(x + w - at - 25, 20), size=SMALL, fill=MUTED)
        at += 25 + wide + 22
