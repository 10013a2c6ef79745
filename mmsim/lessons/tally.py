"""What was answered: the progress of one learner, and what a class has handed in.

`known` are the cards of the lessons by their keys.  Of a card that no lesson has, of another
release say, it is told what was answered, and not what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmsim.amounts import plural
from mmsim.errors import shown
from mmsim.lessons import COURSE, Lesson, number
from mmsim.lessons.card import Card
from mmsim.lessons.form import ONLY, options, said
from mmsim.progress import Book, Entry
from mmsim.views.charts import Bar, bars
from mmsim.views.svg import FILLS, Picture

BEFORE, AFTER = (
    "the_report.pretest",
    ("capstone_and_recall.afterwards", "migrate_or_split.posttest"),
)
TITLES = {lesson.name: f"{number(lesson.name)} {lesson.title}" for lesson in COURSE}
FILLED = {"right at first": FILLS["counted on"], "wrong at first": FILLS["not counted on"]}
ROW = "{:<43} {:>8} {:>15} {:>12} {:>6}".format
HEAD = ("answered", "right at first", "wrong tries", "hints")
VALUES_MAX, VALUE_MAX = 6, 40
Known = Mapping[str, Card]


def cards_of(lesson: Lesson) -> list[Card]:
    """The cards of a lesson, in the order of its module."""
    return [card for card in vars(lesson.module).values() if isinstance(card, Card)]


def cards() -> dict[str, Card]:
    """Every card of the course that asks something, by its key."""
    return {
        f"{lesson.name}.{card.name}": card
        for lesson in COURSE
        for card in cards_of(lesson)
        if card.asks
    }


def latest(hand_ins: Iterable[Book]) -> Book:
    """Of what one learner handed in, the one that was made last; one without a date is older."""
    return max(hand_ins, key=_made)


def _made(hand_in: Book) -> int:
    made = hand_in.head.get("made")
    return made if isinstance(made, int) else -1


def _row(name: str, entries: Sequence[Entry]) -> str:
    """What HEAD names, of these entries."""
    first, answers = _right_at_first(entries), sum(entry["tries"] > 0 for entry in entries)
    right = f"{sum(first)} of {len(first)}" if first else "-"
    return ROW(
        name, answers, right, *(sum(e[kind] for e in entries) for kind in ("wrong", "hints"))
    )


def _right_at_first(entries: Iterable[Entry]) -> list[bool]:
    """Was each first answer right, of those that can be?"""
    return [entry["right"] for entry in entries if isinstance(entry.get("right"), bool)]


def _lesson(key: str) -> str:
    return TITLES.get(key.split(".")[0], "of another release")


def _name(key: str) -> str:
    return " case ".join(key.split(".")[1:])


def progress_table(cards: Mapping[str, Entry]) -> str:
    """Lesson by lesson: cards answered, right at first, wrong tries, hints."""
    titles = sorted({*map(_lesson, cards)})
    rows = {t: [e for key, e in cards.items() if _lesson(key) == t] for t in titles}
    rows["all"] = [*cards.values()]
    return "\n".join([ROW("lesson", *HEAD), *map(_row, rows, rows.values())])


def _asked(hand_ins: Sequence[Book], known: Known) -> dict[str, list[Entry]]:
    """The entries of every card that somebody has answered, in the order of the course."""
    found: dict[str, list[Entry]] = {key: [] for key in known}
    for hand_in in hand_ins:
        for key, entry in hand_in.cards.items():
            found.setdefault(key, []).extend([entry] * (entry["tries"] > 0))
    return {key: found[key] for key in sorted(found, key=_lesson) if found[key]}


def _first(card: Card | None, entries: Iterable[Entry]) -> list[str]:
    """The first answers by choice: a line for each part that is asked."""
    true: Any = {}
    if card is not None and not card.which:  # in each case another thing is right
        single = {ONLY: card.right()} if card.single else {}
        true = single if card.single or card.outcome is None else card.outcome()
    parts: Mapping[Any, Any] = card.parts if card is not None else {}
    found: dict[str, Counter[str]] = {}
    for entry in entries:
        given = "code or a long text" if entry.get("first_text") else entry.get("first")
        for part, value in (given if isinstance(given, dict) else {ONLY: given}).items():
            words = "own words" if parts.get(part) is str else _said(value)
            found.setdefault(part, Counter())[words] += 1
    lines = []
    for part, counts in found.items():
        names = [_said(value) for value in options(parts.get(part, ()))]
        names += [other for other, _ in counts.most_common(VALUES_MAX) if other not in names]
        right = _said(true[part]) if part in true else None
        told = ", ".join(f"{name} {counts[name]}{' ✔' * (name == right)}" for name in names)
        more = counts.total() - sum(counts[name] for name in names)
        lead = "" if part == ONLY else f"{part}: "
        lines.append(f"    {lead}{told}{f', other {more}' * (more > 0)}")
    return lines


def _said(value: object) -> str:
    return shown(said(value, ()), VALUE_MAX)


def _statements(hand_ins: Sequence[Book], known: Known) -> dict[str, list[list[bool]]]:
    """Each statement of lesson 00: who was right before, and after, of those who did both.

    After is lesson 11, or else lesson 04."""
    both = []
    for hand_in in hand_ins:
        firsts = [hand_in.cards.get(key, {}).get("first") for key in (BEFORE, *AFTER)]
        before, *after = [first if isinstance(first, dict) else {} for first in firsts]
        both += [(before, after[0] or after[1])] if before and any(after) else []
    true = known[AFTER[0]].right() if both else {}
    return {
        name: [[given.get(name) is right for given in side] for side in zip(*both, strict=True)]
        for name, right in true.items()
    }


def tally_table(hand_ins: Sequence[Book], known: Known) -> str:
    """Card by card: how many, right at first, wrong tries, hints; and the first answers."""
    told = [ROW("card", *HEAD)]
    for key, entries in _asked(hand_ins, known).items():
        told += [] if _lesson(key) in told else ["", _lesson(key)]
        card = known.get(".".join(key.split(".")[:2]))
        told += [_row(_name(key), entries), *_first(card, entries)]
    compared = _statements(hand_ins, known)
    told += ["", "Before and after: right at first, of those who did both"] * bool(compared)
    for name, (before, after) in compared.items():
        words = known[BEFORE].labels[name]
        told.append(f"{sum(before):4} → {sum(after)} of {len(before)}  {words}")
    return "\n".join(told)


def tally_picture(hand_ins: Sequence[Book], known: Known) -> Picture:
    """A bar for each card whose answers are right or wrong, and two for each statement."""
    rows = {}
    for key, entries in _asked(hand_ins, known).items():
        hints = sum(entry["hints"] for entry in entries)
        if right := _right_at_first(entries):
            more = f", {plural(hints, 'hint')}" if hints else ""
            rows[f"{_lesson(key)[:2]} {_name(key)}"] = _bar(right, len(hand_ins), more)
    hard = min(rows, key=lambda row: rows[row].parts["right at first"], default="nothing yet")
    for name, sides in _statements(hand_ins, known).items():
        for when, right in zip(("before", "after"), sides, strict=True):
            rows[f"“{name}”, {when}"] = _bar(right, len(right))
    claim = f"{plural(len(hand_ins), 'hand-in')}; fewest were right at first: {hard}"
    return bars(claim, rows or {hard: _bar([], 1)}, FILLED)


def _bar(right: Sequence[bool], of: int, more: str = "") -> Bar:
    hits = sum(right)
    parts = dict(zip(FILLED, (hits, len(right) - hits), strict=True))
    return Bar(parts, of, f"{hits} of {len(right)}{more}")
