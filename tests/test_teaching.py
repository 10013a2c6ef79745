"""docs/teaching says what the cards, the lessons and the model say, and its plans can be run."""

from __future__ import annotations

import ast
import re
from functools import cache

import build_lessons as lessons
import build_teaching as build
import pytest

import mmsim
from mmsim.lessons import COURSE, number
from mmsim.lessons.form import ONLY, options

PAGES = {path.stem: path.read_text("utf-8") for path in build.PAGES.glob("*.md")}
LESSON = {number(lesson.name): lesson for lesson in COURSE}
CARDS = {(lesson.name, c.name): c for lesson in COURSE for c in build.cards_of(lesson)}
SHEETS = {"90-minutes": 90, "half-day": 210, "day": 420}
each_sheet = pytest.mark.parametrize("sheet", SHEETS)
each_lesson = pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.name)


@cache
def stored(lesson, which):
    path = lessons.EDITIONS[which] / f"{lesson.stem}.ipynb"
    return lessons.nbformat.read(path, as_version=4).cells


@cache
def said_in(lesson):
    """All that a lesson says: both editions, as they are stored with their outputs, and hints."""
    told = [hint for card in build.cards_of(lesson) for hint in card.hints]
    for cell in (cell for which in lessons.EDITIONS for cell in stored(lesson, which)):
        shown = [output["data"] for output in cell.get("outputs", ()) if "data" in output]
        told += [cell.source, *(data["text/plain"] for data in shown)]
    return " ".join(re.sub(r"[`*]", "", "\n".join(told)).split())


def numbers(text):
    return set(re.findall(r"\d[\d.,]*\d", text))


def found(pattern, page):
    return re.findall(pattern, PAGES[page], re.MULTILINE)


@pytest.mark.parametrize("name", build.GENERATED)
def test_a_page_is_what_the_lessons_and_the_source_say(name):
    assert PAGES[name] == build.GENERATED[name](), "run `make teaching`"


def test_every_page_is_printed_and_every_link_leads_somewhere():
    assert {*re.findall(r'<section id="([^"]+)"', build.printed())} == {*PAGES, "key-90"}
    for text in PAGES.values():
        for page, heading in re.findall(r"\]\(([\w-]+)\.md(?:#([\w-]+))?\)", text):
            titles = [title.lower().replace(" ", "-") for title in found("^#+ (.*)", page)]
            assert not heading or heading in titles
    assert all(f"]({page}.md)" in PAGES["README"] for page in {*PAGES} - {"README"})


# -- the key


def test_every_card_has_an_entry_and_every_entry_a_card():
    cards = {f"[cards.{name}.{card}]" for name, card in CARDS}
    entries = {f"[cards.{name}.{c}]" for name, of in build.SOURCE["cards"].items() for c in of}
    assert cards - entries == set(), "write these entries into docs/teaching/source.toml"
    assert entries - cards == set(), "docs/teaching/source.toml: no lesson shows these cards"


@each_lesson
def test_an_entry_says_what_comes_next_with_numbers_of_its_lesson(lesson):
    for name, hand in build.SOURCE["cards"][lesson.name].items():
        entry = f"docs/teaching/source.toml: [cards.{lesson.name}.{name}]"
        assert hand.get("next"), f"{entry} has no next"
        told = " ".join([hand["next"], *hand.get("wrong", {}).values()])
        assert numbers(told) - numbers(said_in(lesson)) == set(), name


@each_lesson
def test_a_wrong_answer_of_the_key_is_taken_and_wrong(lesson):
    for name, hand in build.SOURCE["cards"][lesson.name].items():
        for answer in hand.get("wrong", {}):
            card = CARDS[lesson.name, name].opened()
            given = parsed(card, answer, lesson.module)
            problem, reply = card.answer(given).problem, card.reply()
            card.forget()
            told = f"docs/teaching/source.toml, {name}: {answer!r} is"
            assert not problem, f"{told} no answer. {problem}"
            assert any(line.startswith("✘") for line in reply), f"{told} right, or not judged"


def parsed(card, text, module):
    """A wrong answer as source.toml writes it: code, a choice, or `part = value; part = value`."""
    if not card.parts:
        return eval(text, {**vars(mmsim), **vars(module)})
    if card.single:
        return value(text, card.parts[ONLY])
    changed = dict(one.rsplit(" = ", 1) for one in text.split("; "))
    return card._read(card.right()) | {p: value(v, card.parts[p]) for p, v in changed.items()}


def value(text, allowed):
    try:
        return text if options(allowed) else ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


# -- the run sheets and votes


def rows(sheet):
    """What is done in each row: its start and its length in minutes."""
    written = found(r"^\| (\d):(\d\d) \| (\d+) \| ([^|]*) \|", sheet)
    return {(start(h, m), what): int(minutes) for h, m, minutes, what in written}


def start(hours, minutes):
    return 60 * int(hours) + int(minutes)


@each_sheet
def test_the_minutes_of_a_sheet_add_up(sheet):
    at = 0
    for (begins, _), minutes in rows(sheet).items():
        assert begins == at
        at += minutes
    assert at == SHEETS[sheet]


@each_sheet
def test_what_is_dropped_when_late_is_a_row_that_has_not_begun(sheet):
    late = found(r"^\| (\d\d `\w+`) \| (\d):(\d\d) \| (.*?) \| (\d+) \|", sheet)
    assert len(late) > 2
    for row, h, m, drop, saves in late:
        planned = next(at for at, what in rows(sheet) if what.startswith(row))
        begins, minutes = next((at, n) for (at, what), n in rows(sheet).items() if what == drop)
        assert begins >= planned
        assert minutes == int(saves) >= (start(h, m) - planned) / 2 > 0


def run(code, names):
    """What a cell shows of its last line."""
    *lines, last = ast.parse(code).body
    exec(compile(ast.Module(lines, []), "a cell", "exec"), names)
    if isinstance(last, ast.Expr):
        return repr(eval(ast.unparse(last), names))
    exec(ast.unparse(last), names)
    return ""


@each_sheet
def test_the_cells_of_a_sheet_run_in_order(sheet):
    """Only these cells and the first one of each lesson; what a card needs comes before it."""
    names, at, seen, told = {}, "", set(), ""
    for card in CARDS.values():
        card.forget()
    for place, name in build.cards_in(sheet):
        first, *code = [c.source for c in stored(LESSON[place], "solution") if "outputs" in c]
        card = CARDS.get((LESSON[place].name, name))
        assert card is None or {need.name for need in card.needs} <= seen
        told += run(first, names) if place != at else ""
        told += run(next(c for c in [first, *code] if re.search(rf"lesson\.{name}\b", c)), names)
        at, seen = place, seen | {name}
    assert "Not stored" not in told
    assert told.count("✔") > 5


@pytest.mark.parametrize("page", sorted({*PAGES} - {*build.GENERATED}))
def test_every_card_and_vote_that_a_page_names_is_there(page):
    for place, names in found(r"\b(\d\d) ((?:`\w+`(?: and |, | )?)+)", page):
        for name in re.findall(r"`(\w+)`", names):
            assert f"lesson.{name}" in LESSON[place].text.read_text("utf-8")
    assert {*found(r"Vote (\d+)", page)} <= {*found(r"^## (\d+)", "votes")}


def test_each_vote_has_one_right_choice_and_numbers_of_its_lesson():
    votes = PAGES["votes"].split("\n## ")[1:]
    assert len(votes) == 9
    assert "nine questions" in PAGES["README"]
    for vote in votes:
        assert vote.count("✔") == 1
        place, card = re.search(r"Answered by (\d\d) `(\w+)`", vote).groups()
        assert (LESSON[place].name, card) in CARDS
        words = re.sub(r"\b\d\d `|lesson \d\d", "", vote)
        assert numbers(words) <= numbers(said_in(LESSON[place]))


def test_the_estimates_are_those_of_the_course():
    written = found(r"^\| (\d\d) \| (\d+) \|", "after")
    assert written == [(number(lesson.name), str(lesson.minutes)) for lesson in COURSE]


# -- objectives and words


@each_lesson
def test_every_objective_is_the_lessons_own_and_practised_by_a_card(lesson):
    text = " ".join(lesson.text.read_text("utf-8").split())
    objectives = {one["says"]: one["cards"] for one in build.SOURCE["objectives"][lesson.name]}
    assert all(objectives.values())
    assert {(lesson.name, c) for cards in objectives.values() for c in cards} <= {*CARDS}
    listed = re.search(r"After this lesson you can …</summary> - (.*?)\. </details>", text)
    if listed:
        assert listed[1].split("; - ") == [*objectives]
    elif re.search(r"ou can now|After this lesson you can ", text):
        assert all(says in text for says in objectives)


@each_lesson
def test_every_word_of_the_glossary_is_in_its_lesson_and_explained_once(lesson):
    for word, (_, by) in build.words().items():
        assert by != lesson or re.sub(r"[`*]", "", word).lower() in said_in(lesson).lower()
    tables = {word for word, _ in build.rows_of(lesson, "word \\| meaning")}
    assert not tables & {*build.SOURCE["words"].get(lesson.name, {})}
