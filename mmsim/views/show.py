"""Values that show themselves: pictures, tables and lines of text, in HTML and in plain text.

What stands here is shown in a cell's output, inside a card, in print and on a page without a
kernel.  `picture` draws a moment, a run, a situation or a zone; `install` tells IPython, so that a
cell that ends with one shows it.  The engine knows nothing of this."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from mmsim.engine.trace import Moment, Trace
from mmsim.mm.zone import Zone
from mmsim.scenarios import Situation
from mmsim.scenarios.hosts import Host
from mmsim.views.memory import memory
from mmsim.views.run_columns import columns_picture
from mmsim.views.run_text import summary
from mmsim.views.state import state_picture
from mmsim.views.svg import GREEN, VERMILION, Picture

# A cell of a table is not broken up to so many characters; a line of text has at most so many.
UNBROKEN_MAX, LINE_MAX = 40, 96


class Table:
    """A pandas table: text on the left, whole, each heading in a cell of its own."""

    def __init__(self, frame: Any):
        self.frame = frame

    def __repr__(self) -> str:
        lines = str(self.frame.to_string())
        if max(map(len, lines.splitlines())) <= LINE_MAX:
            return lines
        rows = self.frame.itertuples(name=None)
        names = [str(name) for name in self.frame.columns]
        told = []
        for key, *cells in rows:
            pairs = zip(names, cells, strict=True)
            words = cells if len(names) == 1 else [f"{n} {c}" for n, c in pairs if str(c)]
            told.append(as_text(f"- {key}: {'; '.join(map(str, words))}"))
        return "\n".join(told)

    def _repr_html_(self) -> str:
        flat = self.frame.reset_index()
        head = "".join(_cell('th scope="col"', name) for name in flat.columns)
        rows = [f"<thead><tr>{head}</tr></thead>"]
        for row in flat.itertuples(index=False):
            tags = ['th scope="row"', *["td"] * (len(row) - 1)]
            rows.append(f"<tr>{''.join(map(_cell, tags, row))}</tr>")
        return f"<table>{''.join(rows)}</table>"


def _cell(tag: str, content: object) -> str:
    """One cell: a name or a number stays on its line, a sentence may take several."""
    words = str(content)
    wrap = "normal;min-width:15em" if len(words) > UNBROKEN_MAX else "nowrap"
    style = f"text-align:left;white-space:{wrap};padding:0.3em 0.8em"
    return f'<{tag} style="{style}">{escape(words)}</{tag[:2]}>'


class Shown:
    """What `make` returns, shown at the end of a cell: pictures, tables, sentences, or several."""

    def __init__(self, make: Callable[[], Any]):
        self.make = make

    def __repr__(self) -> str:
        return as_text(self.make())

    def _repr_html_(self) -> str:
        return as_html(self.make())


def _of_situation(situation: Situation) -> Picture:
    start = state_picture(Trace(situation).at(0))
    knobs = ", ".join(f"{name} {value}" for name, value in situation.knobs.items())
    words = f"{situation.name}, version {situation.version.name}. {start.words}\nKnobs: {knobs}."
    return Picture(start.columns, words)


_PICTURES: dict[type, Callable[[Any], Picture]] = {
    Moment: state_picture,
    Trace: lambda trace: Picture(columns_picture(trace).columns, summary(trace)),
    Situation: _of_situation,
    Zone: memory,
    Host: lambda host: memory(host.zone),
}


def picture(value: Any) -> Picture:
    """The picture of an object, with its words."""
    for kind, draw in _PICTURES.items():
        if isinstance(value, kind):
            return draw(value)
    raise TypeError(f"there is no picture of {value!r}")


def show(value: Any) -> None:
    """Display an object in a notebook, and its words."""
    drawn = picture(value)
    sys.modules["IPython.display"].display(drawn)
    print("\n".join(map(as_text, drawn.words.splitlines())))


def install() -> None:
    """Let the IPython that runs this show such objects by itself; without one, do nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        for kind in _PICTURES:
            shell.display_formatter.ipython_display_formatter.for_type(kind, show)


def as_html(shown: Any) -> str:
    """A picture, chart, table, sentence, or several of them, as HTML that needs nothing else."""
    if isinstance(shown, str):
        return f"<p>{escape(shown)}</p>"
    if hasattr(shown, "to_string"):
        return Table(shown)._repr_html_()
    if hasattr(shown, "_repr_html_"):
        return str(shown._repr_html_())
    if isinstance(shown, Iterable):
        return "".join(map(as_html, shown))
    return f"<pre>{escape(str(shown))}</pre>"


def as_text(shown: Any) -> str:
    """The same in plain text: a picture is its words."""
    if isinstance(shown, str):
        return textwrap.fill(shown, LINE_MAX, break_long_words=False, break_on_hyphens=False)
    if isinstance(shown, Picture):
        return as_text(f"[Picture: {shown!r}]")
    if hasattr(shown, "to_string"):
        return repr(Table(shown))
    if isinstance(shown, Iterable) and not hasattr(shown, "_repr_html_"):
        return "\n\n".join(map(as_text, shown))
    return str(shown)


# -- lines in which `code`, *stress* and **strong** are marked

STRESSED = r"(?<!\w)({})([^*]+)\1(?!\w)"  # a schedule, `pin*7 pin*6`, has none
# The colour of a sign leans to that of the page's words: it stands out on a light and a dark page.
SIGNS = {
    sign: f'<b style="color:color-mix(in srgb, {colour} 70%, currentColor)">{sign}</b>'
    for sign, colour in (("✔", GREEN), ("✘", VERMILION))
}


def marked_line(line: str) -> str:
    """A line as HTML; a sign at its beginning has its colour."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line, quote=False))
    for stars, tag in (("**", "b"), ("*", "i")):
        html = re.sub(STRESSED.format(re.escape(stars)), rf"<{tag}>\2</{tag}>", html)
    return SIGNS.get(html[:1], html[:1]) + html[1:]


def marked(lines: Iterable[str]) -> str:
    """Lines as HTML paragraphs."""
    return "".join(f"<p>{marked_line(line)}</p>" for line in lines if line.strip())


def marked_list(lines: Iterable[str]) -> str:
    """Lines that begin with `- ` as an HTML list."""
    items = "".join(f"<li>{marked_line(line.removeprefix('- '))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def unmarked(line: str) -> str:
    """A line as plain text: code keeps its marks, stress loses them."""
    return re.sub(STRESSED.format(r"\*+"), r"\2", " ".join(line.split()))
