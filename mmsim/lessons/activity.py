"""What a card is: its declaration, and how far a learner has come with it.

A prediction, a check, a bet and a reveal are all the same; they differ in what is given:

| given | the card is |
| --- | --- |
| `asked` | a bet: one answer, which is noted and not judged |
| `asked`, `outcome` | a prediction: one answer, then "you said 1 · it was 512" |
| `asked`, `judge` | a check: a wrong answer gets a reason, and another one may be tried |
| `asked`, `outcome`, `against` | a check by parts, which tells the outcome once it is unlocked |
| `judge` | a check of code: the answer is whatever the cell hands in |
| none of them | a reveal: shown as soon as the cards in `needs` are unlocked |

An answer unlocks `why`, `still` and `play`: in a bet and a prediction any answer, in a check a
right one or the second wrong one.  A check stays open until it is right.  A judge may answer
`noted()`, and its card is a bet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, cast

from mmsim.errors import nearest
from mmsim.lessons.form import ONLY, Allowed, Choices, Parts, Verdict

NO_VERDICT = Verdict("not attempted", "")
ANSWERED = "passed", "noted"  # states of a verdict on an answer that need not be asked for again


@dataclass(frozen=True)
class State:
    """What was answered to a card since it was opened, as this kernel knows it.

    The entry of the card in the progress file counts what was ever tried, in any kernel.
    `first`, `last`: answers as the judge reads them.  `kept`: the last one as the file holds it; it
    stands alone if it is code of an earlier kernel, which has to be judged anew.  `unlocked`: may
    be shown what the answer unlocks?  `hints`: how many were read."""

    first: Any = None
    last: Any = None
    kept: Any = None
    verdict: Verdict = NO_VERDICT
    unlocked: bool = False
    hints: int = 0

    def is_again(self, kept: Any, verdict: Verdict) -> bool:
        """Is this the last answer once more, and so no new try?

        It is a new one if its verdict is: the same cell can hand in a function that was edited
        elsewhere."""
        return bool(kept == self.kept) and self.verdict in (NO_VERDICT, verdict)

    def after(self, answer: Any, kept: Any, verdict: Verdict) -> State:
        """The state once this is answered; a right answer and a second wrong one unlock."""
        both_wrong = self.verdict.state == verdict.state == "failed"
        second = both_wrong and not self.is_again(kept, verdict)
        unlocked = self.unlocked or second or verdict.state in ANSWERED
        first = answer if self.last is None else self.first
        return State(first, answer, kept, verdict, unlocked, self.hints)


@dataclass(eq=False, repr=False)
class Activity:
    """One activity.  What is callable is asked when it is needed, so it may ask the model.

    `question`: its first line is one sentence, which stays when the question is folded.
    `asked`: what is asked: parts by name, each with choices or a type, or what a single one allows.
    `labels`: words beside a part's choices.  `form`: how an answer looks that is written, such as
    `vfio_map(...)`; FUNCTION if it is a function.  Of a number it need not be said.
    `judge`: what becomes of an answer; a SandboxError of it is told as a wrong answer.
    `against`: what speaks against a part and a wrong value of it, and how it really is.
    `if_right`: what is said when every part is right.
    `why`: the reason, told with the outcome; `because`: that of each part.
    `still`: pictures and tables, shown once unlocked.
    `play`: the widget that takes the place of `still` where there are widgets.
    `solution`: a right answer, if it is not the outcome.  `needs`: cards to be answered before.
    `called`: the name of a card that no variable of a lesson holds.
    Raises ValueError if what is given does not fit together."""

    question: str
    asked: Parts | Allowed | None = None
    _: KW_ONLY
    labels: Mapping[Any, str] = field(default_factory=dict)
    form: str = ""
    outcome: Callable[[], Any] | None = None
    judge: Callable[[Any], Verdict] | None = None
    against: Callable[[Any, Any], tuple[str, str]] | None = None
    if_right: str = ""
    why: str | Callable[[], str] = ""
    because: Mapping[str, str] = field(default_factory=dict)
    hints: Sequence[str] = ()
    solution: Any = None
    still: Callable[[], Any] | None = None
    play: Callable[[], Any] | None = None
    needs: Sequence[Activity] = ()
    called: str = ""

    def __post_init__(self) -> None:
        self.headline, _, self.text = self.question.strip().partition("\n")
        named = isinstance(self.asked, Mapping) and not isinstance(self.asked, Choices)
        self.single = self.asked is not None and not named
        self.parts = cast("Parts", {ONLY: self.asked} if self.single else self.asked or {})
        if int in self.parts.values():
            self.form = self.form or "a whole number"
        self.state = State()
        self.which = ""  # the case, of a card that is about one case of several
        self.problem = ""  # why what was handed in is not stored
        self.note = ""  # what went wrong with the file of answers
        self._home = "", ""
        for wrong in self._misfits():
            raise ValueError(f"card {self.headline!r}: {wrong}")

    def _misfits(self) -> Iterator[str]:
        """What would be taken for something else, or ignored, without a word."""
        if isinstance(self.hints, str):
            yield "hints is one text; write (text,)"
        if self.against is not None and self.outcome is None:
            yield "against compares with the outcome, and there is no outcome"
        if self.against is not None and self.judge is not None:
            yield "against is the judge, and there is a judge beside it"
        if self.if_right and self.against is None:
            yield "if_right is said where an answer is compared, and there is no against"
        if not self.asks and (self.hints or self.solution is not None):
            yield "hints and a solution belong to a question, and nothing is asked"
        for part in {**self.labels, **self.because}:
            if part not in self.parts:
                yield f"there is no part {part!r}{nearest(str(part), map(str, self.parts))}"

    @property
    def asks(self) -> bool:
        """Is anything asked, or is this a reveal?"""
        return bool(self.parts) or self.judge is not None

    @property
    def ready(self) -> bool:
        """Is everything answered that it needs?"""
        return all(need.unlocked for need in self.needs)

    @property
    def unlocked(self) -> bool:
        """May what the answer unlocks be shown?"""
        return self.ready and (self.state.unlocked or not self.asks)

    @property
    def settled(self) -> bool:
        """Is there an answer that need not be asked for again?"""
        return self.ready and (self.state.verdict.state in ANSWERED or not self.asks)

    @property
    def noted(self) -> bool:
        """Is there an answer of which nothing is right or wrong?"""
        return self.state.verdict.state == "noted"

    @property
    def stored(self) -> Any:
        """The last answer, as the judge reads it; None while there is none."""
        return self.state.last

    @property
    def name(self) -> str:
        """The name of the variable that holds it."""
        return self._found()[1] or self.called

    @property
    def key(self) -> str:
        """Its name in the course, such as `the_report.counted`; empty if it is in no lesson."""
        lesson, name = self._found()
        return ".".join(filter(None, (lesson, name, self.which)))

    def _found(self) -> tuple[str, str]:
        """The lesson that has it, and the name of its variable there; empty if none has it."""
        if not self._home[0]:  # all modules are many, and a lesson is asked often
            places = (
                (module.split(".")[-1], name)
                for module in [name for name in sys.modules if name.startswith("mmsim.lessons.")]
                for name, value in vars(sys.modules[module]).items()
                if value is self
            )
            self._home = next(places, ("", ""))
        return self._home

    def by_part(self, answer: Any) -> Mapping[Any, Any]:
        """An answer or an outcome as a dict; a single one is its part ONLY."""
        return {ONLY: answer} if self.single else answer

    def right(self) -> Any:
        """A right answer: the solution, or else the outcome."""
        return self.solution if self.solution is not None or not self.outcome else self.outcome()
