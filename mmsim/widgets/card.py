"""A card as a widget: buttons for its choices, Store, Hint, and what the answer unlocks.

Everything that is said comes from the card; here it is only laid out."""

from __future__ import annotations

from ast import literal_eval
from contextlib import suppress
from typing import Any

import ipywidgets as w

from mmsim.lessons import wording
from mmsim.lessons.card import Card
from mmsim.lessons.form import ONLY, options, said
from mmsim.views.show import as_html, marked, marked_line
from mmsim.widgets.board import ROW, Frame, quiet

WIDE = 24  # characters of a choice that no longer fits on a button
# What is chosen is framed and bold, so that its colour is not the only cue.
STYLE = """<style>.mmsim-card p {margin: 0 0 6px; line-height: 1.45}
.mmsim-card .mod-active {font-weight: bold; outline: 2px solid; outline-offset: -2px}</style>"""
MANY = 8  # choices that no longer fit into a row
BUSY = marked(["*The model runs …*"])


class CardBox(Frame):
    """The widget.  Its parts are attributes, so that a test can press them."""

    def __init__(self, card: Card) -> None:
        self.card = card
        self.question, self.said, self.hints, self.shown, self.reason = (w.HTML() for _ in range(5))
        self.choices = {part: self._choice(part) for part in card.parts}
        self.rows = w.VBox([self._row(part) for part in card.parts])
        self.store = w.Button(description="Store", button_style="primary")
        self.hint = w.Button(description="Hint")
        self.change = w.Button(description="Change my answer", layout={"align_self": "flex-start"})
        self.buttons = w.HBox([self.store, self.hint])
        self.play = w.VBox()
        self.store.on_click(lambda _: self._store())
        self.hint.on_click(lambda _: self.card.next_hint())
        self.change.on_click(lambda _: self._change())
        asking = (self.question, self.rows, self.buttons, self.hints, self.said)
        super().__init__(quiet(STYLE), *asking, self.play, self.shown, self.reason, self.change)
        self.add_class("mmsim-card")
        self._filled: Any = None  # what is stored, as it was last put into the controls
        self._changing = False  # the question is asked again, although it is answered
        card.on_change(self.refresh)
        self.refresh()

    def _choice(self, part: Any) -> Any:
        allowed = self.card.parts[part]
        values = options(allowed)
        if not values:
            return w.Text(placeholder="write your answer", layout=w.Layout(width="280px"))
        pairs = [(said(value, allowed), value) for value in values]
        if max(len(words) for words, _ in pairs) > WIDE:
            return w.RadioButtons(options=pairs, value=None, layout=w.Layout(width="auto"))
        if len(pairs) > MANY:
            return w.Dropdown(options=[("choose …", None), *pairs], value=None)
        return w.ToggleButtons(options=pairs, value=None, style={"button_width": "auto"})

    def _row(self, part: Any) -> Any:
        """What is asked, in words, in front of its choices."""
        box, card = self.choices[part], self.card
        if part == ONLY and not card.labels:
            return box
        words = {p: card.labels.get(p, f"`{p}`") for p in card.parts}
        wide = "480px" if max(map(len, words.values())) > WIDE else "200px"  # the same in all rows
        label = w.HTML(marked_line(words[part]), layout=w.Layout(width=wide))
        return w.HBox([label, box], layout=ROW)

    def _store(self) -> None:
        given = {part: self._given(part) for part in self.choices}
        left = [p for p, value in given.items() if value is None or not str(value).strip()]
        if left:
            names = "; ".join(wording.words_of(part, self.card.labels) for part in left)
            self.said.value = marked(["Choose first." if ONLY in left else f"Still open: {names}."])
        else:
            self._busy()
            self._changing = False
            self.card.answer(given)

    def _change(self) -> None:
        self._changing = True
        self.draw()

    def _busy(self, told: str = "") -> None:
        """Say that it may take a while, before the model is asked."""
        self.said.value, self.said.layout.display = told + BUSY, ""

    def _given(self, part: Any) -> Any:
        """What is chosen or written; a list that is written is read as one."""
        value = self.choices[part].value
        if isinstance(self.choices[part], w.Text) and self.card.parts[part] not in (str, int):
            with suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return literal_eval(value)
        return value

    def refresh(self) -> None:
        """Show the card.  The controls take up what is stored if that is another than before, and
        are empty if the card was opened again; else they hold what is about to be answered."""
        stored = self.card.stored
        if stored is not self._filled:
            for part, box in self.choices.items():
                value = stored if self.card.single or stored is None else stored[part]
                written = "" if value is None else str(value)
                box.value = written if isinstance(box, w.Text) else value
            self._filled, self._changing = stored, False
        self.draw()

    def draw(self) -> None:
        """Show the state of the card; the question as long as it is open, or to be changed."""
        card = self.card
        asking = card.asks and (not card.settled or self._changing or bool(card.problem))
        self.question.value = wording.question(card)
        for part, seen in (
            (self.rows, asking),
            (self.buttons, asking),
            (self.store, card.parts),
            (self.hint, card.hints),
            (self.change, card.parts and card.settled and not asking),
        ):
            part.layout.display = "" if seen else "none"
        self.hints.value = marked(wording.hints(card) if asking else [])
        self.hint.disabled = card.state.hints == len(card.hints)
        ways = card.ways() if asking and not card.parts else []
        self.said.value = marked([*ways, *card.reply()])
        self.reason.value = marked(wording.reason(card))
        self._show()
        for words in (self.hints, self.said, self.shown, self.reason):
            words.layout.display = "" if words.value else "none"

    def _show(self) -> None:
        """What the answer has unlocked; the first time that may take a while."""
        first = self.card.unlocked and not (self.shown.value or self.play.children)
        told = self.said.value
        if first and (self.card.still or self.card.play):
            self._busy(told)
        try:
            if self.card.play is None:
                self.shown.value = as_html(self.card.pictures())
            elif first:
                self.play.children = [self.card.play()]
            elif not self.card.unlocked:
                self.play.children = []
        finally:  # also when the model raises, and that is shown
            self.said.value = told


_BOXES: dict[Card, CardBox] = {}


def box_of(card: Card) -> CardBox:
    """The widget of a card: one for each, however often it is shown."""
    if card in _BOXES:
        _BOXES[card].refresh()
    else:
        _BOXES[card] = CardBox(card)
    return _BOXES[card]
