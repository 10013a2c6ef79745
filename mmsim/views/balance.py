"""The picture of a ledger: one block per holder, "expected" against "actual", the check underneath.

Interface: ledger_svg, draw_ledger, describe, is_due, LEDGER_HIGH
"""

from __future__ import annotations

from mmsim.mm.folio import ISOLATION
from mmsim.views.ledger import FUNCTIONS, IF, NEXT, Entry, Ledger
from mmsim.views.marks import bracket, heading, outcome_mark, panel
from mmsim.views.style import (
    BAD,
    FILLS,
    INK,
    LINE,
    MUTED,
    PANEL,
    SMALL,
    Svg,
    clip,
    text_width,
)

ROW = 34.0
ROWS_MAX = 5
LEDGER_HIGH = 30 + ROW * ROWS_MAX + 54
_BRACKETS = 142.0
_APART = 74.0


def is_due(book: Ledger, when: str) -> bool:
    """Does a check mean anything yet?  Only for a folio that somebody has isolated to move it."""
    return when != IF or any(row.holder == ISOLATION for row in book.rows)


def _shown(book: Ledger, due: bool) -> list[Entry]:
    """Rows the check counts on first; what it counts on and nobody holds yet stands among them."""
    expected = [row for row in book.rows if row.counted_on and due]
    if due and book.check.expected > sum(row.refs for row in expected):
        expected.append(Entry(ISOLATION, 0, "not taken yet", True))
    others = [row for row in book.rows if row not in expected]
    room = ROWS_MAX - len(expected)
    if len(others) > room:
        rest = others[room - 1 :]
        more = Entry(f"{len(rest)} more holders", sum(row.refs for row in rest), "", False)
        others = [*others[: room - 1], more]
    return expected + others


def _block(svg: Svg, x: float, y: float, w: float, row: Entry, due: bool) -> None:
    fill = FILLS["counted on" if row.counted_on or not due else "not counted on"]
    if row.refs:
        svg.filled(x, y, w, ROW - 5, fill, rx=3, stroke=fill.mark, stroke_width=1)
    else:
        svg.rect(
            x, y, w, ROW - 5, rx=3, fill=PANEL, stroke=MUTED, stroke_width=1, stroke_dasharray="4 3"
        )
    count = str(row.refs)
    number_wide = text_width(count, 15, bold=True)
    room = w - 28 - number_wide
    holder = clip(row.holder, room, 13, bold=True)
    wide = text_width(holder, 13, bold=True)
    if fill.pattern != "plain":
        # A quiet ground behind the words, so that the hatch does not run through them.
        why = text_width(clip(row.why, room - wide - 13, SMALL), SMALL) if row.why else 0
        for left, size in (
            (x + 5, wide + 8 + (why + 9 if why else 0)),
            (x + w - 17 - number_wide, number_wide + 12),
        ):
            svg.rect(left, y + 5, size, ROW - 15, rx=2, fill=fill.ground)
    svg.text(x + 9, y + 19.5, holder, room, bold=True)
    if row.why and room - wide - 13 > 40:
        svg.text(x + 9 + wide + 9, y + 19.5, row.why, room - wide - 13, size=SMALL)
    svg.text(x + w - 9, y + 20, count, w, size=15, bold=True, anchor="end")


def _sums(svg: Svg, x: float, y: float, rows: list[Entry], book: Ledger, when: str) -> None:
    """The two brackets, side by side, with their sums."""
    counted = sum(row.counted_on for row in rows)
    check = book.check
    colour = INK if check.equal or when == IF else BAD
    sums = [("expected", counted, check.expected)] if is_due(book, when) else []
    for i, (word, n, value) in enumerate((*sums, ("actual", len(rows), book.held))):
        at = x + 8 + i * _APART
        bottom = y + max(n, 1) * ROW - 5
        bracket(svg, at, y, bottom, colour)
        middle = (y + bottom) / 2
        svg.text(at + 6, middle - 1, word, _APART - 12, size=SMALL, fill=MUTED)
        svg.text(at + 6, middle + 15, str(value), _APART - 12, size=15, bold=True)


def _verdict(svg: Svg, x: float, y: float, w: float, book: Ledger, when: str) -> None:
    """The equation as the kernel has it, with numbers, and whether it holds."""
    check = book.check
    svg.line(x, y, x + w, y, stroke=LINE)
    if not is_due(book, when):
        words = "Nobody has isolated it, so nobody compares its count."
        svg.text(x, y + 30, words, w, size=SMALL, fill=MUTED)
        return
    svg.text(x, y + 20, check.formula, w * 0.64, size=SMALL, mono=True, fill=MUTED)
    svg.text(x, y + 41, check.numbers, w * 0.45, size=15, mono=True, bold=True)
    half = x + w * 0.48
    words = f"{check.left} {'=' if check.equal else '≠'} {check.right}: {check.verdict}"
    outcome = "not finished" if when in (IF, NEXT) else ("success" if check.equal else "failure")
    outcome_mark(svg, half, y + 36, outcome, words, x + w - half)
    svg.text(x + w, y + 20, when, w * 0.35, size=SMALL, fill=MUTED, anchor="end")


def draw_ledger(svg: Svg, x: float, y: float, w: float, book: Ledger, when: str = IF) -> None:
    """The ledger in a box `LEDGER_HIGH` high."""
    if book.frozen:
        note = f"refcount 0: frozen, {book.held} held"
    else:
        note = f"refcount {book.refcount}, mapcount {book.mapcount}"
    heading(svg, x, y + 13, f"Who refers to {book.words}", w, note)
    rows = _shown(book, is_due(book, when))
    top = y + 24
    for i, row in enumerate(rows):
        _block(svg, x, top + i * ROW, w - _BRACKETS, row, is_due(book, when))
    _sums(svg, x + w - _BRACKETS, top, rows, book, when)
    _verdict(svg, x, y + 30 + ROW * ROWS_MAX, w, book, when)


def describe(book: Ledger, when: str = IF) -> str:
    """The ledger in one sentence."""
    held = ", ".join(f"{row.holder} {row.refs}" for row in book.rows)
    check = book.check
    if not is_due(book, when):
        return f"References on {book.words}: {held}; {book.held} in all."
    frozen = " It is frozen at refcount 0." if book.frozen else ""
    return (
        f"References on {book.words}: {held}; {check.expected} expected, {book.held} actual."
        f"{frozen} {FUNCTIONS[check.name]}: {check.numbers} is {check.verdict}."
    )


def ledger_svg(book: Ledger, when: str = IF) -> str:
    """The ledger as a picture of its own."""
    claim = f"{book.words}: {book.held} references"
    if is_due(book, when):
        claim += f", {book.check.expected} expected"
    svg = Svg(520, LEDGER_HIGH + 28, claim, describe(book, when))
    panel(svg, 8, 8, 504, LEDGER_HIGH + 12)
    draw_ledger(svg, 24, 18, 472, book, when)
    return svg.render()
