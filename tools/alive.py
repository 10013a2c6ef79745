"""Lessons that work without a kernel: each card with what it says to every answer, each widget with
a picture of every setting.

usage: jupyter nbconvert --to html --HTMLExporter.preprocessors=alive.Alive NOTEBOOK
                                   (with tools/ in PYTHONPATH; `make html` does it for all lessons)

The static form of a card stays on the page, for whoever has no JavaScript.  Beside it stands what
`player.js` needs, as JSON: the model was asked everything when the page was made."""

from __future__ import annotations

import gc
import itertools
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor

from mmsim.lessons import COURSE
from mmsim.lessons.activity import NO_VERDICT, State
from mmsim.lessons.card import Card
from mmsim.lessons.form import ONLY, failed, options, said
from mmsim.lessons.wording import reason
from mmsim.views.show import as_html, marked, marked_line
from mmsim.widgets.console import Console
from mmsim.widgets.first_screen import FirstScreen
from mmsim.widgets.stepper import Stepper, Walk

# A run keeps all that it makes, so that collecting takes half of its time and finds nothing.
gc.set_threshold(100_000, 50, 50)

TOOLS = Path(__file__).resolve().parent
SOLUTIONS = TOOLS.parent / "notebooks" / "solutions"
HTML = "text/html"
ANSWERS_MAX = 4_000  # more are not tried one by one: the first part that is wrong decides
SETTINGS_MAX, PICTURES_MAX = 400, 600_000  # of one widget; characters
TYPED = "9870{:03}"  # stands for what will be typed; the player puts that in its place
KEPT: dict[str, tuple[Any, ...]] = {
    "holder": (0, 1),
    "released": ("never", "1", "9"),
    "taken": ("start", "0.split.freeze"),
    "targets": ("none", "available"),
    "reason": ("longterm_pin", "contig_range", "compaction"),
    "mappings": (0, 1, 2),
    "holders": (0, 1, 2),
}
"""What a page has of knobs with many values, where all together would be too many pictures."""


class Pool(dict[str, int]):
    """Each text once; `pool[text]` is its number."""

    def __missing__(self, text: str) -> int:
        self[text] = len(self)
        return self[text]


def remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which asks the model only once for the same: that may take a second."""
    known: dict[str, Any] = {}

    def ask(*given: Any) -> Any:
        key = repr(given)
        if key not in known:
            known[key] = function(*given)
        return known[key]

    return ask


# -- answers


def candidates(card: Card, part: Any) -> list[Any]:
    """The values of a part that are tried: all choices; of a number that is typed, the right one
    and a wrong one; of a text, one that stands for all."""
    place, allowed = list(card.parts).index(part), card.parts[part]
    if allowed is str:
        return [TYPED.format(place)]
    if allowed is int and card.outcome:
        true = card.outcome()
        return [true if card.single else true[part], int(TYPED.format(place))]
    return options(allowed)


def clickable(card: Card) -> bool:
    """Can it be answered without a kernel?  Not if the answer is code, or a text that is judged."""
    judged = str in card.parts.values() and card.judge is not None
    return bool(card.parts) and not judged and all(candidates(card, part) for part in card.parts)


def answers(card: Card) -> list[tuple[int, ...]]:
    """The answers that are tried, as a number of a candidate for each part."""
    sizes = [len(candidates(card, part)) for part in card.parts]
    if math.prod(sizes) <= ANSWERS_MAX:
        return list(itertools.product(*map(range, sizes)))
    right = solved(card)
    wrong = [(*right[:i], n, *right[i + 1 :]) for i, size in enumerate(sizes) for n in range(size)]
    return sorted({right, *wrong})


def solved(card: Card) -> tuple[int, ...]:
    """A right answer as numbers of candidates; 0 where it is none of them, such as own words."""
    card.forget()
    stored = card.solved().stored
    given = {ONLY: stored} if card.single else stored
    tried = [(candidates(card, part), given[part]) for part in card.parts]
    return tuple(values.index(value) if value in values else 0 for values, value in tried)


def reply(card: Card, answer: tuple[int, ...], again: bool = False) -> tuple[int, list[str]]:
    """What a card says to an answer at first, or `again`: after another wrong one.

    The number says what became of it: -1 not stored, 0 wrong, 1 unlocked but open, 2 settled."""
    given = {part: candidates(card, part)[n] for part, n in zip(card.parts, answer, strict=True)}
    card.forget()
    card.state = State(verdict=failed("another answer") if again else NO_VERDICT)
    card.answer(given)
    state = -1 if card.problem else card.unlocked + card.settled
    return state, card.reply()


def told(card: Card) -> dict[str, Any]:
    """All that the player needs of a card with choices."""
    lines, replies = Pool(), {}
    for answer in answers(card):
        tries = [reply(card, answer)]
        if tries[0][0] == 0:
            tries.append(reply(card, answer, again=True))
        key = ".".join(map(str, answer))
        replies[key] = [[state, *(lines[marked([line])] for line in told)] for state, told in tries]
    parts = []
    for part, allowed in card.parts.items():
        label = "" if part == ONLY else f"`{part}`"
        words = [said(value, allowed) for value in candidates(card, part)]
        kind = "text" if allowed is str else "number" if allowed is int else "choice"
        parts.append([marked_line(card.labels.get(part, label)), kind, words])
    right = solved(card)
    return {"parts": parts, "replies": replies, "lines": list(lines), "right": right}


# -- settings


def controls(box: Any) -> dict[str, Any]:
    """What can be set, by name; the steps of a walk are none of it."""
    if isinstance(box, FirstScreen):
        return {"kernel": box.kernel, "the holder lets go": box.lets_go}
    return box.boxes if isinstance(box, Console) else {"version": box.version}


def values(box: Any) -> list[tuple[str, Any]]:
    """The values of a control, each with its words."""
    if not hasattr(box, "options"):
        return [(str(n), n) for n in range(box.min, box.max + 1)]
    return [one if isinstance(one, tuple) else (str(one), one) for one in box.options]


def frames(box: Any) -> dict[str, Any] | None:
    """A picture for every setting of a widget, made of pieces that are kept once; None if that
    is too much for a page."""
    boxes = controls(box)
    kept = {name: values(control) for name, control in boxes.items()}
    if math.prod(map(len, kept.values())) > 100:
        kept = {
            name: [v for v in found if v[1] in KEPT.get(name, (v[1],))]
            for name, found in kept.items()
        }
    if math.prod(map(len, kept.values())) > SETTINGS_MAX:
        return None
    pieces, pictures, words, ways = Pool(), Pool(), Pool(), {}
    start = [[v for _, v in kept[name]].index(control.value) for name, control in boxes.items()]
    ask = remembered(lambda now: shown(box, boxes, now))
    for setting in itertools.product(*(range(len(found)) for found in kept.values())):
        now = {name: kept[name][n][1] for n, name in zip(setting, kept, strict=True)}
        if now.get("holder") == 0:  # then it makes no difference when a holder comes and goes
            now |= {name: kept[name][0][1] for name in ("taken", "released") if name in kept}
        seen = []
        for picture, line in ask(now):
            parts = (
                pictures[",".join(str(pieces[tag]) for tag in re.split("(?=<(?!/))", column))]
                for column in re.split("(?=<div style=.flex:|<svg)", picture)
            )
            seen.append([words[line], *parts])
        ways[".".join(map(str, setting))] = seen
    if sum(map(len, [*pieces, *pictures])) > PICTURES_MAX:
        return None
    return {
        "controls": [[name, [word for word, _ in found]] for name, found in kept.items()],
        "pictures": [list(map(int, text.split(","))) for text in pictures],
        "last": isinstance(box, FirstScreen),  # it begins at the last stop
    } | {"start": start, "ways": ways, "words": list(words), "pieces": list(pieces)}


def shown(box: Any, boxes: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str]]:
    """The pictures of a setting, each with what is said of it: one, or one for each stop."""
    with box.silent():
        for name, value in now.items():
            boxes[name].value = value
    found = []
    for stop in range(box.last + 1 if isinstance(box, Walk) else 1):
        box.view.value = ""
        if isinstance(box, Walk):
            with box.silent():
                box.slider.max, box.slider.value = box.last, stop
        box.redraw()
        found.append((box.view.value, re.sub(r"</?div[^>]*>", "", box.said.value)))
    return found


# -- a notebook


def solution(name: str, cells: list[Any]) -> str:
    """The answer to a card that is code, and what it unlocks: as the solution edition stores it."""
    for cell in cells:
        if cell.cell_type == "code" and re.search(rf"\blesson\.{name}(\(|\.solved)", cell.source):
            code = "" if cell.source.endswith(".solved()") else f"<pre>{escape(cell.source)}</pre>"
            return code + str(cell.outputs[-1].data[HTML])
    raise LookupError(f"no cell of the solution edition answers lesson.{name}")


def live(card: Card, solutions: list[Any]) -> dict[str, Any]:
    """A card as JSON."""
    card.outcome = remembered(card.outcome) if card.outcome else None
    card.judge = remembered(card.judge) if card.judge else None
    card.opened()
    found = {
        "name": card.name,
        "needs": [need.name for need in card.needs],
        "headline": marked_line(card.headline),
        "text": marked(card.text.split("\n\n")),
        "hints": [marked([card.next_hint()]) for _ in card.hints],
    }
    if card.asks and not clickable(card):
        return {**found, "code": solution(card.name, solutions)}
    if card.asks:
        found |= told(card)
    card.solved()
    box = card.play() if card.play else None
    play = frames(box) if isinstance(box, Console | FirstScreen | Stepper) else None
    if play is None:
        for one in (card, *card.needs):  # what a reader will say is not known yet
            if isinstance(one.stored, dict):
                one.state = replace(one.state, last={})
        found["shown"] = as_html(card.pictures())
        found["shown"] += as_html("In the notebook this can be changed.") if card.play else ""
    return {**found, "play": play, "reason": marked(reason(card))}


def enliven(notebook: Any) -> None:
    """Put into the stored output of each card what it says and shows without a kernel."""
    name = Path(notebook.metadata.mmsim.source).stem
    lesson = next(lesson for lesson in COURSE if lesson.name == name)
    solutions = nbformat.read(SOLUTIONS / f"{lesson.stem}.ipynb", as_version=4).cells
    output = None
    for cell in notebook.cells:
        match = re.search(r"^lesson\.(\w+)", cell.source.strip().rpartition("\n")[2])
        card = getattr(lesson.module, match[1], None) if match else None
        if cell.cell_type == "code" and isinstance(card, Card):
            output = cell.outputs[-1].data
            data = json.dumps(live(card, solutions), ensure_ascii=False, separators=(",", ":"))
            data = data.replace("</", "<\\/")
            output[HTML] = (
                f'<div class="mmsim-live">{output[HTML]}</div>'
                f'<script type="application/json">{data}</script>'
            )
    if output is not None:
        style, script = ((TOOLS / f"player.{kind}").read_text("utf-8") for kind in ("css", "js"))
        output[HTML] += f"<style>{style}</style><script>{script}</script>"


class Alive(Preprocessor):
    """The same for nbconvert."""

    def preprocess(self, notebook: Any, resources: Any) -> tuple[Any, Any]:
        """A notebook whose cards work on a page."""
        enliven(notebook)
        # What a page would otherwise load from elsewhere, and no lesson uses.
        unused = ("mathjax_url", "require_js_url", "jquery_url")
        return notebook, {**resources, **dict.fromkeys(unused, "")}
