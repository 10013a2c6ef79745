"""docs/teaching says what the cards, the lessons and the model say, and its plans can be run."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache

import pytest
from tool_rule import ROOT

import mmsim
from mmsim.lessons import COURSE, number
from mmsim.lessons.card import ONLY, options

sys.path.insert(0, str(ROOT / "tools"))
import build_lessons as lessons
import build_teaching as build

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in build.PAGES.glob("*.md")}
LESSON = {number(lesson.name): lesson for lesson in COURSE}
CARDS = {(lesson.name, c.name): (lesson, c) for lesson in COURSE for c in build.cards_of(lesson)}
HAND = {
    (name, card): hand for name, all in build.SOURCE["cards"].items() for card, hand in all.items()
}
SHEETS = {"90-minutes": 90, "half-day": 210, "day": 420}
each_sheet = pytest.mark.parametrize("sheet", SHEETS)
each_lesson = pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.name)


@cache
def said_in(lesson):
    """All that a lesson says: both editions, and every card before and after the right answer."""
    told = [cell.source for which in lessons.EDITIONS for cell in notebook(lesson, which)]
    for card in build.cards_of(lesson):
        told += [repr(build.ready(card)), *card.hints, repr(card.solved())]
        card.forget()
    return " ".join("\n".join(told).split())


def notebook(lesson, which):
    return lessons.edition(lesson.text, which).cells


def numbers(text):
    return set(re.findall(r"\d[\d.,]*\d", text))


@pytest.mark.parametrize("name", build.GENERATED)
def test_a_page_is_what_the_lessons_and_the_source_say(name):
    """If not: `make teaching`."""
    assert PAGES[name] == build.GENERATED[name]()


def test_every_page_is_printed_and_every_link_leads_somewhere():
    assert {*build.PRINTED.split()} == {*PAGES}
    assert {*re.findall(r'<section id="([^"]+)"', build.printed())} == {*PAGES, "key-90"}
    for text in PAGES.values():
        for page, heading in re.findall(r"\]\(([\w-]+)\.md(?:#([\w-]+))?\)", text):
            titles = re.findall(r"^#+ (.*)", PAGES[page], re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
            assert not heading or heading in slugs
    assert all(f"]({page}.md)" in PAGES["README"] for page in {*PAGES} - {"README"})


# -- the key


@pytest.mark.parametrize("at", CARDS, ids=".".join)
def test_every_card_has_a_key_entry(at):
    lesson, _ = CARDS[at]
    assert HAND[at]["next"]
    reasons = [HAND[at]["next"], *HAND[at].get("wrong", {}).values()]
    assert numbers(" ".join(reasons)) <= numbers(said_in(lesson))


def test_there_is_no_key_entry_without_a_card():
    assert {*HAND} == {*CARDS}


WRONG = [(at, answer) for at, hand in HAND.items() for answer in hand.get("wrong", {})]


@pytest.mark.parametrize(("at", "answer"), WRONG, ids=lambda one: str(one))
def test_a_wrong_answer_of_the_key_is_taken_and_wrong(at, answer):
    _, card = CARDS[at]
    given = parsed(card, answer)
    build.ready(card).answer(given)
    told = card.problem, card.reply()
    card.forget()
    assert not told[0]
    assert any(line.startswith("✘") for line in told[1])


def parsed(card, text):
    """A wrong answer as source.toml writes it: code, a choice, or `part = value; part = value`."""
    if not card.parts:
        return eval(text, {**vars(mmsim), **vars(sys.modules[card_module(card)])})
    if card.single:
        return value(text, card.parts[ONLY])
    changed = dict(one.rsplit(" = ", 1) for one in text.split("; "))
    right = build.ready(card)._read(card.right())
    return {**right, **{part: value(one, card.parts[part]) for part, one in changed.items()}}


def card_module(card):
    return next(f"mmsim.lessons.{name}" for name, c in CARDS if CARDS[name, c][1] is card)


def value(text, allowed):
    try:
        return text if options(allowed) else ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


# -- the run sheets


def rows(sheet):
    """Start and length in minutes, and what is done, of each row."""
    found = re.findall(r"^\| (\d):(\d\d) \| (\d+) \| ([^|]*) \|", PAGES[sheet], re.MULTILINE)
    return [(60 * int(h) + int(m), int(minutes), what) for h, m, minutes, what in found]


@each_sheet
def test_the_minutes_of_a_sheet_add_up(sheet):
    at = 0
    for start, minutes, _ in rows(sheet):
        assert start == at
        at += minutes
    assert at == SHEETS[sheet]


@each_sheet
def test_what_is_dropped_is_a_row_of_the_sheet_that_is_still_to_come(sheet):
    there = {what: (start, minutes) for start, minutes, what in rows(sheet)}
    late = re.findall(
        r"^\| (\d\d `\w+`) \| (\d):(\d\d) \| (.*?) \| (\d+) \|", PAGES[sheet], re.MULTILINE
    )
    assert late
    for row, h, m, drop, saves in late:
        planned = next(start for what, (start, _) in there.items() if what.startswith(row))
        start, minutes = there[drop]
        assert start >= planned
        assert 60 * int(h) + int(m) - planned in range(1, minutes + int(saves) + 1)
        assert minutes == int(saves)


@each_sheet
def test_the_cells_of_a_sheet_run_in_order_in_a_fresh_kernel(sheet):
    """Only these cells, and the import of each lesson: nothing that is left out is missing."""
    cells, at = [], ""
    for lesson, name in build.cards_in(sheet):
        code = [cell for cell in notebook(LESSON[lesson], "solution") if cell.cell_type == "code"]
        cells += [code[0]] if lesson != at else []
        cells += [next(cell for cell in code if re.search(rf"lesson\.{name}\b", cell.source))]
        at = lesson
    plan = lessons.nbformat.v4.new_notebook(
        cells=[{**cell, "id": f"c{i}"} for i, cell in enumerate(cells)]
    )
    plan = lessons.nbformat.from_dict(plan)
    lessons.execute(plan)
    told = str([cell.outputs for cell in plan.cells])
    assert "Not stored" not in told
    assert told.count("<img") > 5


@each_sheet
def test_what_a_card_of_a_sheet_needs_comes_before_it(sheet):
    seen = set()
    for number_, name in build.cards_in(sheet):
        _, card = CARDS.get((LESSON[number_].name, name), (None, None))
        assert card is None or {need.name for need in card.needs} <= seen
        seen.add(name)


@pytest.mark.parametrize("page", sorted(set(PAGES) - set(build.GENERATED)))
def test_every_card_and_vote_that_a_page_names_is_there(page):
    for lesson, names in re.findall(r"\b(\d\d) ((?:`\w+`(?: and |, | )?)+)", PAGES[page]):
        for name in re.findall(r"`(\w+)`", names):
            assert f"lesson.{name}" in LESSON[lesson].text.read_text(encoding="utf-8")
    for vote in re.findall(r"Vote (\d+)", PAGES[page]):
        assert f"## {vote} · " in PAGES["votes"]


def test_each_vote_has_one_right_choice_and_numbers_of_its_lesson():
    votes = PAGES["votes"].split("\n## ")[1:]
    assert len(votes) == 9
    for vote in votes:
        assert vote.count("✔") == 1
        lesson, card = re.search(r"Answered by (\d\d) `(\w+)`", vote).groups()
        assert (LESSON[lesson].name, card) in CARDS
        words = re.sub(r"\b\d\d `|lesson \d\d|^\d", "", vote)
        assert numbers(words) <= numbers(said_in(LESSON[lesson]))


def test_the_estimates_are_those_of_the_course():
    written = re.findall(r"^\| (\d\d) \| (\d+) \|", PAGES["after"], re.MULTILINE)
    assert written == [(number(lesson.name), str(lesson.minutes)) for lesson in COURSE]


# -- objectives and words


@each_lesson
def test_every_objective_is_stated_as_in_the_lesson_and_practised_by_a_card(lesson):
    text = " ".join(lesson.text.read_text(encoding="utf-8").split())
    objectives = build.SOURCE["objectives"][lesson.name]
    assert objectives
    for one in objectives:
        assert one["cards"]
        assert all((lesson.name, card) in CARDS for card in one["cards"])
    said = [one["says"] for one in objectives]
    listed = re.search(r"After this lesson you can …</summary> (.*?) </details>", text)
    if listed:
        assert [item.strip(" ;.") for item in re.split(r"(?:^| )- ", listed[1])[1:]] == said
    elif "ou can now" in text or "After this lesson you can " in text:
        assert all(one in text for one in said)


@each_lesson
def test_every_word_of_the_glossary_is_in_its_lesson_and_explained_once(lesson):
    for word, (_, by) in build.words().items():
        if by == lesson:
            assert re.sub(r"[`*]", "", word).lower() in re.sub(r"[`*]", "", said_in(lesson)).lower()
    tables = {word for word, _ in build.rows_of(lesson, "word \\| meaning")}
    assert not tables & {*build.SOURCE["words"].get(lesson.name, {})}
