"""The one visual language: colours with patterns, sizes, signs, and a small SVG builder.

A picture has its own background, so that it reads the same in a light and in a dark notebook.
Every fill that means something has a pattern or a label: colour is never the only cue.  The colours
are those of Okabe and Ito, which people with any kind of colour vision can tell apart.
"""

from __future__ import annotations

import html
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from mmsim.constants import MIGRATETYPES

ORANGE, GREEN, BLUE, VERMILION = "#E69F00", "#009E73", "#0072B2", "#D55E00"

PAPER, PANEL, LINE = "#FCFBF8", "#FFFFFF", "#CFCABF"
INK, MUTED = "#1F2328", "#57606A"
BAD, GOOD, WAITS = "#A33D00", "#00664A", "#6B5200"
MARKED, SEAM, CHANGED = "#FFF3BF", "#F1EAF4", "#FFF8DC"

SANS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO = "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace"
TITLE, BODY, SMALL_TEXT, CODE = 17.0, 13.0, 12.0, 12.0
READABLE = 11.0  # no text is shown smaller than this on a page


class Fill(NamedTuple):
    """A colour with its second cue: the pattern drawn over it in `mark`."""

    name: str
    ground: str
    mark: str
    pattern: str


FILLS = {
    fill.name: fill
    for fill in (
        Fill("MOVABLE", "#BBDCF0", BLUE, "plain"),
        Fill("UNMOVABLE", "#F8D9C6", VERMILION, "diagonal"),
        Fill("RECLAIMABLE", "#FAF4B8", "#8A7F00", "horizontal"),
        Fill("CMA", "#CDEBE1", GREEN, "dots"),
        Fill("ISOLATE", "#DDDDDD", "#777777", "crossed"),
        Fill("HIGHATOMIC", "#F0D3E2", "#9B4A76", "vertical"),
        Fill("other", "#E6E2D8", "#6B6F76", "plain"),
        Fill("counted on", "#E4EEF5", BLUE, "plain"),
        Fill("not counted on", "#FBE5D8", VERMILION, "diagonal"),
        Fill("actor 1", "#BFE1F6", BLUE, "plain"),
        Fill("actor 2", "#F9DDA4", "#A86F00", "diagonal"),
        Fill("actor 3", "#F0D3E2", "#9B4A76", "dots"),
        Fill("actor 4", "#DDDDDD", "#777777", "crossed"),
        Fill("actor 5", "#FAF4B8", "#8A7F00", "horizontal"),
    )
}
# Memory of a migratetype in somebody's hands: the colours change places, so the pattern stays.
HELD = {
    name: Fill(f"{name} held", ground=fill.mark, mark=fill.ground, pattern=fill.pattern)
    for name, fill in FILLS.items()
    if name in MIGRATETYPES
}
ACTOR_FILLS = tuple(fill for name, fill in FILLS.items() if name.startswith("actor"))

_PATTERNS = {
    "dots": (
        6,
        '<circle cx="1.5" cy="1.5" r="1.1" fill="{c}"/>'
        '<circle cx="4.5" cy="4.5" r="1.1" fill="{c}"/>',
    ),
    "diagonal": (7, '<path d="M-1 8L8 -1M-1 1L1 -1M6 8L8 6" stroke="{c}" stroke-opacity="0.55"/>'),
    "horizontal": (6, '<path d="M0 3H6" stroke="{c}" stroke-width="1.2"/>'),
    "vertical": (6, '<path d="M3 0V6" stroke="{c}" stroke-width="1.2"/>'),
    "crossed": (7, '<path d="M0 0L7 7M7 0L0 7" stroke="{c}" stroke-width="0.8"/>'),
}


# -- how wide text is

# In thousandths of an em; signs beyond the Latin alphabets are as wide as "m".
_CHARS = {"iljI|!.,:;'` ": 280, 'ft()[]{}/\\r-"*': 350, "mwMW@%→≠…": 900}
_WIDTHS = {char: width for chars, width in _CHARS.items() for char in chars}
_SAFETY = 1.14  # fonts differ; DejaVu Sans is about this much wider than Helvetica


def text_width(text: str, size: float, *, mono: bool = False, bold: bool = False) -> float:
    """About how wide a text is drawn; rather too wide than too narrow."""
    if mono:
        return len(text) * size * 0.605
    usual = ((700 if char.isupper() else 556) if ord(char) <= 0x2FF else 900 for char in text)
    ems = sum(map(_WIDTHS.get, text, usual)) / 1000
    return ems * size * _SAFETY * (1.13 if bold else 1)


def clip(text: str, width: float, size: float, *, mono: bool = False, bold: bool = False) -> str:
    """The text, cut with an ellipsis if it is too wide."""
    if text_width(text, size, mono=mono, bold=bold) <= width:
        return text
    while text and text_width(text + "…", size, mono=mono, bold=bold) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, width: float, size: float, lines_max: int, *, bold: bool = False) -> list[str]:
    """The text in lines no wider than `width`; the last one is cut if there is more."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < lines_max - 1:
        line = words.pop(0)
        while words and text_width(f"{line} {words[0]}", size, bold=bold) <= width:
            line += " " + words.pop(0)
        lines.append(clip(line, width, size, bold=bold))
    if words:
        lines.append(clip(" ".join(words), width, size, bold=bold))
    return lines


def number(value: float) -> str:
    """A coordinate with at most two decimals and no trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


# -- the builder


def _attributes(**values: float | str) -> str:
    return "".join(
        f" {name.rstrip('_').replace('_', '-')}="
        + quoteattr(value if isinstance(value, str) else number(value))
        for name, value in values.items()
    )


LEGEND_ROW = 19.0
Box = tuple[float, float, float, float]
Sign = tuple[Callable[[float, float], None], float, str]
"""What draws a sign with its top left corner at (x, y), 12 high; its width; what it means."""


class Svg:
    """One picture, drawn from the back to the front; or a part of it, with its own origin."""

    def __init__(self, width: float, height: float, title: str, desc: str):
        self.width, self.height = width, height
        self._origin = 0.0, 0.0
        self._title, self._desc = title, desc
        self._parts: list[str] = []
        self._used: list[str] = []
        self._tiles: dict[str, str] = {}
        self.rect(0, 0, width, height, fill=PAPER)

    def inside(self, x: float, y: float, width: float) -> Svg:
        """The part with its top left corner at (x, y): what is drawn there counts from it.

        Only the whole picture is rendered."""
        part = copy(self)
        part._origin, part.width = self.at(x, y), width
        return part

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place of this part, in the whole picture."""
        return self._origin[0] + x, self._origin[1] + y

    def add(self, markup: str) -> None:
        """Put ready markup in front; its places are those of the whole picture."""
        self._parts.append(markup)

    def rect(self, x: float, y: float, w: float, h: float, **style: float | str) -> None:
        """A rectangle."""
        x, y = self.at(x, y)
        self.add(f"<rect{_attributes(x=x, y=y, width=w, height=h, **style)}/>")

    def line(self, x1: float, y1: float, x2: float, y2: float, **style: float | str) -> None:
        """A straight line."""
        self.along([(x1, y1), (x2, y2)], **style)

    def along(self, points: Iterable[tuple[float, float]], **style: float | str) -> None:
        """A line through some points."""
        places = (self.at(*point) for point in points)
        self.path("M" + "L".join(f"{number(x)} {number(y)}" for x, y in places), **style)

    def shape(self, x: float, y: float, d: str, **style: float | str) -> None:
        """A path that begins at (x, y); what follows is relative to that."""
        x, y = self.at(x, y)
        self.path(f"M{number(x)} {number(y)}{d}", **style)

    def path(self, d: str, **style: float | str) -> None:
        """A path; its places are those of the whole picture."""
        drawn: dict[str, float | str] = {"fill": "none", "stroke": INK, **style}
        self.add(f"<path{_attributes(d=d, **drawn)}/>")

    def filled(
        self, x: float, y: float, w: float, h: float, fill: Fill, **style: float | str
    ) -> None:
        """A rectangle in a colour and its pattern."""
        self.rect(x, y, w, h, fill=fill.ground, **style)
        if fill.pattern != "plain":
            self.rect(x, y, w, h, fill=self._tiled(fill), rx=style.get("rx", 0))

    def quantity(self, x: float, y: float, w: float, h: float, n: int, fill: Fill) -> None:
        """A bar as long as a number: a few are short, many are `w` long, and broken."""
        edge: dict[str, float | str] = {"stroke": fill.mark, "stroke_width": 1.0}
        if n <= 8:
            self.filled(x, y, 9.0 * n, h, fill, **edge)
            return
        cut = w * 0.8
        for at, size in ((0.0, cut), (cut + 9, w - cut - 9)):
            self.filled(x + at, y, size, h, fill, **edge)
        for at in (x + cut, x + cut + 9):
            self.shape(at - 3, y + h + 3, f"l6 {number(-h - 6)}", stroke_width=1.2)

    def area(self, boxes: Iterable[Box], fill: Fill) -> None:
        """Rectangles in a colour and its pattern, as one shape."""
        places = ((*self.at(*box[:2]), *box[2:]) for box in boxes)
        sides = ([*map(number, (x, y, w, h, -w))] for x, y, w, h in places)
        d = "".join(f"M{x} {y}h{w}v{h}h{back}z" for x, y, w, h, back in sides)
        self.path(d, stroke="none", fill=fill.ground)
        if fill.pattern != "plain":
            self.path(d, stroke="none", fill=self._tiled(fill))

    def _tiled(self, fill: Fill) -> str:
        """The pattern of a colour, to fill with."""
        name, (size, markup) = fill.name.replace(" ", "-"), _PATTERNS[fill.pattern]
        pattern = (
            f'<pattern id="@{name}" width="{size}" height="{size}" '
            f'patternUnits="userSpaceOnUse">{markup.format(c=fill.mark)}</pattern>'
        )
        if pattern not in self._used:
            self._used.append(pattern)
        return f"url(#@{name})"

    def grid(self, box: Box, w: float, h: float) -> None:
        """Thin lines that cut a box into fields of this size."""
        d = f"M{number(w - 0.5)} 0V{number(h)}M0 {number(h - 0.5)}H{number(w)}"
        lines = f'<path d="{d}" stroke="{PANEL}" fill="none"/>'
        self.tiles(box, (*box[:2], w, h), "grid", lines)

    def tiles(self, box: Box, origin: Box, name: str, markup: str) -> None:
        """`markup` in every field of a grid, as far as it lies in `box`; `origin` is one field."""
        x, y = self.at(*origin[:2])
        grid = _attributes(x=x, y=y, width=origin[2], height=origin[3])
        self._tiles[name] = (
            f'<pattern id="@{name}"{grid} patternUnits="userSpaceOnUse">{markup}</pattern>'
        )
        self.rect(*box, fill=f"url(#@{name})")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        width: float | None = None,
        *,
        size: float = BODY,
        fill: str = INK,
        bold: bool = False,
        mono: bool = False,
        anchor: str = "start",
    ) -> None:
        """One line of text with its baseline at `y`, cut if it is wider than `width`.

        Without a width it has room to the right edge of this part."""
        width = self.width - x if width is None else width
        x, y = self.at(x, y)
        shown = clip(text, width, size, mono=mono, bold=bold)
        style = _attributes(x=x, y=y, fill=fill, font_size=size, data_w=width)
        style += _attributes(font_family=MONO) if mono else ""
        style += ' font-weight="700"' if bold else ""
        style += f' text-anchor="{anchor}"' if anchor != "start" else ""
        if shown != shown.strip() or "  " in shown:
            style += ' xml:space="preserve" style="white-space:pre"'
        self.add(f"<text{style}>{escape(shown)}</text>")

    def note(
        self, x: float, y: float, text: str, width: float | None = None, *, anchor: str = "start"
    ) -> None:
        """A quiet small text."""
        self.text(x, y, text, width, size=SMALL_TEXT, fill=MUTED, anchor=anchor)

    def outcome_mark(self, x: float, y: float, outcome: str, label: str, width: float) -> None:
        """A circle with check, cross or hourglass at (x, y) and its label to the right of it."""
        colour, sign = OUTCOMES[outcome]
        right, down = self.at(x, y)
        self.add(f'<g transform="translate({number(right)} {number(down)})">')
        self.add(f'<circle r="8" fill="{PANEL}" stroke="{colour}" stroke-width="1.6"/>')
        self.path(
            sign, stroke=colour, stroke_width=2, stroke_linecap="round", stroke_linejoin="round"
        )
        self.add("</g>")
        self.text(x + 15, y + 4.5, label, width - 15, bold=True, fill=colour)

    def badge(self, x: float, y: float, names: Sequence[str], name: str) -> None:
        """An actor's sign, 22 wide, with its top left corner at (x, y)."""
        fill = actor_fill(names, name)
        self.filled(x, y, 22, 18, fill, rx=4, stroke=fill.mark, stroke_width=1)
        if fill.pattern != "plain":
            self.rect(x + 4, y + 2.5, 14, 13, rx=3, fill=fill.ground)
        self.text(
            x + 11, y + 13.4, initials(names)[name], 22, size=SMALL_TEXT, bold=True, anchor="middle"
        )

    def headline(self, x: float, y: float, width: float, claim: str) -> None:
        """What a picture says, in at most three lines of a column."""
        for i, line in enumerate(wrap(claim, width, 15, 3, bold=True)):
            self.text(x, y + i * 19, line, width, size=15, bold=True)

    def panel(
        self, x: float, y: float, w: float, h: float, pad: tuple[float, float] = (0, 0)
    ) -> Svg:
        """A quiet box, and the part inside it that is left by so much room at its edges."""
        self.rect(x, y, w, h, rx=6, fill=PANEL, stroke=LINE, stroke_width=1)
        return self.inside(x + pad[0], y + pad[1], w - 2 * pad[0])

    def heading(self, y: float, text: str, note: str = "") -> None:
        """The name of this part, with a quiet note at its right."""
        self.text(0, y, text, bold=True)
        if note:
            room = self.width - text_width(text, BODY, bold=True) - 14
            self.note(self.width, y, note, room, anchor="end")

    def swatch(self, fill: Fill, meaning: str) -> Sign:
        """A piece of a colour and its pattern."""
        return lambda x, y: self.filled(x, y, 16, 12, fill, stroke=fill.mark), 16, meaning

    def legend(self, x: float, y: float, w: float, signs: Iterable[Sign]) -> None:
        """Signs and their meanings, in as many lines as they need."""
        at = x
        for draw, wide, meaning in signs:
            size = wide + 6 + text_width(meaning, SMALL_TEXT)
            if at > x and at + size > x + w:
                at, y = x, y + LEGEND_ROW
            draw(at, y)
            self.note(at + wide + 6, y + 10.5, meaning, x + w - at - wide - 6)
            at += size + 16

    def render(self) -> str:
        """The finished picture.  Names of patterns are made from its content, so pictures that
        stand on one page never share or shadow each other's."""
        body = "\n".join(self._parts)
        prefix = f"p{zlib.crc32(body.encode()):08x}-"
        defs = "".join([*self._used, *self._tiles.values()])
        least, most = _widths(self.width)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(self.width)} '
            f'{number(self.height)}" width="100%" role="img" '
            f'style="min-width:{least};max-width:{most}"'
            f"{_attributes(font_family=SANS)}>"
        )
        inside = f"<title>{escape(self._title)}</title>\n<desc>{escape(self._desc)}</desc>\n"
        text = f"{head}\n{inside}<defs>{defs}</defs>\n{body}\n</svg>\n"
        return text.replace("url(#@", f"url(#{prefix}").replace('id="@', f'id="{prefix}')


# -- signs that every picture shares

# outcome -> (colour, the path of its sign in a circle of radius 8)
OUTCOMES = {
    "success": (GOOD, "M-3.6 0.2L-1 3L3.8 -3"),
    "failure": (BAD, "M-3.2 -3.2L3.2 3.2M3.2 -3.2L-3.2 3.2"),
    "not finished": (WAITS, "M-3.2 -4H3.2L-3.2 4H3.2Z"),
}


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


# -- the finished picture


class Picture:
    """SVGs that stand side by side or, where it is narrow, one below the other.

    `words` stand for them where pictures can't be shown."""

    def __init__(self, svg: str | Sequence[str], words: str):
        self.columns = (svg,) if isinstance(svg, str) else tuple(svg)
        self.words = words

    def __repr__(self) -> str:
        return self.words

    @property
    def svg(self) -> str:
        """The markup of its columns."""
        return "".join(self.columns)

    @property
    def html(self) -> str:
        """It on a page of any width, as part of the page."""
        return self._side_by_side(self.columns)

    def _repr_html_(self) -> str:
        """The same as images, which need nobody's trust."""
        # A title is escaped as far as a text needs it, which may hold quotes.
        titles = (
            svg.split("title>")[1].removesuffix("</").replace('"', "&quot;")
            for svg in self.columns[1:]
        )
        words = (html.escape(self.words), *titles)
        return self._side_by_side([*map(_image, self.columns, words)])

    def _side_by_side(self, parts: Sequence[str]) -> str:
        """What stands for the columns, one below the other where there is no room."""
        if not parts[1:]:
            return parts[0]
        placed = ""
        for part, svg in zip(parts, self.columns, strict=True):
            least, most = _widths(_width(svg))
            style = f"flex:1 1 {least};max-width:{most};margin-right:-1px"
            placed += f'<div style="{style}">{part}</div>'
        return f'<div style="display:flex;flex-wrap:wrap">{placed}</div>'


def _width(svg: str) -> float:
    return float(svg.split('viewBox="0 0 ')[1].split()[0])


def _widths(width: float) -> tuple[str, str]:
    """As narrow as its text can be read, and as wide as it was drawn."""
    return f"{number(width * READABLE / SMALL_TEXT)}px", f"{number(width)}px"


def _image(svg: str, words: str) -> str:
    # The width is an attribute: of a notebook that nobody has signed, styles are not trusted.
    least, most = _widths(_width(svg))
    source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
    style = f"width:100%;min-width:{least};max-width:{most};display:inline;vertical-align:top"
    return f'<img alt="{words}" src="{source}" width="{most[:-2]}" style="{style}">'
