"""The question in front of a locked widget: a drop-down for each part, and a button that stores.

Interface: Question
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as w

from mmsim.lessons import Prediction, PredictionError


class Question(w.VBox):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(self, prediction: Prediction, then: str) -> None:
        self.prediction = prediction
        self.then = then
        self.choices = {
            name: w.Dropdown(
                options=[("choose …", None), *((str(c), c) for c in choices)],
                description=name,
                style={"description_width": "initial"},
            )
            for name, choices in prediction.choices.items()
        }
        self.store = w.Button(description="Store prediction", button_style="primary")
        self.store.on_click(self._store)
        self.said = w.HTML()
        question = w.HTML(f"<b>Predict first.</b> {escape(prediction.question)}")
        row = w.HBox([*self.choices.values(), self.store], layout=w.Layout(flex_flow="row wrap"))
        super().__init__([question, row, self.said])

    def _store(self, _: Any) -> None:
        answers = {n: box.value for n, box in self.choices.items() if box.value is not None}
        try:
            self.prediction.set(answers)
        except PredictionError as error:
            self.said.value = f"Not stored: {escape(str(error))}."

    def stored(self) -> None:
        """Show what has been stored, here or in a cell."""
        for name, box in self.choices.items():
            box.value = (self.prediction.stored or {})[name]
        self.said.value = f"Stored: {escape(self.prediction.told())}. {self.then}"
