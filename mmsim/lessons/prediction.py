"""What a lesson asks before it shows: predictions.

Interface: Prediction, PredictionError, REPORTED, counters_of, ran

A prediction is stored before the outcome is drawn, in a widget or by a plain call, so a lesson
works without widgets too.  Nothing is judged here; `show_against` only puts the two beside each
other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mmsim.engine.trace import Trace
from mmsim.scenarios import Situation

Answer = int | str

REPORTED = ("thp_migration_fail", "thp_split_page_failed")


def counters_of(trace: Trace) -> dict[str, int]:
    """The two counters of the report at the end of a run."""
    return {name: trace.last.world.vmstat[name] for name in REPORTED}


def ran(answer: object) -> tuple[Situation, Trace] | None:
    """A situation and its run, also if the run itself was handed in; None if it is neither."""
    trace = answer.run() if isinstance(answer, Situation) else answer
    if isinstance(trace, Trace) and isinstance(trace.scenario, Situation):
        return trace.scenario, trace
    return None


class PredictionError(ValueError):
    """An answer that is not one of the choices."""


class Prediction:
    """A question with named parts, each with its choices.

    `choices` maps what is asked to the answers that can be chosen.  `stored` is None until all
    parts have been answered; `first` stays what was stored first, whatever is stored later."""

    def __init__(self, question: str, choices: Mapping[str, Sequence[Answer]]):
        self.question = question
        self.choices = {name: tuple(answers) for name, answers in choices.items()}
        self.stored: dict[str, Answer] | None = None
        self.first: dict[str, Answer] | None = None
        self._waiting: list[Callable[[], None]] = []

    def when_stored(self, react: Callable[[], None]) -> None:
        """Call `react` at once if there is a stored answer, and after each `store`."""
        self._waiting.append(react)
        if self.stored is not None:
            react()

    def set(self, answers: Mapping[str, Answer]) -> None:
        """Store a complete answer; raises PredictionError for a part that is missing or unknown."""
        for name in answers:
            if name not in self.choices:
                raise PredictionError(f"nothing was asked about {name!r}")
        for name, choices in self.choices.items():
            if answers.get(name) not in choices:
                allowed = ", ".join(map(str, choices))
                raise PredictionError(f"{name}: choose one of {allowed}")
        self.stored = dict(answers)
        self.first = self.first or self.stored
        for react in self._waiting:
            react()

    def store(self, **answers: Answer | None) -> None:
        """Store an answer from a plain cell and say what became of it; never raises.

        A part that is None means "not answered yet".
        """
        given = {name: value for name, value in answers.items() if value is not None}
        if len(given) < len(answers) or not answers:
            if self.stored is None:
                print(
                    "Not predicted yet: choose above and press Store, or write your answers here."
                )
            else:
                print(f"Prediction stored: {self.told()}.")
            return
        try:
            self.set(given)
        except PredictionError as error:
            print(f"Not stored. {error}.")
        else:
            print(f"Prediction stored: {self.told()}.")

    def told(self, answers: Mapping[str, Answer] | None = None) -> str:
        """An answer in a line: the stored one, if no other is given."""
        return ", ".join(f"{n} {value}" for n, value in (answers or self.stored or {}).items())

    def against(self, outcome: Mapping[str, Answer]) -> list[tuple[str, Answer, Answer, bool]]:
        """(what, predicted, happened, same) for each part; empty while nothing is stored."""
        if self.stored is None:
            return []
        return [
            (name, self.stored[name], outcome[name], self.stored[name] == outcome[name])
            for name in self.choices
            if name in outcome
        ]

    def show_against(self, outcome: Mapping[str, Answer]) -> None:
        """Print prediction and outcome side by side."""
        rows = self.against(outcome)
        if not rows:
            print("No prediction stored yet. What happened is shown once you have stored one.")
            return
        width = max(len(name) for name, *_ in rows)
        print(f"{'':{width}}  predicted  happened")
        for name, predicted, happened, same in rows:
            print(f"{name:{width}}  {predicted!s:>9}  {happened!s:>8}  {'✔' if same else '✘'}")
        if self.first != self.stored:
            print(f"At first you had said: {self.told(self.first)}.")
