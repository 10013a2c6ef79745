"""The state picture: everything about one position of a run, in one place.

Interface: state_svg, state_table, book_at, touched, WIDTH, HEIGHT

The stepper and its static twin draw the same picture.
"""

from __future__ import annotations

from mmsim.engine.trace import Trace
from mmsim.views.balance import LEDGER_HIGH, describe, draw_ledger, is_due
from mmsim.views.bar import draw_bar, layout
from mmsim.views.changes import changes, moved_counters
from mmsim.views.code import Listing, listing
from mmsim.views.fold import arguments
from mmsim.views.ledger import IF, Ledger, as_text, check_at, ledger
from mmsim.views.marks import panel
from mmsim.views.names import main_actor, subject
from mmsim.views.panels import (
    CODE_LINES,
    LINE_HIGH,
    draw_code,
    draw_counters,
    draw_next,
    draw_progress,
    standing,
)
from mmsim.views.sentences import sentence
from mmsim.views.style import MUTED, TITLE, Svg, wrap

WIDTH, HEIGHT = 1120.0, 600.0
_EDGE, _LEFT = 16.0, 476.0
_BACK_MAX = 64
_PFNS = ("pfn", "src", "old", "new", "dst")


def touched(trace: Trace, i: int) -> tuple[str, int] | None:
    """Region and index of the page that step `i` (from 0) is about, if it is about one."""
    event = trace.events[i]
    given = arguments(event.op)
    if "region" in given and "index" in given:
        return str(given["region"]), int(given["index"])
    worlds = (trace.state(i).world, trace.state(i + 1).world)
    for name in _PFNS:
        for world in worlds:
            folio = world.folios.get(given.get(name, -1))
            if folio is not None and folio.name:
                return folio.region, folio.index
    return None


def focus(trace: Trace, position: int, region: str) -> tuple[int, bool]:
    """The page of the region that this step, or the last one that touched one, is about; and is it
    this step's?"""
    for i in range(position - 1, max(position - 1 - _BACK_MAX, -1), -1):
        found = touched(trace, i)
        if found is not None:
            if found[0] == region:
                return found[1], True
            return 0, False
    return 0, position > 0


def book_at(trace: Trace, position: int, region: str) -> tuple[Ledger | None, str, int]:
    """The ledger of the page in focus, whether its check is due (views.ledger), and its index."""
    index, here = focus(trace, position, region)
    check, when = check_at(trace, position) if here else ("", IF)
    book = ledger(trace.state(position).world, region, index, check=check)
    if book is not None and book.check.name != check:
        when = IF
    return book, when, index


def acting(trace: Trace, position: int) -> str:
    """Whose code to show: the actor that took this step, or the one that takes the first."""
    if position:
        return trace.events[position - 1].actor
    return trace.events[0].actor if trace.events else main_actor(trace.scenario)


def _code(trace: Trace, position: int) -> tuple[str, Listing]:
    actor = acting(trace, position)
    return actor, listing(trace, position, actor, lines_max=CODE_LINES)


def _note(trace: Trace, position: int) -> str:
    """Scenario and version, and which pass of which round the main actor is in."""
    scenario = trace.scenario
    version = getattr(scenario, "version", None)
    words = [scenario.name] + ([f"version {version.name}"] if version is not None else [])
    local = scenario.local(trace.state(position), main_actor(scenario))
    if "migrate_pages" in [frame.function for frame in local.frames()]:
        pass_, round_ = (local.variable("migrate_pages", name) for name in ("pass_", "round_"))
        if pass_ is not None:
            words.append(f"round {round_ or 1}, pass {pass_}")
    return "  ·  ".join(words)


def state_svg(trace: Trace, position: int, *, region: str = "A") -> str:
    """The picture of one position; 0 is before the first step."""
    claim = sentence(trace, position)
    state = trace.state(position)
    book, when, index = book_at(trace, position, region)
    desc = claim + (f" {describe(book, when)}" if book is not None else "")
    svg = Svg(WIDTH, HEIGHT, claim, desc)
    x, right = _EDGE, _EDGE + _LEFT + 14
    wide = WIDTH - _EDGE - right
    svg.text(x + 2, 22, _note(trace, position), WIDTH - 2 * _EDGE, size=12, fill=MUTED)
    for i, line in enumerate(wrap(claim, WIDTH - 2 * _EDGE - 4, TITLE, 2, bold=True)):
        svg.text(x + 2, 44 + i * 22, line, WIDTH - 2 * _EDGE - 4, size=TITLE, bold=True)
    top = 78.0
    panel(svg, x, top, _LEFT, 100)
    draw_bar(svg, x + 14, top + 9, _LEFT - 28, state.world, region, index if position else None)
    panel(svg, x, top + 108, _LEFT, LEDGER_HIGH + 14)
    if book is not None:
        draw_ledger(svg, x + 14, top + 116, _LEFT - 28, book, when)
    else:
        svg.text(
            x + 14, top + 136, f"Nobody holds page {index} of {region}.", _LEFT - 28, fill=MUTED
        )
    below = top + 108 + LEDGER_HIGH + 22
    panel(svg, x, below, _LEFT, HEIGHT - 48 - below)
    draw_counters(svg, x + 14, below + 7, _LEFT - 28, trace, position)
    actor, code = _code(trace, position)
    names = [a.name for a in trace.scenario.actors]
    code_high = 64 + LINE_HIGH * CODE_LINES + 12
    panel(svg, right, top, wide, code_high)
    draw_code(svg, right + 14, top + 9, wide - 28, code, names, actor)
    next_top = top + code_high + 8
    panel(svg, right, next_top, wide, HEIGHT - 48 - next_top)
    draw_next(svg, right + 14, next_top + 8, wide - 28, trace, position)
    draw_progress(svg, x + 2, HEIGHT - 32, WIDTH - 2 * _EDGE - 4, trace, position)
    return svg.render()


def state_table(trace: Trace, position: int, *, region: str = "A") -> list[tuple[str, str]]:
    """The picture's facts as a small table."""
    state = trace.state(position)
    book, when, _ = book_at(trace, position, region)
    actor, code = _code(trace, position)
    rows = [("step", f"{position} of {len(trace)}"), ("what happened", sentence(trace, position))]
    rows.append(("what changed", "; ".join(map(str, changes(trace, position))) or "nothing"))
    shown = layout(state.world, region)
    counts = ", ".join(f"{n} pages in {kind}" for kind, n in shown.counts() if kind) or "nowhere"
    rows.append((f"{region}", f"{'one huge page' if shown.whole else 'single pages'}: {counts}"))
    if book is not None:
        *held, equation = as_text(book)
        rows.append((f"references on {book.words}", "; ".join(held)))
        if is_due(book, when):
            rows.append((f"{book.check.name}, {when}", equation))
    moved = moved_counters(trace.state(0).world, state.world)
    rows.append(
        ("counters", ", ".join(f"{n} {new - old:+d}" for n, old, new in moved) or "none moved")
    )
    line = next((line.text.strip() for line in code.lines if line.current), "")
    rows.append(
        (f"{subject(actor)} stands in", f"{' > '.join(code.chain)}: {line}" if line else "-")
    )
    rows += [(a.name, standing(trace, position, a.name)) for a in trace.scenario.actors]
    return rows
