"""What every picture has to be: well formed, described, and readable."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from mmsim.views import style
from mmsim.views.style import text_width

NS = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """Every text of a picture, in the order in which it is drawn."""
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{NS}text")]


def readable(svg: str) -> None:
    """Assert that a picture has a title and words, and that no text leaves its box or another's."""
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert width <= 1280
    assert height <= 720
    assert root.get("role") == "img"
    assert root[0].text
    assert root[1].text.startswith(root[0].text)
    assert re.fullmatch("#F[0-9A-F]{5}", root.find(f"{NS}rect").get("fill"))
    boxes: list[tuple[float, float, float, float, str]] = []
    for text in root.iter(f"{NS}text"):
        size = float(text.get("font-size"))
        mono, bold = "font-family" in text.attrib, text.get("font-weight") == "700"
        wide = text_width(text.text, size, mono=mono, bold=bold)
        assert wide <= float(text.get("data-w")) + 0.01, text.text
        assert size >= style.CODE_MIN
        wide /= style._SAFETY
        left = float(text.get("x"))
        left -= {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor", "start")]
        base = float(text.get("y"))
        assert 0 <= left <= left + wide <= width, text.text
        assert 0 < base < height, text.text
        box = (left, base - size * 0.72, left + wide, base + size * 0.1, text.text)
        for other in boxes:
            apart = box[0] >= other[2] or other[0] >= box[2]
            assert apart or box[1] >= other[3] or other[1] >= box[3], (box, other)
        boxes.append(box)
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) == ids
