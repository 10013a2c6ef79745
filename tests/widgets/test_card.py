"""The box of a card: what is typed, what its buttons do, and what it says and shows when."""

from __future__ import annotations

import ipywidgets as w
import pytest

from mmsim.lessons.card import Card
from mmsim.lessons.form import ONLY, failed, passed
from mmsim.widgets.card import CardBox


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


WRITTEN = {
    int: {"3": 3, " -3 ": -3, "1,027": 1027, "1 128": 1128, "1\xa0027": 1027}
    | dict.fromkeys(["1,5", "1,02", "many", "9" * 5_000]),
    str: {"3": "3", "1,027": "1,027"},
    list: {"[1, 2]": [1, 2], "{[]: 1}": None},
}


@pytest.mark.parametrize(
    ("allowed", "written", "read"),
    [(allowed, *row) for allowed, rows in WRITTEN.items() for row in rows.items()],
)
def test_what_is_written_into_a_field_is_read_as_it_is_meant(allowed, written, read):
    card = Card("How many?", allowed)
    box = CardBox(card)
    for nothing in ("", " "):
        box.choices[ONLY].value = nothing
        box.store.click()
        assert "Choose first" in box.said.value
    box.choices[ONLY].value = written
    box.store.click()
    assert card.stored == read
    kind = "whole number" if allowed is int else "list"
    assert read is not None or f"answer should be a {kind}" in box.said.value
    assert card.answer(written).stored == read or allowed is list


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
        assert "Shown once you have answered" in seen.said.value
    assert "Nothing is asked" in repr(reveal.answer(1))


def test_what_is_typed_stays_until_it_is_stored():
    """In an open card and in one whose answer is to be changed, whatever is told meanwhile."""
    need, asked = Card("How many?", int), {"a": int, "b": int}
    judge = lambda given: passed("so it is") if given["a"] == 3 else failed("no")  # noqa: E731
    card = Card("Both?", asked, judge=judge, hints=("Look.",), needs=(need.answer(1),))
    box = CardBox(card)
    a, b = box.choices.values()
    for stored in ("1", "3"):
        a.value, b.value = stored, "2"
        box.store.click()
        assert card.settled == (stored == "3")
        box.change.click()
        a.value, b.value = "7", "8x"
        others = (lambda: need.answer(2)), box.hint.click
        for other in (*others, box.store.click, *others):
            other()
            assert (a.value, b.value, box.rows.layout.display) == ("7", "8x", ""), stored
        assert "b should be a whole number" in box.said.value
    card.answer(3, 6)  # from a cell
    assert (a.value, b.value, box.rows.layout.display) == ("3", "6", "none")


@pytest.mark.parametrize("name", ["play", "still"])
def test_the_model_runs_no_more_when_it_has_failed(name):
    box = CardBox(card := Card("How many?", int, **{name: lambda: 1 / 0}))
    with pytest.raises(ZeroDivisionError):
        card.answer(1)
    assert "Noted: 1." in box.said.value
    assert "The model runs" not in box.said.value


def test_each_hint_is_told_once_and_the_button_stops_with_the_last(capsys):
    card = Card("How many?", (1, 2), hints=("Look.", "Count."))
    box = CardBox(card)
    for times, ask in ((1, box.hint.click), (2, card.next_hint)):  # by the button, in a cell
        assert not box.hint.disabled
        ask()
        assert box.hints.value.count("Hint") == times
    assert box.hint.disabled
    card.answer(1)
    assert box.hints.value == ""
    box.change.click()
    assert box.hints.value.count("Hint") == 2
    box.store.click()  # the same answer again
    assert box.rows.layout.display == "none"
    for asked in (card, Card("The tree", called="tree")):
        asked.hint()
    assert capsys.readouterr().out == "Hint 2 of 2: Count.\nThere are no hints for lesson.tree.\n"


def test_a_card_that_is_shown_often_has_one_box_and_makes_its_pictures_once_for_all_forms():
    played, drawn = [], []
    play = lambda: played.append(1) or w.HTML("a picture")  # noqa: E731
    card = Card("How many?", (1, 2), play=play, still=lambda: drawn.append(1) or iter(["a tree"]))
    key = "application/vnd.jupyter.widget-view+json"
    assert len({card._repr_mimebundle_()[key]["model_id"] for _ in range(5)}) == 1
    card.answer(1)
    for times in (1, 2):
        bundle = card._repr_mimebundle_()
        assert all("a tree" in bundle[form] for form in ("text/plain", "text/html"))
        assert len(drawn) == times
    assert played == [1]
