"""The card: one activity of a lesson in one cell.

A card holds a question, what the model says to it, what is unlocked by an answer, the reason and
the hints.  A prediction, a check, a bet and a reveal are all cards; they differ in what is given:

| given | the card is |
| --- | --- |
| `outcome` | a prediction: once stored, "you said 1 · it was 512" |
| `judge` | a check: a wrong answer gets a reason, a second one the outcome, and it stays open |
| `outcome` and `against` | a check of each part |
| neither | a bet: noted, not judged |
| no `parts` and no `judge` | a reveal: shown as soon as the cards in `needs` are answered |

`_repr_mimebundle_` gives a widget where there is one, and always the same card as text and HTML.
In a notebook that a person has opened, answers are kept (`mmsim.progress`); a card takes up what
was answered in an earlier kernel when it is first shown or answered."""

from __future__ import annotations

import importlib
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from html import escape
from typing import Any, cast

from mmsim import progress
from mmsim.errors import UserError, shown, with_article
from mmsim.lessons.form import (
    Allowed,
    Choices,
    FormError,
    Parts,
    Verdict,
    failed,
    passed,
    plain,
    read,
    still_open,
    unanswered,
)
from mmsim.views.show import as_html, as_text
from mmsim.views.svg import GREEN, VERMILION

FUNCTION = "a function"  # the form of an answer that is one
ONLY = "answer"  # the name of the part of a card that has a single one
AGAIN = "Try another answer; after a second wrong one the card says how it is."
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
LINE_MAX = 5_000  # characters
STRESSED = r"(?<!\w)({})([^*]+)\1(?!\w)"  # a schedule, `pin*7 pin*6`, has none
# The colour of a sign leans to that of the page's words: it stands out on a light and a dark page.
SIGNS = {
    sign: f'<b style="color:color-mix(in srgb, {colour} 70%, currentColor)">{sign}</b>'
    for sign, colour in (("✔", GREEN), ("✘", VERMILION))
}


@dataclass(eq=False, repr=False)
class Card:
    """One activity.  What is callable is asked when it is needed, so it may ask the model.

    `question`: its first line is one sentence, which stays when the question is folded.
    `asked`: what is asked: parts by name, each with choices or a type, or what a single one allows.
    `labels`: words beside a part's choices.  `form`: how an answer looks that is written as code.
    `against`: what speaks against a part and a wrong value of it, and how it really is.
    `if_right`: what is said when every part is right.
    `why`: the reason, told with the outcome; `because`: that of each part.
    `still`: pictures and tables, shown once answered.
    `play`: the widget that takes the place of `still` where there are widgets.
    `solution`: a right answer, if it is not the outcome.  `needs`: cards to be answered before.
    `called`: the name of a card that no variable of a lesson holds."""

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
    needs: Sequence[Card] = ()
    called: str = ""

    def __post_init__(self) -> None:
        self.headline, _, self.text = self.question.strip().partition("\n")
        named = isinstance(self.asked, Mapping) and not isinstance(self.asked, Choices)
        self.single = self.asked is not None and not named
        self.parts = cast("Parts", {ONLY: self.asked} if self.single else self.asked or {})
        true, against = self.outcome, self.against
        if true is not None and against is not None:
            self.judge = lambda answer: compared(
                self._by_part(answer), self._by_part(true()), against, self.if_right
            )
        self._views: list[Callable[[], None]] = []
        self._given: Any = None  # while its forms are made
        self._solving = False
        self._found = "", ""
        for need in self.needs:
            need.on_change(self.changed)
        self.about("")

    def about(self, case: str) -> None:
        """Open the card for this case, of a card that is about one case of several."""
        self.which = case
        self._recalled, self.note = False, ""
        self._known: Any = None  # the last answer, here or in the file, as the file holds it
        self._open()

    def forget(self) -> None:
        """Open the card again, as if nothing had been answered."""
        self._recalled, self._known = True, None
        self.note = progress.keep(self.key, lambda e: e.update(last=None, unlocked=False))
        self._open()

    def _open(self) -> None:
        self.first: Any = None
        self.stored: Any = None
        self.verdict = Verdict("not attempted", "")
        self.wrong = self.hinted = 0
        self._unlocked = False
        self.problem = ""
        self.changed()

    # -- states

    @property
    def asks(self) -> bool:
        """Is anything asked, or is this a reveal?"""
        return bool(self.parts) or self.judge is not None

    @property
    def settled(self) -> bool:
        """Is there an answer that need not be asked for again?"""
        return self.verdict.state == "passed" if self.asks else self.unlocked

    @property
    def unlocked(self) -> bool:
        """May what the answer unlocks be shown?  A check shows it at the second wrong answer."""
        if not self.asks:
            return all(need.unlocked for need in self.needs)
        return self._unlocked

    # -- keeping

    def _home(self) -> tuple[str, str]:
        """The lesson that has it, and the name of its variable there; no lesson for one of none."""
        if not self._found[0]:  # all modules are many, and a lesson is asked often
            self._found = self._search()
        return self._found

    def _search(self) -> tuple[str, str]:
        for module in [name for name in sys.modules if name.startswith("mmsim.lessons.")]:
            for name, value in vars(sys.modules[module]).items():
                if value is self:
                    return module.split(".")[-1], name
        return "", self.called

    @property
    def name(self) -> str:
        """The name of the variable that holds it."""
        return self._home()[1]

    @property
    def key(self) -> str:
        """Its name in the course, such as `the_report.counted`; empty if it is in no lesson."""
        lesson, name = self._home()
        return ".".join(filter(None, (lesson, name, self.which))) if lesson else ""

    def _recall(self) -> None:
        """Take up what was answered in an earlier kernel."""
        for need in self.needs:
            need._recall()
        if self._recalled or not self.asks:
            return
        self._recalled = True
        entry, self.note = progress.recall(self.key)
        self._known = entry.get("last")
        if self._known is None or entry.get("text") or not all(n.unlocked for n in self.needs):
            return
        try:
            first, answer = self._read(entry["first"]), self._read(self._known)
            verdict = self._judged(answer)
        except Exception:  # the card asks something else since then
            return
        self.first, self.stored, self.verdict = first, answer, verdict
        self.wrong, self._unlocked = entry["wrong"], entry.get("unlocked") is True

    def _count(self, answer: Any, before: Verdict) -> None:
        """Count an answer and keep it.  The same one again is no new try, here or in a new kernel.

        It is another one if its verdict is: the same cell can hand in a function that was edited
        elsewhere.  Code is judged anew in each kernel."""
        wrong, keeps = self.verdict.state == "failed", progress.place() is not None
        said, text = progress.packed(answer)
        new = before.state == "not attempted"
        again = said == self._known and (new or before == self.verdict)
        self._known = self._known if self._solving else said
        self.wrong += wrong and (not again or (text and new))
        self._unlocked = self._unlocked or self.verdict.state == "passed" or self.wrong > 1
        if keeps and not self._solving and (self.note or not again):
            right, unlocked = self._hit(answer), self._unlocked

            def change(entry: progress.Entry) -> None:
                if again:  # only what could not be written before is written
                    return
                if not entry["tries"]:
                    entry.update(first=said, first_text=text, first_at=entry["at"], right=right)
                entry.update(last=said, text=text, unlocked=unlocked)
                entry["tries"] += 1
                entry["wrong"] += wrong

            self.note = progress.keep(self.key, change)

    def _hit(self, answer: Any) -> bool | None:
        """Is it right in every part that is decided?  None if nothing is right or wrong."""
        if self.outcome is None and self.verdict == passed(""):
            return None
        if self.judge is not None or self.outcome is None:
            return self.verdict.state == "passed"
        true, mine = self._by_part(self.outcome()), self._by_part(answer)
        return all(mine[part] == value for part, value in true.items())

    # -- answering

    def answer(self, *values: Any, **parts: Any) -> Card:
        """Do what Store does: the parts by name, in a dict, in order, or the one value."""
        self._recall()
        self.problem = ""
        given = values[0] if len(values) == 1 else list(values) or parts
        try:
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
        elif not all(need.unlocked for need in self.needs):
            self.problem = f"{self._waits()} Nothing is stored yet."
        elif given is None:
            self.problem = "Not stored: None is no answer."
        elif unanswered(given):
            left = still_open(given)
            self.problem = f"Not stored: {left} is still open." if left else ""
        else:
            answer = self._tried(self._read, given)
            # What is not of a given form may be a function, or anything else that the judge runs.
            free = self.asked is None or object in self.parts.values()
            verdict = self._tried(self._judged, answer) if free else self._judged(answer)
            if verdict.state == "not attempted":
                self.problem = f"Not stored: {verdict.why}."
                return
            self.first = answer if self.stored is None else self.first
            before, self.stored, self.verdict = self.verdict, answer, verdict
            self._count(answer, before)

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
            told = f"{type(error).__name__}: {shown(error)}"
            raise FormError(f"{what} could not be used ({told}){wanted}") from None

    def _read(self, given: Any) -> Any:
        if self.asked is None:
            return given
        if self.single and not (isinstance(given, dict) and ONLY in given):
            given = {ONLY: given}
        if isinstance(given, list | tuple) and len(given) == len(self.parts):
            given = dict(zip(self.parts, given, strict=True))
        answer = read(given, self.parts, self.form)
        return answer[ONLY] if self.single else answer

    def _by_part(self, answer: Any) -> Mapping[Any, Any]:
        return {ONLY: answer} if self.single else answer

    def _judged(self, answer: Any) -> Verdict:
        return self.judge(answer) if self.judge is not None else passed("")

    def solved(self) -> Card:
        """The card with a right answer stored, as the solution edition shows it; not kept."""
        self._recall()
        for need in self.needs:
            if not need.unlocked:
                need.solved()
        if self.asks:
            try:
                self._solving = True
                self.answer(self.right())
            finally:
                self._solving = False
        return self

    def right(self) -> Any:
        """A right answer: the solution, or else the outcome."""
        return self.solution if self.solution is not None or not self.outcome else self.outcome()

    def next_hint(self) -> str:
        """The next hint in a line; after the last one the last one again."""
        if not self.hints:
            return f"There are no hints for lesson.{self.name}."
        self.hinted = min(self.hinted + 1, len(self.hints))
        read = self.hinted
        progress.keep(self.key, lambda entry: entry.update(hints=max(read, entry["hints"])))
        return self.hints_read()[-1]

    def hints_read(self) -> list[str]:
        """Every hint that was asked for, in a line."""
        asked = enumerate(self.hints[: self.hinted], start=1)
        return [f"Hint {n} of {len(self.hints)}: {hint}" for n, hint in asked]

    def hint(self) -> None:
        """Print the next hint."""
        print(as_text(self.next_hint()))

    # -- what is said: lines of text in which `code`, *stress* and **strong** are marked

    def ways(self) -> list[str]:
        """How to answer without buttons."""
        if not self.asks:
            return []
        if not self.parts:
            call = f"lesson.{self.name}({self.form or '...'})"
            if self.form == FUNCTION:
                how = "Write the function above in place of the dots, and run the cell."
                return [f"{how} The last line, `lesson.{self.name}(...)`, hands it in."]
            return [f"Write your answer between the brackets of this cell and run it: `{call}`."]
        names = [str(part) for part in self.parts]
        if self.single:
            call = "..."
        elif all(name.isidentifier() for name in names):
            call = ", ".join(f"{name}=..." for name in names)
        else:
            call = "{" + ", ".join(f"{part!r}: ..." for part in self.parts) + "}"
        return [f"Without buttons, write in a cell: `lesson.{self.name}.answer({call})`"]

    def choices(self) -> list[str]:
        """What can be chosen: a line for each part, or for each choice if they have words."""
        if isinstance(self.asked, Choices):
            return [f"- {said(value, self.asked)}" for value in self.asked]
        lines = []
        for part, allowed in self.parts.items():
            lead = [] if self.single else [f"`{part}`"]
            lead += [self.labels[part]] if part in self.labels else []
            given = ", ".join(said(value, allowed) for value in options(allowed)) or self.form
            line = ": ".join([*lead, given or "your own words"])
            lines.append("- " + line.replace(".: ", ". ").replace("?: ", "? "))
        return lines

    def reply(self) -> list[str]:
        """What became of the answer; empty while there is none.  An answer quoted in it is cut."""
        lines = [shown(line, LINE_MAX) for line in self._replied()]
        if self._known is not None and self.stored is None:
            before = shown(" ".join(str(self._known).split()))
            lines.append(f"Handed in earlier: `{before}`. Answer again to see it judged.")
        return lines + [self.note] * bool(self.note)

    def _replied(self) -> list[str]:
        if self.problem:
            return [self.problem]
        if not self.unlocked and self.verdict.state == "not attempted":
            return [self._waits()] if self.needs else []
        lines = self._compared() if self.outcome and self.unlocked else []
        verdict = self.verdict
        if self.asks and not self.outcome and verdict == passed(""):
            lines.append(f"Noted: {self._told(self.stored)}.")
        elif verdict.state == "failed" and not (self.unlocked and self.because):
            why = verdict.second if self.unlocked and verdict.second else verdict.why
            lead = "✘ No" if self.unlocked else "✘ Not yet"
            lines += [f"{lead}: {why}", *filter(None, [verdict.detail])]
            lines += [] if self.unlocked else [AGAIN]
        elif verdict.state == "passed" and verdict.why:
            lines += [f"✔ Right: {verdict.why}", *filter(None, [verdict.detail])]
        if self.stored is not None and self._told(self.first) != self._told(self.stored):
            lines.append(f"At first you had said: {self._told(self.first)}.")
        return lines

    def reason(self) -> list[str]:
        """Why it is so; empty while that is locked."""
        if not self.unlocked:
            return []
        why = self.why if isinstance(self.why, str) else self.why()
        return [line for line in why.split("\n\n") if line]

    def _compared(self) -> list[str]:
        assert self.outcome is not None
        true, mine = self._by_part(self.outcome()), self._by_part(self.stored)
        lines = []
        for part, allowed in self.parts.items():
            sign, was = "", "" if allowed is str else " · not decided"  # a text: own words
            if part in true:
                sign = "✔ " if mine[part] == true[part] else "✘ "
                was = f" · it was {said(true[part], allowed)}"
            lead = "" if self.single else f"`{part}`: "
            why = f": {self.because[part]}" if part in self.because else ""
            lines.append(f"{sign}{lead}you said {said(mine[part], allowed)}{was}{why}")
        return lines

    def _told(self, answer: Any) -> str:
        if self.single or not self.parts:
            return said(answer, self.parts.get(ONLY, ())) if self.parts else "another answer"
        return ", ".join(f"{part} {said(v, self.parts[part])}" for part, v in answer.items())

    def _waits(self) -> str:
        names = " and ".join(f"`lesson.{need.name}`" for need in self.needs if not need.unlocked)
        return f"Shown once you have answered {names}, further up." if names else ""

    def given(self) -> Any:
        """The pictures and tables that the answer has unlocked; made once for all its forms."""
        if self._given is not None:
            return self._given
        open_ = self.unlocked and all(need.unlocked for need in self.needs)
        if self.still is None or not open_:
            return []
        try:
            made = self.still()
            return [*made] if isinstance(made, Iterator) else made
        except UserError:
            if self.verdict.state != "failed":
                raise
            return []  # of this answer there is no picture, and the reply says why

    # -- showing

    def on_change(self, react: Callable[[], None]) -> None:
        """Call `react` whenever the card has changed."""
        self._views.append(react)

    def changed(self) -> None:
        """Tell every view of the card, and the cards that wait for it."""
        for react in self._views:
            react()

    def __repr__(self) -> str:
        sign = "●" if self.settled else "○"
        asked = [] if self.settled else [*self.text.split("\n\n"), *self.choices(), *self.ways()]
        lines = [f"{sign} {self.headline}", *filter(None, asked), *self.reply()]
        plain = map(_bare, lines)
        given = self.given()
        shown = given if isinstance(given, list | tuple) else [given]
        return "\n".join(map(as_text, [*plain, *shown, *map(_bare, self.reason())]))

    def _repr_html_(self) -> str:
        asked = "" if self.settled else _listed(self.choices()) + marked(self.ways())
        told = marked(self.reply()) + as_html(self.given()) + marked(self.reason())
        return self.question_html() + asked + told

    def question_html(self) -> str:
        """The question; folded to a line once it is settled."""
        line = f"<b>{marked_line(self.headline)}</b>"
        rest = marked(self.text.split("\n\n"))
        if rest and self.settled:
            return f"<details><summary>{line}</summary>{rest}</details>"
        return f"<p>{line}</p>{rest}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        self._recall()
        self._given = self.given()
        try:
            bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
            try:
                skin = importlib.import_module("mmsim.widgets.card")
            except ImportError:  # without ipywidgets the card is text and HTML
                return bundle
            return {**skin.box_of(self)._repr_mimebundle_(), **bundle}
        finally:
            self._given = None


def options(allowed: Allowed) -> list[Any]:
    """The values that can be chosen; empty if any value of a type can be written."""
    if allowed is bool:
        return [True, False]
    return list(allowed) if isinstance(allowed, tuple | Choices) else []


def said(value: Any, allowed: Allowed) -> str:
    """A value as a learner reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(allowed, Choices) and value in allowed:
        return f"{value} ({allowed[value]})"
    return shown(value)


def compared(
    answer: Mapping[Any, Any],
    true: Mapping[Any, Any],
    against: Callable[[Any, Any], tuple[str, str]],
    if_right: str,
) -> Verdict:
    """The verdict on an answer that is compared part by part, up to the first wrong one."""
    for part, value in true.items():
        if answer[part] != value:
            lead = "" if part == ONLY else f"{part}: "
            why, second = (lead + told for told in against(part, answer[part]))
            return failed(why, second=second)
    return passed(if_right)


def quiz(
    question: str,
    asked: Mapping[str, tuple[str, Allowed, Any, str]],
    if_right: str = "",
    **more: Any,
) -> Card:
    """A card of questions with one right choice each, such as a recall.

    `asked`: part -> its question, its choices, the right one, and why.  Why gives it away, so at
    the first wrong answer it is only said which is none."""
    true = {part: value for part, (_, _, value, _) in asked.items()}
    because = {part: why for part, (*_, why) in asked.items()}
    return Card(
        question,
        {part: allowed for part, (_, allowed, _, _) in asked.items()},
        labels={part: words for part, (words, *_) in asked.items() if words},
        outcome=lambda: true,
        against=lambda part, given: (f"not {said(given, asked[part][1])}", because[part]),
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
        judge=lambda answer: compared(answer, true, against, if_right),
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
    """What a card plays: a widget of `mmsim.widgets`, which is imported when it is made."""
    return lambda: getattr(importlib.import_module("mmsim.widgets"), name)(*given, **more)


def marked_line(line: str) -> str:
    """A line as HTML, its `code`, *stress* and **strong** marked."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line, quote=False))
    for stars, tag in (("**", "b"), ("*", "i")):
        html = re.sub(STRESSED.format(re.escape(stars)), rf"<{tag}>\2</{tag}>", html)
    return SIGNS.get(html[:1], html[:1]) + html[1:]


def marked(lines: Sequence[str]) -> str:
    """Lines as HTML paragraphs."""
    return "".join(f"<p>{marked_line(line)}</p>" for line in lines if line.strip())


def _bare(line: str) -> str:
    """A line as plain text: stress is not marked."""
    return re.sub(STRESSED.format(r"\*+"), r"\2", " ".join(line.split()))


def _listed(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{marked_line(line.removeprefix('- '))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
