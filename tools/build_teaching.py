"""Write the pages of docs/teaching that the cards, the lessons and the model know by themselves.

usage: python tools/build_teaching.py

What they do not know stands in `docs/teaching/source.toml`: why a wrong answer attracts, what to
say next, the objectives, words that a lesson has no table for, the signs.  From both it makes
key.md, objectives.md, glossary.md and notation.md, and of all pages one to print,
`dist/teaching.html`.  `tests/test_teaching.py` compares."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import build_lessons
from markdown_it import MarkdownIt

from mmsim import errno
from mmsim.datafiles import write_whole
from mmsim.lessons import COURSE, Lesson, number, tally
from mmsim.lessons.card import Card
from mmsim.lessons.form import ONLY, options, said
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "teaching"
SOURCE: dict[str, Any] = tomllib.loads((PAGES / "source.toml").read_text(encoding="utf-8"))
MADE = "*`make teaching` makes this page. Edit `source.toml` or the lesson instead.*"
PRINTED = "README 90-minutes half-day day votes rubrics room after key objectives glossary notation"
STYLE = """
@page { size: A4; margin: 11mm } body { font: 9pt/1.3 sans-serif; max-width: 62em; margin: auto }
section + section { break-before: page } h1 { font-size: 14pt; margin: 0 0 4pt }
h2 { font-size: 10.5pt; margin: 8pt 0 3pt; break-after: avoid } p, ul, ol { margin: 3pt 0 }
table { border-collapse: collapse; width: 100% } tr { break-inside: avoid }
td, th { border: 0.5pt solid #999; padding: 1.5pt 4pt; vertical-align: top; text-align: left }
code { font-size: 92% } blockquote { border: 0.5pt solid #999; margin: 4pt 0; padding: 2pt 6pt }
[id="90-minutes"] { font-size: 10pt } #half-day { font-size: 9.4pt } #room { font-size: 8.6pt }
table + table { margin-top: 6pt }
[id^="key"], #glossary, #notation { font-size: 7.3pt; line-height: 1.17 }
#glossary td { padding: 0.7pt 4pt }
[id^="key"] td:nth-child(2) { width: 24% } [id^="key"] td:nth-child(3) { width: 46% }
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


# -- the key


def cards_of(lesson: Lesson) -> list[Card]:
    """The cards of a lesson in the order of its text."""
    there = {card.name: card for card in tally.cards_of(lesson)}
    names = re.findall(r"\blesson\.(\w+)", lesson.text.read_text(encoding="utf-8"))
    return [there[name] for name in dict.fromkeys(names) if name in there]


def right(lesson: Lesson, card: Card) -> str:
    """The right answer in a line; of code, what the solution edition has or the last hint says."""
    if not card.asks:
        return "nothing is asked"
    if not card.parts:
        text = lesson.text.read_text(encoding="utf-8")
        found = re.search(rf'"solution"\]\nlesson\.{card.name}\((.+)\)(?:  # .*)?\n```', text)
        hint = card.hints[-1] if card.hints else "see the solutions"
        return f"`{found[1]}`" if found else hint
    answer = card.opened()._read(card.right())
    judged = not any(line.startswith("Noted:") for line in card.answer(answer).reply())
    card.forget()
    if not judged:
        return "nothing is judged"
    if card.single:
        shown = said(answer, card.parts[ONLY])
        return shown if options(card.parts[ONLY]) else f"`{shown}`"
    told = (f"`{part}` {said(answer[part], allowed)}" for part, allowed in card.parts.items())
    return " · ".join(told)


def wrong(card: Card, answer: str) -> str:
    """A wrong answer of source.toml as it is read."""
    if card.parts and (not card.single or options(card.parts[ONLY])):
        return f"**{answer.replace(' = ', ': ').replace('; ', ', ')}**"
    return f"`{answer}`"


def cards_in(sheet: str) -> list[tuple[str, str]]:
    """The cards and pictures of a run sheet, each with the number of its lesson, in order."""
    text = (PAGES / f"{sheet}.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| \d:\d\d \| \d+ \| (\d\d) ([^|]*) \|", text, re.MULTILINE)
    return [(lesson, name) for lesson, names in cells for name in re.findall(r"`(\w+)`", names)]


def key(sheet: str = "") -> str:
    """Every card, or those of a run sheet: the answer, why a wrong one attracts, what to say."""
    chosen = cards_in(sheet) if sheet else []
    parts = [
        f"# Key {sheet}".strip(),
        "For the instructor. Behind a wrong answer stands first what people think, then what they "
        "miss. *Say next* is for the room, once the card is answered. The short way comes first.",
        MADE,
    ]
    for lesson in sorted(COURSE, key=lambda lesson: not lesson.core):
        rows = []
        for card in cards_of(lesson):
            if chosen and (number(lesson.name), card.name) not in chosen:
                continue
            hand = SOURCE["cards"].get(lesson.name, {}).get(card.name, {})
            reasons = [
                f"{wrong(card, given)}: {why}" for given, why in hand.get("wrong", {}).items()
            ]
            line = [f"`{card.name}`", right(lesson, card), "<br>".join(reasons)]
            rows.append([*line, hand.get("next", "")])
        head = ("card", "answer", "wrong, and why it attracts", "say next")
        parts += [f"## {number(lesson.name)} {lesson.title}", table(head, rows)] if rows else []
    return page(parts)


# -- objectives, words, signs


def objectives() -> str:
    """What a learner can do after each lesson, and the cards at which it is practised."""
    rows = [
        [number(lesson.name), one["says"], " ".join(f"`{card}`" for card in one["cards"])]
        for lesson in COURSE
        for one in SOURCE["objectives"][lesson.name]
    ]
    return page(["# Objectives", MADE, table(("", "the learner can …", "practised at"), rows)])


def rows_of(lesson: Lesson, head: str) -> list[list[str]]:
    """The rows of the table of two columns in a lesson's text that begins with this head."""
    text = build_lessons.filled(lesson.text.read_text(encoding="utf-8"), lesson.module)
    found = re.search(rf"^\| {head} \|\n\| --- .*\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [line[2:-2].split(" | ", 1) for line in found[1].splitlines()] if found else []


def words() -> dict[str, tuple[str, Lesson]]:
    """Each word with its meaning and the lesson that first explains it, by the alphabet."""
    found: dict[str, tuple[str, Lesson]] = {}
    for lesson in COURSE:
        own = SOURCE["words"].get(lesson.name, {})
        for row, meaning in [*rows_of(lesson, "word \\| meaning"), *own.items()]:
            named, meanings = row.split(", "), meaning.split("; ")
            both = len(named) > 1 and len(named) == len(meanings)
            for word, means in zip(named, meanings, strict=True) if both else [(row, meaning)]:
                found.setdefault(word, (means, lesson))
    return dict(sorted(found.items(), key=lambda item: re.sub(r"\W", "", item[0]).lower()))


def glossary() -> str:
    """The words of the course."""
    rows = [(word, meaning, number(by.name)) for word, (meaning, by) in words().items()]
    return page(["# Glossary", MADE, table(("word", "meaning", "lesson"), rows)])


def notation() -> str:
    """Signs, error codes, counters, versions and knobs."""
    capstone = next(lesson for lesson in COURSE if lesson.name == "capstone_and_recall")
    codes = {name: -errno.NUMBERS[name] for name in SOURCE["codes"]}
    knobs = SCENARIOS["vfio_map"].knobs
    named = [[f"`-{name}`", str(code), SOURCE["codes"][name]] for name, code in codes.items()]
    versions = [[f"`{row.name}`", row.title] for row in VERSIONS.values()]
    turned = [[f"`{knob.name}`", str(knob.default), knob.values, knob.what] for knob in knobs]
    return page(
        [
            "# Notation",
            MADE,
            table(("sign", "meaning"), SOURCE["signs"].items()),
            table(("error code", "number", "meaning"), named),
            table(("counter in `/proc/vmstat`", "counts"), rows_of(capstone, "counter \\| counts")),
            table(("version", "what it is"), versions),
            table(("knob of `vfio_map()`", "at first", "values", "meaning"), turned),
        ]
    )


def page(parts: Sequence[str]) -> str:
    """The parts of a page with an empty line between them."""
    return "\n\n".join(parts) + "\n"


GENERATED = {"key": key, "objectives": objectives, "glossary": glossary, "notation": notation}


def printed() -> str:
    """All pages in one file for the printer; each begins a new sheet."""
    html = MarkdownIt("commonmark").enable("table")
    texts = {name: (PAGES / f"{name}.md").read_text(encoding="utf-8") for name in PRINTED.split()}
    texts["key-90"] = key("90-minutes")
    body = [f'<section id="{name}">{html.render(text)}</section>' for name, text in texts.items()]
    head = f'<meta charset="utf-8"><title>Teaching with mmsim</title><style>{STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'
    )


def main() -> None:
    """Write every page."""
    made = {PAGES / f"{name}.md": make for name, make in GENERATED.items()}
    for path, make in {**made, ROOT / "dist" / "teaching.html": printed}.items():
        write_whole(path, make().encode())
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
