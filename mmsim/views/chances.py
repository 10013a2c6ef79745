"""Three numbers that people take for one: share of schedules, odds, and how often it happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from mmsim.amounts import RARE, chance, count, fraction
from mmsim.engine.explore import Outcome
from mmsim.evidence.measured import CONFIDENCE, wilson
from mmsim.scenarios.situation import fails
from mmsim.views.charts import dot, interval
from mmsim.views.svg import FILLS, LINE, PANEL, SMALL_TEXT, Picture, Svg
from mmsim.views.words import outcome_sign

WIDTH = 640.0
OUTCOMES_MAX = 6
ALL_FAILURES = "failed, in any way"
_TOP, _EDGE, _ROW, _HEAD = 66.0, 8.0, 21.0, 30.0
_AXIS, _AXIS_WIDE = 154.0, 156.0
_SHARE, _ODDS = FILLS["actor 1"], FILLS["actor 2"]


class Chances(NamedTuple):
    """One way to end: how many of all schedules, how likely, how many of all runs.

    `runs` 0: none."""

    name: str
    schedules: int
    of: int
    odds: Fraction
    hits: int = 0
    runs: int = 0

    @property
    def share(self) -> Fraction:
        """Of the schedules."""
        return Fraction(self.schedules, self.of)

    @property
    def interval(self) -> tuple[float, float]:
        """In which the runs say that the odds lie."""
        return wilson(self.hits, self.runs)


def chances(outcomes: Sequence[Outcome], runs: Mapping[str, int] | None = None) -> list[Chances]:
    """The three numbers of each outcome, successes first; several failures are also added up.

    `runs`: how often each outcome came in random runs.  Raises ValueError if there is no number of
    schedules."""
    if any(outcome.schedules is None for outcome in outcomes):
        raise ValueError("some schedules can go on for ever, so there is no number of them")
    of, hits = sum(outcome.schedules or 0 for outcome in outcomes), runs or {}
    tosses = sum(hits.values())
    rows = [
        Chances(o.name, o.schedules or 0, of, o.odds, hits.get(o.name, 0), tosses) for o in outcomes
    ]
    bad = [row for row in rows if fails(row.name)]
    good = [row for row in rows if not fails(row.name)]
    if len(bad) > 1:
        schedules, hit = sum(row.schedules for row in bad), sum(row.hits for row in bad)
        likely = sum((row.odds for row in bad), Fraction(0))
        good.append(Chances(ALL_FAILURES, schedules, of, likely, hit, tosses))
    return [*good, *bad]


def _said(row: Chances) -> list[tuple[str, str]]:
    """Each of the three numbers: what it is, and in words."""
    # From "1 in 1,001" on, `chance` says so itself.
    seldom = RARE <= row.odds < Fraction(1, 10)
    rare = f", 1 in {count(round(1 / row.odds))}" if seldom else ""
    lines = [
        ("share of schedules", f"{count(row.schedules)} of {count(row.of)} = {chance(row.share)}"),
        ("odds", f"{fraction(row.odds)} = {chance(row.odds)}{rare}"),
    ]
    if row.runs:
        part = chance(Fraction(row.hits, row.runs))
        low, high = (f"{100 * end:.2f} %" for end in row.interval)
        lines.append(("runs by a coin", f"{row.hits:,} of {row.runs:,} = {part}; {low} to {high}"))
    return lines


def chances_sentence(rows: Sequence[Chances]) -> str:
    """The three numbers of every outcome in words."""
    parts = []
    for row in rows:
        said = ", ".join(f"{what} {words}" for what, words in _said(row))
        parts.append(f"{row.name}: {said}")
    note = f" Intervals have {100 * CONFIDENCE:.0f} % confidence." if rows[0].runs else ""
    return f"{'. '.join(parts)}.{note}"


def chances_claim(rows: Sequence[Chances]) -> str:
    """What the picture says first."""
    bad = next((row for row in rows if fails(row.name)), None)
    if bad is None:
        return "No schedule fails"
    share, odds = chance(bad.share), chance(bad.odds)
    return f"{share} of the schedules fail; the odds of a failure are {odds}"


def chances_picture(rows: Sequence[Chances]) -> Picture:
    """The three numbers of every outcome as bars."""
    lines = len(_said(rows[0]))
    high = _HEAD + lines * _ROW + 10
    shown = rows[:OUTCOMES_MAX]
    claim, words = chances_claim(rows), chances_sentence(rows)
    svg = Svg(WIDTH, _TOP + high * len(shown) + 40, claim, f"{claim}. {words}")
    wide = WIDTH - 2 * _EDGE
    svg.headline(_EDGE + 2, 28, wide - 4, claim)
    for i, row in enumerate(shown):
        _draw_outcome(svg.panel(_EDGE, _TOP + i * high, wide, high - 8), high - 8, row)
    below = _TOP + high * len(shown) + 8
    for share in range(0, 101, 50):
        x = _EDGE + _AXIS + _AXIS_WIDE * share / 100
        svg.note(x, below + 12, f"{share} %", 60, anchor="middle")
    if len(rows) > len(shown):
        more = f"and {len(rows) - len(shown)} more ways to end"
        svg.note(WIDTH - _EDGE, below + 12, more, 300, anchor="end")
    return Picture(svg.render(), words)


def _draw_outcome(panel: Svg, high: float, row: Chances) -> None:
    panel.outcome_mark(20, 16, outcome_sign(row.name), row.name, WIDTH - 100)
    axis = panel.inside(_AXIS, _HEAD, _AXIS_WIDE)
    for share in range(0, 101, 25):
        x = _AXIS_WIDE * share / 100
        axis.line(x, 0, x, high - _HEAD - 6, stroke=LINE)
    bars = {"share of schedules": (row.share, _SHARE), "odds": (row.odds, _ODDS)}
    room = WIDTH - _EDGE - _AXIS - _AXIS_WIDE - 26
    for i, (what, words) in enumerate(_said(row)):
        top = i * _ROW
        axis.text(-12, top + 14, what, _AXIS - 14, size=SMALL_TEXT, anchor="end")
        axis.text(_AXIS_WIDE + 12, top + 14, words, room, size=SMALL_TEXT)
        if what in bars:
            part, fill = bars[what]
            wide = max(_AXIS_WIDE * float(part or 0), 1.5 if part else 0)
            axis.filled(0, top + 3, wide, _ROW - 6, fill, stroke=fill.mark, stroke_width=1)
        else:
            low, most = (_AXIS_WIDE * end for end in row.interval)
            interval(axis, low, most, top + _ROW / 2)
            dot(axis, _AXIS_WIDE * row.hits / row.runs, top + _ROW / 2, "circle", PANEL)


# How many steps the main actor takes for one of another, if both can move.
PACES = (Fraction(1, 9), Fraction(1, 3), Fraction(1), Fraction(3), Fraction(9), Fraction(27))


def pace_words(pace: Fraction) -> str:
    """`9 : 1`."""
    return f"{pace.numerator} : {pace.denominator}"
