"""The state picture: everything about one moment of a run, in one place.

A huge page is a bar of 512 with its head marked; once split, the same bar is cut into cells.  Below
stand its ledger and the counters; in the other column the run as a strip, the model's own source
with the line that an actor stands in, and who comes next.  The stepper and its static twin draw the
same picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from typing import TypeVar

from mmsim.engine.trace import Moment
from mmsim.views.facts import CODE_LINES, NOWHERE, Counter, Facts, Layout, Listing, facts
from mmsim.views.fold import Row, fold
from mmsim.views.ledger import LEDGER_HIGH, Ledger, draw_ledger
from mmsim.views.svg import (
    BAD,
    BODY,
    CHANGED,
    CODE,
    INK,
    LINE,
    MARKED,
    MIGRATETYPES,
    MUTED,
    PANEL,
    PAPER,
    SEAM,
    SMALL,
    Picture,
    Svg,
    actor_fill,
    initials,
    number,
    text_width,
    wrap,
)

# -- the pages of a region

CELLS_HIGH = 8
SMALL_CELL = 14.0
"""A cell this small has no room for a pattern; it gets a sign."""
_T = TypeVar("_T")


def _draw_bar(svg: Svg, x: float, y: float, w: float, shown: Layout, focus: int | None) -> None:
    """Heading, bar and legend: 84 high.  `focus` points at the piece that the step is about."""
    svg.heading(x, y + 12, shown.title, w)
    top, high = y + 22, 34.0
    if shown.whole:
        fill = MIGRATETYPES[shown.types[0]]
        svg.filled(x, top, w, high, fill, stroke=INK, stroke_width=1.4, rx=3)
        svg.rect(x, top, 46, high, fill=INK, rx=3)
        svg.text(x + 23, top + 21.5, "head", 46, size=SMALL, fill=PANEL, bold=True, anchor="middle")
    else:
        rows = CELLS_HIGH if len(shown.types) >= 64 else 1
        wide = w / -(-len(shown.types) // rows)
        _cells(svg, (x, top, wide, high / rows), w, rows, shown.types)
        if focus is not None and len(shown.types) > 1:
            at = x + (focus // rows + 0.5) * wide
            d = f"M{number(at)} {number(top + high + 1)}l4.5 7h-9Z"
            svg.path(d, fill=INK, stroke="none")
    names = {"CMA": "in CMA", "MOVABLE": "in ordinary memory", NOWHERE: "nowhere"}
    at, y = x, y + 70
    for kind, n in shown.counts:
        text = f"{n} {names.get(kind, f'in {kind} memory')}"
        if kind == NOWHERE:
            svg.rect(at, y, 18, 12, fill=PANEL, stroke=BAD, stroke_width=1)
        else:
            svg.filled(at, y, 18, 12, MIGRATETYPES[kind], stroke=INK, stroke_width=0.8)
            if not shown.whole and len(shown.types) >= 64:
                svg.cells((at, y, 18, 12), (at, y, 9, 6), MIGRATETYPES[kind])
        svg.note(at + 25, y + 10.5, text, max(x + w - at - 25, 20))
        at += 25 + text_width(text, SMALL) + 22


def _runs(values: Sequence[_T]) -> Iterator[tuple[int, int, _T]]:
    """Equal neighbours together: where they begin, how many, and what they are."""
    at = 0
    for value, same in groupby(values):
        n = len(list(same))
        yield at, n, value
        at += n


def _cells(
    svg: Svg, cell: tuple[float, float, float, float], w: float, rows: int, types: tuple[str, ...]
) -> None:
    """Page i is cell (i // 8, i % 8): the bar fills from left to right, column by column."""
    x, y, wide, tall = cell
    columns = [types[i : i + rows] for i in range(0, len(types), rows)]
    for at, n, column in _runs(columns):
        for row, length, kind in _runs(column):
            box = (x + at * wide, y + row * tall, n * wide, length * tall)
            if kind == NOWHERE:
                svg.rect(*box, fill=PANEL)
            elif min(wide, tall) < SMALL_CELL:
                svg.cells(box, cell, MIGRATETYPES[kind])
            else:
                svg.filled(*box, MIGRATETYPES[kind])
    if min(wide, tall) >= SMALL_CELL:
        lines = (f"M{number(x + i * wide)} {number(y)}" for i in range(len(columns)))
        d = "".join(f"{line}v{number(tall * rows)}" for line in lines)
        svg.path(d, stroke=INK, stroke_width=1)
    svg.rect(x, y, w, tall * rows, fill="none", stroke=INK, stroke_width=1.4)


# -- the model's own source

LINE_HIGH = 15.6


def _draw_code(svg: Svg, x: float, y: float, w: float, code: Listing, actors: list[str]) -> None:
    """Call chain, file, and the function's lines with the current one marked."""
    svg.badge(x, y, actors, code.actor)
    head = f"{code.actor}: {'this line was carried out' if code.past else 'this line comes next'}"
    svg.heading(x + 30, y + 13, head, w - 30, code.file)
    if not code.lines:
        svg.text(x, y + 40, "This actor has returned from all its functions.", w, fill=MUTED)
        return
    for i, text in enumerate(wrap(" > ".join(code.chain), w, SMALL, 2)):
        svg.note(x, y + 36 + i * 16, text, w)
    for i, line in enumerate(code.lines):
        base = y + 64 + i * LINE_HIGH
        if line.current or line.seam:
            svg.rect(x - 6, base - 1, w + 12, LINE_HIGH, fill=MARKED if line.current else SEAM)
        if line.current:
            d = f"M{number(x - 2)} {number(base + 2.5)}l8 4.5l-8 4.5Z"
            svg.path(d, fill=INK, stroke="none")
        room = w - 14
        if line.seam:
            svg.rect(x + w + 2, base - 1, 4, LINE_HIGH, fill=MUTED)
            tag = "differs by version"
            if text_width(line.text, CODE, mono=True) < room - 126:
                room -= 126
                svg.note(x + w - 4, base + 10.8, tag, 120, anchor="end")
        text = line.text
        if text.startswith("def ") and text_width(text, CODE, mono=True) > room:
            text = text.partition(" -> ")[0] + " -> …"
        svg.text(x + 14, base + 10.8, text, room, size=CODE, mono=True, bold=line.current)


# -- who comes next

ACTORS_MAX = 4


def _draw_next(svg: Svg, x: float, y: float, w: float, standing: dict[str, str]) -> None:
    """One line for each actor."""
    names = list(standing)
    more = len(names) - ACTORS_MAX
    svg.heading(x, y + 12, "Who comes next", w, f"and {more} more" if more > 0 else "")
    for i, name in enumerate(names[:ACTORS_MAX]):
        top = y + 22 + i * 25
        svg.badge(x, top, names, name)
        svg.text(x + 30, top + 13.4, name, 120, bold=True)
        left = 42 + min(text_width(name, BODY, bold=True), 120)
        said = standing[name]
        if text_width(said, BODY) > w - left:
            said = said.partition(", in ")[0]
        svg.text(x + left, top + 13.4, said, w - left)


# -- counters

COUNTER_LINES = 3


def _draw_counters(svg: Svg, x: float, y: float, w: float, counters: list[Counter]) -> None:
    """Counters that moved so far; the ones that moved in this step are bold, with old and new."""
    order = sorted(counters, key=lambda c: (c.before == c.now, c.name.startswith("nr_")))
    wide_ones = sum(before != now for _, before, now in counters) < COUNTER_LINES
    half, at, line, shown = (w - 20) / 2, 0, 0, 0
    for name, before, now in order:
        if line >= COUNTER_LINES:
            break
        changed = before != now
        alone = changed and wide_ones
        wide, left, top = w if alone else half, x + at * (half + 20), y + 22 + line * 19
        value = f"{before:,} → {now:,}" if changed else f"{now:+,}"
        if changed:
            svg.rect(left - 4, top - 1, wide + 8, 18, rx=2, fill=CHANGED)
        room = wide - text_width(value, SMALL, bold=True) - 6
        svg.text(left, top + 12, name, room, size=SMALL, bold=changed)
        svg.text(left + wide, top + 12, value, wide, size=SMALL, bold=True, anchor="end")
        at = 0 if alone else 1 - at
        line, shown = line + (at == 0), shown + 1
    more = len(counters) - shown
    svg.heading(x, y + 12, "Counters since the start", w, f"and {more} more" if more else "")
    if not counters:
        svg.note(x, y + 34, "none has moved yet", w)


def draw_holders_and_counters(
    svg: Svg,
    x: float,
    y: float,
    w: float,
    bottom: float,
    book: Ledger | None,
    counters: list[Counter],
) -> None:
    """Two panels, one above the other: who holds the page, and the counters that moved."""
    svg.panel(x, y, w, LEDGER_HIGH + 14)
    if book is not None:
        draw_ledger(svg, x + 14, y + 8, w - 28, book)
    else:
        svg.text(x + 14, y + 28, "Nobody holds this page.", w - 28, fill=MUTED)
    below = y + LEDGER_HIGH + 22
    svg.panel(x, below, w, bottom - below)
    _draw_counters(svg, x + 14, below + 7, w - 28, counters)


# -- the run as a strip

FOLDED_WIDE = 5.0


def _edge(rows: list[Row], edges: list[float], position: int) -> float:
    """Where a position lies in the strip, in cells; it may lie inside a folded row."""
    for i, row in enumerate(rows):
        if position <= row.end:
            done = (position - row.start) / (row.end - row.start)
            return edges[i] + done * (edges[i + 1] - edges[i])
    return edges[-1]


def _draw_progress(
    svg: Svg, x: float, y: float, w: float, moment: Moment, names: list[str]
) -> None:
    """Who took which step, and where this picture stands."""
    trace, position = moment.run, moment.position
    rows = fold(trace)
    most = text_width(f"step {len(trace):,} of {len(trace):,}", BODY, bold=True) + 4
    svg.text(x, y + 15, f"step {position:,} of {len(trace):,}", most, bold=True)
    at, wide = x + max(most + 10, 150), w - max(most + 10, 150)
    if not rows:
        svg.rect(at, y, wide, 20, fill="none", stroke=LINE)
        return
    edges = [0.0, *accumulate(FOLDED_WIDE if row.folded else 1.0 for row in rows)]
    cell = wide / edges[-1]
    for first, n, actor in _runs([trace.events[row.start].actor for row in rows]):
        left, right = at + edges[first] * cell, at + edges[first + n] * cell
        fill = actor_fill(names, actor)
        svg.filled(left, y, right - left, 20, fill, stroke=fill.mark, stroke_width=0.8)
        if right - left >= 24:
            svg.badge(left + min((right - left) / 2, 60) - 11, y + 1, names, actor)
        elif right - left >= 8:
            svg.text((left + right) / 2, y + 14, initials(names)[actor], right - left + 6,
                     size=SMALL, bold=True, anchor="middle")  # fmt: skip
    here = at + cell * _edge(rows, edges, position)
    for i, row in enumerate(rows):
        if row.folded:
            left, size = at + edges[i] * cell, FOLDED_WIDE * cell
            svg.rect(left, y, size, 20, fill=PAPER, stroke=MUTED, stroke_dasharray="3 2")
            said = f"×{row.times}"
            room = min(size, 2 * abs(here - left - size / 2) - 6)
            if text_width(said, SMALL) <= room:
                svg.text(left + size / 2, y + 14.4, said, size, size=SMALL, anchor="middle")
    if cell >= 5:
        ticks = (i for i in range(1, len(rows)) if not rows[i].folded and not rows[i - 1].folded)
        marks = "".join(f"M{number(at + edges[i] * cell)} {number(y)}v4" for i in ticks)
        svg.path(marks, stroke=MUTED, stroke_width=0.8)
    svg.line(here, y - 5, here, y + 25, stroke=INK, stroke_width=2)
    svg.path(f"M{number(here - 6)} {number(y - 9)}h12l-6 8Z", fill=INK, stroke="none")


# -- all of it, in two columns

LEFT, RIGHT, HEIGHT = 456.0, 524.0, 594.0
EDGE, _TOP = 10.0, 96.0


def state_picture(moment: Moment, *, region: str = "A") -> Picture:
    """The picture of one moment."""
    return draw_state(facts(moment, region))


def draw_state(seen: Facts) -> Picture:
    """The picture of what there is to see."""
    left, wide = Svg(LEFT, HEIGHT, seen.claim, seen.words), LEFT - 1.5 * EDGE
    left.note(EDGE + 2, 20, seen.note, wide)
    left.headline(EDGE + 2, 42, wide - 4, seen.claim)
    left.panel(EDGE, _TOP, wide, 100)
    focus = seen.piece if seen.moment.position else None
    _draw_bar(left, EDGE + 14, _TOP + 9, wide - 28, seen.pages, focus)
    below = _TOP + 108
    draw_holders_and_counters(left, EDGE, below, wide, HEIGHT - 8, seen.book, seen.counters)
    where = f"Where {seen.code.actor} stands, and who comes next"
    right, names = Svg(RIGHT, HEIGHT, where, where), list(seen.standing)
    x, wide, code_high = 0.5 * EDGE, RIGHT - 1.5 * EDGE, 64 + LINE_HIGH * CODE_LINES + 12
    _draw_progress(right, x + 2, 18, wide - 4, seen.moment, names)
    right.panel(x, 54, wide, code_high)
    _draw_code(right, x + 14, 63, wide - 28, seen.code, names)
    below = 62 + code_high
    right.panel(x, below, wide, HEIGHT - 8 - below)
    _draw_next(right, x + 14, below + 8, wide - 28, seen.standing)
    return Picture([left.render(), right.render()], seen.claim)
