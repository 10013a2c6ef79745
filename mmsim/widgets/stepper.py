"""Stepping through a run: slider, Back, Forward, a version switch, and one picture.

Interface: stepper, Stepper

The picture is the one `views.state` makes for the static twin too.  With a prediction the
controls stay locked until an answer is stored; then prediction and outcome stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.engine.trace import Trace
from mmsim.lessons import Answer, Prediction
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import Situation
from mmsim.views.run import counters, summary
from mmsim.views.state import state_svg
from mmsim.widgets.question import Question
from mmsim.widgets.session import Session

LOCKED = "Locked: store your prediction first."
Happened = Callable[[Trace], Mapping[str, Answer]]


class Stepper(w.VBox):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(
        self,
        session: Session,
        prediction: Prediction | None,
        region: str,
        happened: Happened | None = None,
    ) -> None:
        self.session = session
        self.prediction = prediction
        self.region = region
        self.happened = happened
        self.version = w.Dropdown(
            options=list(session.versions),
            value=session.version,
            description="version",
            layout=w.Layout(width="180px"),
        )
        self.back = w.Button(description="◀ Back", tooltip="one step back")
        self.forward = w.Button(description="Forward ▶", tooltip="one step on")
        self.slider = w.IntSlider(
            min=0,
            max=len(session.rows),
            value=session.row,
            description="step",
            continuous_update=True,
            layout=w.Layout(width="520px"),
        )
        for button in (self.back, self.forward):
            button.layout = w.Layout(width="110px")
        self.view = w.HTML()
        self.verdict = w.HTML()
        self.controls = w.HBox([self.version, self.back, self.slider, self.forward])
        parts: list[Any] = [self.controls, self.view, self.verdict]
        if prediction is not None:
            self.question = Question(prediction, "Now step through the run.")
            self.choices, self.store = self.question.choices, self.question.store
            self.said = self.question.said
            parts.insert(0, self.question)
        super().__init__(parts)
        self._connect()
        self._lock(prediction is not None and prediction.stored is None)
        if prediction is not None:
            prediction.when_stored(self._unlock)
        self._draw()

    def _connect(self) -> None:
        self.slider.observe(lambda change: self._go(change["new"]), "value")
        self.back.on_click(lambda _: self._go(self.session.row - 1))
        self.forward.on_click(lambda _: self._go(self.session.row + 1))
        self.version.observe(self._switch, "value")
        self.session.observe(lambda _: self._draw(), "row")

    def _go(self, row: int) -> None:
        self.session.row = row

    def _switch(self, change: Any) -> None:
        self.session.version = change["new"]
        self.slider.max = len(self.session.rows)
        self._draw()

    def _lock(self, locked: bool) -> None:
        for part in (self.version, self.back, self.slider, self.forward):
            part.disabled = locked

    def _unlock(self) -> None:
        self._lock(False)
        self.question.stored()
        self._draw()

    def _draw(self) -> None:
        session = self.session
        if self.slider.disabled:
            self.view.value = f"<p><i>{LOCKED}</i></p>"
            return
        self.slider.value = session.row
        self.back.disabled = session.row == 0
        self.forward.disabled = session.row == len(session.rows)
        self.view.value = state_svg(session.moment, region=self.region)
        self.verdict.value = self._compared() if self.forward.disabled else ""

    def _compared(self) -> str:
        """Prediction beside outcome, once the end of the run has been reached."""
        lines = [escape(line) for line in summary(self.session.trace).splitlines()]
        if self.prediction is not None:
            for name, predicted, happened, same in self.prediction.against(self._outcome()):
                sign = "✔ as predicted" if same else f"✘ you predicted {predicted}"
                lines.append(f"{escape(name)} {happened}: {sign}")
        return "<br>".join(lines)

    def _outcome(self) -> Mapping[str, Answer]:
        """What the parts of the prediction came to: counters, if nothing else was asked about."""
        if self.happened is not None:
            return self.happened(self.session.trace)
        assert self.prediction is not None
        moved = dict(counters(self.session.trace))
        return {name: moved.get(name, 0) for name in self.prediction.choices}


def stepper(
    situation: Situation,
    *,
    unlock: Prediction | None = None,
    versions: tuple[str, ...] = tuple(VERSIONS),
    region: str = "A",
    happened: Happened | None = None,
) -> Stepper:
    """A widget to step through the run of a situation.

    `unlock`: a prediction that has to be stored before anything moves; about counters, or about
    what `happened` finds in the run.
    """
    return Stepper(Session(situation, versions), unlock, region, happened)
