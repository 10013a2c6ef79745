"""Where a learner is: which situation, which version, which row.

Interface: Session

Traits that a widget can observe; no rules of the model.  Runs are made once per version and kept.
"""

from __future__ import annotations

from typing import Any

import traitlets

from mmsim.engine.trace import Moment, Trace
from mmsim.scenarios import Situation
from mmsim.views.run import Row, fold


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
        self._runs: dict[str, Trace] = {}
        self.version = situation.version.name

    @property
    def trace(self) -> Trace:
        """The run of the chosen version."""
        if self.version not in self._runs:
            self._runs[self.version] = self.situation.with_(version=self.version).run()
        return self._runs[self.version]

    @property
    def rows(self) -> list[Row]:
        """Its rows."""
        return fold(self.trace)

    @property
    def moment(self) -> Moment:
        """The moment that the chosen row leads to."""
        return self.trace.at(self.rows[self.row - 1].end if self.row else 0)

    @traitlets.validate("row")
    def _within(self, proposal: Any) -> int:
        return max(0, min(int(proposal["value"]), len(self.rows)))

    @traitlets.observe("version")
    def _start_again(self, change: Any) -> None:
        # Rows of two versions are not the same steps: keep the number only if it exists there.
        self.row = min(self.row, len(self.rows))
