"""The card: one activity of a lesson in one cell, which is shown, answered and kept.

What it is stands in `activity.py`, what an answer may look like in `form.py`, what is said of it in
`wording.py`.  `_repr_mimebundle_` gives a widget where there is one, and always the same card as
text and HTML.  In a notebook that a person has opened, answers are kept (`mmsim.progress`); a card
takes up what was answered in an earlier kernel when it is first shown or answered."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from mmsim import progress
from mmsim.errors import UserError, shown, with_article
from mmsim.lessons import wording
from mmsim.lessons.activity import Activity, State
from mmsim.lessons.form import (
    ONLY,
    Allowed,
    FormError,
    Verdict,
    failed,
    noted,
    passed,
    plain,
    read,
    said,
    still_open,
    unanswered,
)
from mmsim.sandbox import SandboxError
from mmsim.views.show import as_html, as_text, marked, marked_list, unmarked

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(eq=False, repr=False)
class Card(Activity):
    """An activity that can be answered and shown."""

    needs: Sequence[Card] = field(default=(), kw_only=True)  # a narrower type than above it

    def __post_init__(self) -> None:
        super().__post_init__()
        true, against = self.outcome, self.against
        if true is not None and against is not None:
            self.judge = lambda answer: wording.compared(
                self.by_part(answer), self.by_part(true()), against, self.if_right, self.labels
            )
        self._recalled = False
        self._views: list[Callable[[], None]] = []
        self._pictures: Any = None  # while its forms are made
        for need in self.needs:
            need.on_change(self.changed)

    def about(self, case: str) -> None:
        """Open the card for this case, of a card that is about one case of several."""
        self.which = case
        self._recalled, self.note = False, ""
        self._open()

    def forget(self) -> None:
        """Open the card again, as if nothing had been answered."""
        self._recalled = True
        entry, self.note = progress.recall(self.key)
        if entry or self.state.kept is not None:
            problem = progress.keep(self.key, lambda e: e.update(last=None, unlocked=False))
            self.note = problem or self.note
        self._open()

    def opened(self) -> Card:
        """The card as if nothing had been answered but what it needs."""
        for need in self.needs:
            need.solved()
        self.forget()
        return self

    def _open(self) -> None:
        self.state = State()
        self.problem = ""
        self.changed()

    # -- answering

    def answer(self, *values: Any, **parts: Any) -> Card:
        """Do what Store does: the parts by name, in a dict, in order, or the one value."""
        self._recall()
        self.problem = ""
        try:
            if bool(values) == bool(parts):
                both = "some parts are given in order and some by name"
                raise FormError(both if parts else "there is no answer between the brackets")
            given = values[0] if len(values) == 1 else list(values) or parts
            self._take(self._tried(plain, given))
        except (FormError, UserError) as error:
            self.problem = f"Not stored: {error}."
        finally:  # also when the model raises, and that is shown
            self.changed()
        return self

    __call__ = answer

    def _take(self, given: Any) -> None:
        if not self.asks:
            self.problem = "Nothing is asked here."
        elif not self.ready:
            self.problem = f"{wording.waits(self)} Nothing is stored yet."
        elif given is None:
            self.problem = "Not stored: None is no answer."
        elif unanswered(given):
            left = still_open(given)
            self.problem = f"Not stored: {left} is still open." if left else ""
        else:
            answer = self._tried(self._read, given)
            # What is not of a given form may be a function, or anything else that the judge runs.
            free = self.asked is None or object in self.parts.values()
            verdict = self._tried(self._verdict_on, answer) if free else self._verdict_on(answer)
            if verdict.state == "not attempted":
                self.problem = f"Not stored: {verdict.why}."
            else:
                self._store(answer, verdict)

    def _tried(self, use: Callable[[Any], Any], given: Any) -> Any:
        """What `use` makes of what a learner gave; whatever that raises becomes a FormError."""
        try:
            return use(given)
        except FormError:
            raise
        except (Exception, SystemExit) as error:
            # Say what was expected instead of showing a traceback.
            what = with_article(type(given).__name__)
            wanted = f". The answer is {self.form}" if self.form else ""
            why = f"{type(error).__name__}: {shown(error)}"
            raise FormError(f"{what} could not be used ({why}){wanted}") from None

    def _read(self, given: Any) -> Any:
        if self.asked is None:
            return given
        if self.single and not (isinstance(given, dict) and ONLY in given):
            given = {ONLY: given}
        if isinstance(given, list | tuple) and len(given) == len(self.parts):
            given = dict(zip(self.parts, given, strict=True))
        answer = read(given, self.parts, self.form)
        return answer[ONLY] if self.single else answer

    def _verdict_on(self, answer: Any) -> Verdict:
        if self.judge is None:
            return noted() if self.outcome is None else passed("")
        try:
            return self.judge(answer)
        except SandboxError as error:  # what the learner wrote goes wrong
            return failed(str(error))

    def solved(self) -> Card:
        """The card with a right answer stored, as the solution edition shows it; not kept."""
        for need in self.needs:
            need._recall()
            if not need.unlocked:
                need.solved()
        self._recall()
        if self.asks:
            answer = self._read(plain(self.right()))
            self.problem = ""
            self.state = self.state.after(answer, self.state.kept, self._verdict_on(answer))
            self.changed()
        return self

    def next_hint(self) -> str:
        """The next hint in a line; after the last one the last one again."""
        if not self.hints:
            return f"There are no hints for lesson.{self.name}."
        read = min(self.state.hints + 1, len(self.hints))
        self.state = replace(self.state, hints=read)
        self.note = progress.keep(self.key, lambda e: e.update(hints=max(read, e["hints"])))
        self.changed()
        return wording.hints(self)[-1]

    def hint(self) -> None:
        """Print the next hint."""
        print(as_text(self.next_hint()))

    # -- keeping

    def _store(self, answer: Any, verdict: Verdict) -> None:
        """Hold an answer, and keep it in the file.  There the same one again changes nothing."""
        kept, text = progress.packed(answer)
        again = self.state.is_again(kept, verdict)
        self.state = self.state.after(answer, kept, verdict)
        if again:
            self.note = progress.keep_what_waits()
        elif progress.place() is not None:  # else nobody asks the model what is right
            right, unlocked = self._is_right(answer), self.unlocked

            def change(entry: progress.Entry) -> None:
                if not entry["tries"]:
                    entry.update(first=kept, first_text=text, first_at=entry["at"], right=right)
                entry.update(last=kept, text=text, unlocked=unlocked)
                entry["tries"] += 1
                entry["wrong"] += verdict.state == "failed"

            self.note = progress.keep(self.key, change)

    def _is_right(self, answer: Any) -> bool | None:
        """Is it right in every part that is decided?  None if nothing is right or wrong."""
        if self.judge is None and self.outcome is not None:
            true, mine = self.by_part(self.outcome()), self.by_part(answer)
            return all(mine[part] == value for part, value in true.items())
        return None if self.noted else self.settled

    def _recall(self) -> None:
        """Take up what was answered in an earlier kernel, once."""
        for need in self.needs:
            need._recall()
        if self._recalled or not self.asks or not self.ready:
            return
        self._recalled = True
        entry, self.note = progress.recall(self.key)
        kept = entry.get("last")
        self.state = replace(self.state, kept=kept)
        if kept is None or entry.get("text"):
            return
        try:
            first, last = self._read(entry["first"]), self._read(kept)
            verdict = self._verdict_on(last)
        except Exception:  # the card asks something else since then
            return
        unlocked = entry.get("unlocked") is True
        self.state = State(first, last, kept, verdict, unlocked, self.state.hints)

    # -- showing

    def ways(self) -> list[str]:
        """How to answer without buttons."""
        return wording.ways(self)

    def reply(self) -> list[str]:
        """What became of the answer; empty while there is none."""
        return wording.reply(self)

    def pictures(self) -> Any:
        """The pictures and tables that the answer has unlocked; made once for all its forms."""
        if self._pictures is not None:
            return self._pictures
        if self.still is None or not self.unlocked:
            return []
        try:
            made = self.still()
            return [*made] if isinstance(made, Iterator) else made
        except UserError:
            if self.state.verdict.state != "failed":
                raise
            return []  # of this answer there is no picture, and the reply says why

    def on_change(self, react: Callable[[], None]) -> None:
        """Call `react` whenever the card has changed."""
        self._views.append(react)

    def changed(self) -> None:
        """Tell every view of the card, and the cards that wait for it."""
        for react in self._views:
            react()

    def __repr__(self) -> str:
        sign, text = "●" if self.settled else "○", self.text.split("\n\n")
        asked = [] if self.settled else [*text, *wording.choices(self), *self.ways()]
        lines = [f"{sign} {self.headline}", *filter(None, asked), *self.reply()]
        made = self.pictures()
        pictures = made if isinstance(made, list | tuple) else [made]
        shown = [*map(unmarked, lines), *pictures, *map(unmarked, wording.reason(self))]
        return "\n".join(map(as_text, shown))

    def _repr_html_(self) -> str:
        asked = marked_list(wording.choices(self)) + marked(self.ways())
        replied = marked(self.reply()) + as_html(self.pictures()) + marked(wording.reason(self))
        return wording.question(self) + ("" if self.settled else asked) + replied

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        self._recall()
        self._pictures = self.pictures()
        try:
            bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
            try:
                skin = importlib.import_module("mmsim.widgets.card")
            except ImportError:  # without ipywidgets the card is text and HTML
                return bundle
            return {**skin.box_of(self)._repr_mimebundle_(), **bundle}
        finally:
            self._pictures = None


def quiz(
    question: str,
    asked: Mapping[str, tuple[str, Allowed, Any, str]],
    if_right: str = "",
    **more: Any,
) -> Card:
    """A card of questions with one right choice each, such as a recall.

    `asked`: part -> its question, its choices, the right one, and why.  Why gives it away, so at
    the first wrong answer it is only said which one is wrong."""
    true = {part: value for part, (_, _, value, _) in asked.items()}
    because = {part: why for part, (*_, why) in asked.items()}
    return Card(
        question,
        {part: allowed for part, (_, allowed, _, _) in asked.items()},
        labels={part: words for part, (words, *_) in asked.items() if words},
        outcome=lambda: true,
        against=lambda part, given: (
            f"you said {said(given, asked[part][1])}, and that is wrong",
            because[part],
        ),
        if_right=if_right,
        because=because,
        **more,
    )


def in_order(
    question: str, steps: Mapping[str, str], others: Mapping[str, str], if_right: str, **more: Any
) -> Card:
    """A card that asks for six steps in their order.

    `steps`: in this order, and why each comes before those that follow.  `others`: steps that don't
    belong, and what is said of them."""
    true = dict(zip(ORDINALS, steps, strict=True))

    def against(place: str, step: str) -> tuple[str, str]:
        why = steps[true[place]]
        doubt = others.get(step, f"not {step!r}; what belongs there comes first: {why}")
        return doubt, f"{true[place]}; {why}"

    return Card(
        question,
        dict.fromkeys(true, tuple(sorted([*steps, *others]))),
        judge=lambda answer: wording.compared(answer, true, against, if_right, {}),
        solution=[*steps],
        **more,
    )


Pick = Callable[[Sequence[Any]], Any]


def picks(seed: int) -> Pick:
    """A function that draws one value of several.  Only random() is the same in every Python.

    Raises ValueError for what is no seed."""
    if type(seed) is not int or seed < 0:
        raise ValueError(f"a seed is a whole number from 0 on, not {seed!r}")
    draw = random.Random(seed)
    return lambda values: values[int(draw.random() * len(values))]


def seeded(make: Callable[[Pick], Card]) -> Callable[[int], Card]:
    """The function `practise` of a lesson: for a number always the same card.

    `make` is given what to draw with."""

    @lru_cache(None, typed=True)
    def practise(seed: int) -> Card:
        card = make(picks(seed))
        card.called = f"practise({seed})"
        return card

    return practise


def widget(name: str, *given: Any, **more: Any) -> Callable[[], Any]:
    """What a card plays: a widget of `mmsim.widgets`, which is imported when it is made.

    `Console` is any drawing with its knobs; `console` is the flow chart of a situation."""
    return lambda: getattr(importlib.import_module("mmsim.widgets"), name)(*given, **more)
