"""Drawn signs that every picture shares: outcomes, actors, brackets.

Interface: outcome_mark, outcome_sign, badge, initials, actor_fill, bracket, panel, heading,
legend, swatch, OUTCOMES
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mmsim.scenarios.fates import fails
from mmsim.views.style import (
    ACTOR_FILLS,
    BAD,
    BODY,
    GOOD,
    INK,
    LINE,
    MUTED,
    PANEL,
    SMALL,
    WAITS,
    Fill,
    Svg,
    number,
    text_width,
)

# outcome -> (colour, the path of its sign in a circle of radius 8)
OUTCOMES = {
    "success": (GOOD, "M-3.6 0.2L-1 3L3.8 -3"),
    "failure": (BAD, "M-3.2 -3.2L3.2 3.2M3.2 -3.2L-3.2 3.2"),
    "not finished": (WAITS, "M-3.2 -4H3.2L-3.2 4H3.2Z"),
}


def outcome_mark(svg: Svg, x: float, y: float, outcome: str, label: str, width: float) -> None:
    """A circle with check, cross or hourglass at (x, y) and its label to the right of it."""
    colour, sign = OUTCOMES[outcome]
    svg.add(f'<g transform="translate({number(x)} {number(y)})">')
    svg.add(f'<circle r="8" fill="{PANEL}" stroke="{colour}" stroke-width="1.6"/>')
    svg.path(sign, stroke=colour, stroke_width=2, stroke_linecap="round", stroke_linejoin="round")
    svg.add("</g>")
    svg.text(x + 15, y + 4.5, label, width - 15, bold=True, fill=colour)


def outcome_sign(outcome: str) -> str:
    """Which of OUTCOMES stands for an outcome that a situation names."""
    if outcome == "not finished":
        return outcome
    return "failure" if fails(outcome) else "success"


def initials(names: Sequence[str]) -> dict[str, str]:
    """One short sign for each actor, different from all others'."""
    found: dict[str, str] = {}
    for name in names:
        sign, n = name[:1].upper(), 2
        while sign in found.values():
            sign, n = f"{name[:1].upper()}{n}", n + 1
        found[name] = sign
    return found


def actor_fill(names: Sequence[str], name: str) -> Fill:
    """The colour and pattern of an actor; beyond the fifth the initials tell them apart."""
    return ACTOR_FILLS[list(names).index(name) % len(ACTOR_FILLS)]


def badge(svg: Svg, x: float, y: float, names: Sequence[str], name: str) -> float:
    """An actor's sign, 22 wide, with its top left corner at (x, y)."""
    fill = actor_fill(names, name)
    svg.filled(x, y, 22, 18, fill, rx=4, stroke=fill.mark, stroke_width=1)
    if fill.pattern != "plain":
        svg.rect(x + 4, y + 2.5, 14, 13, rx=3, fill=fill.ground)
    svg.text(x + 11, y + 13.4, initials(names)[name], 22, size=SMALL, bold=True, anchor="middle")
    return 22.0


def bracket(svg: Svg, x: float, top: float, bottom: float, colour: str = INK) -> None:
    """A square bracket that opens to the left."""
    svg.path(
        f"M{number(x - 5)} {number(top)}H{number(x)}V{number(bottom)}H{number(x - 5)}",
        stroke=colour,
        stroke_width=1.6,
    )


def panel(svg: Svg, x: float, y: float, w: float, h: float) -> None:
    """The quiet box behind a part of a picture."""
    svg.rect(x, y, w, h, rx=6, fill=PANEL, stroke=LINE, stroke_width=1)


def heading(svg: Svg, x: float, y: float, text: str, width: float, note: str = "") -> None:
    """The name of a part, with a quiet note at its right."""
    svg.text(x, y, text, width, size=BODY, bold=True)
    if note:
        left = text_width(text, BODY, bold=True) + 14
        svg.text(x + width, y, note, width - left, size=SMALL, fill=MUTED, anchor="end")


LEGEND_ROW = 19.0
Sign = tuple[Callable[[float, float], None], float, str]
"""What draws a sign with its top left corner at (x, y), 12 high; its width; what it means."""


def swatch(svg: Svg, fill: Fill, meaning: str) -> Sign:
    """A piece of a colour and its pattern."""
    return lambda x, y: svg.filled(x, y, 16, 12, fill, stroke=fill.mark), 16, meaning


def legend(svg: Svg, x: float, y: float, w: float, signs: Iterable[Sign]) -> None:
    """Signs and their meanings, in as many lines as they need."""
    at = x
    for draw, wide, meaning in signs:
        size = wide + 6 + text_width(meaning, SMALL)
        if at > x and at + size > x + w:
            at, y = x, y + LEGEND_ROW
        draw(at, y)
        svg.text(at + wide + 6, y + 10.5, meaning, x + w - at - wide - 6, size=SMALL, fill=MUTED)
        at += size + 16
