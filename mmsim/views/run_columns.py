"""A run as columns: one for each actor, time downwards, one row per atomic step.

A step that changed something is bold, with the old and the new values in the margin, in a line or
two; the last row says what each actor does next, or for whom it waits.  Of a long run the last
steps are drawn.
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.amounts import plural
from mmsim.engine.trace import Moment, Trace
from mmsim.scenarios import Situation
from mmsim.views.ledger import describe, ledger_at
from mmsim.views.operations import call, sentence
from mmsim.views.run_text import changes
from mmsim.views.state import EDGE, draw_holders_and_counters, standing
from mmsim.views.svg import (
    BODY,
    CODE,
    LINE,
    SMALL_TEXT,
    Picture,
    Svg,
    actor_fill,
    clip,
    text_width,
    wrap,
)
from mmsim.views.words import outcome_sign

LEFT, RIGHT, HEIGHT = 574.0, 406.0, 454.0
ROW, ROWS_MAX = 16.0, 17
_NUMBERS_MIN, _BETWEEN = 36.0, 6.0
_MARGINS = {1: 162.0, 2: 162.0, 3: 118.0}  # with more actors there is no room for what changed
_TOP = 104.0


class StepLine(NamedTuple):
    """A row: the number of the step (from 1), who took it, what it says, what changed.

    No actor: all the steps up to that one."""

    number: int
    actor: str
    text: str
    changed: tuple[str, ...] = ()
    bold: bool = False

    @property
    def high(self) -> int:
        """How many lines of text it needs."""
        return max(len(self.changed), 1)


def _margin(trace: Trace) -> float:
    return _MARGINS.get(len(trace.scenario.actors), 0.0)


def _line(trace: Trace, i: int) -> StepLine:
    moment, wide = trace.at(i + 1), _margin(trace) - 8
    found = changes(moment)
    # Two of the changes, a line each, if there is room; counters have a panel of their own.
    told = [str(change) for change in found if " " in change.name and not change.implied]
    changed = [clip(words, wide, SMALL_TEXT) for words in told[:2]] if wide > 0 else []
    if changed and len(told) > 2:
        changed[1] = clip(f"{changed[1]}, …", wide, SMALL_TEXT)
    return StepLine(i + 1, trace.events[i].actor, call(moment), tuple(changed), bool(found))


def rows_of(trace: Trace, rows_max: int = ROWS_MAX) -> list[StepLine]:
    """The rows of a run; the last ones, if they need more than so many lines."""
    lines: list[StepLine] = []
    high = 0
    for i in reversed(range(len(trace))):
        line = _line(trace, i)
        high += line.high
        if high + (i > 0) > rows_max:
            return [StepLine(i + 1, "", f"… {plural(i + 1, 'earlier step')}"), *lines]
        lines.insert(0, line)
    return lines


def _layout(
    lines: list[StepLine], names: list[str], wide: float
) -> tuple[dict[str, tuple[float, float]], float]:
    """Where the actors' columns begin and how wide they are, and how wide the numbers.

    Each actor's column gets what its rows need."""
    numbers = max(_NUMBERS_MIN, text_width(str(lines[-1].number if lines else 0), SMALL_TEXT) + 12)
    room = wide - numbers - _BETWEEN * (len(names) - 1)
    fair = 0.7 * room / len(names)
    need = {name: text_width(name, 13, bold=True) + 36 for name in names}
    for line in lines:
        if line.actor:
            longest = text_width(line.text, CODE, mono=True) + 16
            need[line.actor] = max(need[line.actor], longest)
    least = {name: min(need[name], fair) for name in names}
    # What there is beyond a fair share goes to the columns by what they would like to have.
    spare = room - sum(least.values())
    wanted = sum(need.values()) - sum(least.values())
    found, x = {}, numbers
    for name in names:
        share = (need[name] - least[name]) / wanted if wanted else 1 / len(names)
        width = least[name] + spare * share
        found[name] = (x, width)
        x += width + _BETWEEN
    return found, numbers


def _cut(text: str, width: float, size: float) -> str:
    """The text, shortened before its answer if it is too wide: the answer is what decides."""
    call, equals, answer = text.rpartition(" = ")
    if not call or text_width(text, size, mono=True) <= width:
        return text
    end = f"{equals}{answer}"
    short = clip(call, width - text_width(f"){end}", size, mono=True), size, mono=True)
    return short + ")" * ("(" in short) + end


def _draw_rows(svg: Svg, moment: Moment) -> None:
    names = [actor.name for actor in moment.scenario.actors]
    lines, margin = rows_of(moment.run), _margin(moment.run)
    columns, numbers = _layout(lines, names, svg.width - margin)
    for name, (left, wide) in columns.items():
        column = svg.inside(left, 0, wide)
        column.badge(0, 0, names, name)
        column.text(30, 13.4, name, wide - 32, bold=True)
        column.rect(-2, 24, wide, ROW * ROWS_MAX + 4, rx=3, fill="none", stroke=LINE)
        said = standing(moment, name).partition(", in ")[0]
        for i, part in enumerate(wrap(said, wide - 4, SMALL_TEXT, 3)):
            column.text(0, ROW * ROWS_MAX + 46 + i * 14, part, wide - 4, size=SMALL_TEXT)
    changed_left = svg.width - margin + 8
    if margin:
        svg.note(changed_left, 13.4, "what changed")
    below = 26.0
    for line in lines:
        row, high = svg.inside(0, below, svg.width), line.high * ROW
        below += high
        if not line.actor:
            row.note(numbers + 4, 12, line.text, svg.width - numbers - margin)
            continue
        row.note(numbers - 8, 12, str(line.number), numbers - 8, anchor="end")
        left, wide = columns[line.actor]
        fill, text = actor_fill(names, line.actor), _cut(line.text, wide - 13, CODE)
        row.rect(left, 1, wide - 4, high - 2, rx=2, fill=fill.ground)
        row.rect(left, 1, 3, high - 2, fill=fill.mark)
        row.text(left + 7, 12, text, wide - 13, size=CODE, mono=True, bold=line.bold)
        for n, changed in enumerate(line.changed):
            row.text(changed_left, 12 + n * ROW, changed, size=SMALL_TEXT)


def columns_picture(trace: Trace) -> Picture:
    """The run so far: columns on the left, the ledger on the right."""
    moment = trace.at()
    claim = sentence(moment)
    ledger, *_ = ledger_at(moment)
    words = f"{claim} {describe(ledger)}" if ledger is not None else claim
    left, wide = Svg(LEFT, HEIGHT, claim, words), LEFT - 1.5 * EDGE
    left.headline(EDGE + 2, 24, wide - 4, claim)
    _draw_rows(left.panel(EDGE, _TOP - 26, wide, HEIGHT - _TOP + 18, (10, 8)), moment)
    held = "Who holds the page, and the counters"
    right, x, wide = Svg(RIGHT, HEIGHT, held, held), 0.5 * EDGE, RIGHT - 1.5 * EDGE
    draw_holders_and_counters(right.inside(x, 8, wide), HEIGHT - 16, ledger, moment)
    if isinstance(trace.scenario, Situation):  # it knows what its ends are called
        said = trace.scenario.full_outcome(moment.after)
        right.line(x + 14, HEIGHT - 54, x + wide - 14, HEIGHT - 54, stroke=LINE)
        first, *more = wrap(said, wide - 54, BODY, 2, bold=True)
        right.outcome_mark(x + 22, HEIGHT - 36, outcome_sign(said), first, wide - 36)
        for words in more:
            right.text(x + 36, HEIGHT - 15, words, wide - 50, bold=True)
    return Picture([left.render(), right.render()], claim)
