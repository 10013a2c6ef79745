"""Values that show themselves: a picture, a table, a sentence, each as HTML and as text.

Interface: Picture, Table, Shown, moment, as_html, as_text

What stands here is shown in a cell's output, inside a card, in print and on a page without a
kernel.  A picture goes into HTML as an image with words for it: that is shown everywhere."""

from __future__ import annotations

import textwrap
from base64 import b64encode
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from mmsim.engine.trace import Trace
from mmsim.views import picture, text
from mmsim.views.figures import Chart
from mmsim.views.fold import fold_once

# A cell of a table is not broken up to so many characters; a line of text has at most so many.
UNBROKEN_MAX, LINE_MAX = 40, 96


class Picture:
    """An SVG with a text that stands for it where pictures can't be shown."""

    def __init__(self, svg: str, words: str):
        self.svg = svg
        self.words = words

    def __repr__(self) -> str:
        return self.words

    def _repr_svg_(self) -> str:
        return self.svg


class Table:
    """A pandas table: text on the left, whole, each heading in a cell of its own.

    `folded`: a line that opens the table, for one that says in words what a picture above shows.
    """

    def __init__(self, frame: Any, folded: str = ""):
        self.frame = frame
        self.folded = folded

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
        import pandas as pd

        flat = self.frame.reset_index()
        if isinstance(flat.columns, pd.MultiIndex):
            flat.columns = [" · ".join(filter(None, map(str, name))) for name in flat.columns]
        keys = self.frame.index.nlevels
        head = "".join(_cell('th scope="col"', name) for name in flat.columns)
        rows = [f"<thead><tr>{head}</tr></thead>"]
        for row in flat.itertuples(index=False):
            tags = ['th scope="row"'] * keys + ["td"] * (len(row) - keys)
            rows.append(f"<tr>{''.join(map(_cell, tags, row))}</tr>")
        table = f"<table>{''.join(rows)}</table>"
        if not self.folded:
            return table
        return f"<details><summary>{escape(self.folded)}</summary>{table}</details>"


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


def moment(trace: Trace, row: int, *, region: str = "A") -> list[Picture | Table]:
    """The state after a row of the run as the stepper shows it, and as a folded table."""
    import pandas as pd

    rows = fold_once(trace)
    position = rows[row - 1].end if row else 0
    facts = picture.state_table(trace, position, region=region)
    index = pd.Index([name for name, _ in facts], name="what")
    table = pd.DataFrame({"value": [value for _, value in facts]}, index=index)
    svg = picture.state_svg(trace, position, region=region)
    drawn = Picture(svg, text.sentence(trace, position))
    return [drawn, Table(table, "The picture as a table")]


def as_html(shown: Any) -> str:
    """A picture, chart, table, sentence, or several of them, as HTML that needs nothing else."""
    if isinstance(shown, str):
        return f"<p>{escape(shown)}</p>"
    if isinstance(shown, Chart):
        image = _image("png", shown.png(), shown.alt)
        return image + as_html(shown.sentence) + as_html(shown.table)
    if hasattr(shown, "_repr_svg_"):
        return _image("svg+xml", shown._repr_svg_().encode(), repr(shown))
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
    if isinstance(shown, Chart):
        return f"{as_text(shown.sentence)}\n{as_text(shown.table)}"
    if hasattr(shown, "_repr_svg_"):
        return as_text(f"[Picture: {shown!r}]")
    if hasattr(shown, "to_string"):
        return repr(Table(shown))
    if isinstance(shown, list | tuple):
        return "\n\n".join(map(as_text, shown))
    return str(shown)


def _image(kind: str, content: bytes, words: str) -> str:
    source = f"data:image/{kind};base64,{b64encode(content).decode()}"
    return f'<img alt="{escape(words)}" src="{source}" style="max-width:100%">'
