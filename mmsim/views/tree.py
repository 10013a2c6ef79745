"""The picture of the folded tree of schedules, and the same as a table.

Interface: tree_svg, tree_table, tree_sentence, WIDTH, ROWS_MAX

One row for each branch that is open, one column for each way to end; a row with one number is a
leaf, a row that ends in "…" is a part that was left folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmsim.scenarios.fates import fails
from mmsim.views.svg import (
    FILLS,
    INK,
    LINE,
    MUTED,
    PANEL,
    SMALL,
    TITLE,
    Svg,
    number,
    outcome_mark,
    text_width,
    wrap,
)
from mmsim.views.treefold import Fold, Row, Stop, rows
from mmsim.views.words import count, outcome_sign

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 1120.0
ROWS_MAX = 22
_ROW, _HEAD, _EDGE, _INDENT = 26.0, 122.0, 16.0, 20.0
_COLUMN = 108.0
_TOTAL = 76.0


def short(outcome: str) -> str:
    """An outcome without the word that its mark says already."""
    return outcome.removeprefix("failed: ")


def outcomes_of(fold: Fold) -> list[str]:
    """Every way to end, successes first."""
    return sorted((name for name, _ in fold.counts), key=lambda name: (fails(name), name))


def _places(stop: Stop) -> str:
    low, high = stop.places
    if high == 1:
        return f"before {stop.first}()"
    many = f"{low}" if low == high else f"{low} to {high}"
    return f"at {many} places, before {stop.first}() … {stop.last}()"


def words(row: Row) -> tuple[str, str]:
    """What a row says: who does what, and where."""
    if row.side is not None and row.stop is not None:
        move = row.side.move
        answer = f" = {move.outcome}" if move.outcome else ""
        choice = not row.along
        return f"{move.actor}: {row.side.step}(){answer}", "" if choice else _places(row.stop)
    if row.along:
        return f"{row.along} gets past these places first", ""
    return "all schedules", ""


def tree_sentence(root: Fold) -> str:
    """How many schedules there are, and how many of them end how."""
    parts = [f"{count(dict(root.counts)[name])}: {short(name)}" for name in outcomes_of(root)]
    return f"{count(root.schedules)} schedules in all. {'; '.join(parts)}."


def tree_svg(root: Fold, title: str = "") -> str:
    """The tree of schedules as the text of an SVG."""
    lines = rows(root, ROWS_MAX)
    names = outcomes_of(root)
    bad = sum(n for name, n in root.counts if fails(name))
    claim = title or f"{count(bad)} of {count(root.schedules)} schedules fail"
    svg = Svg(WIDTH, _HEAD + _ROW * len(lines) + 16, claim, f"{claim}. {tree_sentence(root)}")
    svg.text(_EDGE + 2, 32, claim, WIDTH - 2 * _EDGE, size=TITLE, bold=True)
    left = WIDTH - _EDGE - _COLUMN * len(names)
    svg.rect(_EDGE, _HEAD - 6, WIDTH - 2 * _EDGE, _ROW * len(lines) + 12, rx=6, fill=PANEL,
             stroke=LINE)  # fmt: skip
    svg.text(left - 14, _HEAD - 14, "schedules", _TOTAL, size=SMALL, fill=MUTED, anchor="end")
    for i, name in enumerate(names):
        _draw_head(svg, left + i * _COLUMN, name)
    _draw_connectors(svg, lines)
    for i, line in enumerate(lines):
        _draw_row(svg, _HEAD + i * _ROW, left, line, names)
    return svg.render()


def _draw_head(svg: Svg, x: float, name: str) -> None:
    outcome_mark(svg, x + 12, 56, outcome_sign(name), "", _COLUMN)
    for i, part in enumerate(wrap(short(name), _COLUMN - 8, 11, 4)):
        svg.text(x + 4, 78 + i * 12, part, _COLUMN - 8, size=11)


def _draw_connectors(svg: Svg, lines: list[Row]) -> None:
    """From each row to the row that it branches off."""
    last: dict[int, float] = {}
    for i, line in enumerate(lines):
        y = _HEAD + i * _ROW + _ROW / 2
        if line.depth:
            x = _EDGE + 16 + (line.depth - 1) * _INDENT
            top = last[line.depth - 1]
            svg.path(f"M{number(x)} {number(top + 7)}V{number(y)}h{number(_INDENT - 7)}",
                     stroke=MUTED, stroke_width=1)  # fmt: skip
        last[line.depth] = y


def _draw_row(svg: Svg, y: float, left: float, line: Row, names: list[str]) -> None:
    x = _EDGE + 12 + line.depth * _INDENT
    room = left - _TOTAL - 18 - x
    what, where = words(line)
    if not line.opened and len(line.fold.counts) > 1:
        where += " …"
    svg.text(x, y + 17, what, room, bold=True)
    wide = text_width(what, 13, bold=True) + 10
    if where and room - wide > 30:
        svg.text(x + wide, y + 17, where, room - wide, size=SMALL, fill=MUTED)
    svg.text(left - 14, y + 17, count(line.fold.schedules), _TOTAL, anchor="end")
    counts = dict(line.fold.counts)
    for i, name in enumerate(names):
        n = counts.get(name, 0)
        if not n:
            continue
        at = left + i * _COLUMN
        fill = FILLS["not counted on" if fails(name) else "counted on"]
        svg.filled(at + 2, y + 2, _COLUMN - 8, _ROW - 4, fill, rx=3, stroke=fill.mark)
        said = count(n)
        size = text_width(said, 13, bold=True) + 10
        svg.rect(at + _COLUMN / 2 - size / 2 - 2, y + 4, size, _ROW - 8, rx=2, fill=fill.ground)
        leaf = len(counts) == 1
        svg.text(at + _COLUMN / 2 - 2, y + 17, said, _COLUMN - 8, bold=leaf, fill=INK,
                 anchor="middle")  # fmt: skip


def tree_table(root: Fold) -> pd.DataFrame:
    """The rows of the picture as a table."""
    import pandas as pd

    names = outcomes_of(root)
    lines = rows(root, ROWS_MAX)
    cells = [
        [line.fold.schedules, *(dict(line.fold.counts).get(name, 0) for name in names)]
        for line in lines
    ]
    said = [" ".join(("· " * line.depth + " ".join(words(line))).split()) for line in lines]
    index = pd.Index(said, name="beginning", dtype=object)
    return pd.DataFrame(cells, index=index, columns=["schedules", *map(short, names)], dtype=object)
