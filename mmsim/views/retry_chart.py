"""The retry law as a curve: who outlasts how many passes.

Interface: retry_law, gone

Light enough to be drawn again at every tick of a slider."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from typing import Any

from mmsim.views.retrylaw import Retrying, success
from mmsim.views.show import Picture
from mmsim.views.svg import (
    BLUE,
    INK,
    LINE,
    MUTED,
    ORANGE,
    SMALL,
    Sign,
    Svg,
    headline,
    legend,
    number,
    panel,
)
from mmsim.views.words import plural

TICKS_MAX = 20_000
USUAL = Retrying()
LEFT, TOP, WIDE, HIGH = 74.0, 62.0, 796.0, 226.0
LAW: dict[str, float | str] = {"stroke": BLUE, "stroke_width": 3}
BEFORE: dict[str, float | str] = {"stroke": MUTED, "stroke_dasharray": "3 4"}
WINDOW: dict[str, float | str] = {"stroke": MUTED, "stroke_dasharray": "8 4"}


def tried(setting: Retrying) -> str:
    """How often, and how far apart."""
    if setting.passes == 1:
        return "1 pass"
    return f"{setting.passes} passes, {plural(setting.gap, 'tick')} apart"


def gone(setting: Retrying, hold: int) -> str:
    """The chance in words; what is not certain does not look so by being rounded."""
    part = success(setting, hold)
    said = f"{float(100 * part):.1f} %"
    return "over 99.9 %" if said == "100.0 %" and part < 1 else said


def curve(setting: Retrying) -> list[tuple[float, float]]:
    """The law over the time for which a reference is held, evenly on a logarithmic axis."""
    holds = [10 ** (i / 20) for i in range(87)]
    leaves = 1 - float(setting.permanent)
    return [(hold, leaves * (1 - (1 - 1 / hold) ** setting.window)) for hold in holds]


def _point(ticks: float, part: float) -> tuple[float, float]:
    return LEFT + WIDE * log10(ticks) / log10(TICKS_MAX), TOP + HIGH * (1 - part)


def _stroke(svg: Svg, style: dict[str, float | str], words: str) -> Sign:
    return lambda x, y: svg.line(x, y + 6, x + 22, y + 6, **style), 22, words


def _diamond(svg: Svg, x: float, y: float) -> None:
    svg.path(f"M{number(x)} {number(y - 7)}l7 7l-7 7l-7 -7Z", fill=ORANGE)


def _dot(svg: Svg, x: float, y: float) -> None:
    svg.add(f'<circle cx="{number(x)}" cy="{number(y)}" r="6" fill="{BLUE}" stroke="{INK}"/>')


def retry_law(setting: Retrying, holds: Mapping[int, int | None]) -> Picture:
    """The chance that a later pass finds the reference gone, over the average time of holding.

    `holds`: times to tell and to point at, in ticks; what was guessed for one, in percent, is drawn
    beside the curve."""
    claim = f"{tried(setting)}: a window of {plural(setting.window, 'tick')}"
    told = ", ".join(f"{gone(setting, hold)} if held for {plural(hold, 'tick')}" for hold in holds)
    words = f"{claim}. A later pass finds the reference gone in {told} on average."
    if setting.permanent:
        words += f" {float(setting.permanent):.0%} of the holders never let go."
    svg = Svg(LEFT + WIDE + 30, TOP + HIGH + 82, claim, words)
    headline(svg, 18, 32, WIDE, claim)
    svg.text(18, 54, "gone in time", 200, size=SMALL, fill=MUTED)
    _axes(svg)
    signs = [_stroke(svg, LAW, "the law")]
    drawn: Any = [(setting, LAW)]
    if setting != USUAL:
        drawn.insert(0, (USUAL, BEFORE))
        signs.append(_stroke(svg, BEFORE, tried(USUAL)))
    if setting.window > 1:
        x, _ = _point(min(setting.window, TICKS_MAX), 0)
        svg.line(x, TOP, x, TOP + HIGH, **WINDOW)
        signs.append(_stroke(svg, WINDOW, "the window"))
    for each, style in drawn:
        points = [_point(*place) for place in curve(each)]
        svg.path("M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), **style)
    for hold, guess in holds.items():
        _dot(svg, *_point(hold, float(success(setting, hold))))
        if guess is not None:
            _diamond(svg, *_point(hold, guess / 100))
    signs.append((lambda x, y: _dot(svg, x + 8, y + 6), 16, "asked for"))
    if any(guess is not None for guess in holds.values()):
        signs.append((lambda x, y: _diamond(svg, x + 8, y + 6), 16, "your guess"))
    legend(svg, LEFT, TOP + HIGH + 54, WIDE, signs)
    return Picture(svg.render(), words)


def _axes(svg: Svg) -> None:
    panel(svg, LEFT, TOP, WIDE, HIGH)
    for quarter in range(5):
        _, y = _point(1, quarter / 4)
        svg.line(LEFT, y, LEFT + WIDE, y, stroke=LINE)
        svg.text(LEFT - 8, y + 4, f"{25 * quarter} %", 60, size=SMALL, anchor="end")
    for power in range(5):
        x, _ = _point(10**power, 0)
        svg.line(x, TOP + HIGH, x, TOP + HIGH + 5)
        svg.text(x, TOP + HIGH + 20, f"{10**power:,}", 70, size=SMALL, anchor="middle")
    axis = "average time of holding, in ticks"
    svg.text(LEFT + WIDE, TOP + HIGH + 40, axis, 300, size=SMALL, fill=MUTED, anchor="end")
