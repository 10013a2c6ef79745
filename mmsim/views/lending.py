"""Eight allocations and the half line: where each landed, and what the kernel compared before it.

Interface: lending_svg, lending_sentence, lending_table
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from mmsim.practice.loans import CMA, HOST_MIB, ORDINARY, Grant, Lending
from mmsim.views.blockmap import block_map, draw_block_map, map_sentence, map_size
from mmsim.views.svg import (
    BAD,
    FILLS,
    INK,
    LEGEND_ROW,
    LINE,
    MUTED,
    SMALL,
    TITLE,
    Sign,
    Svg,
    heading,
    legend,
    panel,
    swatch,
)
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

WIDTH, HEIGHT = 1120.0, 432.0
_MAP = 610.0
_ROW, _BAR = 33.0, 19.0
_FILLS = {CMA: FILLS["CMA"], ORDINARY: FILLS["MOVABLE"]}


def _what(made: Lending) -> str:
    kind = "movable" if made.knobs["movable"] == "yes" else "not movable"
    return f"{len(made.grants)} allocations of {size_words(1 << made.want.order)}, {kind}"


def _claim(made: Lending) -> str:
    """How many landed where."""
    said = [f"{made.count(CMA) or 'none'} in CMA"]
    if made.count(ORDINARY):
        said.append(f"{made.count(ORDINARY)} in ordinary memory")
    failed = len(made.grants) - made.count(CMA) - made.count(ORDINARY)
    if failed:
        said.append(f"{failed} not to be had")
    return f"{_what(made)}: {', '.join(said)}"


def lending_sentence(made: Lending) -> str:
    """The picture in words."""
    runs = [(place, list(grants)) for place, grants in groupby(made.grants, lambda g: g.place)]
    said, at = [], 1
    for place, grants in runs:
        numbers = f"{at}" if len(grants) == 1 else f"{at} to {at + len(grants) - 1}"
        where = {CMA: "in CMA", ORDINARY: "in ordinary memory"}.get(place, "refused with -ENOMEM")
        said.append(f"{numbers} {where}")
        at += len(grants)
    first = made.grants[0]
    share = f" ({100 * first.free_cma / first.free:.1f} %)" if first.free else ""
    return (
        f"{_claim(made)}. In turn: {'; '.join(said)}. "
        f"Before the first, {size_words(first.free)} of {HOST_MIB} MiB are free, "
        f"{size_words(first.free_cma)} of them{share} CMA."
    )


def lending_svg(made: Lending) -> str:
    """The map on the left; on the right one bar for what was free before each allocation."""
    marked = [(grant.pfn, made.want.order) for grant in made.grants if grant.pfn is not None]
    shown = block_map(made.zone, made.want.order, marked=marked, marked_as="the allocations")
    title = _claim(made)
    svg = Svg(WIDTH, HEIGHT, title, f"{lending_sentence(made)} {map_sentence(shown)}")
    svg.text(18, 32, title, WIDTH - 36, size=TITLE, bold=True)
    high = HEIGHT - 56
    panel(svg, 8, 48, _MAP + 16, high)
    wide, _ = map_size(shown, _MAP, high - 22)
    draw_block_map(svg, 18, 58, max(wide, _MAP - 10), high - 22, shown)
    left = _MAP + 34
    panel(svg, left, 48, WIDTH - 8 - left, high)
    _bars(svg, left + 12, 58, WIDTH - 32 - left, made)
    return svg.render()


def _bars(svg: Svg, x: float, y: float, w: float, made: Lending) -> None:
    heading(svg, x, y + 13, "Free before each allocation", w, "it lands in")
    most = max(grant.free for grant in made.grants) or 1
    room, top = w - 30 - 94, y + 34
    for n, grant in enumerate(made.grants):
        at = top + n * _ROW
        base = at + _BAR / 2 + 4.5
        svg.text(x + 16, base, str(n + 1), 16, bold=True, anchor="end")
        _bar(svg, x + 30, at, room * grant.free / most, grant)
        failed = grant.place not in _FILLS
        said = grant.place if not failed else "refused"
        svg.text(
            x + w - 80, base, said, 80, bold=grant.place != ORDINARY, fill=BAD if failed else INK
        )
    signs: list[Sign] = [
        swatch(svg, _FILLS[CMA], "free CMA"),
        swatch(svg, _FILLS[ORDINARY], "other free memory"),
        (lambda x, y: svg.line(x + 4, y - 1, x + 4, y + 13, stroke=INK, stroke_width=2), 8, "half"),
    ]
    legend(svg, x, top + len(made.grants) * _ROW + 8, w, signs)
    if not made.want.alloc_cma:
        rule = "What can't be moved later gets no CMA, wherever the line is."
    elif any(grant.place == CMA and not grant.over for grant in made.grants):
        rule = "CMA short of the half line: nothing else of this size was free."
    else:
        rule = "Where CMA reaches beyond the half line, CMA is asked first."
    base = top + len(made.grants) * _ROW + 14 + 2 * LEGEND_ROW
    svg.text(x, base, rule, w, size=SMALL, fill=MUTED)


def _bar(svg: Svg, x: float, y: float, wide: float, grant: Grant) -> None:
    """CMA from the left, the rest behind it, and the line in the middle."""
    if not grant.free:
        svg.text(x, y + _BAR / 2 + 4.5, "nothing is free", 160, size=SMALL, fill=MUTED)
        return
    cma = wide * grant.free_cma / grant.free
    if cma:
        svg.filled(x, y, cma, _BAR, _FILLS[CMA], stroke=_FILLS[CMA].mark)
    if wide > cma:
        svg.filled(x + cma, y, wide - cma, _BAR, _FILLS[ORDINARY], stroke=_FILLS[ORDINARY].mark)
    middle = x + wide / 2
    svg.line(middle, y - 5, middle, y + _BAR + 5, stroke=LINE, stroke_width=5)
    svg.line(middle, y - 5, middle, y + _BAR + 5, stroke=INK, stroke_width=2)


def lending_table(made: Lending) -> pd.DataFrame:
    """A row for each allocation: the two numbers, half of the first, and where it landed."""
    import pandas as pd

    rows = [
        (grant.free, grant.free_cma, grant.half, "yes" if grant.over else "no", grant.place)
        for grant in made.grants
    ]
    index = pd.Index(range(1, len(rows) + 1), name="allocation")
    columns = ["free pages", "of them CMA", "half", "CMA more than half?", "lands in"]
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
