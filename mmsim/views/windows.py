"""A walk over the page cache: when each folio is locked, and when it is only referenced.

Interface: windows_svg, windows_sentence, windows_table
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mmsim.engine.trace import Trace
from mmsim.scenarios.windows import Window, windows
from mmsim.views.svg import FILLS, INK, LINE, MUTED, SMALL, TITLE, Fill, Svg, legend
from mmsim.views.words import plural, subject

if TYPE_CHECKING:
    import pandas as pd

WIDTH, _LABEL, _ROW, _TOP, _BELOW = 900.0, 70.0, 30.0, 58.0, 70.0
_TICK = 5
LOCKED, REFERENCED = FILLS["actor 1"], FILLS["not counted on"]
TITLE_WORDS = "Locked until its own turn is over, referenced until the whole batch is through"


def _after_unlock(window: Window) -> tuple[int, int]:
    return window.locked[1], window.referenced[1]


def windows_sentence(trace: Trace, actor: str) -> str:
    """Both windows of the first folio and of the last one, in steps of the walk."""
    found = windows(trace, actor)
    if not found:
        return f"{subject(actor).capitalize()} locks nothing in this run."
    parts = []
    for window in dict.fromkeys((found[0], found[-1])):
        locked = window.locked[1] - window.locked[0]
        alone = window.referenced[1] - window.locked[1]
        parts.append(
            f"{window.name} is locked for {plural(locked, 'step')}, and after that "
            f"referenced without the lock for {alone}"
        )
    return f"{'; '.join(parts)}."


def windows_svg(trace: Trace, actor: str) -> str:
    """A row for each folio, steps to the right."""
    found = windows(trace, actor)
    svg = Svg(WIDTH, _TOP + _ROW * len(found) + _BELOW, TITLE_WORDS, windows_sentence(trace, actor))
    svg.text(18, 30, TITLE_WORDS, WIDTH - 36, size=TITLE, bold=True)
    scale = (WIDTH - _LABEL - 36) / max(len(trace), 1)

    def at(position: int) -> float:
        return 18 + _LABEL + position * scale

    bottom = _TOP + _ROW * len(found)
    for step in range(0, len(trace) + 1, _TICK):
        svg.line(at(step), _TOP - 6, at(step), bottom + 4, stroke=LINE)
        svg.text(at(step), bottom + 18, f"{step}", 40, size=SMALL, fill=MUTED, anchor="middle")
    for number, window in enumerate(found):
        y = _TOP + number * _ROW
        svg.text(18, y + 17, window.name, _LABEL - 8, bold=True)
        for (begin, end), fill in ((window.locked, LOCKED), (_after_unlock(window), REFERENCED)):
            if end > begin:
                wide = (end - begin) * scale
                svg.filled(at(begin), y, wide, _ROW - 7, fill, stroke=INK, stroke_width=1)
    svg.text(18, bottom + 18, "steps", _LABEL - 8, size=SMALL, fill=MUTED)
    signs = [
        (functools.partial(_swatch, svg, LOCKED), 16.0, "locked, and referenced"),
        (functools.partial(_swatch, svg, REFERENCED), 16.0, "referenced, not locked any more"),
    ]
    legend(svg, 18 + _LABEL, bottom + 32, WIDTH - 120, signs)
    return svg.render()


def _swatch(svg: Svg, fill: Fill, x: float, y: float) -> None:
    svg.filled(x, y, 16, 12, fill, stroke=INK, stroke_width=0.8)


def windows_table(trace: Trace, actor: str) -> pd.DataFrame:
    """The picture as numbers: after how many steps each window begins and ends."""
    import pandas as pd

    found = windows(trace, actor)
    rows = [[*window.locked, *_after_unlock(window)] for window in found]
    return pd.DataFrame(
        rows,
        index=pd.Index([window.name for window in found], name="page", dtype=object),
        columns=["locked after step", "unlocked after", "referenced alone after", "let go after"],
        dtype=object,
    )
