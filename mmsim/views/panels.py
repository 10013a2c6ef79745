"""The other parts of the state picture: code, who comes next, counters, progress.

Interface: draw_code, draw_next, draw_counters, draw_progress, standing
"""

from __future__ import annotations

from itertools import groupby

from mmsim.engine.trace import Trace
from mmsim.mm.world import World
from mmsim.views.changes import moved_counters
from mmsim.views.code import Listing
from mmsim.views.fold import Row, fold_once
from mmsim.views.marks import actor_fill, badge, heading, initials
from mmsim.views.names import result_words
from mmsim.views.style import (
    BODY,
    CHANGED,
    CODE,
    CODE_MIN,
    INK,
    LINE,
    MARKED,
    MUTED,
    PAPER,
    SEAM,
    SMALL,
    Svg,
    number,
    text_width,
    wrap,
)

LINE_HIGH = 15.6
CODE_LINES = 16
COUNTER_LINES = 3
FOLDED_WIDE = 5.0
ACTORS_MAX = 4


def draw_code(
    svg: Svg, x: float, y: float, w: float, code: Listing, actors: list[str], actor: str
) -> None:
    """Call chain, file, and the function's lines with the current one marked."""
    badge(svg, x, y, actors, actor)
    head = f"{actor}: {'this line was carried out' if code.past else 'this line comes next'}"
    heading(svg, x + 30, y + 13, head, w - 30, code.file)
    if not code.lines:
        svg.text(x, y + 40, "This actor has returned from all its functions.", w, fill=MUTED)
        return
    chain = wrap(" > ".join(code.chain), w, SMALL, 2)
    for i, text in enumerate(chain):
        svg.text(x, y + 36 + i * 16, text, w, size=SMALL, fill=MUTED)
    top = y + 64
    for i, line in enumerate(code.lines):
        base = top + i * LINE_HIGH
        if line.current or line.seam:
            svg.rect(x - 6, base - 1, w + 12, LINE_HIGH, fill=MARKED if line.current else SEAM)
        if line.current:
            svg.path(
                f"M{number(x - 2)} {number(base + 2.5)}l8 4.5l-8 4.5Z", fill=INK, stroke="none"
            )
        room = w - 14
        if line.seam:
            svg.rect(x + w + 2, base - 1, 4, LINE_HIGH, fill=MUTED)
            tag = "differs by version"
            if text_width(line.text, CODE_MIN, mono=True) < room - 126:
                room -= 126
                svg.text(x + w - 4, base + 10.8, tag, 120, size=SMALL, fill=MUTED, anchor="end")
        text = line.text
        if text.startswith("def ") and text_width(text, CODE, mono=True) > room:
            text = text.partition(" -> ")[0] + " -> …"
        wide = text_width(text, CODE, mono=True)
        size = CODE if wide <= room else max(CODE_MIN, int(CODE * room / wide * 10) / 10)
        svg.text(x + 14, base + 10.8, text, room, size=size, mono=True, bold=line.current)


def standing(trace: Trace, position: int, actor: str) -> str:
    """What an actor will do next, why it can't, or how it ended."""
    state = trace.state(position)
    local = trace.scenario.local(state, actor)
    if local.op is None:
        words = result_words(trace.scenario, state, actor)
        return _at_the_end(state.world, actor) if words == "done" else f"has finished: {words}"
    why = trace.scenario.blocked(state, actor)
    if why is not None:
        return f"blocked: {why}"
    frames = local.frames()
    where = frames[-1].function if frames else ""
    inside = "" if where in ("", "path") else f", in {where}"
    return f"next: {local.op.kind.name}(){inside}"


def _at_the_end(world: World, actor: str) -> str:
    """How an actor that returned nothing is left: references may outlive its last step."""
    refs = sum(n for folio in world.folios.values() for who, n in folio.held if who == actor)
    if not refs:
        return "has finished"
    return f"no further step; keeps its {'reference' if refs == 1 else f'{refs:,} references'}"


def draw_next(svg: Svg, x: float, y: float, w: float, trace: Trace, position: int) -> None:
    """One line for each actor."""
    names = [actor.name for actor in trace.scenario.actors]
    more = len(names) - ACTORS_MAX
    heading(svg, x, y + 12, "Who comes next", w, f"and {more} more" if more > 0 else "")
    for i, name in enumerate(names[:ACTORS_MAX]):
        top = y + 22 + i * 25
        badge(svg, x, top, names, name)
        wide = text_width(name, 13, bold=True)
        svg.text(x + 30, top + 13.4, name, 120, bold=True)
        left = 30 + min(wide, 120) + 12
        said = standing(trace, position, name)
        if text_width(said, BODY) > w - left:
            said = said.partition(", in ")[0]
        svg.text(x + left, top + 13.4, said, w - left)


def draw_counters(svg: Svg, x: float, y: float, w: float, trace: Trace, position: int) -> None:
    """Counters that moved so far; the ones that moved in this step are bold, with old and new."""
    start, world = trace.state(0).world, trace.state(position).world
    before = trace.state(max(position - 1, 0)).world
    moved = moved_counters(start, world)
    now = {name: old for name, old, _ in moved_counters(before, world)}
    moved.sort(key=lambda item: (item[0] not in now, item[0].startswith("nr_")))
    columns = [1 if name in now and len(now) < COUNTER_LINES else 2 for name, _, _ in moved]
    half, at, line, shown = (w - 20) / 2, 0, 0, 0
    for (name, old, new), wanted in zip(moved, columns, strict=True):
        if line >= COUNTER_LINES:
            break
        wide = w if wanted == 1 else half
        value = f"{now[name] - old:,} → {new - old:,}" if name in now else f"{new - old:+,}"
        _counter(svg, x + at * (half + 20), y + 22 + line * 19, wide, name, value, name in now)
        at = 0 if wanted == 1 else 1 - at
        line, shown = line + (at == 0), shown + 1
    more = len(moved) - shown
    heading(svg, x, y + 12, "Counters since the start", w, f"and {more} more" if more else "")
    if not moved:
        svg.text(x, y + 34, "none has moved yet", w, size=SMALL, fill=MUTED)


def _counter(svg: Svg, x: float, y: float, w: float, name: str, value: str, changed: bool) -> None:
    """One counter: its name at the left, its value at the right."""
    if changed:
        svg.rect(x - 4, y - 1, w + 8, 18, rx=2, fill=CHANGED)
    room = w - text_width(value, SMALL, bold=True) - 6
    svg.text(x, y + 12, name, room, size=SMALL, bold=changed)
    svg.text(x + w, y + 12, value, w, size=SMALL, bold=True, anchor="end")


def _weights(rows: list[Row]) -> list[float]:
    """Left edge of each row in the strip, in cells; a folded row is five cells wide."""
    edges = [0.0]
    for row in rows:
        edges.append(edges[-1] + (FOLDED_WIDE if row.folded else 1.0))
    return edges


def draw_progress(svg: Svg, x: float, y: float, w: float, trace: Trace, position: int) -> None:
    """The run as a strip: who took which step, and where this picture stands."""
    rows = fold_once(trace)
    names = [actor.name for actor in trace.scenario.actors]
    most = text_width(f"step {len(trace):,} of {len(trace):,}", BODY, bold=True) + 4
    svg.text(x, y + 15, f"step {position:,} of {len(trace):,}", most, bold=True)
    at, wide = x + max(most + 10, 150), w - max(most + 10, 150)
    if not rows:
        svg.rect(at, y, wide, 20, fill="none", stroke=LINE)
        return
    edges = _weights(rows)
    cell = wide / edges[-1]
    for actor, run in groupby(range(len(rows)), key=lambda i: trace.events[rows[i].start].actor):
        members = list(run)
        left, right = at + edges[members[0]] * cell, at + edges[members[-1] + 1] * cell
        fill = actor_fill(names, actor)
        svg.filled(left, y, right - left, 20, fill, stroke=fill.mark, stroke_width=0.8)
        if right - left >= 24:
            badge(svg, left + min((right - left) / 2, 60) - 11, y + 1, names, actor)
        elif right - left >= 8:
            svg.text(
                (left + right) / 2,
                y + 14,
                initials(names)[actor],
                right - left + 6,
                size=SMALL,
                bold=True,
                anchor="middle",
            )
    here = at + cell * _edge(rows, edges, position)
    for i, row in enumerate(rows):
        if row.folded:
            box = (at + edges[i] * cell, FOLDED_WIDE * cell)
            svg.rect(box[0], y, box[1], 20, fill=PAPER, stroke=MUTED, stroke_dasharray="3 2")
            middle, said = box[0] + box[1] / 2, f"×{row.times}"
            if abs(here - middle) > text_width(said, SMALL) / 2 + 3:
                svg.text(middle, y + 14.4, said, box[1], size=SMALL, anchor="middle")
    if cell >= 5:
        ticks = (i for i in range(1, len(rows)) if not rows[i].folded and not rows[i - 1].folded)
        marks = "".join(f"M{number(at + edges[i] * cell)} {number(y)}v4" for i in ticks)
        svg.path(marks, stroke=MUTED, stroke_width=0.8)
    svg.line(here, y - 5, here, y + 25, stroke=INK, stroke_width=2)
    svg.path(f"M{number(here - 6)} {number(y - 9)}h12l-6 8Z", fill=INK, stroke="none")


def _edge(rows: list[Row], edges: list[float], position: int) -> float:
    """Where a position lies in the strip, in cells; it may lie inside a folded row."""
    for i, row in enumerate(rows):
        if position <= row.end:
            done = (position - row.start) / row.steps
            return edges[i] + done * (edges[i + 1] - edges[i])
    return edges[-1]
