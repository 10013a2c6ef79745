"""A class that hands in: learners made from seeds, who answer real cards."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import random
import tempfile
from pathlib import Path

from mmsim.cli import main
from mmsim.lessons import COURSE
from mmsim.lessons.card import Card
from mmsim.lessons.form import options
from mmsim.progress import SESSION

NAMES = [lesson.name for lesson in COURSE]


def cards_of(lesson):
    module = importlib.import_module(f"mmsim.lessons.{lesson}")
    return [card for card in vars(module).values() if isinstance(card, Card)]


def another_kernel(*lessons):
    """As if these lessons had just been imported."""
    for card in [card for lesson in lessons or NAMES for card in cards_of(lesson)]:
        card.about(card.which)


def one_learner(lessons, draw):
    """Goes through these lessons, and knows more from one to the next."""
    another_kernel(*lessons)
    for knows, card in [
        (0.3 + 0.05 * n, c) for n, name in enumerate(lessons) for c in cards_of(name)
    ]:
        if not card.parts or not all(map(options, card.parts.values())):
            continue
        for need in card.needs:
            need.solved()
        if card.hints and draw.random() < 0.4:
            card.next_hint()
        right = card._read(card.right())
        said = {"": right} if card.single else dict(right)
        for part, allowed in zip(said, card.parts.values(), strict=True):
            said[part] = draw.choice(options(allowed)) if draw.random() > knows else said[part]
        card.answer(said[""] if card.single else said)
        if not card.settled and draw.random() < 0.7:
            card.answer(right)


def class_of(people, folder, lessons, seed=1):
    """So many hand-ins in a folder."""
    draw = random.Random(seed)
    for number in range(people):
        with tempfile.TemporaryDirectory() as own, contextlib.redirect_stdout(io.StringIO()):
            os.environ[SESSION] = str(Path(own, "lesson.ipynb"))
            one_learner(lessons, draw)
            del os.environ[SESSION]
            with contextlib.chdir(folder):
                assert main(["progress", own, "--hand-in", f"learner {number + 1:02}"]) == 0
    another_kernel(*lessons)
