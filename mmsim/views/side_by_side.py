"""The seams of two versions beside each other, and where in the kernel they are.

Interface: side_by_side_svg, side_by_side_sentence, changes_table, later_table, unbroken

A seam that differs is shown whole, on either side; a line that only one side has carries a "−" or a
"+", and what is the same is only named.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmsim.mm.versions import Version, get, seam_source, seams
from mmsim.series import LATER, SERIES
from mmsim.views.style import (
    BAD,
    BODY,
    CHANGED,
    CODE,
    CODE_MIN,
    GOOD,
    INK,
    LINE,
    MUTED,
    PANEL,
    SMALL,
    TITLE,
    Svg,
    text_width,
)
from mmsim.views.tables import frame, labels

if TYPE_CHECKING:
    import pandas as pd

WIDTH, MARGIN, GAP = 1100.0, 24.0, 16.0
SIDE = (WIDTH - 2 * MARGIN - GAP) / 2
ROW = 18.0
HYPHEN = "\N{NON-BREAKING HYPHEN}"
REMOVED, ADDED, SAME, DIFFERENT = "−", "+", "=", "≠"


class Seam(NamedTuple):
    """One seam of two versions: rows of (mark, line) for the left side and for the right."""

    name: str
    what: str
    left: list[tuple[str, str]]
    right: list[tuple[str, str]]

    @property
    def differs(self) -> bool:
        """Is there a line that only one side has?"""
        return any(mark.strip() for mark, _ in (*self.left, *self.right))


def _lines(version: Version, seam: str) -> list[str]:
    return seam_source(version, seam).rstrip().splitlines() if seam in seams(version) else []


def _compared(before: Version, after: Version) -> list[Seam]:
    found = []
    for name, what in (seams(before) | seams(after)).items():
        old, new = _lines(before, name), _lines(after, name)
        left: list[tuple[str, str]] = []
        right: list[tuple[str, str]] = []
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
            same = tag == "equal"
            left += [(" " if same else REMOVED, line) for line in old[i1:i2]]
            right += [(" " if same else ADDED, line) for line in new[j1:j2]]
        found.append(Seam(name, what, left, right))
    return found


def side_by_side_sentence(before: str, after: str) -> str:
    """Which seams differ, in a sentence."""
    found = _compared(get(before), get(after))
    names = [seam.name for seam in found if seam.differs]
    if not names:
        return f"{before} and {after} are the same in all {len(found)} places of the model."
    listed = ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
    places = f"{len(names)} of {len(found)} places of the model"
    return f"{before} and {after} differ in {places}: {listed}."


def side_by_side_svg(before: str, after: str) -> str:
    """Two versions or policies, seam by seam; raises ValueError for a name that is neither."""
    old, new = get(before), get(after)
    found = _compared(old, new)
    shown = [seam for seam in found if seam.differs]
    heights = [ROW * max(len(seam.left), len(seam.right)) + 54 for seam in shown]
    svg = Svg(WIDTH, 118 + sum(heights), f"{before} and {after}, place by place",
              side_by_side_sentence(before, after))  # fmt: skip
    svg.text(MARGIN, 32, side_by_side_sentence(before, after), WIDTH - 2 * MARGIN, size=TITLE,
             bold=True)  # fmt: skip
    for x, version in ((MARGIN, old), (MARGIN + SIDE + GAP, new)):
        svg.text(x, 62, version.name, 90, size=BODY, bold=True)
        indent = text_width(version.name, BODY, bold=True) + 10
        svg.text(x + indent, 62, version.full_title, SIDE - indent, size=SMALL, fill=MUTED)
    y = 78.0
    for seam, height in zip(shown, heights, strict=True):
        _draw(svg, seam, y)
        y += height
    same = ", ".join(seam.name for seam in found if not seam.differs) or "nothing"
    svg.text(MARGIN, y + 20, f"{SAME} the same on both sides: {same}", WIDTH, fill=MUTED)
    return svg.render()


def _draw(svg: Svg, seam: Seam, y: float) -> None:
    svg.text(MARGIN, y + 14, f"{DIFFERENT} {seam.name}", 200, bold=True)
    indent = text_width(f"{DIFFERENT} {seam.name}", BODY, bold=True) + 12
    svg.text(
        MARGIN + indent, y + 14, seam.what, WIDTH - 2 * MARGIN - indent, size=SMALL, fill=MUTED
    )
    lines = [line for _, line in (*seam.left, *seam.right)]
    size = max(CODE_MIN, min(CODE, (SIDE - 40) / (0.605 * max(map(len, lines)))))
    high = ROW * max(len(seam.left), len(seam.right)) + 12
    for x, side, ink in (
        (MARGIN, seam.left, BAD),
        (MARGIN + SIDE + GAP, seam.right, GOOD),
    ):
        svg.rect(x, y + 24, SIDE, high, fill=PANEL, stroke=LINE, rx=4)
        if not side:
            svg.text(x + 30, y + 24 + ROW, "no such place", SIDE - 40, size=SMALL, fill=MUTED)
        for number, (mark, line) in enumerate(side):
            top = y + 30 + ROW * number
            if mark.strip():
                svg.rect(x + 4, top, SIDE - 8, ROW, fill=CHANGED)
                svg.text(x + 10, top + 13, mark, 20, bold=True, fill=ink)
            svg.text(x + 30, top + 13, line, SIDE - 36, size=size, mono=True, fill=INK)


def changes_table(versions: Sequence[str] = (), *, posted: bool = False) -> pd.DataFrame:
    """What changed where in the kernel: one row for each place, in our own words.

    `versions`: only rows that one of them has; none means every row.  `posted`: as it was known on
    the day, without what became of it, and in the order of the series."""
    for name in versions:
        get(name)
    rows = [row for row in SERIES if not versions or set(versions) & set(row.versions)]
    if posted:
        rows = sorted(rows, key=lambda row: row.patch)
    index = labels([row.patch.partition(" ")[0] if posted else row.patch for row in rows], "patch")
    cells = [
        (f"{r.file} {r.function}", unbroken(r.before), unbroken(r.after), r.release, r.seam)
        for r in rows
    ]
    columns = ["where", "before", "after", "in release", "in the model"]
    table = frame(cells, index, columns)
    return table.drop(columns="in release") if posted else table


def later_table() -> pd.DataFrame:
    """What became of the same code after the series; no version of the model has any of it."""
    index = labels([row.release for row in LATER], "release")
    return frame([row[1:] for row in LATER], index, ["commit", "what", "what it means here"])


def unbroken(text: str) -> str:
    """The same text, with error codes that are not broken behind their sign."""
    return text.replace("-E", f"{HYPHEN}E")
