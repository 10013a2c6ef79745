"""A console behind a question: locked until the prediction is stored.

Interface: AskingConsole
"""

from __future__ import annotations

import ipywidgets as w

from mmsim.lessons import Prediction
from mmsim.widgets.console import Console, Turnable
from mmsim.widgets.question import Question


class AskingConsole(Console):
    """The console.  `question` asks for the prediction, or is None; `then` is what the learner is
    told to do next."""

    then = ""

    def __init__(
        self, situation: Turnable, knobs: tuple[str, ...], prediction: Prediction | None
    ) -> None:
        self.question = Question(prediction, self.then) if prediction is not None else None
        super().__init__(situation, knobs, prediction)

    def _unlock(self) -> None:
        if self.question is not None:
            self.question.stored()
        super()._unlock()

    def asked(self) -> w.VBox:
        """The question above the console, or the console alone."""
        return w.VBox([self.question, self]) if self.question is not None else self
