"""Where a learner is: which situation, which version, which row; or which moves were made so far.

Interface: Session, Play

Traits that a widget can observe; no rules of the model.  Runs are made once per version and kept.
"""

from __future__ import annotations

from typing import Any

import traitlets

from mmsim.engine import schedule
from mmsim.engine.scenario import Move
from mmsim.engine.trace import Moment, Trace, record
from mmsim.practice import game, levels
from mmsim.scenarios import Situation
from mmsim.scenarios.fates import fails
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


class Play(traitlets.HasTraits):
    """A level, the moves made in it, and the kinds of failure found in it so far.

    `moves` changes with every press.  Undo takes back a whole press, however many steps it was."""

    level = traitlets.Unicode()
    grain = traitlets.Unicode(game.STEP)
    moves = traitlets.Tuple()

    def __init__(self, offered: tuple[levels.Level, ...]) -> None:
        super().__init__()
        self.offered = {level.name: level for level in offered}
        self._found: list[tuple[Situation, list[str]]] = []
        self._presses: list[int] = []
        self.trace = Trace(offered[0].situation)
        self.level = offered[0].name

    @property
    def played(self) -> levels.Level:
        """The level."""
        return self.offered[self.level]

    @property
    def won(self) -> bool:
        """Has the goal been reached?"""
        return self.played.won(self.trace)

    @property
    def kinds(self) -> list[str]:
        """The kinds of failure found so far in this situation."""
        for situation, found in self._found:
            if game.same(situation, self.played.situation):
                return found
        self._found.append((self.played.situation, []))
        return self._found[-1][1]

    def press(self, move: Move) -> None:
        """Make a move."""
        self._presses.append(len(self.trace))
        game.press(self.trace, move, self.grain)
        self._moved()

    def undo(self) -> None:
        """Take the last press back."""
        if self._presses:
            self._replay(self.trace.moves[: self._presses.pop()])

    def reset(self) -> None:
        """Back to the beginning."""
        self._presses.clear()
        self._replay([])

    def load(self, text: str) -> None:
        """Play a schedule from the beginning; raises ValueError if it can't be."""
        self.trace = game.played(text, self.played.situation)
        self._presses = list(range(len(self.trace)))
        self._moved()

    def _replay(self, moves: list[Move]) -> None:
        self.trace = record(self.played.situation, schedule.replaying(moves))
        self._moved()

    def _moved(self) -> None:
        found, fate = self.kinds, self.played.situation.fate(self.trace.last)
        if fails(fate) and fate not in found:
            found.append(fate)
        self.moves = tuple(self.trace.moves)

    @traitlets.observe("level")
    def _start(self, change: Any) -> None:
        self._presses.clear()
        self._replay([])
