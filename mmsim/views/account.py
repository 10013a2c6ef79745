"""The picture of a bench: its ledger, and beside it the steps that led to the count.

Interface: account_svg, account_sentence
"""

from __future__ import annotations

from mmsim.engine.trace import Trace
from mmsim.practice.benches import REGION
from mmsim.views.ledger import KNOWN, Ledger, describe, draw_ledger, ledger
from mmsim.views.svg import INK, MUTED, SMALL, TITLE, Svg, heading, panel

WIDTH, HEIGHT = 1120.0, 348.0
# Steps that find their page by its name; the kernel's function behind each.
_KERNEL_NAMES = {"isolate_by_name": "folio_isolate_lru", "pin_by_name": "pin_user_pages"}
_LEFT, _STEP_HIGH, _STEPS_MAX = 508.0, 18.5, 13


def _book(trace: Trace) -> Ledger:
    book = ledger(trace.last.world, REGION, check=KNOWN)
    assert book is not None
    return book


def account_sentence(trace: Trace) -> str:
    """The ledger in a sentence."""
    return describe(_book(trace))


def _claim(book: Ledger) -> str:
    if not book.due:
        return f"{book.held} references; nobody compares the count"
    surplus = book.held - book.check.expected
    if surplus:
        many = f"{surplus:,} more than expected" if surplus > 0 else "fewer than expected"
        return f"{book.held:,} references: {many}, so somebody else is there"
    return f"{book.held:,} references, all of them expected: nobody else is there"


def _counts(trace: Trace) -> list[int]:
    """The reference count after each step."""
    pfn = next(iter(trace.last.world.folios))
    return [trace.state(i).world.folio(pfn).refcount for i in range(1, len(trace) + 1)]


def _steps(svg: Svg, x: float, y: float, w: float, trace: Trace) -> None:
    heading(svg, x, y + 13, "How the count came about", w, "count after the step")
    before = 0
    for i, (event, count) in enumerate(zip(trace.events, _counts(trace), strict=True)):
        if i == _STEPS_MAX:
            break
        base = y + 37 + i * _STEP_HIGH
        svg.text(x, base, event.actor, 110, size=SMALL)
        name = _KERNEL_NAMES.get(event.op.kind.name, event.op.kind.name)
        svg.text(x + 116, base, f"{name}()", w - 246, size=SMALL, mono=True)
        moved = count - before
        if moved:
            svg.text(x + w - 62, base, f"{moved:+,}", 60, size=SMALL, anchor="end")
        ink = INK if moved else MUTED
        svg.text(x + w, base, f"{count:,}", 56, bold=bool(moved), anchor="end", fill=ink)
        before = count


def account_svg(trace: Trace) -> str:
    """Ledger on the left, steps on the right."""
    book = _book(trace)
    claim = _claim(book)
    svg = Svg(WIDTH, HEIGHT, claim, f"{claim}. {describe(book)}")
    svg.text(18, 32, claim, WIDTH - 36, size=TITLE, bold=True)
    panel(svg, 16, 48, _LEFT, HEIGHT - 64)
    draw_ledger(svg, 32, 60, _LEFT - 32, book)
    right = 16 + _LEFT + 14
    panel(svg, right, 48, WIDTH - 16 - right, HEIGHT - 64)
    _steps(svg, right + 16, 60, WIDTH - 48 - right, trace)
    return svg.render()
