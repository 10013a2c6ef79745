"""Where a learner is: which situation, which version, which row.

Interface: Session

Traits that a widget can observe; no rules of the model.  Runs are made once per version and kept.
"""

from __future__ import annotations

from typing import Any

import traitlets

from mmsim.engine.trace import Trace
from mmsim.scenarios import Situation
from mmsim.views.fold import Row, fold_once


class Session(traitlets.HasTraits):
    """A situation under several versions, and a position in the run of one of them.

    `row` counts the rows of the folded trace; 0 is before the first step.
    """

    version = traitlets.Unicode()
    row = traitlets.Int(0)

    def __init__(self, situation: Situation, versions: tuple[str, ...]) -> None:
        super().__init__()
        self.situation = situation
        self.versions = versions
        self._runs: dict[str, tuple[Trace, list[Row]]] = {}
        self.version = situation.version.name

    def _run(self) -> tuple[Trace, list[Row]]:
        if self.version not in self._runs:
            trace = self.situation.with_(version=self.version).run()
            self._runs[self.version] = (trace, fold_once(trace))
        return self._runs[self.version]

    @property
    def trace(self) -> Trace:
        """The run of the chosen version."""
        return self._run()[0]

    @property
    def rows(self) -> list[Row]:
        """Its rows."""
        return self._run()[1]

    @property
    def position(self) -> int:
        """The trace position of the chosen row."""
        return self.rows[self.row - 1].end if self.row else 0

    @traitlets.validate("row")
    def _within(self, proposal: Any) -> int:
        return max(0, min(int(proposal["value"]), len(self.rows)))

    @traitlets.observe("version")
    def _start_again(self, change: Any) -> None:
        # Rows of two versions are not the same steps: keep the number only if it exists there.
        self.row = min(self.row, len(self.rows))
