"""One decision as a flow chart: migrate a huge page whole, or split it and migrate the pieces.

The ways are counted from the steps of the run: which were made, and what was answered.  In the
chart the way that a run took is drawn bold, with the number of times; the rest stays pale and
dashed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from mmsim import errno
from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.scenario import Event
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
from mmsim.views.words import main_actor, result_words, version_words


@dataclasses.dataclass
class Taken:
    """How often a run went where.  Visits of huge pages, except for the pieces."""

    visits: int = 0
    whole: int = 0
    moved: int = 0
    busy: int = 0
    busy_again: int = 0
    no_target: int = 0
    tried: int = 0
    look_ok: int = 0
    split: int = 0
    at_check: int = 0
    at_freeze: int = 0
    before_check: int = 0
    left: int = 0
    stayed: int = 0
    stayed_again: int = 0
    pieces: int = 0
    pieces_visited: int = 0
    pieces_moved: int = 0
    returns: tuple[str, ...] = ()
    ends: str = ""

    @property
    def refused(self) -> int:
        """Splits that were tried and refused."""
        return self.at_check + self.at_freeze + self.before_check

    @property
    def looked(self) -> int:
        """Splits that came as far as the check of the references."""
        return self.tried - self.before_check

    @property
    def missed(self) -> int:
        """Pieces that were not moved, tried or not."""
        return self.pieces - self.pieces_moved


Visit = tuple[Event, dict[str, Any], bool]
"""The first step of a turn, what the steps at each site answered, and if the call ended there."""


def _visits(trace: Trace) -> Iterator[Visit]:
    """Every turn of a loop of migrate_pages(), in order; those of several pages may overlap.

    In 6.12 a page that could not be moved is tried again without a new visit: a turn of its own."""
    open_: dict[int, tuple[Event, dict[str, Any]]] = {}
    last = 0
    for event in trace.events:
        if event.actor != main_actor(trace.scenario):
            continue
        pfn = event.op.args[0] if event.op.args else -1
        if event.site == "visit":
            if pfn in open_:
                yield *open_.pop(pfn), False
            open_[pfn], last = (event, {}), pfn
        elif event.site == "migrate.out":
            for number, (first, answers) in open_.items():
                yield first, answers, number == last and event.told["rc"] < 0
            open_ = {}
        elif pfn in open_:
            first, answers = open_[pfn]
            if event.site == "move.expect" and "move.expect" in answers:
                yield first, answers, False
                open_[pfn] = first, {"move.target": answers["move.target"]}
            open_[pfn][1][event.site] = event.answer
    for first, answers in open_.values():
        yield first, answers, False


def taken(trace: Trace) -> Taken:
    """Count the ways of a run."""
    found = Taken()
    waiting: dict[int, str] = {}  # pfn -> why it is on the list for another pass
    for visit, answers, leaves in _visits(trace):
        moved, pfn = "move.freed" in answers, visit.op.args[0]
        if not visit.told["huge"]:
            found.pieces_visited += 1
            found.pieces_moved += moved
            continue
        found.visits += 1
        why = waiting.pop(pfn, "")
        found.busy_again += why == "busy"
        found.stayed_again += why == "refused"
        if "move.target" not in answers:
            continue
        if answers["move.target"] is not None:
            found.whole += 1
            found.moved += moved
            found.busy += not moved
            waiting |= {} if moved else {pfn: "busy"}
        elif _without_target(answers, leaves, found):
            waiting[pfn] = "refused"
    found.returns = tuple(map(errno.name, migrate_returns(trace)))
    found.ends = _ends(trace)
    return found


def _without_target(answers: dict[str, Any], leaves: bool, found: Taken) -> bool:
    """No memory for the whole page: is it split?  True if it stays for another pass."""
    found.no_target += 1
    if "split.lock" not in answers:
        found.left += leaves
        return False
    found.tried += 1
    passed = answers.get("split.check") is not None
    found.look_ok += passed
    pieces = answers.get("split.cut")
    if isinstance(pieces, tuple):
        found.split += 1
        found.pieces += len(pieces)
        return False
    found.at_freeze += passed
    found.before_check += "split.check" not in answers
    found.at_check += not passed and "split.check" in answers
    found.left += leaves
    found.stayed += not leaves
    return not leaves


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
    t = taken(trace)
    parts = []
    if t.whole:
        parts.append(f"a destination for the whole page was found {_times(t.whole)}")
        if t.busy:
            after = f", tried again {_times(t.busy_again)}" if t.busy_again else ""
            parts.append(f"it could not be moved {_times(t.busy)}{after}")
        if t.moved:
            parts.append(f"it was moved whole {_times(t.moved)}")
    if t.no_target:
        parts.append(f"a destination for the whole page was missing {_times(t.no_target)}")
        if t.no_target > t.tried:
            parts.append("the reason forbids a split")
    if t.refused:
        parts.append(f"the split was refused {_times(t.refused)} ({_where(t)})")
        if t.stayed:
            parts.append(
                f"the page stayed for another pass and was tried again {_times(t.stayed_again)}"
            )
    if t.left:
        parts.append("the call was left at once")
    if t.split:
        pieces = (
            f"split {_times(t.split)}, and {t.pieces_moved:,} of {t.pieces:,} pieces were moved"
        )
        parts.append(f"it was {pieces}")
    said = "; ".join(parts) or "no huge page was on the list"
    return f"{said[0].upper()}{said[1:]}; {outcome(t)}."


def outcome(t: Taken) -> str:
    """What came back."""
    returned_ = f"migrate_pages() returned {', '.join(t.returns)}" if t.returns else ""
    return " and ".join(filter(None, (returned_, t.ends)))


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def _where(t: Taken) -> str:
    places = ("at the check", t.at_check), ("at the freeze", t.at_freeze)
    return ", ".join(f"{at} ×{n}" for at, n in (*places, (BEFORE_CHECK, t.before_check)) if n)


# -- the chart

LEFT, RIGHT, HEIGHT = 306.0, 562.0, 502.0
"""Widths of the two columns: the page as a whole, and its pieces; where there is room, arrows go on
from one into the other."""
BEFORE_CHECK = "before the check"
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


def _whole(t: Taken) -> tuple[list[Box], list[Arrow]]:
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


def _pieces(t: Taken) -> tuple[list[Box], list[Arrow]]:
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
    t, words = taken(trace), flow_sentence(trace)
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
