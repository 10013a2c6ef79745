"""One decision as a flow chart: migrate a huge page whole, or split it and migrate the pieces.

The ways are counted from the steps of the run: which were made, and what was answered.  In the
chart the way that a run took is drawn bold, with the number of times; the rest stays pale and
dashed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from mmsim import errno
from mmsim.amounts import times
from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.trace import Trace
from mmsim.scenarios.observed import migrate_returns, pin_result
from mmsim.views.svg import (
    INK,
    LINE,
    MARKED,
    MUTED,
    PANEL,
    SMALL_TEXT,
    TITLE,
    Picture,
    Svg,
    number,
    text_width,
)
from mmsim.views.words import main_actor, result_words, version_words

# How a visit of a huge page ends.  A split is refused in one of three places.
FREED, MOVED, BUSY, NO_TARGET, SPLIT = "freed", "moved", "busy", "no target", "split"
BEFORE_CHECK, AT_CHECK, AT_FREEZE = REFUSED = ("before the check", "at the check", "at the freeze")


class FlowCounts:
    """How often a run went where.  Visits of huge pages, except for the pieces.

    `whole`: attempts to move.  `tried`, `checked`, `check_passed`: how far attempts to split came.
    `stayed`: refused splits that did not end the call.  `missed`: pieces that were not moved, tried
    or not."""

    def __init__(
        self,
        trace: Trace,
        ended: Counter[str],
        again: Counter[str],
        left: Counter[str],
        pieces: Counter[str],
    ) -> None:
        self.returns = [errno.name(rc) for rc in migrate_returns(trace)]
        self.ends = _ends(trace)
        self.visits, self.left = ended.total(), left.total()
        self.moved, self.busy, self.busy_again = ended[MOVED], ended[BUSY], again[BUSY]
        self.whole = self.moved + self.busy
        self.before_check, self.at_check, self.at_freeze = (ended[place] for place in REFUSED)
        self.refused = sum(ended[place] for place in REFUSED)
        self.split = ended[SPLIT]
        self.tried = self.refused + self.split
        self.no_target = ended[NO_TARGET] + self.tried
        self.checked = self.tried - self.before_check
        self.check_passed = self.checked - self.at_check
        self.stayed = self.refused - sum(left[place] for place in REFUSED)
        self.stayed_again = sum(again[place] for place in REFUSED)
        self.pieces, self.pieces_moved = pieces[SPLIT], pieces[MOVED]
        self.pieces_visited = pieces["visited"]
        self.missed = self.pieces - self.pieces_moved


def count_flow(trace: Trace) -> FlowCounts:
    """Count the ways of a run.

    Left out: a split before the visit, which only 6.12 makes, and only of anonymous pages."""
    now: dict[int, str] = {}  # pfn of a huge page -> how its last visit ends, as far as it has come
    ended, again, left, pieces = (Counter[str]() for _ in range(4))
    last = -1
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
                pieces["visited"] += 1
            last = pfn
        elif site == "move.freed" and not notes["huge"]:
            pieces[MOVED] += 1
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
            pieces[SPLIT] += len(answer)
    ended.update(now.values())
    return FlowCounts(trace, ended, again, left, pieces)


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


def flow_sentence(flow: FlowCounts) -> str:
    """The way that the run took, in one sentence."""
    again = f", tried again {times(flow.busy_again)}" if flow.busy_again else ""
    moved = f"{flow.pieces_moved:,} of {flow.pieces:,} pieces were moved"
    stayed = "the page stayed for another pass and was tried again"
    parts = (
        (flow.whole, f"a destination for the whole page was found {times(flow.whole)}"),
        (flow.busy, f"it could not be moved {times(flow.busy)}{again}"),
        (flow.moved, f"it was moved whole {times(flow.moved)}"),
        (flow.no_target, f"a destination for the whole page was missing {times(flow.no_target)}"),
        (flow.no_target - flow.tried, "the reason forbids a split"),
        (flow.refused, f"the split was refused {times(flow.refused)} ({_where(flow)})"),
        (flow.stayed, f"{stayed} {times(flow.stayed_again)}"),
        (flow.left, "the call was left at once"),
        (flow.split, f"it was split {times(flow.split)}, and {moved}"),
    )
    said = "; ".join(words for n, words in parts if n) or "no huge page was on the list"
    said = "; ".join(filter(None, (said, outcome(flow))))
    return f"{said[0].upper()}{said[1:]}."


def outcome(flow: FlowCounts) -> str:
    """What came back."""
    returned = f"migrate_pages() returned {', '.join(flow.returns)}" if flow.returns else ""
    return " and ".join(filter(None, (returned, flow.ends)))


def _where(flow: FlowCounts) -> str:
    places = (
        (AT_CHECK, flow.at_check),
        (AT_FREEZE, flow.at_freeze),
        (BEFORE_CHECK, flow.before_check),
    )
    return ", ".join(f"{at} ×{n}" for at, n in places if n)


# -- the chart

LEFT, RIGHT, HEIGHT = 306.0, 562.0, 502.0
"""Widths of the two columns: the page as a whole, and its pieces; where there is room, arrows go on
from one into the other."""
PASSES = f"at most {MIGRATE_PASSES} passes"
QUESTION = "Migrate, or split and migrate: which way did this run go?"
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


H = 46.0  # height of every box
TOP, ROW1, ROW2, ROW3, ROW4, ROW5 = (80.0 + 72 * row for row in range(6))
X, W, BETWEEN = 26.0, 258.0, 14.0  # where the boxes below each other begin, and how wide they are
HALF_W, MIDDLE = (W - BETWEEN) / 2, X + W / 2  # two that share the width, and their middles
ASIDE, ASIDE_W = X + W + 66, 196.0  # those at their right
X2 = X + HALF_W + BETWEEN
FIRST, SECOND = X + HALF_W / 2, X2 + HALF_W / 2


def _down(x: float, y: float, to: float, times: int, label: str = "") -> Arrow:
    return Arrow(label, times, ((x, y + H), (x, to)), (x + 8, (y + H + to) / 2 + 4))


def _whole(flow: FlowCounts) -> tuple[list[Box], list[Arrow]]:
    """The page as a whole: the left column."""
    half, edge, out = H / 2, X + W, 12.0
    again = ((X, ROW3 + half), (out, ROW3 + half), (out, TOP + half), (X, TOP + half))
    boxes = [
        Box(X, TOP, W, ("migrate_pages(): a huge page", PASSES), flow.visits),
        Box(X, ROW1, W, ("Memory for the whole page?", "alloc_migration_target()"),
            flow.whole + flow.no_target),
        Box(X, ROW2, W, ("Are all references ours?", "unmapped; folio_ref_freeze()"), flow.whole),
        Box(X, ROW3, HALF_W, ("stays for", "the next pass"), flow.busy),
        Box(X2, ROW3, HALF_W, ("moved", "as a whole"), flow.moved),
        Box(X, ROW4, HALF_W, ("given up", "no pass left"), flow.busy - flow.busy_again),
    ]  # fmt: skip
    arrows = [
        _down(MIDDLE, TOP, ROW1, flow.whole + flow.no_target),
        _down(MIDDLE, ROW1, ROW2, flow.whole, "yes"),
        _down(FIRST, ROW2, ROW3, flow.busy, "no"),
        _down(SECOND, ROW2, ROW3, flow.moved, "yes"),
        _down(FIRST, ROW3, ROW4, flow.busy - flow.busy_again),
        Arrow("again", flow.busy_again, again, (out + 8, ROW2 - 13)),
        Arrow("", flow.no_target, ((edge, ROW1 + half), (LEFT, ROW1 + half))),
        Arrow("", flow.stayed_again, ((LEFT, TOP + half), (edge, TOP + half))),
    ]
    return boxes, arrows


def _pieces(flow: FlowCounts) -> tuple[list[Box], list[Arrow]]:
    """No memory for the whole page: the right column."""
    half, edge, out = H / 2, X + W, RIGHT - 8
    forbidden, far = flow.no_target - flow.tried, ASIDE + ASIDE_W / 2
    where = _where(flow)
    refused = where.replace("at the ", "") if "," in where else where or "version and reason decide"
    split = f"split: {flow.pieces:,} pieces" if flow.split else "split into pieces"
    boxes = [
        Box(X, ROW1, W, ("Does the reason allow a split?", "try_split_thp()"), flow.no_target),
        Box(X, ROW2, W, ("Check: all references known?", "can_split_folio() only reads"),
            flow.checked),
        Box(X, ROW3, W, ("Freeze: is the count right?", "unmapped; folio_ref_freeze()"),
            flow.check_passed),
        Box(X, ROW4, W, (split, "moved one by one, one attempt each"), flow.split),
        Box(X, ROW5, HALF_W, ("pieces", "moved"), flow.pieces_moved),
        Box(X2, ROW5, HALF_W, ("not moved", "in one attempt"), flow.missed),
        Box(ASIDE, ROW1, ASIDE_W, ("leave at once", "with an error code"), flow.left),
        Box(ASIDE, ROW2, ASIDE_W, ("Refused: tried again?", refused), flow.refused),
        Box(ASIDE, ROW3, ASIDE_W, ("stays for the next pass", "it stays on the list"), flow.stayed),
        Box(ASIDE, ROW4, ASIDE_W, ("given up", "no pass left"), flow.stayed - flow.stayed_again),
    ]  # fmt: skip

    def aside(y: float, times: int, *points: Point) -> Arrow:
        return Arrow("no", times, ((edge, y), *points), (edge + 8, y - 7))

    bend, below = edge + 50, ROW2 + H - 9
    early, above = ROW1 + H - 8, ROW2 + 11
    early_way = ((edge, early), (bend, early), (bend, above), (ASIDE, above))
    right, back = ASIDE + ASIDE_W, TOP + half
    again = ((right, ROW3 + half), (out, ROW3 + half), (out, back), (0.0, back))
    arrows = [
        Arrow("no", flow.no_target, ((0, ROW1 + half), (X, ROW1 + half)), (2, ROW1 - 12)),
        _down(MIDDLE, ROW1, ROW2, flow.checked, "yes"),
        Arrow(BEFORE_CHECK, flow.before_check, early_way, (bend + 6, ROW1 + H + 12)),
        aside(ROW1 + half, forbidden, (ASIDE, ROW1 + half)),
        _down(MIDDLE, ROW2, ROW3, flow.check_passed, "yes"),
        aside(ROW2 + half, flow.at_check, (ASIDE, ROW2 + half)),
        _down(MIDDLE, ROW3, ROW4, flow.split, "yes"),
        aside(ROW3 + half, flow.at_freeze, (bend, ROW3 + half), (bend, below), (ASIDE, below)),
        _down(FIRST, ROW4, ROW5, flow.pieces_moved),
        _down(SECOND, ROW4, ROW5, flow.missed),
        Arrow("no", flow.left - forbidden, ((far + 40, ROW2), (far + 40, ROW1 + H)),
              (far + 48, ROW2 - 9)),
        _down(far, ROW2, ROW3, flow.stayed, "yes"),
        _down(far, ROW3, ROW4, flow.stayed - flow.stayed_again),
        Arrow("again", flow.stayed_again, again, (out - 8, back - 7), "end"),
    ]  # fmt: skip
    return boxes, arrows


def _draw_arrow(svg: Svg, arrow: Arrow) -> None:
    lit = arrow.times > 0
    ink, width, size = (INK, 3.0, 9.0) if lit else (MUTED, 1.0, 6.0)
    dash = {} if lit else {"stroke_dasharray": "4 4"}
    svg.along(arrow.points, stroke=ink, stroke_width=width, **dash)
    (x0, y0), (x, y) = arrow.points[-2:]
    dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
    wings = [(x - size * (dx - s * dy / 2), y - size * (dy - s * dx / 2)) for s in (1, -1)]
    tip = "L".join(f"{number(a)} {number(b)}" for a, b in [(x, y), *wings])
    svg.path(f"M{tip}Z", fill=ink, stroke=ink, stroke_width=1)
    if arrow.label:
        text = f"{arrow.label} ×{arrow.times:,}" if lit else arrow.label
        svg.text(*arrow.at, text, 150, size=SMALL_TEXT, fill=ink, bold=lit, anchor=arrow.anchor)


def _draw_box(svg: Svg, box: Box) -> None:
    lit, (first, second) = box.times > 0, box.lines
    ink, ground, edge, width = (INK, MARKED, INK, 3) if lit else (MUTED, PANEL, LINE, 1)
    round_ = 4 if first.endswith("?") else H / 2
    part, middle, room = svg.inside(box.x, box.y, box.w), box.w / 2, box.w - 16
    part.rect(0, 0, box.w, H, rx=round_, fill=ground, stroke=edge, stroke_width=width)
    part.text(middle, 20, first, room, fill=ink, bold=lit, anchor="middle")
    part.text(middle, 37, second, room, size=SMALL_TEXT, fill=ink, anchor="middle")
    if lit:
        said = f"×{box.times:,}"
        wide = text_width(said, SMALL_TEXT, bold=True) + 10
        # The left corner: labels of arrows stand right of their lines.
        badge = part.inside(-10, -10, wide)
        badge.rect(0, 0, wide, 18, fill=INK, rx=9)
        badge.text(
            wide / 2, 13.5, said, wide, size=SMALL_TEXT, fill=PANEL, bold=True, anchor="middle"
        )


def flow_picture(trace: Trace) -> Picture:
    """The flow chart of a run."""
    flow = count_flow(trace)
    words, end = flow_sentence(flow), outcome(flow)
    whole = Svg(LEFT, HEIGHT, QUESTION, f"{QUESTION} {words}")
    whole.headline(14, 26, LEFT - 24, QUESTION)
    pieces = Svg(RIGHT, HEIGHT, end, end)
    note = f"{version_words(trace.scenario)}  ·  bold ×n: taken, n times"
    pieces.note(RIGHT - 8, 26, note, RIGHT - 30, anchor="end")
    for svg, (boxes, arrows) in ((whole, _whole(flow)), (pieces, _pieces(flow))):
        # What was taken lies in front of what was not.
        for arrow in sorted(arrows, key=lambda a: a.times > 0):
            _draw_arrow(svg, arrow)
        for box in boxes:
            _draw_box(svg, box)
    pieces.headline(X + W + 16, ROW5 + 10, RIGHT - X - W - 20, end)
    return Picture([whole.render(), pieces.render()], words)


# -- several runs: what was tried in each pass, and how they ended


def tries(trace: Trace) -> list[str]:
    """What became of one huge page in each pass in which it was tried."""
    way = count_flow(trace)
    split = ["split refused"] * way.refused + ["split"] * way.split
    return split + ["busy"] * way.busy + ["moved"] * way.moved


def tries_picture(title: str, rows: Mapping[str, Trace]) -> Picture:
    """A row for each run and a box for each pass, with its number: no sign, nothing was tried."""
    tried_in = {name: tries(trace) for name, trace in rows.items()}
    sentences = [
        f"{name}, in {len(found)} of {MIGRATE_PASSES} passes, at last {found[-1]}; "
        f"{pin_result(rows[name])}."
        for name, found in tried_in.items()
    ]
    words = " ".join([f"{title}.", *sentences])
    left, box, high, wide = 18.0, 46.0, 78.0, 630.0
    svg = Svg(wide, 60 + high * len(rows), title, words)
    svg.text(left, 32, title, wide - 2 * left, size=TITLE, bold=True)
    for place, (name, found) in enumerate(tried_in.items()):
        y = 62 + high * place
        svg.text(left, y, name, wide - 2 * left, bold=True)
        for pass_ in range(MIGRATE_PASSES):
            x, tried = left + pass_ * box, pass_ < len(found)
            ground, edge = (MARKED, INK) if tried else (PANEL, LINE)
            svg.rect(x, y + 8, box - 5, 44, fill=ground, stroke=edge, rx=4)
            svg.note(x + 20, y + 46, f"{pass_}", 30, anchor="middle")
            if tried:
                good = found[pass_] in ("split", "moved")
                svg.outcome_mark(x + 20, y + 23, "success" if good else "failure", "", 16)
        end = pin_result(rows[name])
        sign = "success" if end == "pinned" else "failure"
        svg.outcome_mark(left + MIGRATE_PASSES * box + 14, y + 28, sign, end, 122)
    return Picture(svg.render(), words)


def end_words(trace: Trace) -> str:
    """How a run ended, with its counters."""
    moved = {name: n for name, n in trace.last.world.vmstat.items() if n and "foll" not in name}
    counters = ", ".join(f"{name} {n}" for name, n in moved.items())
    return f"that run ends with {pin_result(trace)} and {counters or 'no counter moved'}"
