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
from mmsim.evidence.tracer import migrate_returns
from mmsim.views.svg import (
    BODY,
    INK,
    LINE,
    MARKED,
    MUTED,
    PANEL,
    SMALL,
    TITLE,
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

WIDTH, HEIGHT = 912, 560
BEFORE_CHECK = "before the check"
PASSES = f"at most {MIGRATE_PASSES} passes"
Point = tuple[float, float]


class Box(NamedTuple):
    """A step, or a question in the kernel's words and ours; `times` it was reached."""

    x: float
    y: float
    w: float
    lines: tuple[str, ...]
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
TOP, Q1, ROW2, ROW3, ROW4, ROW5, ROW6 = 48.0, 112.0, 184.0, 256.0, 328.0, 400.0, 472.0
LEFT, MID, RIGHT = 28.0, 298.0, 654.0
W_LEFT, W_MID, W_RIGHT = 224.0, 280.0, 230.0


def _boxes(t: Taken) -> list[Box]:
    left, mid, right = (LEFT, W_LEFT), (MID, W_MID), (RIGHT, W_RIGHT)
    half = (W_LEFT - 14) / 2
    third = (W_MID - 14) / 2

    def box(at: tuple[float, float], y: float, times: int, first: str, second: str) -> Box:
        return Box(at[0], y, at[1], (first, second), times)

    busy, done = (LEFT, half), (MID, third)
    moved, missed = (LEFT + half + 14, half), (MID + third + 14, third)
    busy_end, stay_end = t.busy - t.busy_again, t.stayed - t.stayed_again
    asked = t.whole + t.no_target
    refused = _where(t) or "version and reason decide"
    split = f"split: {t.pieces:,} pieces" if t.split else "split into pieces"
    return [
        box(mid, TOP, t.visits, "migrate_pages(): a huge page", PASSES),
        box(mid, Q1, asked, "Memory for the whole page?", "alloc_migration_target()"),
        box(left, ROW2, t.whole, "Are all references ours?", "unmapped; folio_ref_freeze()"),
        box(busy, ROW3, t.busy, "stays for", "the next pass"),
        box(moved, ROW3, t.moved, "moved", "as a whole"),
        box(busy, ROW4, busy_end, "given up", "no pass left"),
        box(mid, ROW2, t.no_target, "Does the reason allow a split?", "try_split_thp()"),
        box(
            mid, ROW3, t.looked, "Check: are all references known?", "can_split_folio() only reads"
        ),
        box(mid, ROW4, t.look_ok, "Freeze: is the count right?", "unmapped; folio_ref_freeze()"),
        box(mid, ROW5, t.split, split, "moved one by one, one attempt each"),
        box(done, ROW6, t.pieces_moved, "pieces", "moved"),
        box(missed, ROW6, t.missed, "not moved", "in one attempt"),
        box(right, ROW2, t.left, "leave at once", "with an error code"),
        box(right, ROW3, t.refused, "Refused: is it tried again?", refused),
        box(right, ROW4, t.stayed, "stays for the next pass", "the page stays on the list"),
        box(right, ROW5, stay_end, "given up", "no pass left"),
    ]


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
    early_way = ((edge, early), (bend, early), (bend, above), (RIGHT, above))
    whole = ((MID, Q1 + half), (left, Q1 + half), (left, ROW2))
    return [
        down(mid, TOP, Q1, t.whole + t.no_target),
        Arrow("yes", t.whole, whole, (MID - 10, Q1 + half - 7), "end"),
        down(mid, Q1, ROW2, t.no_target, "no"),
        down(quarter, ROW2, ROW3, t.busy, "no"),
        down(moved, ROW2, ROW3, t.moved, "yes"),
        down(quarter, ROW3, ROW4, t.busy - t.busy_again),
        back(LEFT, 14, ROW3, MID, t.busy_again),
        down(mid, ROW2, ROW3, t.looked, "yes"),
        Arrow(BEFORE_CHECK, t.before_check, early_way, (bend + 6, ROW2 + H + 12)),
        aside(ROW2 + half, forbidden, (RIGHT, ROW2 + half)),
        down(mid, ROW3, ROW4, t.look_ok, "yes"),
        aside(ROW3 + half, t.at_check, (RIGHT, ROW3 + half)),
        down(mid, ROW4, ROW5, t.split, "yes"),
        aside(ROW4 + half, t.at_freeze, (bend, ROW4 + half), (bend, below), (RIGHT, below)),
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
    title = "Migrate, or split and migrate: which way did this run go?"
    svg = Svg(WIDTH, HEIGHT, title, f"{title} {words}")
    svg.text(16, 30, title, 640, size=TITLE, bold=True)
    note = f"{version_words(trace.scenario)}  ·  bold ×n: taken, n times"
    svg.note(WIDTH - 16, 30, note, 270, anchor="end")
    # What was taken lies in front of what was not.
    for arrow in sorted(_arrows(t), key=lambda a: a.times > 0):
        _draw_arrow(svg, arrow)
    for box in _boxes(t):
        _draw_box(svg, box)
    svg.text(WIDTH / 2, HEIGHT - 13, outcome(t), WIDTH - 40, size=15, bold=True, anchor="middle")
    return Picture(svg.render(), words)
