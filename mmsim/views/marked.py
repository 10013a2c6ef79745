"""Lines in which `code`, *stress* and **strong** are marked, as HTML and as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from mmsim.views.svg import GREEN, VERMILION

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
