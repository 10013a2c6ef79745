"""One decision as a flow chart: migrate a huge page whole, or split it and migrate the pieces.

Interface: flow_svg, flow_sentence

The way that a run took is drawn bold, with the number of times; the rest stays pale and dashed.
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.trace import Trace
from mmsim.views.decisions import Taken, flow_sentence, outcome, taken
from mmsim.views.style import (
    BODY,
    INK,
    LINE,
    MARKED,
    MUTED,
    PANEL,
    SMALL,
    TITLE,
    Svg,
    number,
    text_width,
)

__all__ = ["flow_sentence", "flow_svg"]

WIDTH, HEIGHT = 1100, 560
BEFORE_SITE1 = "before site 1"
PASSES = f"at most {MIGRATE_PASSES} passes"
Point = tuple[float, float]


class Box(NamedTuple):
    """A step, or a question in the kernel's words and ours; `times` it was reached."""

    x: float
    y: float
    w: float
    lines: tuple[str, ...]
    times: int
    question: bool = False


class Arrow(NamedTuple):
    """A way along `points`; its label stands at `at`."""

    label: str
    times: int
    points: tuple[Point, ...]
    at: Point = (0, 0)
    anchor: str = "start"


PALE: dict[str, float | str] = {"fill": PANEL, "stroke": LINE, "stroke_width": 1}
H = 46.0  # height of every box
TOP, Q1, ROW2, ROW3, ROW4, ROW5, ROW6 = 48.0, 112.0, 184.0, 256.0, 328.0, 400.0, 472.0
LEFT, MID, RIGHT = 34.0, 380.0, 770.0
W_LEFT, W_MID, W_RIGHT = 290.0, 310.0, 290.0


def _boxes(t: Taken) -> list[Box]:
    left, mid, right = (LEFT, W_LEFT), (MID, W_MID), (RIGHT, W_RIGHT)
    half = (W_LEFT - 14) / 2
    third = (W_MID - 14) / 2

    def box(at: tuple[float, float], y: float, times: int, first: str, second: str) -> Box:
        return Box(at[0], y, at[1], (first, second), times, first.endswith("?"))

    busy, done = (LEFT, half), (MID, third)
    moved, missed = (LEFT + half + 14, half), (MID + third + 14, third)
    busy_end, stay_end = t.busy - t.busy_again, t.stayed - t.stayed_again
    asked = t.whole + t.no_target
    split = f"split: {t.pieces:,} pieces" if t.split else "split into pieces"
    return [
        box(mid, TOP, t.visits, "migrate_pages() turns to a huge page", PASSES),
        box(mid, Q1, asked, "Memory for the whole page?", "alloc_migration_target()"),
        box(left, ROW2, t.whole, "Unmapped: all references ours?", "folio_ref_freeze()"),
        box(busy, ROW3, t.busy, "stays for", "the next pass"),
        box(moved, ROW3, t.moved, "moved whole", "not split"),
        box(busy, ROW4, busy_end, "no pass left:", "given up"),
        box(mid, ROW2, t.no_target, "Does the reason allow a split?", "try_split_thp()"),
        box(
            mid, ROW3, t.looked, "Site 1: are all references known?", "can_split_folio() only reads"
        ),
        box(mid, ROW4, t.look_ok, "Site 2: unmapped, is the count right?", "folio_ref_freeze()"),
        box(mid, ROW5, t.split, split, "moved one by one, one attempt each"),
        box(done, ROW6, t.pieces_moved, "pieces", "moved"),
        box(missed, ROW6, t.missed, "pieces not moved", "in one attempt"),
        box(right, ROW2, t.left, "leave at once", "with an error code"),
        box(right, ROW3, t.refused, "Refused: is it tried again?", _refusals(t)),
        box(right, ROW4, t.stayed, "stays for the next pass", "the page stays on the list"),
        box(right, ROW5, stay_end, "no pass left:", "given up"),
    ]


def _refusals(t: Taken) -> str:
    parts = (("site 1", t.at_site1), ("site 2", t.at_site2), (BEFORE_SITE1, t.other_refusals))
    return ", ".join(f"{name} ×{n}" for name, n in parts if n) or "version and reason decide"


def _arrows(t: Taken) -> list[Arrow]:
    mid, left, right = MID + W_MID / 2, LEFT + W_LEFT / 2, RIGHT + W_RIGHT / 2
    quarter, edge = LEFT + W_LEFT / 4 - 3.5, MID + W_MID
    moved, half = LEFT + 3 * W_LEFT / 4 + 3.5, H / 2
    done, missed = MID + W_MID / 4 - 3.5, MID + 3 * W_MID / 4 + 3.5
    forbidden = t.no_target - t.tried

    def down(x: float, y: float, to: float, times: int, label: str = "") -> Arrow:
        return Arrow(label, times, ((x, y + H), (x, to)), (x + 8, (y + H + to) / 2 + 4))

    def back(x: float, out: float, y: float, to: float, times: int) -> Arrow:
        points = ((x, y + half), (out, y + half), (out, TOP + half), (to, TOP + half))
        anchor, shift = ("start", 8) if out < WIDTH / 2 else ("end", -8)
        return Arrow("again", times, points, (out + shift, TOP + half - 7), anchor)

    def aside(y: float, times: int, *points: Point) -> Arrow:
        return Arrow("no", times, ((edge, y), *points), (edge + 8, y - 7))

    bend, below = edge + 62, ROW3 + H - 9
    early, above = ROW2 + H - 8, ROW3 + 11
    before_site1 = ((edge, early), (bend, early), (bend, above), (RIGHT, above))
    no_left = down(quarter, ROW2, ROW3, t.busy, "no")
    whole = ((MID, Q1 + half), (left, Q1 + half), (left, ROW2))
    return [
        down(mid, TOP, Q1, t.whole + t.no_target),
        Arrow("yes", t.whole, whole, (MID - 10, Q1 + half - 7), "end"),
        down(mid, Q1, ROW2, t.no_target, "no"),
        no_left,
        down(moved, ROW2, ROW3, t.moved, "yes"),
        down(quarter, ROW3, ROW4, t.busy - t.busy_again),
        back(LEFT, 14, ROW3, MID, t.busy_again),
        down(mid, ROW2, ROW3, t.looked, "yes"),
        Arrow(BEFORE_SITE1, t.other_refusals, before_site1, (bend + 6, ROW2 + H + 12)),
        aside(ROW2 + half, forbidden, (RIGHT, ROW2 + half)),
        down(mid, ROW3, ROW4, t.look_ok, "yes"),
        aside(ROW3 + half, t.at_site1, (RIGHT, ROW3 + half)),
        down(mid, ROW4, ROW5, t.split, "yes"),
        aside(ROW4 + half, t.at_site2, (bend, ROW4 + half), (bend, below), (RIGHT, below)),
        down(done, ROW5, ROW6, t.pieces_moved),
        down(missed, ROW5, ROW6, t.missed),
        Arrow("no", t.left - forbidden, ((right, ROW3), (right, ROW2 + H)), (right + 8, ROW3 - 9)),
        down(right, ROW3, ROW4, t.stayed, "yes"),
        down(right, ROW4, ROW5, t.stayed - t.stayed_again),
        back(RIGHT + W_RIGHT, WIDTH - 14, ROW4, edge, t.stayed_again),
    ]


def _draw_arrow(svg: Svg, arrow: Arrow) -> None:
    lit = arrow.times > 0
    ink, width = (INK, 3.0) if lit else (MUTED, 1.0)
    dash = {} if lit else {"stroke_dasharray": "4 4"}
    d = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in arrow.points)
    svg.path(d, stroke=ink, stroke_width=width, **dash)
    (x0, y0), (x, y) = arrow.points[-2:]
    dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
    size = 9.0 if lit else 6.0
    wide = size / 2
    wings = [(x - size * dx + s * dy * wide, y - size * dy + s * dx * wide) for s in (1, -1)]
    tip = "L".join(f"{number(a)} {number(b)}" for a, b in [(x, y), *wings])
    svg.path(f"M{tip}Z", fill=ink, stroke=ink, stroke_width=1)
    if arrow.label:
        text = f"{arrow.label} ×{arrow.times:,}" if lit else arrow.label
        svg.text(*arrow.at, text, 125, size=SMALL, fill=ink, bold=lit, anchor=arrow.anchor)


def _draw_box(svg: Svg, box: Box) -> None:
    lit = box.times > 0
    style: dict[str, float | str] = {"rx": 4 if box.question else H / 2}
    style |= {"fill": MARKED, "stroke": INK, "stroke_width": 3} if lit else PALE
    svg.rect(box.x, box.y, box.w, H, **style)
    middle, ink, room = box.x + box.w / 2, INK if lit else MUTED, box.w - 16
    first, second = box.lines
    svg.text(middle, box.y + 20, first, room, size=BODY, fill=ink, bold=lit, anchor="middle")
    svg.text(middle, box.y + 37, second, room, size=SMALL, fill=ink, anchor="middle")
    if lit:
        badge = f"×{box.times:,}"
        wide = text_width(badge, SMALL, bold=True) + 10
        # The left corner: labels of arrows stand right of their lines.
        svg.rect(box.x - 10, box.y - 10, wide, 18, fill=INK, rx=9)
        svg.text(box.x - 10 + wide / 2, box.y + 3.5, badge, wide, size=SMALL, fill=PANEL,
                 bold=True, anchor="middle")  # fmt: skip


def flow_svg(trace: Trace) -> str:
    """The flow chart of a run, as the text of an SVG."""
    t = taken(trace)
    title = "Migrate, or split and migrate: which way did this run go?"
    svg = Svg(WIDTH, HEIGHT, title, flow_sentence(trace))
    version = getattr(getattr(trace.scenario, "version", None), "name", "")
    shown = f"{title}  (version {version})" if version else title
    svg.text(16, 30, shown, 840, size=TITLE, bold=True)
    svg.text(WIDTH - 16, 30, "bold ×n: taken, n times", 240, size=SMALL, fill=MUTED, anchor="end")
    # What was taken lies in front of what was not.
    for arrow in sorted(_arrows(t), key=lambda a: a.times > 0):
        _draw_arrow(svg, arrow)
    for box in _boxes(t):
        _draw_box(svg, box)
    svg.text(WIDTH / 2, HEIGHT - 13, outcome(t), WIDTH - 40, size=15, bold=True, anchor="middle")
    return svg.render()
