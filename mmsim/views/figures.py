"""What every chart is made of: a size, a style, and everything that says the same without it.

Colours come with a hatch, a shape or a word, and a figure has its own light background.  matplotlib
and pandas are imported when a chart is drawn; a figure belongs to nobody but its Chart.
"""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Any

from mmsim.views.svg import INK, LINE, MUTED, PANEL, PAPER

if TYPE_CHECKING:
    import pandas as pd

INCHES = (9.0, 4.2)
DPI = 110
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "hatch.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    "axes.edgecolor": MUTED,
    "figure.facecolor": PAPER,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.facecolor", "legend.facecolor"), PANEL),
    **dict.fromkeys(("grid.color", "legend.edgecolor"), LINE),
}


@dataclasses.dataclass(frozen=True)
class Chart:
    """A figure with everything that says the same without it."""

    figure: Any
    sentence: str
    table: pd.DataFrame
    alt: str

    def png(self) -> bytes:
        """The figure as a PNG of always the same size."""
        import matplotlib

        with matplotlib.rc_context(STYLE), io.BytesIO() as file:
            self.figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
            return file.getvalue()

    def pair(self, variant: str, column: str) -> tuple[Any, ...]:
        """The cells of a row that stand under this name, e.g. "measured", in any group of columns.

        Only for a table whose headings have two levels."""
        return tuple(self.table.loc[variant].xs(column, level=1))


def panelled(columns: int, title: str, note: str, *, same_y: bool = True) -> tuple[Any, Any]:
    """A figure of panels side by side, a title that says the claim, and a note underneath."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DPI)
    panels = figure.subplots(1, columns, sharey=same_y, squeeze=False)[0]
    figure.subplots_adjust(left=0.075, right=0.985, top=0.80, bottom=0.25, wspace=0.08)
    figure.text(0.012, 0.945, title, fontsize=13, fontweight="bold", va="center")
    figure.text(0.012, 0.03, note, fontsize=8.5, color=MUTED, va="center")
    for panel in panels:
        panel.grid(visible=False, axis="x")
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def legend(figure: Any, handles: list[Any]) -> None:
    """One line of explanations for all panels, above the note."""
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.06), "ncols": len(handles)}
    figure.legend(handles=handles, fontsize=9.5, handlelength=2.2, **place)


def span(values: list[int]) -> int | str:
    """One number, or the least and the greatest of several."""
    low, high = min(values), max(values)
    return low if low == high else f"{low}–{high}"
