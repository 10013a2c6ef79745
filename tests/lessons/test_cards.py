"""Every card of every lesson: it asks, answers in all its forms, and gives nothing away."""

from __future__ import annotations

import itertools
import re
from base64 import b64decode
from html import unescape
from types import SimpleNamespace

import build_lessons as build
import ipywidgets as w
import nbformat
import numpy as np
import pandas as pd
import pytest
from views.svg_rules import readable

from mmsim.lessons import COURSE, _say_which_cell, made_by
from mmsim.lessons.activity import State
from mmsim.lessons.card import Card, quiz
from mmsim.lessons.form import failed, noted, options, passed
from mmsim.lessons.tally import cards_of
from mmsim.lessons.wording import reason
from mmsim.views.show import marked
from mmsim.widgets.card import box_of
from mmsim.widgets.console import Console


def kind(card):
    """What may be answered; a card of choices alone reads every answer as others of its kind do."""
    chosen = card.parts and all(map(options, card.parts.values()))
    given = card.single, card.judge is None, card.outcome is None
    return given if chosen else card.key


CARDS = {f"{lesson.name}.{c.name}": c for lesson in COURSE for c in cards_of(lesson)}
KINDS = {kind(card): card for card in CARDS.values() if card.asks}


class Rude(Exception):
    """It has no text, and whoever asks it anything else waits for ever."""

    def __str__(self):
        raise self

    def __eq__(self, other):
        while True:
            pass

    __repr__ = __str__
    __iter__ = __len__ = __bool__ = __eq__
    __hash__ = None


class RudeText(str):
    __slots__ = ()

    def strip(self, *_):
        raise Rude

    __repr__ = __eq__ = strip
    __hash__ = str.__hash__


class RudeDict(dict):
    def items(self):
        raise SystemExit(3)

    keys = values = __iter__ = items


class Untouchable:
    def __getattribute__(self, name):
        raise Rude


def nested(depth):
    inner = []
    for _ in range(depth):
        inner = [inner]
    return inner


INSIDE_ITSELF = [1]
INSIDE_ITSELF.append(INSIDE_ITSELF)
ODD = {
    "one": 1,
    "word": "x",
    "object": {"a": object()},
    "mixed": ["x", 1],
    "nan": float("nan"),
    "bytes": b"x",
    "a function": print,
    "true": True,
    "exit": exit,
    "inside itself": INSIDE_ITSELF,
    "nested": nested(100_000),
    "rude": Rude(),
    "rude text": RudeText("x"),
    "rude dict": RudeDict(a=1),
    "untouchable": Untouchable(),
    "endless": itertools.count(),
    "numbers of numpy": np.arange(3),
    "table": pd.DataFrame({"a": [1, 2]}),
    "megabyte": "x" * 10**6,
    "million": range(10**6),
    "huge": 10**5_000,
    "minus": -1,
}

each_card = pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
each_lesson = pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.name)


def texts(lesson, kind):
    """All cells of a kind in the student edition."""
    cells = build.edition(lesson, "student").cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == kind)


# -- the lesson as a whole


@each_lesson
def test_every_card_stands_in_the_text_once_and_behind_what_it_needs(lesson):
    order = re.findall(r"\blesson\.(\w+)", texts(lesson, "code"))
    for card in cards_of(lesson):
        cell = (
            f"mmsim/lessons/{lesson.name}.md needs one python cell with the line lesson.{card.name}"
        )
        assert order.count(card.name) == 1, cell
        assert card.key == ".".join(filter(None, (lesson.name, card.name, card.which)))
        assert all(order.index(need.name) < order.index(card.name) for need in card.needs)


@each_lesson
def test_the_solution_edition_answers_every_card_rightly(lesson):
    """As it is stored; nbval runs it and compares."""
    stored = build.EDITIONS["solution"] / f"{lesson.stem}.ipynb"
    outputs = [o for c in nbformat.read(stored, as_version=4).cells for o in c.get("outputs", ())]
    shown = [output["data"]["text/plain"] for output in outputs if "data" in output]
    for card in cards_of(lesson):
        line = "● " + repr(card).splitlines()[0][2:]
        assert any(text.startswith(line) for text in shown), line
    assert not [text for text in shown if text.startswith("○") or "✘" in text]


@each_lesson
def test_no_sentence_that_is_always_shown_answers_a_card(lesson):
    """No sentence names a part together with its answer, and no question holds its outcome.

    Outcomes of one or two characters stand everywhere, and are not looked for."""
    cards = cards_of(lesson)
    asked = [f"{card.headline}\n{card.text}\n{card.form}" for card in cards]
    always = "\n\n".join([texts(lesson, "markdown"), *asked])
    sentences = re.split(r"(?<=[.:?!])\s+|\n\n|\n[-|]", always)
    for card in (card for card in cards if card.outcome is not None):
        true = card.opened().outcome()
        for part, value in (true if isinstance(true, dict) else {card.headline: true}).items():
            if not isinstance(value, bool) and len(str(value)) > 2:
                told = [s for s in sentences if names(s, part) and names(s, value)]
                assert told == [], (card.name, part, value)


def names(sentence, word):
    return re.search(rf"(?<![\w-]){re.escape(str(word))}(?![\w-])", sentence) is not None


# -- each card


def plain(text):
    """What is read, without marks and tags; text on its way into HTML has no tags of its own."""
    return " ".join(unescape(re.sub(r"<[^>]+>|[`*]", "", text.replace("<p>", " "))).split())


@each_card
def test_a_card_from_its_question_to_its_answer(card, monkeypatch):
    """What it locks is not even asked for; buttons store what they show; then it tells it all."""
    if card.asks or card.needs:
        with monkeypatch.context() as locked:
            for name in ("still", "play", "outcome", "why"):
                early = lambda name=name: pytest.fail(f"{name} is asked too early")  # noqa: E731
                locked.setattr(card, name, getattr(card, name) and early)
            box = box_of(card)
            assert (box.rows.layout.display != "none") == bool(card.asks)
            assert (box.store.layout.display != "none") == bool(card.parts)
            assert not card.unlocked
            assert "lesson." in repr(card)
            where = "" if card.parts else " ".join(card.ways())  # code goes into its cell
            assert plain(where) in plain(box.said.value)
            rows = box.rows.children  # in front of each a label of the same width, or none at all
            assert len({r.children[0].layout.width for r in rows if hasattr(r, "children")}) < 2
            for text in map(plain, (repr(card), card._repr_html_())):
                assert plain(card.headline) in text
                values = [value for part in card.parts.values() for value in options(part)]
                assert all(plain(str(value)).lower() in text.lower() for value in values)
    assert card.single or len(card.parts) != 1  # a single question takes its value without a name
    if card.parts:
        right = card.opened()._read(card.right())
        for part, choice in box.choices.items():
            value = right if card.single else right[part]
            typed = isinstance(choice, w.Text) and not isinstance(value, str)
            choice.value = repr(value) if typed else value
        box.store.click()
        assert card.stored == right
        assert plain(box.said.value) == plain(marked(card.reply()))
        assert box.rows.layout.display == "none"
        box.change.click()
        assert box.rows.layout.display != "none"
    card.solved()
    assert card.settled
    assert card.unlocked
    bundle = card._repr_mimebundle_()
    text, html = bundle["text/plain"], bundle["text/html"]
    assert plain(card.headline) in plain(html)
    assert "model_id" not in html
    assert "0x" not in text
    images = re.findall(r'<img alt="([^"]*)" src="data:image/svg\+xml;base64,([^"]*)', html)
    assert len(images) == html.count("<img ")
    for words, svg in images:
        assert len(words) > 30
        readable(b64decode(svg).decode())
    if card.still is not None:
        assert len(text) > len("\n".join([card.headline, *card.reply(), *reason(card)])) + 20
    for why in map(plain, reason(card)):
        assert why in plain(text)
        assert why in plain(html)


@pytest.mark.parametrize("card", KINDS.values(), ids=lambda card: card.key)
def test_any_object_is_answered_with_a_sentence(card):
    card.opened()
    for name, odd in ODD.items():
        for answer in (odd, dict.fromkeys(card.parts, odd)) if card.parts else (odd,):
            card.forget()
            card.answer(answer)
            if card.judge is not None or not any(a in (str, object) for a in card.parts.values()):
                right = name in ("one", "true")  # of some cards each part
                assert not card.settled or right, name
            assert card.problem or card.reply(), name
            assert len("".join(card.reply())) < 25_000, name
            card.forget()
            card.state = State(verdict=failed("another"))  # now more is shown
            assert repr(card.answer(answer)), name
    for nothing in ((), (...,), (None,), ([],)):
        card.forget()
        assert repr(card(*nothing))


@pytest.mark.parametrize(
    "card", [card for card in CARDS.values() if card.play], ids=lambda card: card.key
)
def test_every_knob_draws_another_picture_and_each_can_be_read(card):
    box = card.solved().play()
    turned = isinstance(box, Console) and "version" not in box.boxes
    for name, control in box.boxes.items() if turned else ():
        first, seen = control.value, set()
        values = getattr(control, "options", None) or (control.min, control.max)
        for value in (values[0], values[-1]):
            control.value = value[1] if isinstance(value, tuple) else value
            seen.add(box.view.value)
            for svg in re.findall(r"<svg.*?</svg>", box.view.value, re.DOTALL):
                readable(svg)
        control.value = first
        assert len(seen) == 2, name


# -- the frame, on cards of its own


def prediction(**more):
    asked = {"apples": (0, 1, 512), "ripe": bool}
    return Card("How many?\nCount them.", asked, called="fruit", **more)


def few(answer):
    return passed("so it is") if answer == 3 else failed("too few?", second="there are 3")


SKY = {
    "sky": ("Its colour?", ("blue", "green"), "blue", "look up"),
    "sun": ("It is warm.", bool, True, "feel it"),
}
# A card, and its answers one after the other: what is shown then, and what is not.
TURNS = {
    "a prediction": (
        prediction(outcome=lambda: {"apples": 512}, why="There is a tree."),
        ({"apples": 1, "ripe": "yes"}, "✘ `apples`: you said 1 · it was 512", "Count them"),
        ({"apples": 1, "ripe": "yes"}, "`ripe`: you said true · not decided\nThere is a tr", "✔"),
        ({"apples": "512", "ripe": [False]}, "✔ `apples`: you said 512 · it was 512", "✘"),
        ([512, False], "At first you had said: `apples`: 1; `ripe`: true.", "✘"),
    ),
    "a quiz tells what is wrong, and then every answer": (
        quiz("Two questions.", SKY, "you have been outside"),
        ({"sky": "green", "sun": True}, "Its colour? You said green, and that is wrong", "look up"),
        (["green", False], "✘ Its colour? You said green · it was blue: look up", "✔"),
        (["green", False], "✘ It is warm: you said false · it was true: feel it", "✔"),
        (["blue", True], "✔ Right: you have been outside", "✘"),
    ),
    "a reason for a single answer": (
        Card("How many?", int, outcome=lambda: 3, if_right="all of them",
             against=lambda _, given: (f"{given} is too few", "there are 3")),
        (1, "✘ Not yet: 1 is too few", "it was"),
        (2, "✘ you said 2 · it was 3\n✘ No: there are 3", "✔"),
        (3, "✔ you said 3 · it was 3\n✔ Right: all of them", "✘"),
    ),
    "a check opens at the second wrong answer and stays open": (
        Card("How many?", int, judge=few, why="Because.", still=lambda: "the picture"),
        (1, "✘ Not yet: too few?", "Because."),
        (1, "✘ Not yet: too few?", "the picture"),  # a second click, a cell run again
        (1, "Try another answer", "Because."),
        ("x", "should be a whole number", "the picture"),
        (True, "a whole number, not True", "the picture"),
        (2, "✘ No: there are 3", "✔"),
        (2, "At first you had said: 1.\nthe picture\nBecause.", "Not yet"),
        (np.int64(3), "✔ Right: so it is\n", "✘"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNS)
def test_what_a_card_shows_after_one_answer_and_the_next(name):
    card, *turns = TURNS[name]
    for number, (answer, told, untold) in enumerate(turns, start=1):
        shown = repr(card.answer(answer))
        assert told in shown, answer
        assert untold not in shown, answer
        assert card.settled == (number == len(turns) or name == "a prediction")


def broken(*_):
    raise LookupError("a fault of the model")


@pytest.mark.parametrize(
    "more",
    [
        {"judge": broken},
        {"outcome": broken},
        {"outcome": broken, "against": lambda *_: ("no", "no")},
        {"outcome": lambda: 1, "against": broken},
        {"judge": broken, "outcome": lambda: 1},
    ],
)
def test_an_error_of_the_model_is_not_told_as_the_learners(more):
    for asked, answer in ((int, 2), ((1, 2), 2), (str, "2")):
        card = Card("How many?", asked, **more)
        with pytest.raises(LookupError, match="a fault of the model"):
            repr(card.answer(answer))
        assert card.problem == ""


@pytest.mark.parametrize(
    ("values", "parts", "told"),
    [
        ([], {"apples": 7, "ripe": True}, "apples can be 0, 1, 512, not 7"),
        ([], {"aples": 1}, "did you mean 'apples'"),
        ([{"apples": 1}], {}, "missing: ripe"),
        ([{"apples": 1, "ripe": None}], {}, "ripe is still open"),
        ([5], {}, "write a dict with the parts apples, ripe, not an int"),
        ([1, 1], {}, "ripe should be True or False, not 1"),
        ([True, True], {}, "apples can be 0, 1, 512, not True"),
        ([None], {}, "None is no answer"),
        ([...], {}, "How many?"),
        ([], {}, "there is no answer between the brackets."),
        ([1, True], {"ripe": False}, "some parts are given in order and some by name."),
        ([{"apples": 1}], {"ripe": False}, "some parts are given in order and some by name."),
    ],
)
def test_a_wrong_form_is_no_answer(values, parts, told):
    card = prediction(outcome=lambda: {"apples": 512}).answer(*values, **parts)
    assert told in repr(card)
    assert card.stored is None
    assert not card.unlocked


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"hints": "Look."}, "hints is one text; write (text,)"),
        ({"against": few}, "there is no outcome"),
        ({"against": few, "judge": few, "outcome": dict}, "there is a judge beside it"),
        ({"labels": {"aples": "Apples"}}, "there is no part 'aples'; did you mean 'apples'?"),
        ({"because": {"ripe": "", "green": ""}}, "there is no part 'green'; there are: apples"),
    ],
)
def test_what_does_not_fit_together_makes_no_card(more, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        prediction(**more)


def test_a_need_that_is_forgotten_hides_all_that_it_had_unlocked_until_it_is_answered():
    """And nothing that is locked by it is told: neither picture, nor outcome, nor reason."""
    need = Card("How many?", int, called="count")
    card = prediction(
        outcome=lambda: {"apples": 512},
        why="There is a tree.",
        still=lambda: "the picture",
        needs=(need.answer(1),),
    )
    told = repr(card.answer(1, True))
    assert all(words in told for words in ("it was 512", "There is a tree.", "the picture"))
    need.forget()
    assert repr(card).endswith("Shown once you have answered `lesson.count`, further up.")
    assert not any(words in repr(card) for words in ("512 ·", "was 512", "tree.", "picture"))
    need.answer(2)
    assert repr(card) == told
    card.forget()
    assert card.reply() == []  # no empty line for a card that waits no more


@pytest.mark.parametrize(
    ("card", "answer", "reply"),
    [
        (Card("How many?", int, judge=lambda _: noted()), 1, ["Noted: 1."]),
        (Card("How many?", int, judge=lambda _: passed("")), 1, []),
        (Card("Why?", str), "It is so.", ["Noted: It is so."]),
    ],
)
def test_only_a_bet_is_noted_and_with_one_full_stop(card, answer, reply):
    assert card.answer(answer).reply() == reply
    assert card.settled
    assert card.unlocked


def test_a_cell_run_out_of_order_says_which_one_it_needs():
    assert made_by("claim").startswith("def claim(")
    assert made_by("nix") == ""
    shown = []

    class Shell:
        InteractiveTB = SimpleNamespace(structured_traceback=lambda *a, **k: a[1].__notes__)
        _showtraceback = staticmethod(lambda *told: shown.append(told[2]))

    error = NameError("name 'claim' is not defined", name="claim")
    _say_which_cell(Shell, NameError, error, None)
    assert "run the cell `def claim(" in shown[0][0]


def test_code_is_another_try_if_its_verdict_is_another(monkeypatch):
    cells = []
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(user_ns={"In": cells}))
    judge = lambda code: failed(f"{code()} is too few?", second="there are 3")  # noqa: E731
    card = Card("How many?", judge=judge)
    for count, told in ((1, "1 is too few?"), (1, "1 is too few?"), (2, "there are 3")):
        cells.append("lesson.apples(mine)")  # `mine` is edited in another cell
        assert told in repr(card.answer(lambda count=count: count))


def test_a_schedule_keeps_its_stars():
    card = Card("The *first* of **two**: `pin*7 holder pin*6`", outcome=lambda: 1)
    assert "The first of two: `pin*7 holder pin*6`" in repr(card)
    assert marked([card.headline]) == (
        "<p>The <i>first</i> of <b>two</b>: <code>pin*7 holder pin*6</code></p>"
    )
