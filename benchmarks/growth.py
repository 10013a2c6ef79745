"""How the number of states grows: passes 1 to 10, huge pages 1 to 3, without the patch and with it.

`make growth` searches (some minutes) and writes docs/growth.csv and docs/growth.svg.  The numbers
are the same on every machine; how long it takes is not written down.
"""

from __future__ import annotations

import csv
import sys
from math import log10
from pathlib import Path
from typing import NamedTuple

from mmsim.engine.explore import explore
from mmsim.scenarios import make
from mmsim.views.svg import BLUE, BODY, INK, LINE, MUTED, SMALL_TEXT, TITLE, VERMILION, Svg

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLE, PICTURE = DOCS / "growth.csv", DOCS / "growth.svg"
VERSIONS, THPS, PASSES = ("base", "v3"), (1, 2, 3), tuple(range(1, 11))
STATES_MAX = 500_000

WIDTH, HEIGHT = 900.0, 520.0
LEFT, RIGHT, TOP, BOTTOM = 96.0, 640.0, 84.0, 440.0
LOW, HIGH = 3, 6  # powers of ten
COLOURS = {"base": VERMILION, "v3": BLUE}


class Point(NamedTuple):
    """One search: pin_versus with huge pages of two pages, against one drop_caches."""

    version: str
    thps: int
    passes: int
    states: int
    edges: int
    complete: bool


def search(version: str, thps: int, passes: int) -> Point:
    """The numbers of one search."""
    knobs = {"order": 1, "thps": thps, "passes": passes}
    found = explore(make("pin_versus", version, knobs, merge=True), states_max=STATES_MAX)
    return Point(version, thps, passes, found.states, found.edges, found.complete)


def search_all() -> list[Point]:
    """Every search, until one of a line is not finished: the next ones would not be either."""
    points = []
    for version in VERSIONS:
        for thps in THPS:
            for passes in PASSES:
                point = search(version, thps, passes)
                print(*point, flush=True)
                points.append(point)
                if not point.complete:
                    break
    return points


def read() -> list[Point]:
    """The table as it is in docs/."""
    with TABLE.open(newline="", encoding="utf-8") as lines:
        return [
            Point(version, *map(int, (thps, passes, states, edges)), complete == "yes")
            for version, thps, passes, states, edges, complete in list(csv.reader(lines))[1:]
        ]


def write(points: list[Point]) -> None:
    """Both files."""
    DOCS.mkdir(exist_ok=True)
    with TABLE.open("w", newline="", encoding="utf-8") as lines:
        out = csv.writer(lines, lineterminator="\n")
        out.writerow(Point._fields)
        out.writerows([*point[:-1], "yes" if point.complete else "no"] for point in points)
    PICTURE.write_text(picture(points), encoding="utf-8")


# -- the picture


def picture(points: list[Point]) -> str:
    """A line for each version and number of huge pages; the height is a logarithm."""
    title = "One more pass adds states, one more huge page multiplies them"
    svg = Svg(WIDTH, HEIGHT, title, f"{title}. {_sentence(points)}")
    svg.text(24, 34, title, WIDTH - 48, size=TITLE, bold=True)
    what = "number of states: VFIO maps huge pages of two pages, against one drop_caches"
    svg.text(24, 58, what, WIDTH - 48, size=BODY, fill=MUTED)
    _axes(svg)
    labels: list[tuple[float, str, str]] = []
    for version in VERSIONS:
        for thps in THPS:
            line = [point for point in points if point[:2] == (version, thps)]
            x, y = _line(svg, line)
            text = f"{version}, {thps} huge page{'s' * (thps > 1)}"
            if x == RIGHT:
                labels.append((y, version, text))
            else:
                svg.text(x + 16, y + 4, text, 200, size=BODY)
    labels.sort()
    for (y, version, text), at in zip(labels, _apart(labels), strict=True):
        svg.line(RIGHT + 10, y, RIGHT + 30, at - 4, stroke=COLOURS[version], stroke_width=1)
        svg.text(RIGHT + 36, at, text, WIDTH - RIGHT - 50, size=BODY)
    note = f"▲ not finished: stopped after {STATES_MAX:,} states"
    svg.note(LEFT, HEIGHT - 14, note, RIGHT - LEFT)
    return svg.render()


def _x(passes: int) -> float:
    return LEFT + (RIGHT - LEFT) * (passes - PASSES[0]) / (PASSES[-1] - PASSES[0])


def _y(states: int) -> float:
    return BOTTOM - (BOTTOM - TOP) * (log10(states) - LOW) / (HIGH - LOW)


def _axes(svg: Svg) -> None:
    for power in range(LOW, HIGH + 1):
        y = _y(10**power)
        svg.line(LEFT, y, RIGHT, y, stroke=LINE)
        svg.text(LEFT - 10, y + 4, f"{10**power:,}", LEFT - 14, size=SMALL_TEXT, anchor="end")
    for passes in PASSES:
        svg.text(_x(passes), BOTTOM + 20, str(passes), 30, size=SMALL_TEXT, anchor="middle")
    middle = (LEFT + RIGHT) / 2
    svg.text(middle, BOTTOM + 42, "passes of migrate_pages()", 300, size=BODY, anchor="middle")


def _line(svg: Svg, points: list[Point]) -> tuple[float, float]:
    """Draw a line and its marks; returns where it ends."""
    places = [(_x(point.passes), _y(min(point.states, STATES_MAX))) for point in points]
    version, thps = points[0][:2]
    colour = COLOURS[version]
    dash = {"stroke_dasharray": "6 4"} if version == "base" else {}
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    svg.path(f"M{path}", stroke=colour, stroke_width=2, **dash)
    for point, (x, y) in zip(points, places, strict=True):
        _mark(svg, x, y, thps if point.complete else 0, colour)
    return places[-1]


def _mark(svg: Svg, x: float, y: float, thps: int, colour: str) -> None:
    """Circle, square, diamond for 1, 2, 3 huge pages; an arrow for a search that stopped."""
    shape = {
        0: f"M{x - 7:.1f} {y + 5:.1f}L{x:.1f} {y - 8:.1f}L{x + 7:.1f} {y + 5:.1f}Z",
        1: f"M{x - 4.5:.1f} {y:.1f}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z",
        2: f"M{x - 4:.1f} {y - 4:.1f}h8v8h-8Z",
        3: f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6Z",
    }[thps]
    svg.path(shape, fill=colour, stroke=INK, stroke_width=0.8)


def _apart(labels: list[tuple[float, str, str]]) -> list[float]:
    """Baselines of the labels, from the top down, at least a line apart."""
    found: list[float] = []
    for y, _, _ in labels:
        found.append(max(y + 4, found[-1] + 19) if found else y + 4)
    return found


def _sentence(points: list[Point]) -> str:
    """The numbers at both ends of each line."""
    said = []
    for version in VERSIONS:
        for thps in THPS:
            first, *_, last = (point for point in points if point[:2] == (version, thps))
            ends = f"{first.states:,} states with 1 pass, "
            ends += "more than " * (not last.complete) + f"{min(last.states, STATES_MAX):,}"
            said.append(f"{version} with {thps}: {ends} with {last.passes}")
    return "; ".join(said) + "."


def main() -> int:
    """Search, and write both files."""
    write(search_all())
    return 0


if __name__ == "__main__":
    sys.exit(main())
