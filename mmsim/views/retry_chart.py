"""The retry law as a curve: who outlasts how many passes."""

from __future__ import annotations

from collections.abc import Mapping

from mmsim.views.charts import Axis, Plot, Style, dot_sign, line_sign, percent
from mmsim.views.retrylaw import Retrying, success
from mmsim.views.show import Picture
from mmsim.views.svg import BLUE, MUTED, ORANGE, Svg
from mmsim.views.words import plural

USUAL = Retrying()
HOLDS = Axis(
    "average time of holding, in ticks", 20_000, [10**power for power in range(5)], log=True
)
GONE = Axis("gone in time", 1, [0, 0.25, 0.5, 0.75, 1], percent)
LAW: Style = {"stroke": BLUE, "stroke_width": 3}
BEFORE: Style = {"stroke": MUTED, "stroke_dasharray": "3 4"}
WINDOW: Style = {"stroke": MUTED, "stroke_dasharray": "8 4"}


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


def retry_law(setting: Retrying, holds: Mapping[int, int | None]) -> Picture:
    """The chance that a later pass finds the reference gone, over the average time of holding.

    `holds`: times to tell and to point at, in ticks; what was guessed for one, in percent, is drawn
    beside the curve."""
    claim = f"{tried(setting)}: a window of {plural(setting.window, 'tick')}"
    told = ", ".join(f"{gone(setting, hold)} if held for {plural(hold, 'tick')}" for hold in holds)
    words = f"{claim}. A later pass finds the reference gone in {told} on average."
    if setting.permanent:
        words += f" {float(setting.permanent):.0%} of the holders never let go."
    svg = Svg(640, 384, claim, words)
    svg.headline(14, 28, 612, claim)
    plot = Plot(svg, 66, 62, 552, 226, across=HOLDS, up=GONE)
    signs = [line_sign(svg, LAW, "the law")]
    if setting != USUAL:
        plot.line(curve(USUAL), BEFORE)
        signs.append(line_sign(svg, BEFORE, tried(USUAL)))
    if setting.window > 1:
        plot.upright(min(setting.window, HOLDS.end), WINDOW)
        signs.append(line_sign(svg, WINDOW, "the window"))
    plot.line(curve(setting), LAW)
    for hold, guess in holds.items():
        plot.dot(hold, float(success(setting, hold)), "circle", BLUE)
        if guess is not None:
            plot.dot(hold, guess / 100, "diamond", ORANGE)
    signs.append(dot_sign(svg, "circle", BLUE, "asked for"))
    if any(guess is not None for guess in holds.values()):
        signs.append(dot_sign(svg, "diamond", ORANGE, "your guess"))
    svg.legend(66, 340, 552, signs)
    return Picture(svg.render(), words)
