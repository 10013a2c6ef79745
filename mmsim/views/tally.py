"""What was answered: the progress of one learner, and what a class has handed in.

Interface: progress_table, tally_table, tally_picture

`known` are the cards of the lessons by their keys.  Of a card that no lesson has, of another
release say, it is told what was answered, and not what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmsim.lessons import COURSE, number
from mmsim.lessons.card import ONLY, Card, options, said
from mmsim.lessons.form import shown
from mmsim.progress import Book, Entry
from mmsim.views.charts import Bar, bars
from mmsim.views.svg import FILLS, Picture
from mmsim.views.words import plural

BEFORE, AFTER = (
    "the_report.pretest",
    ("capstone_and_recall.afterwards", "migrate_or_split.posttest"),
)
HEAD = ["answered", "right at first", "wrong tries", "hints"]
TITLES = {lesson.name: f"{number(lesson.name)} {lesson.title}" for lesson in COURSE}
FILLED = {
    "right at first": FILLS["counted on"],
    "wrong at first": FILLS["not counted on"],
}
VALUES_MAX, VALUE_MAX = 6, 40
Known = Mapping[str, Card]


def _sums(entries: Sequence[Entry]) -> list[str]:
    """What HEAD names, of these entries."""
    answers = [entry for entry in entries if entry["tries"]]
    judged = _judged(answers)
    sums = [str(sum(entry[name] for entry in entries)) for name in ("wrong", "hints")]
    return [str(len(answers)), f"{sum(judged)} of {len(judged)}" if judged else "-", *sums]


def _judged(entries: Iterable[Entry]) -> list[bool]:
    """Was each first answer right, of those that can be?"""
    return [entry["right"] for entry in entries if isinstance(entry.get("right"), bool)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [[row[0].ljust(wide[0]), *map(str.rjust, row[1:], wide[1:])] for row in rows]
    return list(map("  ".join, right))


def progress_table(cards: Mapping[str, Entry]) -> str:
    """Lesson by lesson: cards answered, right at first, wrong tries, hints."""
    found: dict[str, list[Entry]] = {title: [] for title in TITLES.values()}
    for key, entry in cards.items():
        found.setdefault(_lesson(key), []).append(entry)
    rows = [[title, *_sums(entries)] for title, entries in found.items() if entries]
    return "\n".join(_aligned([["lesson", *HEAD], *rows, ["all", *_sums([*cards.values()])]]))


def _lesson(key: str) -> str:
    return TITLES.get(key.split(".")[0], "of another release")


def _name(key: str) -> str:
    """A card's name, and the case that it is about."""
    return " case ".join(key.split(".")[1:])


def _asked(books: Sequence[Book], known: Known) -> dict[str, list[Entry]]:
    """The entries of every card that somebody has answered, in the order of the course."""
    found: dict[str, list[Entry]] = {key: [] for key in known}
    for book in books:
        for key, entry in book.cards.items():
            if entry["tries"]:
                found.setdefault(key, []).append(entry)
    order = list(TITLES.values())
    keys = [key for key in found if found[key]]
    keys.sort(key=lambda key: order.index(_lesson(key)) if _lesson(key) in order else len(order))
    return {key: found[key] for key in keys}


def _first(card: Card | None, entries: Iterable[Entry]) -> list[str]:
    """The first answers by choice: a line for each part that is asked."""
    true: Any = {}
    open_case = card is None or card.which  # another thing is right in each case
    if card and not open_case and (card.outcome or (card.single and card.solution is not None)):
        true = {ONLY: card.right()} if card.single or not card.outcome else card.outcome()
    parts: Mapping[Any, Any] = card.parts if card is not None else {}
    found: dict[str, Counter[str]] = {}
    for entry in entries:
        given = "code" if entry.get("code") else entry.get("first")
        for part, value in (given if isinstance(given, dict) else {ONLY: given}).items():
            words = "own words" if parts.get(part) is str else _said(value)
            found.setdefault(part, Counter())[words] += 1
    lines = []
    for part, counts in found.items():
        choices = [_said(value) for value in options(parts.get(part, ()))]
        others = [words for words, _ in counts.most_common() if words not in choices]
        told = [
            f"{words} {counts[words]}{' ✔' if part in true and words == _said(true[part]) else ''}"
            for words in choices + others[:VALUES_MAX]
        ]
        more = [f"{len(others) - VALUES_MAX} more"] * (len(others) > VALUES_MAX)
        lines.append(f"    {'' if part == ONLY else f'{part}: '}{', '.join(told + more)}")
    return lines


def _said(value: object) -> str:
    return shown(said(value, ()), VALUE_MAX)


def _statements(books: Sequence[Book], known: Known) -> dict[str, list[list[bool]]]:
    """Each statement of lesson 00: who was right before, and after, of those who did both.

    After is lesson 11, or else lesson 04."""
    true = known[AFTER[0]].right()
    both = []
    for book in books:
        firsts = [book.cards.get(key, {}).get("first") for key in (BEFORE, *AFTER)]
        before, *after = [first if isinstance(first, dict) else {} for first in firsts]
        both += [(before, after[0] or after[1])] if before and any(after) else []
    return {
        name: [[said.get(name) is right for said in side] for side in zip(*both, strict=True)]
        for name, right in true.items()
        if both
    }


def tally_table(books: Sequence[Book], known: Known) -> str:
    """Card by card: how many, right at first, wrong tries, hints; and the first answers."""
    cards = _asked(books, known)
    rows = [["card", *HEAD], *([_name(key), *_sums(cards[key])] for key in cards)]
    (head, *lines), told = _aligned(rows), list[str]()
    for (key, entries), line in zip(cards.items(), lines, strict=True):
        told += [] if _lesson(key) in told else ["", _lesson(key)]
        told += [line, *_first(known.get(".".join(key.split(".")[:2])), entries)]
    compared = _statements(books, known)
    told += ["", "Before and after: right at first, of those who did both"] * bool(compared)
    for name, (before, after) in compared.items():
        words = known[BEFORE].labels[name]
        told.append(f"{sum(before):4} → {sum(after)} of {len(before)}  {words}")
    return "\n".join([head, *told])


def tally_picture(books: Sequence[Book], known: Known) -> Picture:
    """A bar for each card whose answers are right or wrong, and two for each statement."""
    rows = {}
    for key, entries in _asked(books, known).items():
        hints = sum(entry["hints"] for entry in entries)
        if judged := _judged(entries):
            more = f", {plural(hints, 'hint')}" if hints else ""
            rows[f"{_lesson(key)[:2]} {_name(key)}"] = _bar(judged, len(books), more)
    hard = min(rows, key=lambda name: rows[name].parts["right at first"] / len(books), default="")
    for name, sides in _statements(books, known).items():
        for when, judged in zip(("before", "after"), sides, strict=True):
            rows[f"“{name}”, {when}"] = _bar(judged, len(judged))
    claim = (
        f"{plural(len(books), 'hand-in')}; hardest at first: {hard or 'nothing is answered yet'}"
    )
    return bars(claim, rows or {"no card": Bar({}, 1, "")}, FILLED)


def _bar(judged: Sequence[bool], of: int, more: str = "") -> Bar:
    hits = sum(judged)
    parts = dict(zip(FILLED, (hits, len(judged) - hits), strict=True))
    return Bar(parts, of, f"{hits} of {len(judged)}{more}")
