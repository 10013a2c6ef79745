"""What charts are made of: bars, one a row, and points and lines between two axes.

A chart is an SVG like every other picture: no import is waited for, and it is drawn again at every
tick of a slider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log10
from typing import NamedTuple

from mmsim.evidence.measured import Share
from mmsim.views.svg import FILLS, LINE, PANEL, SMALL_TEXT, Fill, Picture, Sign, Svg, number

Style = Mapping[str, float | str]


# -- bars


class Bar(NamedTuple):
    """A row: how many of which kind, of how many, what is said of it; if it is a sample, the
    interval in which the true share lies; and the part of it at which a line stands."""

    parts: Mapping[str, int]
    of: int
    said: str
    interval: tuple[float, float] | None = None
    line: float = 0


def bars(
    claim: str,
    rows: Mapping[str, Bar],
    fills: Mapping[str, Fill],
    *,
    left: float = 240,
    wide: float = 166,
    line: str = "",
) -> Picture:
    """A bar for each row: as long as what was tried, and filled as far as there are parts of it.

    Samples have bars of one length, because their shares are compared.  `left`: the room for
    the names of the rows; `wide`: that for bars.  A part without a fill is a gap.  `line`: what the
    line in a bar means."""
    width, high = 640.0, 31.0
    words = "; ".join(f"{name}: {bar.said}" for name, bar in rows.items())
    svg = Svg(width, 84 + high * len(rows), claim, f"{claim}. {words}.")
    svg.headline(14, 26, width - 28, claim)
    most = max(bar.of for bar in rows.values())
    for i, (name, bar) in enumerate(rows.items()):
        row = svg.inside(left, 50 + i * high, width - left)
        row.text(-12, 15, name, left - 20, anchor="end")
        _draw_bar(row, wide if bar.interval else wide * bar.of / most, bar, fills)
        row.text(wide + 14, 15, bar.said, row.width - wide - 22, size=SMALL_TEXT)
    signs = [svg.swatch(fill, kind) for kind, fill in fills.items()]
    if any(bar.interval for bar in rows.values()):
        signs.append((lambda x, y: interval(svg, x, x + 22, y + 6), 22, "95 % interval"))
    if line:
        signs.append(
            (lambda x, y: svg.line(x + 4, y - 1, x + 4, y + 13, stroke_width=2.5), 8, line)
        )
    svg.legend(left, 58 + high * len(rows), width - left - 14, signs)
    return Picture(svg.render(), f"{claim}. {words}.")


def _draw_bar(row: Svg, whole: float, bar: Bar, fills: Mapping[str, Fill]) -> None:
    row.rect(0, 0, whole, 21, fill=PANEL, stroke=LINE)
    x = 0.0
    for kind, hits in bar.parts.items():
        part = whole * hits / bar.of
        if kind in fills and hits:
            row.filled(x, 0, part, 21, fills[kind], stroke=fills[kind].mark, stroke_width=1)
        x += part
    if bar.line:
        row.line(whole * bar.line, -4, whole * bar.line, 25, stroke_width=2.5)
    if bar.interval is not None:
        low, top = (whole * end for end in bar.interval)
        interval(row, low, top, 10.5)


def interval(svg: Svg, low: float, high: float, y: float) -> None:
    """From one end to the other, with an edge at each."""
    (left, middle), right = svg.at(low, y), svg.at(high, y)[0]
    edges = "".join(f"M{number(x)} {number(middle - 5)}v10" for x in (left, right))
    svg.path(f"{edges}M{number(left)} {number(middle)}H{number(right)}", stroke_width=1.6)


# -- points and lines


def percent(part: float) -> str:
    """`50 %`."""
    return f"{100 * part:.0f} %"


class Axis(NamedTuple):
    """From 0, or from 1 if it is logarithmic, to `end`; `ticks` are numbered."""

    title: str
    end: float
    ticks: Sequence[float]
    say: Callable[[float], str] = "{:,}".format
    log: bool = False

    def part(self, value: float) -> float:
        """How far along it a value lies."""
        return log10(value) / log10(self.end) if self.log else value / self.end


class Plot:
    """A field of a picture with two axes, its upper left corner at (x, y)."""

    def __init__(
        self, svg: Svg, x: float, y: float, w: float, h: float, *, across: Axis, up: Axis
    ) -> None:
        self.svg, self.across, self.up = svg, across, up
        self.x, self.y, self.w, self.h = x, y, w, h
        svg.panel(x, y, w, h)
        svg.note(x - 50, y - 10, up.title, w)
        for tick in up.ticks:
            _, at = self.at(0 if not across.log else 1, tick)
            svg.line(x, at, x + w, at, stroke=LINE)
            svg.text(x - 8, at + 4, up.say(tick), 56, size=SMALL_TEXT, anchor="end")
        for tick in across.ticks:
            at, _ = self.at(tick, 0)
            svg.line(at, y + h, at, y + h + 5)
            svg.text(at, y + h + 18, across.say(tick), 70, size=SMALL_TEXT, anchor="middle")
        below = y + h + 36
        svg.note(x + w, below, across.title, w, anchor="end")

    def at(self, across: float, up: float) -> tuple[float, float]:
        """The place of a point."""
        right, high = self.across.part(across), self.up.part(up)
        return self.x + self.w * right, self.y + self.h * (1 - high)

    def line(self, points: Iterable[tuple[float, float]], style: Style) -> None:
        """A line through some points."""
        self.svg.along((self.at(*point) for point in points), **style)

    def upright(self, across: float, style: Style) -> None:
        """A line from the bottom to the top."""
        self.line([(across, 0), (across, self.up.end)], style)

    def dot(self, across: float, up: float, shape: str, fill: str) -> None:
        """A point in one of SHAPES."""
        dot(self.svg, *self.at(across, up), shape, fill)


SHAPES = {
    "circle": "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z",
    "square": "m-4 -4h8v8h-8Z",
    "diamond": "m0 -7l7 7l-7 7l-7 -7Z",
}


def dot(svg: Svg, x: float, y: float, shape: str, fill: str) -> None:
    """A sign with its middle at (x, y)."""
    svg.shape(x, y, SHAPES[shape], fill=fill)


def dot_sign(svg: Svg, shape: str, fill: str, words: str) -> Sign:
    """A sign of a legend: a point."""
    return lambda x, y: dot(svg, x + 8, y + 6, shape, fill), 16, words


def line_sign(svg: Svg, style: Style, words: str) -> Sign:
    """A sign of a legend: a line."""
    return lambda x, y: svg.line(x, y + 6, x + 22, y + 6, **style), 22, words


def failed_bars(claim: str, shares: Mapping[str, Share]) -> Picture:
    """How many pins failed, each with its 95 % interval."""
    rows = {
        name: Bar({"pins that failed": share.hits}, share.trials, f"{share} failed", share.interval)
        for name, share in shares.items()
    }
    return bars(claim, rows, {"pins that failed": FILLS["other"]}, left=300)
