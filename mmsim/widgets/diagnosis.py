"""Two texts to paste, and what explains the counters that moved between them.

Interface: diagnosis_console, DiagnosisConsole
"""

from __future__ import annotations

from html import escape

import ipywidgets as w

from mmsim.diagnose import diagnose
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.views.diagnosis import GROUPS_FEW, report
from mmsim.views.svg import INK, LINE, MONO, PAPER

ANY = "any version"
WIDTH = 110
_BEFORE = "/proc/vmstat before; or alone: lines such as  thp_migration_fail +1"


class DiagnosisConsole(w.VBox):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(self, before: str = "", after: str = "") -> None:
        layout = w.Layout(width="48%", height="9em")
        self.before = w.Textarea(value=before, placeholder=_BEFORE, layout=layout)
        self.after = w.Textarea(
            value=after, placeholder="/proc/vmstat afterwards, or empty", layout=layout
        )
        for box, name in ((self.before, "before"), (self.after, "after")):
            box.description = name
        self.kernel = w.Dropdown(options=[ANY, *VERSIONS, *POLICIES], description="kernel")
        self.button = w.Button(description="Diagnose", button_style="primary")
        self.button.on_click(lambda _: self._draw())
        self.view = w.HTML()
        super().__init__(
            [w.HBox([self.before, self.after]), w.HBox([self.kernel, self.button]), self.view]
        )

    def _draw(self) -> None:
        after = self.after.value if self.after.value.strip() else None
        kernel = None if self.kernel.value == ANY else str(self.kernel.value)
        try:
            said = report(
                diagnose(self.before.value, after, kernel), width=WIDTH, groups_max=GROUPS_FEW
            )
        except ValueError as error:
            said = f"Can't be diagnosed: {error}."
        style = f"background:{PAPER};color:{INK};border:1px solid {LINE};font-family:{MONO};"
        style += "white-space:pre-wrap;line-height:1.35;padding:0.8em;font-size:12px"
        self.view.value = f'<div style="{escape(style)}">{escape(said)}</div>'


def diagnosis_console(before: str = "", after: str = "") -> DiagnosisConsole:
    """A widget to paste what moved and see which paths of the model explain it."""
    return DiagnosisConsole(before, after)
