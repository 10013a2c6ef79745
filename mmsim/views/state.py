"""The state picture: everything about one moment of a run, in one place.

A huge page is a bar of 512 with its head marked; once split, the same bar is cut into cells.  Below
stand its ledger and the counters; in the other column the run as a strip, the model's own source
with the line that an actor stands in, and who comes next.  The stepper and its static twin draw the
same picture.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, groupby
from types import CodeType
from typing import NamedTuple, TypeVar

from mmsim.constants import HPAGE_PMD_NR
from mmsim.engine.trace import Moment
from mmsim.mm.world import World
from mmsim.scenarios.observed import named
from mmsim.views.ledger import LEDGER_HIGH, Ledger, describe, draw_ledger, ledger_at
from mmsim.views.operations import sentence
from mmsim.views.run_text import fold, moved_counters
from mmsim.views.svg import (
    BAD,
    BODY,
    CHANGED,
    CODE,
    FILLS,
    INK,
    LINE,
    MARKED,
    MUTED,
    PANEL,
    PAPER,
    SEAM,
    SMALL_TEXT,
    Picture,
    Svg,
    actor_fill,
    text_width,
    wrap,
)
from mmsim.views.words import area, main_actor, page_words, result_words, version_words

# -- the pages of a region

NOWHERE = ""
CELLS_HIGH = 8
_T = TypeVar("_T")


class Layout(NamedTuple):
    """Where each page of a region lies: its migratetype, "" for a page that is nowhere."""

    whole: bool
    types: tuple[str, ...]
    counts: list[tuple[str, int]]
    """How many of which migratetype, CMA first."""
    title: str


def layout(world: World, region: str) -> Layout:
    """The pages of a region, in the order of the file."""
    folios = named(world, region)
    size = max((f.index + f.nr_pages for _, f in folios), default=HPAGE_PMD_NR)
    types = [NOWHERE] * size
    for pfn, folio in folios:
        kind = world.pageblock_type(pfn)
        types[folio.index : folio.index + folio.nr_pages] = [kind] * folio.nr_pages
    whole = len(folios) == 1 and folios[0][1].is_thp
    title = f"{region} has been split: {size} pages, each for itself"
    if whole:
        title = f"Huge page {region}: {size} pages in one folio"
    elif not folios:
        title = f"{region}: no memory yet" if region else "No memory yet"
    elif size == 1:
        words = page_words(folios[0][1])
        title = words[0].upper() + words[1:]
    kinds = dict.fromkeys(["CMA", *types])
    counts = [(kind, n) for kind in kinds if (n := types.count(kind))]
    return Layout(whole, tuple(types), counts, title)


def _draw_bar(svg: Svg, shown: Layout, focus: int | None) -> None:
    """Heading, bar and legend: 84 high.  `focus` points at the piece that the step is about."""
    svg.heading(12, shown.title)
    wide, top, high = svg.width, 22.0, 34.0
    if shown.whole:
        fill = FILLS[shown.types[0]]
        svg.filled(0, top, wide, high, fill, stroke=INK, stroke_width=1.4, rx=3)
        svg.rect(0, top, 46, high, fill=INK, rx=3)
        svg.text(
            23, top + 21.5, "head", 46, size=SMALL_TEXT, fill=PANEL, bold=True, anchor="middle"
        )
    else:
        rows = CELLS_HIGH if len(shown.types) >= 64 else 1
        column = wide / -(-len(shown.types) // rows)
        _draw_cells(svg.inside(0, top, wide), column, high / rows, rows, shown.types)
        svg.rect(0, top, wide, high, fill="none", stroke=INK, stroke_width=1.4)
        if focus is not None and len(shown.types) > 1:
            middle = (focus // rows + 0.5) * column
            svg.shape(middle, top + high + 1, "l4.5 7h-9Z", fill=INK, stroke="none")
    left = 0.0
    for kind, n in shown.counts:
        text = f"{n} {'nowhere' if kind == NOWHERE else f'in {area(kind)}'}"
        if kind == NOWHERE:
            svg.rect(left, 70, 18, 12, fill=PANEL, stroke=BAD, stroke_width=1)
        else:
            svg.filled(left, 70, 18, 12, FILLS[kind], stroke=INK, stroke_width=0.8)
        left += 25
        svg.note(left, 80.5, text, max(wide - left, 20))
        left += text_width(text, SMALL_TEXT) + 22


def _runs(values: Sequence[_T]) -> Iterator[tuple[int, int, _T]]:
    """Equal neighbours together: where they begin, how many, and what they are."""
    at = 0
    for value, same in groupby(values):
        n = len(list(same))
        yield at, n, value
        at += n


def _draw_cells(svg: Svg, wide: float, tall: float, rows: int, types: tuple[str, ...]) -> None:
    """Page i is cell (i // 8, i % 8): the bar fills from left to right, column by column."""
    columns = [types[i : i + rows] for i in range(0, len(types), rows)]
    for at, n, column in _runs(columns):
        for row, length, kind in _runs(column):
            box = at * wide, row * tall, n * wide, length * tall
            if kind == NOWHERE:
                svg.rect(*box, fill=PANEL)
            else:
                svg.filled(*box, FILLS[kind])
    svg.grid((0, 0, wide * len(columns), tall * rows), wide, tall)


# -- the model's own source

CODE_LINES, LINE_HIGH = 16, 15.6


class CodeLine(NamedTuple):
    """One line: its number in the file (0: lines left out), text, marks."""

    number: int
    text: str
    current: bool = False
    seam: bool = False


class Listing(NamedTuple):
    """The function an actor stands in, and how it got there.

    `file` is relative to the package.  `past`: the marked line has just been carried out;
    otherwise it comes next."""

    actor: str
    file: str
    chain: tuple[str, ...]
    lines: tuple[CodeLine, ...]
    past: bool


@cache
def _source(code: CodeType) -> tuple[list[tuple[int, str]], list[range]]:
    """The function's numbered lines, dedented, without its docstring; and its plain statements."""
    lines, first = inspect.getsourcelines(code)
    text = textwrap.dedent("".join(lines))
    function = ast.parse(text).body[0]
    nodes = [n for n in ast.walk(function) if isinstance(n, (ast.Expr, ast.Assign, ast.AnnAssign))]
    spans = [range(n.lineno + first - 1, (n.end_lineno or n.lineno) + first) for n in nodes]
    documented = isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None
    doc = spans[0] if documented else range(0)  # a walk comes to the docstring first
    numbered = list(enumerate(map(str.rstrip, text.rstrip().splitlines()), start=first))
    return [line for line in numbered if line[0] not in doc], spans


def _window(numbered: list[tuple[int, str]], line: int) -> list[tuple[int, str]]:
    """At most CODE_LINES lines around `line`; what is left out shows as line number 0."""
    if len(numbered) > CODE_LINES:
        numbered = [item for item in numbered if item[1]]
    if len(numbered) <= CODE_LINES:
        return numbered
    here = next((i for i, (n, _) in enumerate(numbered) if n == line), 0)
    start = max(0, min(here - CODE_LINES * 3 // 5, len(numbered) - CODE_LINES))
    above, below = start > 0, start + CODE_LINES < len(numbered)
    shown = numbered[start + 2 * above : start + CODE_LINES - below]
    left_out = (0, "    …")
    # What is nested deep moves to the left, so that it fits.
    cut = max(min(len(text) - len(text.lstrip()) for _, text in shown) - 4, 0)
    moved = ((n, text[cut:]) for n, text in shown)
    return [*([numbered[0], left_out] * above), *moved, *([left_out] * below)]


def listing(moment: Moment) -> Listing:
    """The innermost function of the actor that took this step, or takes the first one."""
    event = moment.event
    mover = event or next(iter(moment.run.events), None)
    actor = mover.actor if mover else main_actor(moment.scenario)
    local = event.local if event else moment.local(actor)
    frames = local.frames()
    line = frames[-1].line
    numbered, statements = _source(local.stack[-1][0])
    # Which line of a statement a frame names differs between Pythons.
    marked = next((s for s in statements if line in s), range(line, line + 1))
    shown = [
        CodeLine(n, text, n in marked, "version." in text.partition("#")[0])
        for n, text in _window(numbered, marked[0])
    ]
    path = frames[-1].file.replace("\\", "/")
    _, package, file = path.rpartition("/mmsim/")
    file = file if package else path.rpartition("/")[2]
    return Listing(actor, file, tuple(f.function for f in frames), tuple(shown), event is not None)


def _draw_code(svg: Svg, code: Listing, actors: list[str]) -> None:
    """Call chain, file, and the function's lines with the current one marked."""
    svg.badge(0, 0, actors, code.actor)
    head = f"{code.actor}: {'this line was carried out' if code.past else 'this line comes next'}"
    svg.inside(30, 0, svg.width - 30).heading(13, head, code.file)
    for i, text in enumerate(wrap(" > ".join(code.chain), svg.width, SMALL_TEXT, 2)):
        svg.note(0, 36 + i * 16, text)
    for i, line in enumerate(code.lines):
        _draw_line(svg.inside(0, 64 + i * LINE_HIGH, svg.width), line)


def _draw_line(svg: Svg, line: CodeLine) -> None:
    """The current line has an arrow, and a line that differs by version a bar and, if there is
    room, words."""
    wide = svg.width
    if line.current or line.seam:
        svg.rect(-6, -1, wide + 12, LINE_HIGH, fill=MARKED if line.current else SEAM)
    if line.current:
        svg.shape(-2, 2.5, "l8 4.5l-8 4.5Z", fill=INK, stroke="none")
    room = wide - 14
    if line.seam:
        svg.rect(wide + 2, -1, 4, LINE_HIGH, fill=MUTED)
        if text_width(line.text, CODE, mono=True) < room - 126:
            room -= 126
            svg.note(wide - 4, 10.8, "differs by version", 120, anchor="end")
    svg.text(14, 10.8, line.text, room, size=CODE, mono=True, bold=line.current)


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


def _draw_next(svg: Svg, standings: dict[str, str]) -> None:
    """One line for each actor."""
    names = list(standings)
    more = len(names) - ACTORS_MAX
    svg.heading(12, "Who comes next", f"and {more} more" if more > 0 else "")
    for i, name in enumerate(names[:ACTORS_MAX]):
        top = 22 + i * 25
        svg.badge(0, top, names, name)
        svg.text(30, top + 13.4, name, 120, bold=True)
        left = 42 + min(text_width(name, BODY, bold=True), 120)
        said = standings[name]
        if text_width(said, BODY) > svg.width - left:
            said = said.partition(", in ")[0]
        svg.text(left, top + 13.4, said)


# -- counters

COUNTER_LINES = 3


def _draw_counters(svg: Svg, moment: Moment) -> None:
    """What counters have grown by since the start.

    Those of this step are bold and have a line each; of the others two share one."""
    was = {name: old for name, old, _ in moved_counters(moment.before.world, moment.world)}
    moved = moved_counters(moment.start.world, moment.world)
    moved.sort(key=lambda counter: counter[0].startswith("nr_"))
    now_moved = [counter for counter in moved if counter[0] in was][:COUNTER_LINES]
    earlier = [counter for counter in moved if counter[0] not in was]
    earlier = earlier[: 2 * (COUNTER_LINES - len(now_moved))]
    more = len(moved) - len(now_moved) - len(earlier)
    for line, (name, start, new) in enumerate(now_moved):
        row = svg.inside(0, 22 + line * 19, svg.width)
        row.rect(-4, -1, row.width + 8, 18, rx=2, fill=CHANGED)
        _draw_counter(row, name, f"{was[name] - start:,} → {new - start:,}", bold=True)
    half = (svg.width - 20) / 2
    for place, (name, start, new) in enumerate(earlier, start=2 * len(now_moved)):
        row = svg.inside(place % 2 * (half + 20), 22 + place // 2 * 19, half)
        _draw_counter(row, name, f"{new - start:+,}")
    svg.heading(12, "Counters since the start", f"and {more} more" if more else "")
    if not moved:
        svg.note(0, 34, "none has moved yet")


def _draw_counter(row: Svg, name: str, value: str, *, bold: bool = False) -> None:
    room = row.width - text_width(value, SMALL_TEXT, bold=True) - 6
    row.text(0, 12, name, room, size=SMALL_TEXT, bold=bold)
    row.text(row.width, 12, value, row.width, size=SMALL_TEXT, bold=True, anchor="end")


def draw_holders_and_counters(
    svg: Svg, bottom: float, ledger: Ledger | None, moment: Moment
) -> None:
    """Two panels, one above the other: who holds the page, and the counters that moved."""
    panel = svg.panel(0, 0, svg.width, LEDGER_HIGH + 14, (14, 8))
    if ledger is not None:
        draw_ledger(panel, ledger)
    else:
        panel.text(0, 20, "There is no page to hold.", fill=MUTED)
    below = LEDGER_HIGH + 22
    _draw_counters(svg.panel(0, below, svg.width, bottom - below, (14, 7)), moment)


# -- the run as a strip

FOLDED_WIDE = 5.0


def _draw_progress(svg: Svg, moment: Moment) -> None:
    """Who took which step, and where this picture stands."""
    trace, names = moment.run, [actor.name for actor in moment.scenario.actors]
    rows = fold(trace)
    most = text_width(f"step {len(trace):,} of {len(trace):,}", BODY, bold=True) + 4
    svg.text(0, 15, f"step {moment.position:,} of {len(trace):,}", most, bold=True)
    at = max(most + 10, 150)
    strip = svg.inside(at, 0, svg.width - at)
    if not rows:
        strip.rect(0, 0, strip.width, 20, fill="none", stroke=LINE)
        return
    edges = [0.0, *accumulate(FOLDED_WIDE if row.folded else 1.0 for row in rows)]
    places = [strip.width * edge / edges[-1] for edge in edges]
    for first, n, actor in _runs([trace.events[row.start].actor for row in rows]):
        left, wide = places[first], places[first + n] - places[first]
        fill = actor_fill(names, actor)
        strip.filled(left, 0, wide, 20, fill, stroke=fill.mark, stroke_width=0.8)
        if wide >= 24:
            strip.badge(left + min(wide / 2, 60) - 11, 1, names, actor)
    for row, left, right in zip(rows, places, places[1:], strict=False):
        if row.folded:
            strip.rect(left, 0, right - left, 20, fill=PAPER, stroke=MUTED, stroke_dasharray="3 2")
            said = f"×{row.times}"
            if text_width(said, SMALL_TEXT) <= right - left:
                strip.text((left + right) / 2, 14.4, said, 60, size=SMALL_TEXT, anchor="middle")
    here = places[bisect_left([0, *(row.end for row in rows)], moment.position)]
    strip.line(here, -5, here, 25, stroke=INK, stroke_width=2)
    strip.shape(here - 6, -9, "h12l-6 8Z", fill=INK, stroke="none")


# -- all of it, in two columns

LEFT, RIGHT, HEIGHT = 456.0, 524.0, 594.0
EDGE, _TOP = 10.0, 96.0


def _note(moment: Moment) -> str:
    """Scenario and version, and which pass of which round the main actor is in."""
    scenario, actor = moment.scenario, main_actor(moment.scenario)
    words = [scenario.name, version_words(scenario)]
    ops = (e.op for e in reversed(moment.events) if e.actor == actor)
    for op in (moment.local(actor).op, *ops):
        if op is None or op.site == "migrate.end":
            break
        if "pass_" in op.notes:
            words.append(f"round {op.notes['round_']}, pass {op.notes['pass_']}")
            break
    return "  ·  ".join(words)


def state_picture(moment: Moment, *, region: str = "") -> Picture:
    """The picture of one moment, with the region that its step is about: see `ledger_at`."""
    claim, code = sentence(moment), listing(moment)
    ledger, region, piece = ledger_at(moment, region)
    words = f"{claim} {describe(ledger)}" if ledger is not None else claim
    left, wide = Svg(LEFT, HEIGHT, claim, words), LEFT - 1.5 * EDGE
    left.note(EDGE + 2, 20, _note(moment), wide)
    left.headline(EDGE + 2, 42, wide - 4, claim)
    focus = piece if moment.position else None
    _draw_bar(left.panel(EDGE, _TOP, wide, 100, (14, 9)), layout(moment.world, region), focus)
    below = _TOP + 108
    held = left.inside(EDGE, below, wide)
    draw_holders_and_counters(held, HEIGHT - 8 - below, ledger, moment)
    where = f"Where {code.actor} stands, and who comes next"
    standings = {actor.name: standing(moment, actor.name) for actor in moment.scenario.actors}
    right, x, wide = Svg(RIGHT, HEIGHT, where, where), 0.5 * EDGE, RIGHT - 1.5 * EDGE
    _draw_progress(right.inside(x + 2, 18, wide - 4), moment)
    code_high = 64 + LINE_HIGH * CODE_LINES + 12
    _draw_code(right.panel(x, 54, wide, code_high, (14, 9)), code, list(standings))
    below = 62 + code_high
    _draw_next(right.panel(x, below, wide, HEIGHT - 8 - below, (14, 8)), standings)
    return Picture([left.render(), right.render()], claim)
