"""The state picture: everything about one moment of a run, in one place.

A huge page is a bar of 512 with its head marked; once split, the same bar is cut into cells.  Below
stand its ledger and the counters, at the right the model's own source with the line that an actor
stands in, and who comes next; at the bottom the run as a strip.  The stepper and its static twin
draw the same picture.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, groupby
from pathlib import PurePath
from types import CodeType
from typing import NamedTuple, TypeVar

from mmsim.constants import HPAGE_PMD_NR
from mmsim.engine.trace import Moment
from mmsim.mm.world import World
from mmsim.views.ledger import LEDGER_HIGH, Ledger, as_text, describe, draw_ledger, ledger_at
from mmsim.views.run import Row, changes, fold, moved_counters
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
    Svg,
    actor_fill,
    badge,
    flowing,
    heading,
    headline,
    initials,
    number,
    panel,
    text_width,
    wrap,
)
from mmsim.views.words import main_actor, page_words, result_words, sentence, subject

# -- the pages of a region

CELLS_HIGH = 8
SMALL_CELL = 14.0
"""A cell this small has no room for a pattern; it gets a sign."""
_NOWHERE = ""
_T = TypeVar("_T")


class Layout(NamedTuple):
    """Where each page of a region lies: its migratetype, "" for a page that is nowhere."""

    whole: bool
    types: tuple[str, ...]
    title: str

    def counts(self) -> list[tuple[str, int]]:
        """Migratetype -> pages, CMA first."""
        kinds = dict.fromkeys(["CMA", *self.types])
        return [(kind, n) for kind in kinds if (n := self.types.count(kind))]


def layout(world: World, region: str) -> Layout:
    """The pages of a region, in the order of the file."""
    folios = [(pfn, f) for pfn, f in world.folios.items() if f.name and f.region == region]
    size = max((f.index + f.nr_pages for _, f in folios), default=HPAGE_PMD_NR)
    types = [_NOWHERE] * size
    for pfn, folio in folios:
        kind = world.pageblock_type(pfn)
        types[folio.index : folio.index + folio.nr_pages] = [kind] * folio.nr_pages
    whole = len(folios) == 1 and folios[0][1].is_thp
    title = f"{region} has been split: {size} pages, each for itself"
    if whole:
        title = f"Huge page {region}: {size} pages in one folio"
    elif not folios:
        title = f"{region}: no memory yet"
    elif size == 1:
        title = page_words(folios[0][1])
        title = title[0].upper() + title[1:]
    return Layout(whole, tuple(types), title)


def _draw_bar(svg: Svg, x: float, y: float, w: float, shown: Layout, focus: int | None) -> None:
    """Heading, bar and legend: 84 high.  `focus` points at the piece that the step is about."""
    heading(svg, x, y + 12, shown.title, w)
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
    names = {"CMA": "in CMA", "MOVABLE": "in ordinary memory", _NOWHERE: "nowhere"}
    at, y = x, y + 70
    for kind, n in shown.counts():
        text = f"{n} {names.get(kind, f'in {kind} memory')}"
        if kind == _NOWHERE:
            svg.rect(at, y, 18, 12, fill=PANEL, stroke=BAD, stroke_width=1)
        else:
            svg.filled(at, y, 18, 12, MIGRATETYPES[kind], stroke=INK, stroke_width=0.8)
            if not shown.whole and len(shown.types) >= 64:
                svg.cells((at, y, 18, 12), (at, y, 9, 6), MIGRATETYPES[kind])
        svg.text(at + 25, y + 10.5, text, max(x + w - at - 25, 20), size=SMALL, fill=MUTED)
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
            if kind == _NOWHERE:
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

CODE_LINES, LINE_HIGH = 16, 15.6
_SEAM = "version."
_PACKAGE = "mmsim"


class CodeLine(NamedTuple):
    """One line: its number in the file (0: lines left out), text, marks."""

    number: int
    text: str
    current: bool = False
    seam: bool = False


class Listing(NamedTuple):
    """The function an actor stands in, and how it got there; empty if it has returned.

    `file` is relative to the package.  `past`: the marked line has just been carried out;
    otherwise it comes next."""

    actor: str
    file: str
    chain: tuple[str, ...]
    lines: tuple[CodeLine, ...]
    past: bool


@cache
def _source(code: CodeType) -> tuple[tuple[tuple[int, str], ...], tuple[range, ...]]:
    """The function's numbered lines, dedented, without its docstring; and its plain statements."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return (), ()
    text = textwrap.dedent("".join(lines))
    function = ast.parse(text).body[0]
    skipped = range(0)
    if isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None:
        doc = function.body[0]
        skipped = range(doc.lineno, (doc.end_lineno or doc.lineno) + 1)
    numbered = [
        (first + i, line.rstrip())
        for i, line in enumerate(text.rstrip().splitlines())
        if i + 1 not in skipped
    ]
    statements = [
        range(node.lineno + first - 1, (node.end_lineno or node.lineno) + first)
        for node in ast.walk(function)
        if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign))
    ]
    return tuple(numbered), tuple(statements)


def _window(numbered: Sequence[tuple[int, str]], line: int) -> Sequence[tuple[int, str]]:
    """At most CODE_LINES lines around `line`; what is left out shows as line number 0."""
    most = CODE_LINES
    if len(numbered) > most:
        numbered = [item for item in numbered if item[1]]
    if len(numbered) <= most:
        return numbered
    here = next((i for i, (n, _) in enumerate(numbered) if n == line), 0)
    start = max(0, min(here - most * 3 // 5, len(numbered) - most))
    above, below = start > 0, start + most < len(numbered)
    shown = numbered[start + 2 * above : start + most - below]
    # What is nested deep moves to the left, so that it fits beside the rest of a picture.
    spare = min((len(text) - len(text.lstrip()) for _, text in shown if text[:1] == " "), default=4)
    moved = ((n, text[max(spare - 4, 0) :] if text[:1] == " " else text) for n, text in shown)
    left_out = (0, "    …")
    return [*([numbered[0], left_out] if above else []), *moved, *([left_out] if below else [])]


def listing(moment: Moment, actor: str = "") -> Listing:
    """The innermost function of an actor, its current line marked.

    Without `actor`: of the one that took this step, or takes the first."""
    event = moment.event
    if not actor:
        events = moment.run.events
        mover = event or (events[0] if events else None)
        actor = mover.actor if mover else main_actor(moment.scenario)
    past = event is not None and event.actor == actor
    local = event.local if event is not None and past else moment.local(actor)
    frames = local.frames()
    if not frames:
        return Listing(actor, "", (), (), past)
    line = frames[-1].line
    numbered, statements = _source(local.where[-1][0])
    # Which line of a statement a frame names differs between Pythons.
    marked = next((s for s in statements if line in s), range(line, line + 1))
    shown = [
        CodeLine(n, text, n in marked, _SEAM in text.partition("#")[0])
        for n, text in _window(numbered, marked[0])
    ]
    parts = PurePath(frames[-1].file.replace("\\", "/")).parts
    last = max((i for i, part in enumerate(parts) if part == _PACKAGE), default=len(parts) - 2)
    file = "/".join(parts[last + 1 :])
    return Listing(actor, file, tuple(f.function for f in frames), tuple(shown), past)


def _draw_code(svg: Svg, x: float, y: float, w: float, code: Listing, actors: list[str]) -> None:
    """Call chain, file, and the function's lines with the current one marked."""
    badge(svg, x, y, actors, code.actor)
    head = f"{code.actor}: {'this line was carried out' if code.past else 'this line comes next'}"
    heading(svg, x + 30, y + 13, head, w - 30, code.file)
    if not code.lines:
        svg.text(x, y + 40, "This actor has returned from all its functions.", w, fill=MUTED)
        return
    for i, text in enumerate(wrap(" > ".join(code.chain), w, SMALL, 2)):
        svg.text(x, y + 36 + i * 16, text, w, size=SMALL, fill=MUTED)
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
                svg.text(x + w - 4, base + 10.8, tag, 120, size=SMALL, fill=MUTED, anchor="end")
        text = line.text
        if text.startswith("def ") and text_width(text, CODE, mono=True) > room:
            text = text.partition(" -> ")[0] + " -> …"
        svg.text(x + 14, base + 10.8, text, room, size=CODE, mono=True, bold=line.current)


# -- who comes next

ACTORS_MAX = 4


def standing(moment: Moment, actor: str) -> str:
    """What an actor will do next, why it can't, or how it ended."""
    local = moment.local(actor)
    if local.op is None:
        words = result_words(moment.scenario, moment.after, actor)
        if words != "done":
            return f"has finished: {words}"
        # References may outlive the last step of an actor that returns nothing.
        folios = moment.world.folios.values()
        refs = sum(n for folio in folios for who, n in folio.held if who == actor)
        if not refs:
            return "has finished"
        return f"no further step; keeps its {'reference' if refs == 1 else f'{refs:,} references'}"
    why = moment.scenario.blocked(moment.after, actor)
    if why is not None:
        return f"blocked: {why}"
    frames = local.frames()
    inside = f", in {frames[-1].function}" if len(frames) > 1 else ""
    return f"next: {local.op.kind.name}(){inside}"


def _draw_next(svg: Svg, x: float, y: float, w: float, moment: Moment, names: list[str]) -> None:
    """One line for each actor."""
    more = len(names) - ACTORS_MAX
    heading(svg, x, y + 12, "Who comes next", w, f"and {more} more" if more > 0 else "")
    for i, name in enumerate(names[:ACTORS_MAX]):
        top = y + 22 + i * 25
        badge(svg, x, top, names, name)
        wide = text_width(name, 13, bold=True)
        svg.text(x + 30, top + 13.4, name, 120, bold=True)
        left = 30 + min(wide, 120) + 12
        said = standing(moment, name)
        if text_width(said, BODY) > w - left:
            said = said.partition(", in ")[0]
        svg.text(x + left, top + 13.4, said, w - left)


# -- counters

COUNTER_LINES = 3


def _draw_counters(svg: Svg, x: float, y: float, w: float, moment: Moment) -> None:
    """Counters that moved so far; the ones that moved in this step are bold, with old and new."""
    moved = moved_counters(moment.start.world, moment.world)
    now = {name: old for name, old, _ in moved_counters(moment.before.world, moment.world)}
    moved.sort(key=lambda item: (item[0] not in now, item[0].startswith("nr_")))
    half, at, line, shown = (w - 20) / 2, 0, 0, 0
    for name, old, new in moved:
        if line >= COUNTER_LINES:
            break
        changed = name in now
        alone = changed and len(now) < COUNTER_LINES
        wide, left, top = w if alone else half, x + at * (half + 20), y + 22 + line * 19
        value = f"{now[name] - old:,} → {new - old:,}" if changed else f"{new - old:+,}"
        if changed:
            svg.rect(left - 4, top - 1, wide + 8, 18, rx=2, fill=CHANGED)
        room = wide - text_width(value, SMALL, bold=True) - 6
        svg.text(left, top + 12, name, room, size=SMALL, bold=changed)
        svg.text(left + wide, top + 12, value, wide, size=SMALL, bold=True, anchor="end")
        at = 0 if alone else 1 - at
        line, shown = line + (at == 0), shown + 1
    more = len(moved) - shown
    heading(svg, x, y + 12, "Counters since the start", w, f"and {more} more" if more else "")
    if not moved:
        svg.text(x, y + 34, "none has moved yet", w, size=SMALL, fill=MUTED)


def draw_holders_and_counters(
    svg: Svg, x: float, y: float, w: float, bottom: float, moment: Moment, book: Ledger | None
) -> None:
    """Two panels, one above the other: who holds the page, and the counters that moved."""
    panel(svg, x, y, w, LEDGER_HIGH + 14)
    if book is not None:
        draw_ledger(svg, x + 14, y + 8, w - 28, book)
    else:
        svg.text(x + 14, y + 28, "Nobody holds this page.", w - 28, fill=MUTED)
    below = y + LEDGER_HIGH + 22
    panel(svg, x, below, w, bottom - below)
    _draw_counters(svg, x + 14, below + 7, w - 28, moment)


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
            badge(svg, left + min((right - left) / 2, 60) - 11, y + 1, names, actor)
        elif right - left >= 8:
            svg.text((left + right) / 2, y + 14, initials(names)[actor], right - left + 6,
                     size=SMALL, bold=True, anchor="middle")  # fmt: skip
    here = at + cell * _edge(rows, edges, position)
    for i, row in enumerate(rows):
        if row.folded:
            left, size = at + edges[i] * cell, FOLDED_WIDE * cell
            svg.rect(left, y, size, 20, fill=PAPER, stroke=MUTED, stroke_dasharray="3 2")
            said = f"×{row.times}"
            if abs(here - left - size / 2) > text_width(said, SMALL) / 2 + 3:
                svg.text(left + size / 2, y + 14.4, said, size, size=SMALL, anchor="middle")
    if cell >= 5:
        ticks = (i for i in range(1, len(rows)) if not rows[i].folded and not rows[i - 1].folded)
        marks = "".join(f"M{number(at + edges[i] * cell)} {number(y)}v4" for i in ticks)
        svg.path(marks, stroke=MUTED, stroke_width=0.8)
    svg.line(here, y - 5, here, y + 25, stroke=INK, stroke_width=2)
    svg.path(f"M{number(here - 6)} {number(y - 9)}h12l-6 8Z", fill=INK, stroke="none")


# -- all of it

WIDTH, HEIGHT, CUT = 1000.0, 594.0, 456.0
_EDGE, _TOP = 10.0, 96.0


def _round_and_pass(moment: Moment, actor: str) -> tuple[int, int] | None:
    """The round and the pass of migrate_pages() that an actor is in; None if it is in none."""
    for op in (
        moment.local(actor).op,
        *(e.op for e in reversed(moment.events) if e.actor == actor),
    ):
        if op is None or op.site == "migrate.end":
            return None
        if "pass_" in op.told:
            return op.told["round_"], op.told["pass_"]
    return None


def _note(moment: Moment) -> str:
    """Scenario and version, and which pass of which round the main actor is in."""
    scenario = moment.scenario
    version = getattr(scenario, "version", None)
    words = [scenario.name] + ([f"version {version.name}"] if version is not None else [])
    found = _round_and_pass(moment, main_actor(scenario))
    if found is not None:
        words.append("round {}, pass {}".format(*found))
    return "  ·  ".join(words)


def state_svg(moment: Moment, *, region: str = "A") -> str:
    """The picture of one moment."""
    claim = sentence(moment)
    book, index = ledger_at(moment, region)
    svg = Svg(WIDTH, HEIGHT, claim, claim + (f" {describe(book)}" if book is not None else ""))
    names = [actor.name for actor in moment.scenario.actors]
    x, left, right = _EDGE, CUT - 1.5 * _EDGE, CUT + 0.5 * _EDGE
    svg.text(x + 2, 20, _note(moment), left, size=12, fill=MUTED)
    headline(svg, x + 2, 42, left - 4, claim)
    panel(svg, x, _TOP, left, 100)
    focus = index if moment.position else None
    _draw_bar(svg, x + 14, _TOP + 9, left - 28, layout(moment.world, region), focus)
    draw_holders_and_counters(svg, x, _TOP + 108, left, HEIGHT - 8, moment, book)
    wide, code_high = WIDTH - _EDGE - right, 64 + LINE_HIGH * CODE_LINES + 12
    _draw_progress(svg, right + 2, 18, wide - 4, moment, names)
    panel(svg, right, 54, wide, code_high)
    _draw_code(svg, right + 14, 63, wide - 28, listing(moment), names)
    below = 54 + code_high + 8
    panel(svg, right, below, wide, HEIGHT - 8 - below)
    _draw_next(svg, right + 14, below + 8, wide - 28, moment, names)
    return svg.render()


def state_html(moment: Moment) -> str:
    """The picture for a page of any width."""
    return flowing(state_svg(moment), CUT)


def state_table(moment: Moment, *, region: str = "A") -> list[tuple[str, str]]:
    """The picture's facts as a small table."""
    book, _ = ledger_at(moment, region)
    shown, code = layout(moment.world, region), listing(moment)
    rows = [("step", f"{moment.position} of {len(moment.run)}")]
    rows.append(("what happened", sentence(moment)))
    rows.append(("what changed", "; ".join(map(str, changes(moment))) or "nothing"))
    counts = ", ".join(f"{n} pages in {kind}" for kind, n in shown.counts() if kind) or "nowhere"
    rows.append((region, f"{'one huge page' if shown.whole else 'single pages'}: {counts}"))
    if book is not None:
        *held, equation = as_text(book)
        rows.append((f"references on {book.words}", "; ".join(held)))
        if book.due:
            rows.append((f"{book.check.name}, {book.when}", equation))
    moved = moved_counters(moment.start.world, moment.world)
    said = ", ".join(f"{name} {new - old:+d}" for name, old, new in moved) or "none moved"
    rows.append(("counters", said))
    line = next((line.text.strip() for line in code.lines if line.current), "")
    where = f"{' > '.join(code.chain)}: {line}" if line else "-"
    rows.append((f"{subject(code.actor)} stands in", where))
    return rows + [(actor.name, standing(moment, actor.name)) for actor in moment.scenario.actors]
