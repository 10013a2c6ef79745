"""One decision as a flow chart: migrate a huge page whole, or split it and migrate the pieces.

The ways are counted from the steps of the run: which were made, and what was answered.  In the
chart the way that a run took is drawn bold, with the number of times; the rest stays pale and
dashed.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from mmsim import errno
from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.trace import Trace
from mmsim.evidence.ftrace import migrate_returns
from mmsim.views.svg import (
    BODY,
    INK,
    LINE,
    MARKED,
    MUTED,
    PANEL,
    SMALL,
    Picture,
    Svg,
    number,
    text_width,
)
from mmsim.views.words import main_actor, result_words, times, version_words

# How a visit of a huge page ends.  A split is refused in one of three places.
FREED, MOVED, BUSY, NO_TARGET, SPLIT = "freed", "moved", "busy", "no target", "split"
BEFORE_CHECK, AT_CHECK, AT_FREEZE = REFUSED = ("before the check", "at the check", "at the freeze")


class FlowCounts(NamedTuple):
    """How often a run went where.  Visits of huge pages, except for the pieces.

    `whole`: attempts to move.  `tried`, `looked`, `look_ok`: how far attempts to split came.
    `stayed`: refused splits that did not end the call.  `missed`: pieces that were not moved, tried
    or not."""

    returns: tuple[str, ...]
    ends: str
    visits: int
    whole: int
    moved: int
    busy: int
    busy_again: int
    no_target: int
    tried: int
    before_check: int
    looked: int
    at_check: int
    look_ok: int
    at_freeze: int
    refused: int
    left: int
    stayed: int
    stayed_again: int
    split: int
    pieces: int
    pieces_visited: int
    pieces_moved: int
    missed: int


def count_flow(trace: Trace) -> FlowCounts:
    """Count the ways of a run.

    Left out: a split before the visit, which only 6.12 makes, and only of anonymous pages."""
    now: dict[int, str] = {}  # pfn of a huge page -> how its last visit ends, as far as it has come
    ended, again, left = Counter[str](), Counter[str](), Counter[str]()
    last = -1
    pieces = pieces_visited = pieces_moved = 0
    for event in trace.events:
        if event.actor != main_actor(trace.scenario):
            continue
        site, notes, answer = event.site, event.notes, event.answer
        pfn = event.op.args[0] if event.op.args else -1
        if site == "visit" or notes.get("again"):
            if pfn in now:
                again[now[pfn]] += 1
                ended[now.pop(pfn)] += 1
            if notes["huge"]:
                now[pfn] = FREED if site == "visit" else BUSY
            elif site == "visit":
                pieces_visited += 1
            last = pfn
        elif site == "move.freed" and not notes["huge"]:
            pieces_moved += 1
        elif site == "migrate.out":
            if notes["rc"] < 0 and now.get(last) in (NO_TARGET, *REFUSED):
                left[now[last]] += 1
                ended[now.pop(last)] += 1
        elif pfn not in now:
            continue
        elif site == "move.target":
            now[pfn] = NO_TARGET if answer is None else BUSY
        elif site == "move.freed" and now[pfn] == BUSY:
            now[pfn] = MOVED
        elif site == "split.lock":
            now[pfn] = BEFORE_CHECK
        elif site == "split.check":
            now[pfn] = AT_CHECK if answer is None else AT_FREEZE
        elif site == "split.cut" and isinstance(answer, tuple):
            now[pfn] = SPLIT
            pieces += len(answer)
    ended.update(now.values())
    refused = sum(ended[place] for place in REFUSED)
    return FlowCounts(
        returns=tuple(map(errno.name, migrate_returns(trace))),
        ends=_ends(trace),
        visits=ended.total(),
        whole=ended[MOVED] + ended[BUSY],
        moved=ended[MOVED],
        busy=ended[BUSY],
        busy_again=again[BUSY],
        no_target=ended[NO_TARGET] + refused + ended[SPLIT],
        tried=refused + ended[SPLIT],
        before_check=ended[BEFORE_CHECK],
        looked=ended[AT_CHECK] + ended[AT_FREEZE] + ended[SPLIT],
        at_check=ended[AT_CHECK],
        look_ok=ended[AT_FREEZE] + ended[SPLIT],
        at_freeze=ended[AT_FREEZE],
        refused=refused,
        left=left.total(),
        stayed=refused - sum(left[place] for place in REFUSED),
        stayed_again=sum(again[place] for place in REFUSED),
        split=ended[SPLIT],
        pieces=pieces,
        pieces_visited=pieces_visited,
        pieces_moved=pieces_moved,
        missed=pieces - pieces_moved,
    )


def _ends(trace: Trace) -> str:
    """What became of the pin; nothing to add if somebody else called migrate_pages()."""
    actor = main_actor(trace.scenario)
    local = trace.scenario.local(trace.last, actor)
    if not local.finished:
        return f"the {actor} has not finished"
    if actor != "pin":
        return ""
    words = result_words(trace.scenario, trace.last, actor)
    return f"the pin succeeded ({words})" if local.result > 0 else f"the pin returned {words}"


# -- in words


def flow_sentence(trace: Trace) -> str:
    """The way that the run took, in one sentence."""
    t = count_flow(trace)
    again = f", tried again {times(t.busy_again)}" if t.busy_again else ""
    moved = f"{t.pieces_moved:,} of {t.pieces:,} pieces were moved"
    parts = (
        (t.whole, f"a destination for the whole page was found {times(t.whole)}"),
        (t.busy, f"it could not be moved {times(t.busy)}{again}"),
        (t.moved, f"it was moved whole {times(t.moved)}"),
        (t.no_target, f"a destination for the whole page was missing {times(t.no_target)}"),
        (t.no_target - t.tried, "the reason forbids a split"),
        (t.refused, f"the split was refused {times(t.refused)} ({_where(t)})"),
        (t.stayed, f"the page stayed for another pass and was tried again {times(t.stayed_again)}"),
        (t.left, "the call was left at once"),
        (t.split, f"it was split {times(t.split)}, and {moved}"),
    )
    said = "; ".join(words for n, words in parts if n) or "no huge page was on the list"
    return f"{said[0].upper()}{said[1:]}; {outcome(t)}."


def outcome(t: FlowCounts) -> str:
    """What came back."""
    returned_ = f"migrate_pages() returned {', '.join(t.returns)}" if t.returns else ""
    return " and ".join(filter(None, (returned_, t.ends)))


def _where(t: FlowCounts) -> str:
    places = (AT_CHECK, t.at_check), (AT_FREEZE, t.at_freeze), (BEFORE_CHECK, t.before_check)
    return ", ".join(f"{at} ×{n}" for at, n in places if n)


# -- the chart

LEFT, RIGHT, HEIGHT = 306.0, 562.0, 502.0
"""Widths of the two columns: the page as a whole, and its pieces; where there is room, arrows go on
from one into the other."""
PASSES = f"at most {MIGRATE_PASSES} passes"
TITLE = "Migrate, or split and migrate: which way did this run go?"
Point = tuple[float, float]


class Box(NamedTuple):
    """A step, or a question in the kernel's words and ours; `times` it was reached."""

    x: float
    y: float
    w: float
    lines: tuple[str, str]
    times: int


class Arrow(NamedTuple):
    """A way along `points`; its label stands at `at`."""

    label: str
    times: int
    points: tuple[Point, ...]
    at: Point = (0, 0)
    anchor: str = "start"


PALE: dict[str, float | str] = {"fill": PANEL, "stroke": LINE, "stroke_width": 1}
H = 46.0  # height of every box
TOP, ROW1, ROW2, ROW3, ROW4, ROW5 = (80.0 + 72 * row for row in range(6))
X, W, BETWEEN = 26.0, 258.0, 14.0  # where the boxes below each other begin, and how wide they are
HALF_W, MIDDLE = (W - BETWEEN) / 2, X + W / 2
ASIDE, ASIDE_W = X + W + 66, 196.0  # those at their right
FIRST, SECOND = X + HALF_W / 2, X + W - HALF_W / 2  # middles of two that share the width


def _pair(y: float, first: tuple[int, str, str], second: tuple[int, str, str]) -> list[Box]:
    """Two boxes that share the width."""
    return [
        Box(x, y, HALF_W, (one, two), times)
        for x, (times, one, two) in ((X, first), (X + HALF_W + BETWEEN, second))
    ]


def _down(x: float, y: float, to: float, times: int, label: str = "") -> Arrow:
    return Arrow(label, times, ((x, y + H), (x, to)), (x + 8, (y + H + to) / 2 + 4))


def _whole(t: FlowCounts) -> tuple[list[Box], list[Arrow]]:
    """The page as a whole: the left column."""
    half, edge, out = H / 2, X + W, 12.0
    again = ((X, ROW3 + half), (out, ROW3 + half), (out, TOP + half), (X, TOP + half))
    boxes = [
        Box(X, TOP, W, ("migrate_pages(): a huge page", PASSES), t.visits),
        Box(X, ROW1, W, ("Memory for the whole page?", "alloc_migration_target()"),
            t.whole + t.no_target),
        Box(X, ROW2, W, ("Are all references ours?", "unmapped; folio_ref_freeze()"), t.whole),
        *_pair(ROW3, (t.busy, "stays for", "the next pass"), (t.moved, "moved", "as a whole")),
        Box(X, ROW4, HALF_W, ("given up", "no pass left"), t.busy - t.busy_again),
    ]  # fmt: skip
    arrows = [
        _down(MIDDLE, TOP, ROW1, t.whole + t.no_target),
        _down(MIDDLE, ROW1, ROW2, t.whole, "yes"),
        _down(FIRST, ROW2, ROW3, t.busy, "no"),
        _down(SECOND, ROW2, ROW3, t.moved, "yes"),
        _down(FIRST, ROW3, ROW4, t.busy - t.busy_again),
        Arrow("again", t.busy_again, again, (out + 8, ROW2 - 13)),
        Arrow("", t.no_target, ((edge, ROW1 + half), (LEFT, ROW1 + half))),
        Arrow("", t.stayed_again, ((LEFT, TOP + half), (edge, TOP + half))),
    ]
    return boxes, arrows


def _pieces(t: FlowCounts) -> tuple[list[Box], list[Arrow]]:
    """No memory for the whole page: the right column."""
    half, edge, out = H / 2, X + W, RIGHT - 8
    forbidden, far = t.no_target - t.tried, ASIDE + ASIDE_W / 2
    where = _where(t)
    refused = where.replace("at the ", "") if "," in where else where or "version and reason decide"
    split = f"split: {t.pieces:,} pieces" if t.split else "split into pieces"
    boxes = [
        Box(X, ROW1, W, ("Does the reason allow a split?", "try_split_thp()"), t.no_target),
        Box(X, ROW2, W, ("Check: all references known?", "can_split_folio() only reads"), t.looked),
        Box(X, ROW3, W, ("Freeze: is the count right?", "unmapped; folio_ref_freeze()"), t.look_ok),
        Box(X, ROW4, W, (split, "moved one by one, one attempt each"), t.split),
        *_pair(
            ROW5, (t.pieces_moved, "pieces", "moved"), (t.missed, "not moved", "in one attempt")
        ),
        Box(ASIDE, ROW1, ASIDE_W, ("leave at once", "with an error code"), t.left),
        Box(ASIDE, ROW2, ASIDE_W, ("Refused: tried again?", refused), t.refused),
        Box(ASIDE, ROW3, ASIDE_W, ("stays for the next pass", "it stays on the list"), t.stayed),
        Box(ASIDE, ROW4, ASIDE_W, ("given up", "no pass left"), t.stayed - t.stayed_again),
    ]

    def aside(y: float, times: int, *points: Point) -> Arrow:
        return Arrow("no", times, ((edge, y), *points), (edge + 8, y - 7))

    bend, below = edge + 50, ROW2 + H - 9
    early, above = ROW1 + H - 8, ROW2 + 11
    early_way = ((edge, early), (bend, early), (bend, above), (ASIDE, above))
    right, back = ASIDE + ASIDE_W, TOP + half
    again = ((right, ROW3 + half), (out, ROW3 + half), (out, back), (0.0, back))
    arrows = [
        Arrow("no", t.no_target, ((0, ROW1 + half), (X, ROW1 + half)), (2, ROW1 - 12)),
        _down(MIDDLE, ROW1, ROW2, t.looked, "yes"),
        Arrow(BEFORE_CHECK, t.before_check, early_way, (bend + 6, ROW1 + H + 12)),
        aside(ROW1 + half, forbidden, (ASIDE, ROW1 + half)),
        _down(MIDDLE, ROW2, ROW3, t.look_ok, "yes"),
        aside(ROW2 + half, t.at_check, (ASIDE, ROW2 + half)),
        _down(MIDDLE, ROW3, ROW4, t.split, "yes"),
        aside(ROW3 + half, t.at_freeze, (bend, ROW3 + half), (bend, below), (ASIDE, below)),
        _down(FIRST, ROW4, ROW5, t.pieces_moved),
        _down(SECOND, ROW4, ROW5, t.missed),
        Arrow("no", t.left - forbidden, ((far + 40, ROW2), (far + 40, ROW1 + H)),
              (far + 48, ROW2 - 9)),
        _down(far, ROW2, ROW3, t.stayed, "yes"),
        _down(far, ROW3, ROW4, t.stayed - t.stayed_again),
        Arrow("again", t.stayed_again, again, (out - 8, back - 7), "end"),
    ]  # fmt: skip
    return boxes, arrows


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
        svg.text(*arrow.at, text, 150, size=SMALL, fill=ink, bold=lit, anchor=arrow.anchor)


def _draw_box(svg: Svg, box: Box) -> None:
    lit = box.times > 0
    style: dict[str, float | str] = {"rx": 4 if box.lines[0].endswith("?") else H / 2}
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


def flow_picture(trace: Trace) -> Picture:
    """The flow chart of a run."""
    t, words = count_flow(trace), flow_sentence(trace)
    whole = Svg(LEFT, HEIGHT, TITLE, f"{TITLE} {words}")
    whole.headline(14, 26, LEFT - 24, TITLE)
    end = outcome(t)
    pieces = Svg(RIGHT, HEIGHT, end, end)
    note = f"{version_words(trace.scenario)}  ·  bold ×n: taken, n times"
    pieces.note(RIGHT - 8, 26, note, RIGHT - 30, anchor="end")
    for svg, (boxes, arrows) in ((whole, _whole(t)), (pieces, _pieces(t))):
        # What was taken lies in front of what was not.
        for arrow in sorted(arrows, key=lambda a: a.times > 0):
            _draw_arrow(svg, arrow)
        for box in boxes:
            _draw_box(svg, box)
    pieces.headline(X + W + 16, ROW5 + 10, RIGHT - X - W - 20, end)
    return Picture([whole.render(), pieces.render()], words)
