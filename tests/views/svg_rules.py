"""What every picture keeps: words inside it, apart from each other, and nothing missing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from mmsim.views import svg as style
from mmsim.views.svg import Picture, text_width

SIZE_MIN = 12  # a column of NARROW px is shown 592 px wide at worst, and then its text has 11 px
NS = "{http://www.w3.org/2000/svg}"


def _texts(root: ET.Element) -> Iterator[tuple[ET.Element, float, float, float]]:
    """Every text with its size, its left edge and its width, which is rather too wide."""
    for text in root.iter(f"{NS}text"):
        size = float(text.get("font-size", "0"))
        mono, bold = "font-family" in text.attrib, text.get("font-weight") == "700"
        wide = text_width(text.text or "", size, mono=mono, bold=bold)
        yield text, size, float(text.get("x", "0")), wide


def _left(text: ET.Element, x: float, wide: float) -> float:
    return x - {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor", "start")]


def texts_fit(root: ET.Element) -> None:
    right = float(root.get("viewBox", "").split()[2])
    for text, size, x, wide in _texts(root):
        assert wide <= float(text.get("data-w", "0")) + 0.01, text.text
        if "translate" not in str(text.attrib):
            assert _left(text, x, wide) >= 0, text.text
            assert _left(text, x, wide) + wide <= right, text.text
        assert size >= SIZE_MIN, text.text


def texts_stand_apart(root: ET.Element) -> None:
    boxes: list[tuple[float, float, float, float, str]] = []
    for text, size, x, safe in _texts(root):
        wide = safe / style._SAFETY
        left, base = _left(text, x, wide), float(text.get("y", "0"))
        box = (left, base - size * 0.72, left + wide, base + size * 0.1, text.text or "")
        for other in boxes:
            apart = box[0] >= other[2] or other[0] >= box[2]
            assert apart or box[1] >= other[3] or other[1] >= box[3], (box, other)
        boxes.append(box)


def references_are_defined(root: ET.Element) -> None:
    ids = sorted(element.get("id", "") for element in root.iter() if element.get("id"))
    used = set(re.findall(r"url\(#([^)]+)\)", ET.tostring(root, encoding="unicode")))
    assert ids == sorted(used)


def words(svg: str) -> list[str]:
    """Every text of a picture, in the order in which it is drawn."""
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{NS}text")]


NARROW = 640
"""So wide may a column be that its text has 11 px on 1280 x 720 at 125 %, beside the file list."""


def seen(picture: Picture) -> list[str]:
    """Every column is narrow and can be read; answers the words of all."""
    for column in picture.columns:
        readable(column)
        assert float(ET.fromstring(column).get("viewBox", "").split()[2]) <= NARROW
    return [word for column in picture.columns for word in words(column)]


def readable(svg: str) -> None:
    """All of the above, on a ground of its own, described, and no larger than a projector."""
    root = ET.fromstring(svg)
    width, height = map(float, root.get("viewBox", "").split()[2:])
    assert width <= 1280
    assert height <= 720
    assert root.get("role") == "img"
    title, desc = root[0].text or "", root[1].text or ""
    assert title
    assert desc.startswith(title)
    ground = root.find(f"{NS}rect")
    assert ground is not None
    assert re.fullmatch("#F[0-9A-F]{5}", ground.get("fill", ""))
    texts_fit(root)
    texts_stand_apart(root)
    references_are_defined(root)
