"""A class that hands in: learners made from seeds, who answer real cards.

usage: python tests/classroom.py FOLDER [LESSON ...]      (25 hand-ins; default: every lesson)"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import random
import sys
import tempfile
from pathlib import Path

from mmsim.cli import main
from mmsim.lessons import COURSE
from mmsim.lessons.card import Card, options
from mmsim.progress import SESSION

NAMES = [lesson.name for lesson in COURSE]


def cards_of(lesson):
    module = importlib.import_module(f"mmsim.lessons.{lesson}")
    return [card for card in vars(module).values() if isinstance(card, Card)]


def another_kernel(*cards):
    """As if the cards had just been imported."""
    for card in cards:
        card.about(card.which)


def guess(card, draw, knows):
    """A learner's answer to a card of choices; None if nothing can be chosen."""
    if not card.parts or not all(map(options, card.parts.values())):
        return None
    true = card._read(card.right())
    said = [true] if card.single else list(true.values())
    for n, allowed in enumerate(card.parts.values()):
        if draw.random() > knows:
            said[n] = draw.choice(options(allowed))
    return said[0] if card.single else dict(zip(card.parts, said, strict=True))


def answers(lessons, folder, draw):
    """One learner goes through these lessons, and knows more from card to card."""
    os.environ[SESSION] = str(folder / "lesson.ipynb")
    for at, lesson in enumerate(lessons):
        for card in cards_of(lesson):
            another_kernel(card)
            if not card.asks or (said := guess(card, draw, 0.3 + 0.05 * at)) is None:
                continue
            for need in card.needs:
                need.solved()
            if card.hints and draw.random() < 0.4:
                card.next_hint()
            card.answer(said)
            if not card.settled and draw.random() < 0.7:
                card.answer(card.right())
    del os.environ[SESSION]


def class_of(people, folder, lessons, seed=1):
    """So many hand-ins in a folder."""
    draw = random.Random(seed)
    for number in range(people):
        with tempfile.TemporaryDirectory() as own, contextlib.redirect_stdout(io.StringIO()):
            answers(lessons, Path(own), draw)
            with contextlib.chdir(folder):
                assert main(["progress", own, "--hand-in", f"learner {number + 1:02}"]) == 0
    for lesson in lessons:
        another_kernel(*cards_of(lesson))


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    class_of(25, Path(sys.argv[1]), sys.argv[2:] or NAMES)
