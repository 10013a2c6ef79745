"""Every card of every lesson: it asks, answers in all its forms, and gives nothing away."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import ipywidgets as w
import nbformat
import numpy as np
import pandas as pd
import pytest
from views.svg_rules import readable

from mmsim.lessons import COURSE, FOLDER, _say_which_cell, made_by
from mmsim.lessons.activity import State
from mmsim.lessons.card import Card, quiz
from mmsim.lessons.form import ONLY, failed, options, passed
from mmsim.lessons.told import reason
from mmsim.views.marked import marked
from mmsim.widgets.card import CardBox
from mmsim.widgets.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import build_lessons as build

MODULES = {
    lesson.name: importlib.import_module(f"mmsim.lessons.{lesson.name}")
    for lesson in COURSE
    if lesson.text.exists()
}


def cards_of(module):
    return [card for card in vars(module).values() if isinstance(card, Card)]


CARDS = {f"{name}.{card.name}": card for name, m in MODULES.items() for card in cards_of(m)}
CHOSEN = {name: card for name, card in CARDS.items() if card.parts}
ASKING = {name: card for name, card in CARDS.items() if card.asks}
PLAYED = {name: card for name, card in CARDS.items() if card.play}


class Rude(Exception):
    """What can be asked of it is answered with an exception, its text too."""

    def __str__(self):
        raise self

    __repr__ = __eq__ = __iter__ = __len__ = __bool__ = __str__
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


class Endless:
    def __eq__(self, other):
        while True:
            pass

    __hash__ = None
    __repr__ = __bool__ = __len__ = __iter__ = __eq__


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
    "endless to compare": Endless(),
    "endless": itertools.count(),
    "numbers of numpy": np.arange(3),
    "table": pd.DataFrame({"a": [1, 2]}),
    "megabyte": "x" * 10**6,
    "million": range(10**6),
    "huge": 10**5_000,
    "minus": -1,
}

each_card = pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
each_chosen = pytest.mark.parametrize("card", CHOSEN.values(), ids=CHOSEN)
each_lesson = pytest.mark.parametrize("name", MODULES)


def notebook(name, which="student"):
    return build.edition(FOLDER / f"{name}.md", which)


def ready(card):
    """The card, with what it needs answered."""
    for need in card.needs:
        need.solved()
    return card


# -- the lesson as a whole


def test_every_module_with_a_text_is_in_the_course():
    assert {path.stem for path in FOLDER.glob("*.md")} == {*MODULES}
    assert "the_report" in MODULES


@each_lesson
def test_every_card_stands_in_the_text_once_and_behind_what_it_needs(name):
    code = "\n".join(cell.source for cell in notebook(name).cells if cell.cell_type == "code")
    order = re.findall(r"\blesson\.(\w+)", code)
    for card in cards_of(MODULES[name]):
        assert order.count(card.name) == 1, card.name
        assert card.key == ".".join(filter(None, (name, card.name, card.which)))
        assert all(order.index(need.name) < order.index(card.name) for need in card.needs)


@each_lesson
def test_the_solution_edition_answers_every_card_rightly(name):
    """As it is stored; nbval runs it and compares."""
    (stored,) = build.EDITIONS["solution"].glob(f"*_{name}.ipynb")
    said = {}
    for cell in nbformat.read(stored, as_version=4).cells:
        for card in re.findall(r"\blesson\.(\w+)", cell.source) if "outputs" in cell else ():
            said[card] = [o["data"]["text/plain"] for o in cell.outputs if "data" in o][-1:]
    for card in cards_of(MODULES[name]):
        (told,) = said[card.name]
        assert told.startswith("● "), card
        assert "✘" not in told


@each_lesson
def test_no_sentence_that_is_always_shown_answers_a_card(name):
    """No sentence names a part together with its answer, and no question holds its outcome."""
    cells = [cell.source for cell in notebook(name).cells if cell.cell_type == "markdown"]
    cards = [card for card in cards_of(MODULES[name]) if card.outcome is not None]
    asked = [f"{card.headline}\n{card.text}\n{card.form}" for card in cards_of(MODULES[name])]
    sentences = re.split(r"(?<=[.:?!])\s+|\n\n|\n[-|]", "\n\n".join([*cells, *asked]))
    for card in cards:
        true = ready(card).outcome()
        for part, value in (true if isinstance(true, dict) else {card.headline: true}).items():
            if not isinstance(value, bool) and len(str(value)) > 2:
                told = [s for s in sentences if names(s, part) and names(s, value)]
                assert told == [], (card.name, part, value)


def names(sentence, word):
    return re.search(rf"(?<![\w-]){re.escape(str(word))}(?![\w-])", sentence) is not None


# -- each card


@each_card
def test_an_open_card_shows_its_question_and_nothing_that_it_locks(card, monkeypatch):
    if card.asks or card.needs:
        for name in ("still", "play", "outcome", "why"):
            early = lambda name=name: pytest.fail(f"{name} is asked too early")  # noqa: E731
            monkeypatch.setattr(card, name, getattr(card, name) and early)
        box = CardBox(card)
        assert (box.rows.layout.display != "none") == bool(card.asks)
        assert (box.store.layout.display != "none") == bool(card.parts)
        assert not card.unlocked
        assert "lesson." in repr(card)
        rows = box.rows.children  # in front of each a label of the same width, or none at all
        assert len({r.children[0].layout.width for r in rows if hasattr(r, "children")}) < 2
    for text in (repr(card), card._repr_html_()):
        assert plain(card.headline) in plain(text)
        for part in card.parts:
            for value in options(card.parts[part]):
                assert plain(str(value).lower()) in plain(text).lower()


def plain(text):
    """What is read, without marks and tags; text on its way into HTML has no tags of its own."""
    return " ".join(unescape(re.sub(r"<[^>]+>|[`*]", "", text.replace("<p>", " "))).split())


@each_card
def test_an_answered_card_is_complete_without_a_widget(card):
    card.solved()
    assert card.settled
    assert card.unlocked
    bundle = card._repr_mimebundle_()
    text, html = bundle["text/plain"], bundle["text/html"]
    assert plain(card.headline) in plain(html)
    assert "model_id" not in html
    assert "0x" not in text
    for image in re.findall(r"<img [^>]*>", html):
        assert len(re.search(r'alt="([^"]*)"', image)[1]) > 30
    if card.still is not None:
        said = "\n".join([card.headline, *card.reply(), *reason(card)])
        assert len(text) > len(said) + 20
    for why in reason(card):
        assert plain(why) in plain(text)
        assert plain(why) in plain(html)


@each_chosen
def test_buttons_and_code_come_to_the_same_and_an_outcome_can_be_hit(card):
    right = ready(card)._read(card.right())
    code = card.answer(right).reply()
    card.forget()
    box = CardBox(ready(card))
    for part, choice in box.choices.items():
        value = right if card.single else right[part]
        typed = isinstance(choice, w.Text) and not isinstance(value, str)
        choice.value = repr(value) if typed else value
    box.store.click()
    assert card.reply() == code
    assert plain(box.said.value) == plain(marked(code))
    assert box.rows.layout.display == "none"
    box.change.click()
    assert box.rows.layout.display != "none"
    assert card.unlocked


@pytest.mark.parametrize("card", ASKING.values(), ids=ASKING)
def test_any_object_is_answered_with_a_sentence(card):
    ready(card)
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


def test_true_is_not_1_and_a_number_of_a_table_is_one():
    card = Card("How many?", (0, 1), outcome=lambda: 1)
    assert "not True" in card.answer(True).problem
    assert card.answer(np.int64(1)).settled
    assert "a whole number, not True" in Card("How many?", int).answer(True).problem


@each_card
def test_hints_come_in_steps(card, capsys):
    for _ in range(len(card.hints) + 1):
        card.hint()
    said = capsys.readouterr().out
    for number, hint in enumerate(card.hints, start=1):
        assert f"Hint {number} of {len(card.hints)}: {hint}"[:60] in " ".join(said.split())
    assert card.hints or "no hints" in said


@pytest.mark.parametrize("card", PLAYED.values(), ids=PLAYED)
def test_every_knob_draws_another_picture_and_each_can_be_read(card):
    box = card.solved().play()
    turned = isinstance(box, Console) and "version" not in box.boxes
    for name, control in box.boxes.items() if turned else ():
        first, seen = control.value, set()
        values = control.options if hasattr(control, "options") else (control.min, control.max)
        values = [value[1] if isinstance(value, tuple) else value for value in values]
        for control.value in (values[0], values[-1]):
            for svg in re.findall(r"<svg.*?</svg>", box.view.value, re.DOTALL):
                readable(svg)
            seen.add(box.view.value)
        control.value = first
        assert len(seen) == 2, name


# -- the frame, on cards of its own


def prediction(**more):
    asked = {"apples": (0, 1, 512), "ripe": bool}
    return Card("How many?\nCount them.", asked, called="fruit", **more)


def test_a_prediction_is_shown_beside_the_outcome():
    card = prediction(outcome=lambda: {"apples": 512}, why="There is a tree.")
    card.answer(apples=1, ripe="yes")
    assert card.reply() == [
        "✘ `apples`: you said 1 · it was 512",
        "`ripe`: you said true · not decided",
    ]
    assert reason(card) == ["There is a tree."]
    card.answer({"apples": "512", "ripe": [False]})
    assert card.reply()[0] == "✔ `apples`: you said 512 · it was 512"
    assert "At first you had said: `apples`: 1; `ripe`: true." in card.reply()
    assert "Count them" not in repr(card)


def test_a_quiz_tells_what_is_wrong_first_and_then_every_answer():
    asked = {
        "sky": ("Its colour?", ("blue", "green"), "blue", "look up"),
        "sun": ("It is warm.", bool, True, "feel it"),
    }
    card = quiz("Two questions.", asked, "you have been outside")
    card.answer(sky="green", sun=True)
    assert card.reply()[0] == "✘ Not yet: Its colour? not green"
    assert "blue" not in "".join(card.reply())
    assert "look up" not in repr(card)
    card.answer(sky="green", sun=False)
    assert card.reply() == [
        "✘ Its colour? You said green · it was blue: look up",
        "✘ It is warm: you said false · it was true: feel it",
        "At first you had said: It is warm: true.",
    ]
    assert not card.settled
    assert "✔ Right: you have been outside" in card.answer(sky="blue", sun=True).reply()


def test_against_gives_a_reason_for_a_single_answer_too():
    against = lambda _, given: (f"{given} is too few", "there are 3")  # noqa: E731
    card = Card("How many?", int, outcome=lambda: 3, against=against, if_right="all of them")
    assert card.answer(1).reply()[0] == "✘ Not yet: 1 is too few"
    assert card.answer(2).reply()[:2] == ["✘ you said 2 · it was 3", "✘ No: there are 3"]
    assert card.answer(3).reply()[:2] == ["✔ you said 3 · it was 3", "✔ Right: all of them"]
    assert card.settled


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
    ("given", "told"),
    [
        ({"apples": 7, "ripe": True}, "apples can be 0, 1, 512, not 7"),
        ({"aples": 1}, "did you mean 'apples'"),
        ({"apples": 1}, "missing: ripe"),
        ({"apples": 1, "ripe": None}, "ripe is still open"),
        (5, "write a dict with the parts apples, ripe, not an int"),
        ({"apples": 1, "ripe": 1}, "ripe should be True or False, not 1"),
        (None, "None is no answer"),
        (..., "How many?"),
    ],
)
def test_a_wrong_form_is_no_answer(given, told):
    card = prediction(outcome=lambda: {"apples": 512}).answer(given)
    assert told in repr(card)
    assert card.stored is None
    assert not card.unlocked


def test_a_card_says_that_the_model_runs_before_it_is_asked():
    said = []
    look = lambda: said.append(box.said.value) or "the picture"  # noqa: E731
    judge = lambda answer: said.append(box.said.value) or passed("so it is")  # noqa: E731
    card = Card("How many?", int, judge=judge, still=look)
    box = CardBox(card)
    box.choices[ONLY].value = "3"
    box.store.click()
    assert len(said) == 2
    assert all("The model runs" in words for words in said)
    assert "so it is" in box.said.value
    assert "The model runs" not in box.said.value
    assert "the picture" in box.shown.value


def test_pictures_are_made_once_for_all_forms_of_a_card():
    made = []
    card = Card("The tree", still=lambda: made.append(1) or iter(["a picture"]))
    for times in (1, 2):
        bundle = card._repr_mimebundle_()
        assert "a picture" in bundle["text/plain"]
        assert "a picture" in bundle["text/html"]
        assert len(made) == times


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


def test_a_check_opens_at_the_second_wrong_answer_and_stays_open():
    def judge(answer):
        return passed("so it is") if answer == 3 else failed("too few?", second="there are 3")

    card = Card("How many?", int, judge=judge, why="Because.", still=lambda: "the picture")
    for answer, told, opened in (
        (1, "✘ Not yet: too few?", False),
        (1, "✘ Not yet: too few?", False),  # a second click, a cell run again
        (1, "Try another answer", False),
        ("x", "should be a whole number", False),
        (2, "✘ No: there are 3", True),
        (3, "✔ Right: so it is", True),
    ):
        said = repr(card.answer(answer))
        assert told in said
        assert ("the picture" in said) == ("Because." in said) == opened
        assert card.settled == (answer == 3)


def test_code_is_another_try_if_its_verdict_is_another(monkeypatch):
    cells = []
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(user_ns={"In": cells}))
    judge = lambda code: failed(f"{code()} is too few?", second="there are 3")  # noqa: E731
    card = Card("How many?", judge=judge)
    for count, told in ((1, "1 is too few?"), (1, "1 is too few?"), (2, "there are 3")):
        cells.append("lesson.apples(mine)")  # `mine` is edited in another cell
        assert told in repr(card.answer(lambda count=count: count))


@pytest.mark.parametrize(
    ("allowed", "written", "read"),
    [
        (int, "3", 3),
        (int, " -3 ", -3),
        (int, "1,027", 1027),
        (int, "1 128", 1128),
        (int, "1,5", None),
        (int, "1,02", None),
        (int, "many", None),
        (int, "9" * 5_000, None),
        (str, "3", "3"),
        (str, "1,027", "1,027"),
        (list, "[1, 2]", [1, 2]),
    ],
)
def test_what_is_written_into_a_field_is_read_as_it_is_meant(allowed, written, read):
    card = Card("How many?", allowed)
    box = CardBox(card)
    box.store.click()
    assert "Choose first" in box.said.value
    box.choices[ONLY].value = written
    box.store.click()
    assert card.stored == read
    assert card.answer(written).stored == read or allowed is list
    assert read is not None or "should be a whole number" in box.said.value


def test_a_card_that_is_forgotten_is_open_in_its_box_and_so_is_what_needs_it():
    """And what is not stored yet stays in its controls while the card is told of something else."""
    parts = {"apples": (0, 1, 512), "many": tuple(range(10)), "long": ("x" * 30, "y"), "own": str}
    first = Card("How many?", parts, outcome=lambda: {}, hints=("Look.", "Count."), why="A tree.")
    play = lambda: w.HTML("a picture")  # noqa: E731
    reveal = Card("The tree", play=play, needs=(first,))
    box, seen = CardBox(first), CardBox(reveal)
    before = {part: choice.value for part, choice in box.choices.items()}
    for again in (first.forget, lambda: first.about("2")):
        box.choices["apples"].value = 1
        box.store.click()
        assert "Still open" in box.said.value
        first.answer(7)
        assert box.choices["apples"].value == 1
        box.hint.click()
        first.answer(apples=1, many=2, long="y", own="z")
        assert "A tree" in box.reason.value
        assert seen.play.children
        again()
        assert {part: choice.value for part, choice in box.choices.items()} == before
        assert box.said.value + box.reason.value + box.hints.value == ""
        assert not seen.play.children
        assert "Shown once" in seen.said.value


def test_each_hint_is_shown_once_and_the_button_stops_with_the_last():
    card = Card("How many?", (1, 2), hints=("Look.", "Count."))
    box = CardBox(card)
    for times in (1, 2):
        assert not box.hint.disabled
        box.hint.click()
        assert box.hints.value.count("Hint") == times
    assert box.hint.disabled
    card.answer(1)
    assert box.hints.value == ""
    box.change.click()
    assert box.hints.value.count("Hint") == 2


def test_a_card_that_is_shown_often_has_one_box():
    made = []
    play = lambda: made.append(1) or w.HTML("a picture")  # noqa: E731
    card = Card("How many?", (1, 2), play=play)
    key = "application/vnd.jupyter.widget-view+json"
    assert len({card._repr_mimebundle_()[key]["model_id"] for _ in range(5)}) == 1
    card.answer(1)
    assert made == [1]


def test_a_reveal_opens_with_what_it_waits_for_and_in_place():
    first = prediction()
    reveal = Card("The tree", still=lambda: "a picture", needs=(first,))
    box = CardBox(reveal)
    assert "answered `lesson.fruit`" in repr(reveal)
    assert "a picture" not in box.shown.value
    first.answer(apples=0, ripe=False)
    assert "a picture" in box.shown.value
    assert "Nothing is asked" in repr(reveal.answer(1))


def test_a_card_for_code_says_where_to_write():
    card = Card("Which run?", judge=lambda answer: answer / 0, form="vfio_map(...)", called="pair")
    assert "`lesson.pair(vfio_map(...))`" in repr(card(...))
    assert "could not be used" in repr(card(1))
    assert "lesson.pair(vfio_map(...))" in CardBox(card).said.value


def test_a_schedule_keeps_its_stars():
    card = Card("The *first* of **two**: `pin*7 holder pin*6`", outcome=lambda: 1)
    assert "The first of two: `pin*7 holder pin*6`" in repr(card)
    assert marked([card.headline]) == (
        "<p>The <i>first</i> of <b>two</b>: <code>pin*7 holder pin*6</code></p>"
    )
